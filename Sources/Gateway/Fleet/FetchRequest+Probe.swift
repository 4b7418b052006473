// What a backend is asked that nobody wants anything of: whether it answers, and whether all is well.

internal import Admission
internal import Inference
package import Policy
package import Reactor

extension FetchRequest {
    /// Asks a backend of `pool` for `HEAD /`, which costs it nothing, and which servers answer with 404 or 405.
    ///
    /// A connection may take as long as the pool has it, and the response 5 s more.
    package init(
        probing address: BackendAddress, of pool: PoolSettings, _ credentials: TLSCredentials?
    ) {
        let connect = max(1, Int(pool.connectTimeout.wholeNanoseconds / 1_000_000))
        self.init(
            DialTarget(address, verifies: pool.tls.verify, credentials: credentials), path: "/",
            timeoutMilliseconds: connect + FetchRequest.probeMilliseconds)
        connectTimeoutMilliseconds = connect
        method = "HEAD"
        fields = [FetchRequest.hostField(address, pool)]
    }

    /// Asks a backend of `pool` for a path that says whether all is well.
    init(
        checking address: BackendAddress, of pool: PoolSettings, _ health: HealthSettings,
        _ credentials: TLSCredentials?
    ) {
        self.init(
            DialTarget(address, verifies: pool.tls.verify, credentials: credentials),
            path: health.path,
            timeoutMilliseconds: max(1, Int(health.timeout.wholeNanoseconds / 1_000_000)))
        fields = [FetchRequest.hostField(address, pool)] + pool.requestLines
        mostBytes = FetchRequest.mostCheckBytes
    }

    /// Asks a backend of `pool` for its page of metrics.
    ///
    /// An engine that is busy may take long for it, and is not asked again meanwhile.
    init(
        measuring address: BackendAddress, of pool: PoolSettings, path: String,
        _ credentials: TLSCredentials?
    ) {
        self.init(
            DialTarget(address, verifies: pool.tls.verify, credentials: credentials), path: path,
            timeoutMilliseconds: FetchRequest.pageMilliseconds)
        fields = [FetchRequest.hostField(address, pool)] + pool.requestLines
        mostBytes = MetricsPageReader.mostBytes
    }

    /// How long a page of metrics may take, in milliseconds: what comes later is old.
    private static let pageMilliseconds = 10_000

    /// Bytes of a response that says whether all is well; one that is longer says nothing.
    private static let mostCheckBytes = 64 << 10

    private static func hostField(_ address: BackendAddress, _ pool: PoolSettings) -> String {
        let host = if case .fixed(let name) = pool.host { name } else { address.authority }
        return "Host: \(host)"
    }

    /// How long a probed backend's response may take, in milliseconds, once it is connected.
    private static let probeMilliseconds = 5_000
}
