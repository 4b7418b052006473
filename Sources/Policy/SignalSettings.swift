// Where a pool's gateway hears of its backends beside their responses.

/// What is asked about the backends of a pool.
package struct SignalSettings: Equatable, Sendable {
    /// Who says what each backend may be sent; `nil` where nobody is asked.
    package var agent: AgentAddress?
    /// How often an agent is asked, 100 ms to 10 min.
    package var every = Duration.seconds(2)

    /// The path of each backend's own page of metrics; `nil` where none is asked for.
    package var metrics: String?
    /// What becomes of load reports in fields of responses.
    package var reports = ReportRule.heed

    /// What becomes of backends' load reports.
    package enum ReportRule: String, CaseIterable, Sendable {
        /// Those that come count.
        case heed
        /// The same, and each request asks for one.
        case ask
        /// None counts.
        case ignore
    }

    /// Nobody is asked.
    package init() {}
}

/// Where an agent listens: `tcp://:9777`, `http://:9777/agent`, or either with a host.
package struct AgentAddress: Equatable, Sendable {
    /// How it is asked.
    package enum Scheme: String, Sendable {
        /// It writes a line to whoever connects.
        case tcp
        /// It answers GET; its body's first line counts.
        case http
    }

    /// How it is asked.
    package let scheme: Scheme
    /// Its host; `nil` for each backend's own.
    package let host: String?
    /// Its port.
    package let port: UInt16
    /// The path that is asked for; empty for `tcp`.
    package let path: String
    /// As the policy has it.
    package let label: String

    /// Where the agent of `backend` is asked: at the loopback address for one behind a unix socket.
    package func place(of backend: BackendAddress) -> BackendAddress {
        let own = backend.scheme == .unix ? "127.0.0.1" : backend.host
        return BackendAddress(scheme: .http, host: host ?? own, port: port, label: label)
    }
}

extension AgentAddress {
    private static let example = "write one such as tcp://:9777 or http://:9777/agent"

    /// Reads an address.
    static func parse(_ text: String) throws(Fault) -> AgentAddress {
        guard let separator = text.firstRange(of: "://"),
            let scheme = Scheme(rawValue: String(text[..<separator.lowerBound]))
        else { throw Fault("\(text.quoted) is not the address of an agent", example) }
        let rest = text[separator.upperBound...]
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        let path = String(rest[end...])
        guard path.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != 0x23 }) else {
            throw Fault("\(text.quoted) has a path with characters that no path has", example)
        }
        guard scheme == .http || path.isEmpty else {
            throw Fault("\(text.quoted) has a path", "remove it, or write http://")
        }
        let (host, port) = HostName.split(String(rest[..<end]))
        guard let port else {
            throw Fault("\(text.quoted) has no port", example)
        }
        return AgentAddress(
            scheme: scheme, host: host.isEmpty ? nil : try HostName.parse(host),
            port: try HostName.port(port, in: 1...65535),
            path: scheme == .http && path.isEmpty ? "/" : path, label: text)
    }
}

extension Kind<AgentAddress> {
    /// The address of an agent.
    static var agentAddress: Kind {
        .text(
            "an address such as tcp://:9777 or http://:9777/agent",
            pattern:
                "^(tcp://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]*):[0-9]{1,5}|http://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]*):[0-9]{1,5}(/[!\"$-~]*)?)$",
            parse: AgentAddress.parse, write: { $0.label })
    }
}
