// What libcurl is told about a backend, prepared once from the policy.

package import Policy

/// Where and how to dial.
package struct DialTarget: Sendable {
    /// A URL with the scheme, the name and the port.
    package let url: String
    /// The unix socket to connect to instead, or nil.
    package let socketPath: String?
    /// Where to connect to instead of the URL's name and port, as libcurl has it; nil for there.
    package let connectsTo: String?
    /// Whether certificates and names are verified, for `https`.
    package let verifies: Bool
    /// Certificates, for `https`.
    package let credentials: TLSCredentials?
    /// Whether a TLS handshake belongs to connecting.
    package let isSecure: Bool

    /// The target that a policy's address means; without credentials nobody is trusted.
    package init(
        _ address: BackendAddress, verifies: Bool = true, credentials: TLSCredentials? = nil
    ) {
        let host = address.host.contains(":") ? "[\(address.host)]" : address.host
        switch address.scheme {
        case .http: url = "http://\(host):\(address.port)/"
        case .https: url = "https://\(host):\(address.port)/"
        case .unix: url = "http://localhost/"
        }
        connectsTo = address.found.map { found in
            let found = found.contains(":") ? "[\(found)]" : found
            return "\(host):\(address.port):\(found):\(address.port)"
        }
        socketPath = address.scheme == .unix ? address.socketPath : nil
        isSecure = address.scheme == .https
        self.verifies = verifies
        self.credentials = credentials
    }
}
