// What one process of a gateway tells the next one at its start, as lines of a text: which sockets are whose, the keys of
// tickets, the limits that were found, and what operators have changed. Lines that are not understood count for nothing, because the two may be of
// different versions.

internal import Gateway
internal import Policy
internal import Reactor

/// What a process is told by the one that it takes over from.
package struct HandoverText {
    /// Listening sockets by their numbers in the new process, with the listeners' addresses in the policy.
    var sockets: [(number: Int32, configured: String)] = []
    /// The numbers of those whose files are a service manager's.
    var managed: Set<Int32> = []
    /// The keys of tickets by listeners' addresses.
    var tickets: [(configured: String, keys: String)] = []
    /// What operators have changed, a form each.
    var overrides: [String] = []
    /// The limits, as the file of `state` has them.
    var limits = ""

    /// The text.
    var text: String {
        var lines = sockets.map { "socket \($0.number) \($0.configured)" }
        lines += managed.sorted().map { "managed \($0)" }
        lines += tickets.map { "tickets \($0.configured)\t\($0.keys)" }
        lines += overrides.map { "override \($0)" }
        return lines.map { $0 + "\n" }.joined() + "limits\n" + limits
    }

    /// Nothing yet.
    init() {}

    /// What operators had changed and `policy` still says as it did.
    func adoptedOverrides(under policy: Policy) -> Overrides {
        var adopted = Overrides()
        for override in overrides.compactMap({ Override($0) }) { _ = adopted.set(override) }
        _ = adopted.follow(policy)
        return adopted
    }

    /// What `text` says.
    init(_ text: String) {
        var rest = text[...]
        while let end = rest.firstIndex(of: "\n") {
            let line = rest[..<end]
            rest = rest[rest.index(after: end)...]
            if line == "limits" {
                limits = String(rest)
                return
            }
            let words = line.split(separator: " ", maxSplits: 2)
            if line.hasPrefix("socket "), words.count == 3, let number = Int32(words[1]) {
                sockets.append((number, String(words[2])))
            } else if line.hasPrefix("override ") {
                overrides.append(String(line.dropFirst("override ".count)))
            } else if line.hasPrefix("managed "), words.count == 2, let number = Int32(words[1]) {
                managed.insert(number)
            } else if line.hasPrefix("tickets ") {
                let parts = line.dropFirst("tickets ".count).split(separator: "\t", maxSplits: 1)
                if parts.count == 2 { tickets.append((String(parts[0]), String(parts[1]))) }
            }
        }
    }
}
