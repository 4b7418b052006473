// The admin listener: where it listens, by which names its pages are asked for, and what its token is asked for. Who may
// connect is its address's matter, and the token itself is `AdminToken`.

/// The admin listener as the policy has it.
package struct AdminSettings: Hashable, Sendable {
    /// Where it listens.
    package var listen: ListenSettings
    /// Names by which its pages may be asked for besides addresses in figures and `localhost`: lower case, without a port,
    /// at most 100.
    package var hosts: [String] = []
    /// What the token is asked for.
    package var tokenFor = TokenUse.changes

    /// What the token of the admin listener is asked for.
    package enum TokenUse: String, CaseIterable, Sendable {
        /// For changes; whoever can connect may read.
        case changes
        /// For pages as well, but for those that only say whether the gateway is there.
        case pages
    }

    /// An admin listener with those settings.
    package init(_ listen: ListenSettings) { self.listen = listen }

    /// The address.
    package var address: ListenAddress { listen.address }

    /// Who may connect to a unix socket; of no account for TCP.
    package var access: SocketAccess { listen.access }

    /// Whether a page may be asked for by `host`, the name of a `Host` field without its port.
    ///
    /// A page of a stranger can have its own name lead to this address (DNS rebinding), but then it is that name which a
    /// browser sends; an address in figures needs no lookup, and `localhost` is never somebody else's (RFC 6761 section
    /// 6.3). Browsers cannot connect to unix sockets.
    package func accepts(host: String) -> Bool {
        if case .unix = listen.address { return true }
        var name = host.lowercased()
        if name.hasPrefix("["), name.hasSuffix("]") {
            name = String(name.dropFirst().dropLast())
            return NumericAddress(name)?.isIPv6 == true
        }
        // A name with the root's dot is the same name.
        if name.hasSuffix(".") { name.removeLast() }
        return name == "localhost" || NumericAddress(name)?.isIPv6 == false || hosts.contains(name)
    }
}
