// Backends that are the endpoints of a Service of Kubernetes, as its API server tells them.

/// Which endpoints are a pool's backends, and who tells them.
package struct KubernetesDiscovery: Equatable, Sendable {
    /// A port of the endpoints.
    package enum Port: Equatable, Sendable {
        /// That one, whatever the Service says.
        case number(UInt16)
        /// The one that the Service calls so, which may be another number at each endpoint.
        case named(String)
    }

    /// The Service's name, a label of the DNS (RFC 1123).
    package var service = ""
    /// Its namespace; nil for the service account's own.
    package var namespace: String?
    /// The port; nil where the Service has but one.
    package var port: Port?
    /// How endpoints are reached: `http` or `https`.
    package var scheme = BackendAddress.Scheme.http
    /// The API server; nil for the one that the environment names, as Kubernetes has it in each container.
    package var api: BackendAddress?
    /// The folder with `ca.crt`, `namespace` and `token` of the service account that asks.
    package var account = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// Nobody's, with the defaults.
    package init() {}

    /// What is looked at, for people.
    var text: String {
        "service \(namespace.map { "\($0)/" } ?? "")\(service) of Kubernetes"
    }

    /// The backend at an address and a port of an endpoint of the Service in `namespace`; nil where that is neither a
    /// numeric address nor a name.
    ///
    /// Connections are made to the address, and what they say is the Service's name in the cluster's DNS.
    package func backend(
        at text: String, port: UInt16, instance: String, namespace: String
    ) -> BackendAddress? {
        guard port > 0 else { return nil }
        let found: String
        if let address = NumericAddress(text) {
            found = address.text
        } else if let name = try? HostName.parse(text) {
            found = name
        } else {
            return nil
        }
        let shown = found.contains(":") ? "[\(found)]" : found
        var backend = BackendAddress(
            scheme: scheme, host: "\(service).\(namespace).svc", port: port,
            label: "\(scheme.rawValue)://\(shown):\(port)")
        backend.found = found
        backend.instance = instance
        return backend
    }

    /// Whether `text` can name a Service or a namespace: a label of the DNS in lower case (RFC 1123 section 2.1).
    package static func isLabel(_ text: String) -> Bool {
        (1...63).contains(text.utf8.count) && text.first != "-" && text.last != "-"
            && text.utf8.allSatisfy {
                (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d
            }
    }
}
