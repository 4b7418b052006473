// What a backend is asked that nobody wants anything of: whether it answers.

internal import Admission
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
        let host = if case .fixed(let name) = pool.host { name } else { address.authority }
        fields = ["Host: \(host)"]
    }

    /// How long a probed backend's response may take, in milliseconds, once it is connected.
    private static let probeMilliseconds = 5_000
}
