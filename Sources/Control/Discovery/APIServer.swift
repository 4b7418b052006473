// The API server of Kubernetes, and what it is asked.

internal import Policy
internal import Reactor

/// Asks for the slices of one Service.
struct APIServer {
    private let address: BackendAddress
    private let service: String

    /// How long a list may take, and how long a connection, in milliseconds.
    private static let listMilliseconds = 30_000
    private static let connectMilliseconds = 5_000
    /// How much longer a watch may take than it was asked to.
    private static let graceMilliseconds = 30_000
    /// Bytes of a refusal.
    private static let mostRefusalBytes = 64 << 10

    /// The server that `settings` name, or else the environment; nil where neither does.
    init?(_ settings: KubernetesDiscovery) {
        service = settings.service
        if let api = settings.api {
            address = api
            return
        }
        // https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
        guard let host = ProcessEnvironment.variable("KUBERNETES_SERVICE_HOST"), !host.isEmpty,
            let port = ProcessEnvironment.variable("KUBERNETES_SERVICE_PORT").flatMap({ UInt16($0) }
            ),
            port > 0
        else { return nil }
        let shown = host.contains(":") ? "[\(host)]" : host
        address = BackendAddress(
            scheme: .https, host: host, port: port, label: "https://\(shown):\(port)")
    }

    /// Its URL.
    var url: String { address.label }

    /// Whether it is asked with TLS.
    var isSecure: Bool { address.scheme == .https }

    /// A question for all slices there are.
    func list(_ account: ServiceAccount) -> FetchRequest {
        request(account, query: "", milliseconds: APIServer.listMilliseconds)
    }

    /// A question for what becomes of the slices after `version`, for so many seconds.
    func watch(_ account: ServiceAccount, after version: String, seconds: Int) -> FetchRequest {
        let query =
            "&watch=1&allowWatchBookmarks=true&timeoutSeconds=\(seconds)"
            + "&resourceVersion=\(version.percentEncoded)"
        return request(
            account, query: query,
            milliseconds: seconds * 1_000 + APIServer.graceMilliseconds)
    }

    private func request(
        _ account: ServiceAccount, query: String, milliseconds: Int
    ) -> FetchRequest {
        let path =
            "/apis/discovery.k8s.io/v1/namespaces/\(account.namespace)/endpointslices"
            + "?labelSelector=kubernetes.io%2Fservice-name%3D\(service)"
        var request = FetchRequest(
            DialTarget(address, credentials: account.credentials), path: path + query,
            timeoutMilliseconds: milliseconds)
        request.connectTimeoutMilliseconds = APIServer.connectMilliseconds
        request.mostBytes = APIServer.mostRefusalBytes
        request.fields = ["Accept: application/json"]
        if let token = account.token { request.fields.append("Authorization: Bearer \(token)") }
        return request
    }
}
