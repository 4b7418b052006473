// A challenge as a scenario file.

extension Challenge {
    /// No group's requests are further than by this factor from the first one's, in units.
    private static let farthest = 8.0
    /// The time to find the limit in, and the time that is measured, in seconds and in requests one after the
    /// other.
    private static let learning = (seconds: 60.0, services: 40.0)
    private static let measured = (seconds: 180.0, services: 20.0)

    /// The YAML text of the scenario.
    package var text: String { text(name: "found") }

    /// The YAML text of the scenario under a name.
    package func text(name: String, atLeast least: Double = 0.85) -> String {
        let learning = Self.learning.seconds + Self.learning.services * serviceSeconds
        let measured = Self.measured.seconds + Self.measured.services * serviceSeconds
        var text = "name: \(name)\n"
        text += "duration: \(time(learning + measured))\nwarm_up: \(time(learning))\nseeds: 5\n"
        text += "backends:\n"
        for index in 0..<backends {
            text += "  - {name: backend-\(index), " + backendText(halfway: learning + measured / 2)
            text += "}\n"
        }
        text += "clients:\n"
        for (index, group) in groups.enumerated() {
            text += "  - {name: clients-\(index), tenant: tenant-\(index), "
            text += clientsText(group) + "}\n"
        }
        return text + "expect:\n  - {measure: goodput, of: oracle, at_least: \(number(least))}\n"
    }

    /// Seconds that a unit takes in a full backend.
    private var stepSeconds: Double { serviceSeconds / groups[0].units }

    private func backendText(halfway: Double) -> String {
        let isSlots = !base.isFinite
        let own = isSlots ? stepSeconds : stepSeconds * base / (1 + base)
        var parts = ["base: \(time(own))"]
        if !isSlots { parts.append("per_request: \(time((stepSeconds - own) / Double(places)))") }
        parts.append("batch: \(places)")
        if let preemptsAbove {
            parts.append("preempt_above: \(max(1, Int(preemptsAbove * Double(places))))")
        }
        if continues { parts.append("on_cancel: continues") }
        if let failures {
            parts.append("fails: {status: \(failures.status), share: \(number(failures.share))}")
        }
        if slowdown != 1 {
            parts.append("phases: [{at: \(time(halfway)), slowdown: \(number(slowdown))}]")
        }
        return parts.joined(separator: ", ")
    }

    private func clientsText(_ group: Group) -> String {
        let first = groups[0].units
        let units = min(max(group.units, first / Self.farthest), first * Self.farthest)
        let usual = units * stepSeconds
        var parts = [
            "load: \(number(group.load))", "units: \(number(units))",
            "variation: \(number(group.variation))", "streams: \(group.streams)",
        ]
        if let patience = group.patience {
            let bears = time(patience * usual)
            parts.append(
                group.isPatienceFixed
                    ? "patience: {fixed: \(bears)}"
                    : "patience: {lognormal: {median: \(bears), sigma: 0.5}}")
            parts.append("impatient_share: \(number(group.impatientShare))")
        }
        if group.retries { parts.append("retry: sdk") }
        if group.burst > 1 {
            let load = number(group.load * group.burst)
            parts.append("bursts: {every: 60s, lasting: 30s, load: \(load)}")
        }
        if group.reading > 0 { parts.append("reading: \(time(group.reading * usual))") }
        return parts.joined(separator: ", ")
    }

    private func time(_ seconds: Double) -> String {
        seconds < 1 ? "\(max(1, Int(seconds * 1e9)))ns" : "\(Int((seconds * 1e3).rounded()))ms"
    }

    /// Three figures are enough for what was drawn.
    private func number(_ value: Double) -> String { Figure.fixed(value, decimals: 3) }
}
