// The `backends` of a scenario file.

import Admission
import Policy

extension Scenario {
    private static let phaseKeys = [
        "base", "per_request", "batch", "preempt_above", "preempt_slope", "slowdown", "state",
        "max_rate", "max_requests", "error_share", "fail",
    ]

    mutating func readBackends(_ node: SettingsNode, _ reader: inout SettingsReader) {
        for (index, item) in reader.list(node).enumerated() {
            let given = reader.mapping(item, keys: ["name", "phases"] + Self.phaseKeys)
            var phase = BackendPhase()
            if given["base"] == nil, item.isMapping {
                reader.reportMissing("base", in: item, "write the time of a unit, such as 20ms")
            }
            phase.read(given, &reader)
            let name = given["name"].flatMap { reader.text($0) } ?? "backend-\(index)"
            if let node = given["name"], backends.contains(where: { $0.name == name }) {
                reader.report(node, "is the name of another backend", "write another name")
            }
            var backend = BackendModel(name: name, phase: phase)
            for item in given["phases"].map({ reader.list($0) }) ?? [] {
                let given = reader.mapping(item, keys: ["at"] + Self.phaseKeys)
                phase.failAtStart = 0
                phase.startNanoseconds = reader.start(
                    given["at"], of: item, after: phase.startNanoseconds)
                phase.read(given, &reader)
                backend.phases.append(phase)
            }
            backends.append(backend)
        }
    }
}

extension SettingsReader {
    /// When a phase begins, later than the one before.
    mutating func start(
        _ node: SettingsNode?, of phase: SettingsNode, after previous: Int64
    ) -> Int64 {
        guard let node else {
            if phase.isMapping { reportMissing("at", in: phase, "write when it begins") }
            return previous
        }
        guard let start = duration(node, ScenarioLoader.times)?.wholeNanoseconds else {
            return previous
        }
        if start <= previous {
            report(node, "is not after the phase before", "put phases in order of time")
        }
        return start
    }
}

extension BackendPhase {
    /// Takes over what is given; the rest stays as it was before.
    fileprivate mutating func read(
        _ given: [String: SettingsNode], _ reader: inout SettingsReader
    ) {
        let times = Duration.zero...Duration.seconds(3600)
        if let node = given["base"], let time = reader.duration(node, times) {
            baseSeconds = time.inSeconds
        }
        if let node = given["per_request"], let time = reader.duration(node, times) {
            perRequestSeconds = time.inSeconds
        }
        if let node = given["base"], baseSeconds + perRequestSeconds == 0 {
            reader.report(node, "no time at all for a unit", "write base or per_request above 0")
        }
        if let node = given["batch"], let count = reader.integer(node, 1...1_000_000) {
            batch = count
        }
        if let node = given["preempt_above"] {
            cliffThreshold = reader.integer(node, 1...1_000_000)
        }
        if let node = given["preempt_slope"], let slope = reader.number(node, 0...100) {
            cliffSlope = slope
        }
        if let node = given["slowdown"],
            let factor = reader.number(node, 0...1000, excludesLower: true)
        {
            slowdown = factor
        }
        if let node = given["state"], let word = reader.word(node, blank: availability) {
            availability = word
        }
        if let node = given["max_rate"] {
            requestsPerSecond = reader.number(node, 0...1e9, excludesLower: true)
        }
        if let node = given["max_requests"] { maxRequests = reader.integer(node, 0...1_000_000) }
        if let node = given["error_share"], let share = reader.number(node, 0...1) {
            errorShare = share
        }
        if let node = given["fail"], let count = reader.integer(node, 0...1_000_000) {
            failAtStart = count
        }
    }
}
