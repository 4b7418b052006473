// Where the backends of a pool are looked up that the policy does not name.

/// Where a pool's backends come from, and go to, while the gateway serves.
package enum DiscoverySettings: Equatable, Sendable {
    /// The file at an absolute path lists them, as Prometheus' file-based service discovery has it.
    case file(path: String)
    /// A name in the DNS has them as its addresses.
    case dns(DNSDiscovery)
    /// Kubernetes has them as the endpoints of a Service.
    case kubernetes(KubernetesDiscovery)

    /// What kind of source it is: a word for the log, for metrics and for pages.
    package var kind: String {
        switch self {
        case .file: "file"
        case .dns: "dns"
        case .kubernetes: "kubernetes"
        }
    }

    /// The file that is read; nil where none is.
    package var file: String? {
        if case .file(let path) = self { path } else { nil }
    }

    /// What is looked at, for people.
    package var text: String {
        switch self {
        case .file(let path): "file \(path)"
        case .dns(let dns): "name \(dns.name)"
        case .kubernetes(let kubernetes): kubernetes.text
        }
    }

    /// Whether it may find backends that have to be trusted before they are spoken to.
    package var findsSecured: Bool {
        switch self {
        case .file: true
        case .dns(let dns): dns.scheme == .https
        case .kubernetes(let kubernetes): kubernetes.scheme == .https
        }
    }
}

/// Backends that are the addresses of a name, or the servers of a service.
package struct DNSDiscovery: Equatable, Sendable {
    /// How they are reached: `http` or `https`.
    package var scheme = BackendAddress.Scheme.http
    /// The name; the service's, `_SERVICE._PROTOCOL.NAME`, where `port` is nil.
    package var name = ""
    /// Their port; nil where service records say it.
    package var port: UInt16?
    /// Longest time from one answer to the next question, 1 s..1 h; the answer's own time to live if that is shorter.
    package var every = Duration.seconds(5)
    /// Who is asked, at most 8: numeric addresses, with a port where it is not 53; the system's servers where it is empty.
    package var servers: [String] = []

    /// Nobody's, with the defaults.
    package init() {}

    /// Whether service records (RFC 2782) are asked for.
    package var asksForServices: Bool { port == nil }

    /// What is looked up, as a URL.
    package var url: String {
        "\(scheme.rawValue)://\(name)" + (port.map { ":\($0)" } ?? "")
    }

    /// The backend at a numeric address that was found for the name.
    package func backend(at found: String) -> BackendAddress {
        let host = found.contains(":") ? "[\(found)]" : found
        let port = port ?? 0
        var address = BackendAddress(
            scheme: scheme, host: name, port: port, label: "\(scheme.rawValue)://\(host):\(port)")
        address.found = found
        return address
    }

    /// The backend that a service record names; nil where that is no name of a host.
    package func backend(named target: String, port: UInt16) -> BackendAddress? {
        guard port > 0, !target.isEmpty else { return nil }
        return try? BackendAddress.parse("\(scheme.rawValue)://\(target):\(port)")
    }
}
