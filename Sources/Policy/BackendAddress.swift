// Where a backend is, and which one it is: what connections are made to, what metrics call it and what is learnt of it
// goes by.

/// Where a backend is.
package struct BackendAddress: Hashable, Sendable {
    /// How to reach it.
    package enum Scheme: String, Sendable {
        case http
        case https
        /// `http+unix://` and a percent-encoded or plain absolute path.
        case unix
    }

    /// How to reach it.
    package var scheme: Scheme
    /// Name or numeric address (IPv6 without brackets); empty for a unix socket.
    package var host: String
    /// Port, 1..65535; 0 for a unix socket.
    package var port: UInt16
    /// Path of the unix socket, else empty.
    package var socketPath: String
    /// What its paths begin with, without a slash at its end; empty for nothing.
    package var path = ""
    /// The URL as the operator wrote it, which is also the metric label.
    package var label: String
    /// Its share of the requests in comparison with the pool's other backends, 0...1,000; one of 0 gets nothing new.
    package var weight = 1
    /// Which of the servers it is that have had this address one after the other, where that is known; else empty.
    package var instance = ""

    /// The address that was found for `host`, where somebody has looked it up: connections are made to it, and `host` is
    /// what they say.
    package var found: String?

    /// Makes an address from its parts.
    package init(
        scheme: Scheme, host: String, port: UInt16, socketPath: String = "", path: String = "",
        label: String
    ) {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.socketPath = socketPath
        self.path = path
        self.label = label
    }

    /// What is learnt of a backend goes by this: another instance at the same address is another backend.
    package var key: String { instance.isEmpty ? label : "\(label)\n\(instance)" }

    /// The value of `Host` for requests in this backend's own name (RFC 9110 section 7.2).
    package var authority: String {
        switch scheme {
        case .unix: return "localhost"
        case .http where port == 80, .https where port == 443: return bracketedHost
        case .http, .https: return "\(bracketedHost):\(port)"
        }
    }

    /// The name or address that connections are made to.
    package var dialledHost: String { found ?? host }

    private var bracketedHost: String { host.contains(":") ? "[\(host)]" : host }
}
