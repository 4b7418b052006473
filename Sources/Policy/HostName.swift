// Names and ports as they stand in addresses, URLs and `Host` fields.

/// Reads host names and ports.
enum HostName {
    /// The name or numeric address in lower case and IPv6 without brackets (RFC 3986 section
    /// 3.2.2).
    static func parse(_ text: String) throws(Fault) -> String {
        if text.hasPrefix("[") {
            guard text.hasSuffix("]"),
                let address = NumericAddress(String(text.dropFirst().dropLast())),
                address.isIPv6
            else {
                throw Fault(
                    "\(text.quoted) is not an IPv6 address in brackets", "write one like [::1]")
            }
            return address.text
        }
        if text.contains("/") {
            throw Fault("\(text.quoted) is not a host name or address", "write the name alone")
        }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= 253, labels.allSatisfy(isLabel) else {
            let hint = text.contains(":") ? "put brackets around an IPv6 address" : example(text)
            throw Fault("\(text.quoted) is not a host name or address", hint)
        }
        // What ends in figures is an address in somebody's eyes (WHATWG URL section 3.5): only one
        // spelling.
        if labels.last.map(isNumber) == true, NumericAddress(text) == nil {
            throw Fault("\(text.quoted) is not an IPv4 address", "write four numbers from 0 to 255")
        }
        return text.lowercased()
    }

    /// Whether a label is a number, in tens or, behind 0x, in sixteens.
    private static func isNumber(_ label: Substring) -> Bool {
        if label.allSatisfy(\.isASCIIDigit) { return true }
        return label.lowercased().hasPrefix("0x") && label.dropFirst(2).allSatisfy(\.isHexDigit)
    }

    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
            && label.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || $0 == "-" || $0 == "_" }
    }

    private static func example(_ text: String) -> String {
        if text.contains("*") { return "name each host, wildcards are not known" }
        if text.hasSuffix(".") { return "remove the dot at its end" }
        return "write a name such as gpu-1.example.com"
    }

    /// A port number within `range`.
    static func port(_ text: some StringProtocol, in range: ClosedRange<Int>) throws(Fault)
        -> UInt16
    {
        guard !text.isEmpty, text.count <= 5, text.allSatisfy(\.isASCIIDigit), let port = Int(text),
            range.contains(port)
        else {
            throw Fault(
                "\(String(text).quoted) is not a port",
                "write a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return UInt16(port)
    }

    /// `host:port` at the last colon that is not part of an IPv6 address; the port may be missing.
    static func split(_ text: String) -> (host: String, port: Substring?) {
        guard let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") else {
            return (text, nil)
        }
        return (String(text[..<colon]), text[text.index(after: colon)...])
    }
}

/// Paths of files and sockets.
enum FilePath {
    /// Longest path of a unix socket: `sun_path` less its terminator (unix(7)).
    static let maxSocketBytes = 107

    /// An absolute path.
    ///
    /// A relative one would depend on where the gateway was started.
    static func parse(_ text: String) throws(Fault) -> String {
        guard text.hasPrefix("/"), text.utf8.count > 1 else {
            throw Fault("\(text.quoted) is not an absolute path", "write a path that begins with /")
        }
        guard text.utf8.count <= 4095, !text.unicodeScalars.contains(where: { $0.value < 0x20 })
        else {
            throw Fault("\(text.quoted) is not a usable path", "write at most 4095 printable bytes")
        }
        return text
    }

    static func socket(_ text: String) throws(Fault) -> String {
        let path = try parse(text)
        guard path.utf8.count <= maxSocketBytes else {
            throw Fault(
                "the path of a socket has \(path.utf8.count) bytes",
                "write at most \(maxSocketBytes)")
        }
        return path
    }

    /// A path without what means nothing in it: empty parts and `.`.
    ///
    /// What `..` means is only known where links are followed.
    static func plain(_ path: String) -> String {
        let parts = path.split(separator: "/").reduce(into: [Substring]()) { parts, part in
            switch part {
            case ".": break
            default: parts.append(part)
            }
        }
        return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    }
}
