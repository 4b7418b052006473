// `0.0.0.0:8080`, `[::]:8080`, `unix:/run/penstock.sock` and the faults that people make in them.

extension ListenAddress {
    /// The address as a policy file writes it.
    package var text: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// Whether only this machine can connect.
    package var isLocal: Bool {
        switch self {
        case .tcp(let host, _): NumericAddress(host)?.isLoopback ?? false
        case .unix: true
        }
    }

    /// Whether the kernel would refuse to listen on both: the same port, and one address covers the
    /// other; or the same socket, however its path is written.
    ///
    /// Port 0 is a different port each time. `resolve` gives a path without links.
    package func conflicts(
        with other: ListenAddress, resolve: (String) -> String = { $0 }
    ) -> Bool {
        switch (self, other) {
        case (.unix(let path), .unix(let otherPath)):
            return FilePath.plain(resolve(path)) == FilePath.plain(resolve(otherPath))
        case (.tcp(let host, let port), .tcp(let otherHost, let otherPort)):
            guard port == otherPort, port != 0, let left = NumericAddress(host),
                let right = NumericAddress(otherHost), left.isIPv6 == right.isIPv6
            else { return false }
            return left.text == right.text || left.isWildcard || right.isWildcard
        case (.unix, .tcp), (.tcp, .unix): return false
        }
    }

    /// Whether both are one: the same socket, however its path is written.
    ///
    /// `resolve` gives a path without links.
    package func isSame(as other: ListenAddress, resolve: (String) -> String) -> Bool {
        if self == other { return true }
        guard case .unix = self else { return false }
        return conflicts(with: other, resolve: resolve)
    }

    /// The address that `text` says, as `text` writes it; nil where it says none.
    package init?(written text: String) {
        guard let address = try? ListenAddress.parse(text) else { return nil }
        self = address
    }

    /// Reads an address.
    static func parse(_ text: String) throws(Fault) -> ListenAddress {
        if text.hasPrefix("unix:") {
            return .unix(path: try FilePath.socket(String(text.dropFirst("unix:".count))))
        }
        if text.hasPrefix("/") {
            throw Fault(
                "\(text.quoted) is a path", "write \("unix:\(text)".quoted) for a unix socket")
        }
        let (host, port) = HostName.split(text)
        guard let port else {
            throw Fault(
                "\(text.quoted) has no port", "write an address and a port, such as 0.0.0.0:8080")
        }
        let number = try HostName.port(port, in: 0...65535)
        if host.isEmpty || host == "*" {
            throw Fault(
                "\(text.quoted) has no address",
                "write 0.0.0.0:\(port) for all IPv4 addresses or [::]:\(port) for all IPv6 ones")
        }
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        guard
            let address = NumericAddress(isBracketed ? String(host.dropFirst().dropLast()) : host),
            address.isIPv6 == isBracketed
        else {
            let hint =
                host == "localhost" ? "127.0.0.1:\(port)" : "one such as 0.0.0.0:8080 or [::]:8080"
            throw Fault("\(host.quoted) is not a numeric address", "write \(hint)")
        }
        return .tcp(host: address.text, port: number)
    }
}

extension Kind<ListenAddress> {
    /// An address to listen on.
    static var listenAddress: Kind {
        .text(
            "an address such as 0.0.0.0:8080, [::]:8080 or unix:/run/penstock.sock",
            pattern: "^(unix:/.+|[0-9.]+:[0-9]{1,5}|\\[[0-9A-Fa-f:.]+\\]:[0-9]{1,5})$",
            parse: ListenAddress.parse, write: { $0.text })
    }
}
