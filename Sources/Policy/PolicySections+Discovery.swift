// The keys under a pool's `backends`, where it is no list of URLs.

import Admission

extension PolicySections {
    /// `backends` of a pool: a list, or where to look them up.
    static let backends = Kind<PoolSettings>(
        .either([
            backendList.shape, .section(backendsFile.shape), .section(backendsName.shape),
            .section(backendsService.shape),
        ])
    ) { node, path, pool, reading in
        pool.discovery = nil
        pool.admission.discoversBackends = false
        guard case .mapping(let entries) = node.content else {
            return backendList.read(node, path, &pool.backends, &reading)
        }
        pool.backends = []
        pool.admission.discoversBackends = true
        let keys = entries.map(\.key)
        if keys.contains("kubernetes"), !keys.contains("file"), !keys.contains("dns") {
            var service = KubernetesDiscovery()
            backendsService.read(node, path, &service, &reading)
            pool.discovery = .kubernetes(service)
        } else if keys.contains("dns"), !keys.contains("file") {
            var dns = DNSDiscovery()
            backendsName.read(node, path, &dns, &reading)
            pool.discovery = .dns(dns)
        } else {
            var file = ""
            backendsFile.read(node, path, &file, &reading)
            pool.discovery = .file(path: file)
        }
    } write: { pool in
        switch pool.discovery {
        case nil: pool.backends.isEmpty ? nil : backendList.write(pool.backends)
        case .file(let path): backendsFile.write(path)
        case .dns(let dns): backendsName.write(dns)
        case .kubernetes(let service): backendsService.write(service)
        }
    }

    private static let backendList = Kind<[BackendAddress]>.list(
        of: .backend,
        blank: BackendAddress(scheme: .http, host: "", port: 0, label: ""),
        counts: 1...maxElements, identity: { $0.identity })

    private static let backendsFile = Section<String>(
        blank: "",
        keys: [
            Key(
                "file", \.self, absolutePath, required: true,
                "Absolute path of a file that lists the backends as Prometheus' `file_sd` has them, in YAML or "
                    + "JSON, at most 1000. It is read again when it changes, and every 5 minutes.")
        ],
        hints: [
            "path": "write file: PATH", "files": "write file: PATH", "urls": "write a list of URLs",
            "name": "write dns: http://NAME:PORT", "dns": "choose one of file and dns",
            "kubernetes": "choose one of file, dns and kubernetes",
            "service": "write kubernetes: {service: NAME}",
        ])

    private static let backendsName = Section<DNSDiscovery>(
        blank: DNSDiscovery(),
        keys: [
            Key(
                "dns", \.self, dnsName, required: true,
                "URL with a name whose addresses are the backends: IPv4 ones, or IPv6 ones where there are no "
                    + "others. Of `http://_SERVICE._PROTOCOL.NAME` the service records are: hosts and ports, those of "
                    + "the lowest priority."),
            Key(
                "every", \.every, .duration(Duration.seconds(1)...Duration.seconds(3600)),
                "Longest time from one answer to the next question; what the answer says that it holds for, if "
                    + "that is shorter, and a second at least."),
            Key(
                "servers", \.servers,
                .list(of: dnsServer, blank: "", counts: 0...8, identity: { [$0] }),
                "Name servers to ask instead of the system's, each an address with or without a port."
            ),
        ],
        hints: [
            "ttl": "write every: TIME", "interval": "write every: TIME",
            "kubernetes": "choose one of dns and kubernetes",
        ])

    private static let dnsName = Kind<DNSDiscovery>(
        .text(
            "a URL such as http://model.svc:8000 or http://_http._tcp.model.svc",
            pattern: "^https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?/?$")
    ) { node, path, dns, reading in
        do throws(Fault) {
            let text = try node.text("a URL such as http://model.svc:8000")
            let address = try BackendAddress.parse(text)
            guard address.scheme != .unix, NumericAddress(address.host) == nil else {
                throw Fault(
                    "\(text.quoted) has no name to look up", "write backends: [\(text)]")
            }
            dns.scheme = address.scheme
            dns.name = address.host
            let labels = address.host.split(separator: ".")
            let isService =
                labels.count > 2 && labels[0].hasPrefix("_") && labels[1].hasPrefix("_")
            let hasPort =
                HostName.split(String(text.dropFirst(address.scheme.rawValue.count + 3)))
                .port != nil
            if isService, hasPort {
                throw Fault(
                    "\(text.quoted) has a port, which service records say", "remove it")
            }
            dns.port = isService ? nil : address.port
        } catch {
            reading.report(error, path: path, at: node.position)
        }
    } write: {
        .text($0.url)
    }

    private static let dnsServer = Kind<String>.text(
        "a numeric address such as 10.0.0.53, 127.0.0.1:8600 or [::1]:5353",
        pattern: "^(\\[[0-9A-Fa-f:.]+\\]|[0-9.]+)(:[0-9]{1,5})?$",
        parse: { (text) throws(Fault) in
            let (host, port) = HostName.split(text)
            let name = try HostName.parse(host)
            guard NumericAddress(name) != nil else {
                throw Fault("\(text.quoted) is no numeric address", "write one such as 10.0.0.53")
            }
            if let port { _ = try HostName.port(port, in: 1...65535) }
            return text
        }, write: { $0 })
}
