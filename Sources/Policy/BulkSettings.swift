// Requests that come as lines, many to a connection: where, in which class, and what they may hold.

internal import Admission

/// The bulk lane.
package struct BulkSettings: Equatable, Sendable {
    /// The path that whole batch lines are sent to; what follows it says the path for bodies alone.
    package var path = "/bulk"
    /// The class of the lines, in whichever pool they go to; every pool has it.
    package var className = ""
    /// Bytes of the longest line, 1 KiB..64 MiB.
    package var maxLineBytes = 1 << 20
    /// Bytes of the longest answer that stands in a result, 1 KiB..256 MiB.
    package var maxAnswerBytes = 8 << 20
    /// Bytes of answers that one request holds, and has room for, 1 MiB..1 TiB.
    package var heldBytes = 64 << 20
    /// For how long a client may take nothing while it goes on sending, 1 ms..24 h.
    package var stall = Duration.seconds(10)

    /// The defaults.
    package init() {}
}

extension PolicySections {
    /// `bulk` at the top level.
    static let bulk = Section<BulkSettings>(
        blank: BulkSettings(),
        keys: [
            Key(
                "path", \.path, pathPrefix,
                "Path that lines of OpenAI's batch files are sent to, by POST. Behind it stands the path that lines are "
                    + "for which are bodies alone: `/bulk/v1/embeddings`. Routes are looked at for each line; what they "
                    + "say of this path itself is not."),
            Key(
                "class", \.className, claimName, required: true,
                "Priority class of the lines, in whichever pool they go to. Every pool has to have it, and it should be "
                    + "the lowest."),
            Key(
                "max_line", \.maxLineBytes, .size(1 << 10...64 << 20),
                "Bytes of the longest line; a longer one fails, and the next is read."),
            Key(
                "max_answer", \.maxAnswerBytes, .size(1 << 10...256 << 20),
                "Bytes of the longest answer to a line; with a longer one the line fails."),
            Key(
                "held", \.heldBytes, .size(1 << 20...1 << 40),
                "Bytes of answers that one bulk request holds and has room for; beyond it no line is begun. Not less "
                    + "than `max_answer`."),
            Key(
                "stall", \.stall, .duration(timeouts),
                "For how long a client may take no answer while it has more to send that is not read for that reason. "
                    + "Then it is one that reads nothing before it has sent everything: the request ends and says so."
            ),
        ],
        rules: [
            Rule("held", "max_answer") { settings in
                settings.heldBytes >= settings.maxAnswerBytes
                    ? nil
                    : Fault(
                        "held (\(Quantity.size.text(settings.heldBytes))) is less than "
                            + "max_answer (\(Quantity.size.text(settings.maxAnswerBytes)))",
                        "set both, held to eight times as much")
            }
        ],
        hints: [
            "priority": "write class: NAME", "max_line_size": "write max_line",
            "classes": "write class: NAME",
        ])
}

extension PolicyLoader {
    /// A class of bulk requests that some pool has not, and routes behind their path.
    static func checkBulk(_ policy: Policy, _ reading: inout Reading) {
        guard let bulk = policy.bulk, !bulk.className.isEmpty else { return }
        if !reading.isFaulty("bulk.class") {
            checkClass(bulk.className, "bulk.class", policy, &reading)
        }
        guard !reading.isFaulty("bulk.path") else { return }
        for (index, route) in policy.routes.enumerated() {
            let path = "routes[\(index)]"
            guard !reading.isFaulty(path), route.isBelow(bulk.path) else { continue }
            let fault = Fault(
                "is never reached: bulk.path has its path",
                "give one of them another path: lines name the paths of routes as they are")
            reading.report(fault, path: path)
        }
    }

    /// A class that some pool has not, which the setting at `path` names.
    static func checkClass(
        _ name: String, _ path: String, _ policy: Policy, _ reading: inout Reading
    ) {
        let missing = policy.pools.first { pool in
            !reading.isFaulty(Reading.join("pools", pool.name))
                && !pool.admission.classes.contains { $0.name == name }
        }
        guard let missing else { return }
        let known = missing.admission.classes.map(\.name)
        let fault = Fault(
            "there is no class \(name.quoted) in the pool \(missing.name.quoted)",
            "\(Spelling.hint(name, among: known))add it to pools.\(missing.name).priority.classes")
        reading.report(fault, path: path)
    }
}

extension Route {
    /// Whether all that the route matches has the path `prefix`, or one below it.
    fileprivate func isBelow(_ prefix: String) -> Bool {
        PathPattern.exact(prefix).covers(path) || PathPattern.prefix("\(prefix)/").covers(path)
    }
}
