// The keys under `backends: {kubernetes: ..}`.

extension PolicySections {
    static let backendsService = Section<KubernetesDiscovery>(
        blank: KubernetesDiscovery(),
        keys: [
            Key(
                "kubernetes", \.self, service.kind(), required: true,
                "The Service of Kubernetes whose endpoints are the backends, which its API server is watched for."
            )
        ],
        hints: [
            "service": "write kubernetes: {service: NAME}",
            "namespace": "write it under kubernetes",
            "port": "write it under kubernetes",
        ])

    private static let service = Section<KubernetesDiscovery>(
        blank: KubernetesDiscovery(),
        keys: [
            Key("service", \.service, serviceName, required: true, "The Service's name."),
            Key(
                "namespace", \.namespace, serviceName.optional(blank: ""),
                "Its namespace; the service account's own where it is left out."),
            Key(
                "port", \.port, servicePort,
                "The pods' port: its name in the Service, or its number at the pods, which may be another than "
                    + "the Service's. It may be left out where the Service has but one."),
            Key(
                "scheme", \.scheme, .words([("http", .http), ("https", .https)]),
                "How pods are reached. With https the certificate has to be that of SERVICE.NAMESPACE.svc."
            ),
            Key(
                "api", \.api, apiServer.optional(blank: blankServer),
                "URL of the API server; what KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT say where it is "
                    + "left out. Over http, as to a `kubectl proxy` beside the gateway, no token is sent."
            ),
            Key(
                "account", \.account, absolutePath,
                "Folder with the service account's `token`, which is read before each question, `ca.crt`, which "
                    + "the API server's certificate has to follow from, and `namespace`."),
        ],
        hints: [
            "name": "write service: NAME", "selector": "write service: NAME",
            "kubeconfig": "write api and account", "token": "write account: FOLDER",
            "token_file": "write account: FOLDER", "ca_file": "write account: FOLDER",
            "tls": "write scheme: https",
        ])

    private static let blankServer = BackendAddress(scheme: .https, host: "", port: 0, label: "")

    private static let serviceName = Kind<String>.text(
        "a name such as model: letters in lower case, figures and dashes",
        pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        parse: { (text) throws(Fault) in
            guard KubernetesDiscovery.isLabel(text) else {
                throw Fault(
                    "\(text.quoted) is no name of Kubernetes'",
                    "write up to 63 letters in lower case, figures and dashes")
            }
            return text
        }, write: { $0 })

    private static let servicePort = Kind<KubernetesDiscovery.Port?>(
        .either([
            .integer(1...65535),
            .text("the name of a port", pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ])
    ) { node, path, port, reading in
        do throws(Fault) {
            let wanted = "a port's number from 1 to 65535 or its name"
            let text = try node.scalarText(wanted)
            if !text.isEmpty, text.allSatisfy(\.isASCIIDigit) {
                port = .number(try HostName.port(text, in: 1...65535))
            } else if KubernetesDiscovery.isLabel(text) {
                port = .named(text)
            } else {
                throw Fault("\(text.quoted) is no port", "write \(wanted)")
            }
        } catch {
            reading.report(error, path: path, at: node.position)
        }
    } write: { port in
        switch port {
        case nil: nil
        case .number(let number): .integer(Int(number))
        case .named(let name): .text(name)
        }
    }

    private static let apiServer = Kind<BackendAddress>.text(
        "a URL such as https://10.96.0.1:443",
        pattern: "^https?://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?/?$",
        parse: { (text) throws(Fault) in
            let address = try BackendAddress.parse(text)
            guard address.scheme != .unix else {
                throw Fault("\(text.quoted) is no URL of an API server", "write https://HOST:PORT")
            }
            return address
        }, write: { $0.label })
}
