// The `backends` of a scenario file.

import Admission
import Policy

extension Scenario {
    private static let phaseKeys = [
        "base", "per_request", "curve", "batch", "preempt_above", "preempt_slope", "slowdown",
        "state",
        "prefill", "chunk", "memory",
        "max_rate", "max_requests", "error_share", "fail", "fails", "on_cancel", "cancel_delay",
        "reports", "credits",
    ]

    mutating func readBackends(_ node: SettingsNode, _ reader: inout SettingsReader) {
        for (index, item) in reader.list(node).enumerated() {
            let given = reader.mapping(
                item, keys: ["name", "phases", "remembered"] + Self.phaseKeys)
            var phase = BackendPhase()
            if given["base"] == nil, given["curve"] == nil, item.isMapping {
                reader.reportMissing(
                    "base", in: item, "write the time of a unit, such as 20ms, or a curve")
            }
            phase.read(given, &reader)
            let name = given["name"].flatMap { reader.text($0) } ?? "backend-\(index)"
            if let node = given["name"], backends.contains(where: { $0.name == name }) {
                reader.report(node, "is the name of another backend", "write another name")
            }
            var backend = BackendModel(name: name, phase: phase)
            if let node = given["remembered"] {
                backend.rememberedLimit = reader.number(node, 1...100_000)
            }
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
        readSpeed(given, times, &reader)
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
        if let node = given["prefill"], let time = reader.duration(node, times) {
            prefillSeconds = time.inSeconds
        }
        if let node = given["chunk"], let count = reader.integer(node, 1...1_000_000) {
            chunkTokens = count
        }
        if let node = given["memory"] {
            memoryTokens = reader.integer(node, 1...1_000_000_000_000)
        }
        if let node = given["state"], let word = reader.word(node, blank: availability) {
            availability = word
        }
        if let node = given["max_rate"] {
            requestsPerSecond = reader.number(node, 0...1e9, excludesLower: true)
        }
        if let node = given["credits"] { credits = reader.integer(node, 0...10_000) }
        if let node = given["max_requests"] { maxRequests = reader.integer(node, 0...1_000_000) }
        if let node = given["error_share"], let share = reader.number(node, 0...1) {
            errorShare = share
        }
        if let node = given["fail"], let count = reader.integer(node, 0...1_000_000) {
            failAtStart = count
        }
        if let node = given["fails"] { failure = reader.failure(node) }
        if let node = given["on_cancel"], let word = reader.word(node, blank: onCancel) {
            onCancel = word
        }
        if let node = given["reports"], let word = reader.word(node, blank: reports) {
            reports = word
        }
        if let node = given["cancel_delay"], let time = reader.duration(node, times) {
            cancelDelayNanoseconds = time.wholeNanoseconds
        }
    }
}

extension BackendPhase {
    /// How long a unit takes: by two times, or by a curve.
    private mutating func readSpeed(
        _ given: [String: SettingsNode], _ times: ClosedRange<Duration>,
        _ reader: inout SettingsReader
    ) {
        if let node = given["curve"] {
            if given["base"] != nil || given["per_request"] != nil {
                reader.report(
                    node, "says what base and per_request say, too", "leave out one or the other")
            }
            curve = reader.curve(node)
        } else if given["base"] != nil || given["per_request"] != nil {
            // What a phase says of the time of a unit stands instead of the curve before.
            curve = nil
        }
        if let node = given["base"], let time = reader.duration(node, times) {
            baseSeconds = time.inSeconds
        }
        if let node = given["per_request"], let time = reader.duration(node, times) {
            perRequestSeconds = time.inSeconds
        }
        if let node = given["base"], baseSeconds + perRequestSeconds == 0 {
            reader.report(node, "no time at all for a unit", "write base or per_request above 0")
        }
    }
}

extension SettingsReader {
    /// Throughput by points; nil where one of them is faulty.
    fileprivate mutating func curve(_ node: SettingsNode) -> ThroughputCurve? {
        let items = list(node)
        if items.count > ThroughputCurve.mostPoints {
            report(
                node, "has \(items.count) points",
                "write at most \(ThroughputCurve.mostPoints) of them")
            return nil
        }
        var points: [ThroughputCurve.Point] = []
        for item in items {
            let given = mapping(item, keys: ["requests", "throughput"])
            for key in ["requests", "throughput"] where given[key] == nil && item.isMapping {
                reportMissing(key, in: item, "write {requests: 8, throughput: 120}")
            }
            guard let place = given["requests"], let height = given["throughput"],
                let requests = integer(place, ThroughputCurve.requests),
                let throughput = number(height, 0...1e9, excludesLower: true)
            else { continue }
            if let last = points.last, requests <= last.requests {
                report(
                    place, "is not above the point before", "put points in order of requests")
                continue
            }
            points.append(.init(requests: requests, unitsPerSecond: throughput))
        }
        return points.isEmpty || points.count < items.count ? nil : ThroughputCurve(points)
    }

    /// How requests fail; a share of 0 is for phases in which they do not.
    fileprivate mutating func failure(_ node: SettingsNode) -> BackendFailure? {
        let given = mapping(
            node, keys: ["status", "as", "share", "after", "part", "retry_after"])
        var kind: BackendFailure.Kind?
        if let node = given["status"] {
            kind = integer(node, 400...599).map { .status($0) }
        } else if let node = given["as"] {
            kind = word(node, blank: FailureWord.close).map(\.kind)
        }
        if (given["status"] == nil) == (given["as"] == nil), node.isMapping {
            report(node, "does not say what comes", "write {status: 503} or {as: close}")
        }
        guard let kind else { return nil }
        var failure = BackendFailure(kind)
        if let node = given["share"], let share = number(node, 0...1) { failure.share = share }
        if let node = given["after"], let time = duration(node, ScenarioLoader.times) {
            failure.afterNanoseconds = time.wholeNanoseconds
        }
        if let node = given["part"], let part = number(node, 0...1) { failure.part = part }
        if let node = given["retry_after"] {
            failure.retryAfterNanoseconds = duration(node, ScenarioLoader.times)?.wholeNanoseconds
        }
        return failure.share > 0 ? failure : nil
    }
}

/// What may come instead of a response.
private enum FailureWord: String, CaseIterable {
    case garbage, close, cut

    var kind: BackendFailure.Kind {
        switch self {
        case .garbage: .garbage
        case .close: .close
        case .cut: .cut
        }
    }
}
