// The `clients` of a scenario file.

import Admission
import Policy

extension Scenario {
    private static let groupKeys = [
        "name", "rate", "load", "clients", "think", "phases", "bursts", "units", "variation",
        "expensive_share", "expensive_factor", "tenant", "tenants", "class", "units_per_cost",
        "deadline", "tells_deadline", "unit_target", "patience", "impatient_share", "retry",
        "retry_after", "retry_after_leaving", "streams", "sizes_tell", "gateway", "sending",
        "sends", "reading", "reads", "buffered", "prompt", "tells_retries",
    ]

    /// Units a second that the backends can do at best, as they are at the start.
    package var capacity: Double {
        backends.reduce(0) { $0 + $1.phases[0].unitsPerSecond }
    }

    mutating func readClients(_ node: SettingsNode, _ reader: inout SettingsReader) {
        for (index, item) in reader.list(node).enumerated() {
            let given = reader.mapping(item, keys: Self.groupKeys)
            var group = ClientGroup(
                name: given["name"].flatMap { reader.text($0) } ?? "clients-\(index)", rate: 0)
            group.readWork(given, &reader)
            group.readManner(given, &reader)
            group.readPace(given, &reader)
            if let node = given["prompt"] { group.prompt = reader.prompt(node) }
            if let node = given["think"], let time = reader.duration(node, ScenarioLoader.times) {
                group.arrivals = .closed(thinkSeconds: time.inSeconds)
            }
            // What is already faulty has no capacity that a load could be a share of.
            let fullRate = backends.isEmpty ? 1 : capacity / group.work.overallMean
            guard let first = group.value(given, fullRate, &reader) else {
                if item.isMapping,
                    !["rate", "load", "clients"].contains(where: { given[$0] != nil })
                {
                    reader.report(item, "has no rate", "write rate, load, or clients with think")
                }
                continue
            }
            group.segments = [.init(startNanoseconds: 0, value: first)]
            for item in given["phases"].map({ reader.list($0) }) ?? [] {
                let keys = reader.mapping(item, keys: ["at", "rate", "load", "clients"])
                let last = group.segments[group.segments.count - 1].startNanoseconds
                let start = reader.start(keys["at"], of: item, after: last)
                if let value = group.value(keys, fullRate, &reader) {
                    group.segments.append(.init(startNanoseconds: start, value: value))
                }
            }
            if let node = given["bursts"] {
                group.readBursts(node, fullRate, until: durationNanoseconds, &reader)
            }
            clients.append(group)
        }
    }
}

extension ClientGroup {
    /// The rate or number of clients that a mapping gives; nil for none.
    fileprivate func value(
        _ given: [String: SettingsNode], _ fullRate: Double, _ reader: inout SettingsReader
    ) -> Double? {
        if let node = given["clients"] {
            if arrivals == .open {
                reader.report(node, "needs a time to think", "write think: 1s beside it")
            }
            return reader.integer(node, 0...1_000_000).map(Double.init)
        }
        if let node = given["load"] { return reader.number(node, 0...1000).map { $0 * fullRate } }
        if let node = given["rate"] { return reader.number(node, 0...1e7) }
        return nil
    }

    fileprivate mutating func readBursts(
        _ node: SettingsNode, _ fullRate: Double, until end: Int64,
        _ reader: inout SettingsReader
    ) {
        let given = reader.mapping(node, keys: ["every", "lasting", "rate", "load"])
        guard
            let every = given["every"].flatMap({ reader.duration($0, ScenarioLoader.times) }),
            let lasting = given["lasting"].flatMap({ reader.duration($0, ScenarioLoader.times) }),
            let value = value(given, fullRate, &reader), every > lasting, lasting > .zero,
            end / every.wholeNanoseconds < 100_000
        else {
            return reader.report(
                node, "is no burst", "write {every: 60s, lasting: 30s, load: 3}")
        }
        let usual = segments[0].value
        segments = []
        for start in stride(from: 0, to: end, by: Int64.Stride(every.wholeNanoseconds)) {
            segments.append(.init(startNanoseconds: start, value: value))
            segments.append(
                .init(startNanoseconds: start + lasting.wholeNanoseconds, value: usual))
        }
    }

    fileprivate mutating func readWork(
        _ given: [String: SettingsNode], _ reader: inout SettingsReader
    ) {
        if let node = given["units"],
            let units = reader.number(node, 0...1e9, excludesLower: true)
        {
            work.mean = units
        }
        if let node = given["variation"], let value = reader.number(node, 0...10) {
            work.variation = value
        }
        if let node = given["expensive_share"], let share = reader.number(node, 0...1) {
            work.expensiveShare = share
        }
        if let node = given["expensive_factor"],
            let factor = reader.number(node, 0...1e6, excludesLower: true)
        {
            work.expensiveFactor = factor
        }
        if let node = given["units_per_cost"], let units = reader.number(node, 0...1e9) {
            unitsPerCost = units
        }
        if let node = given["streams"], let value = reader.boolean(node) { streams = value }
        if let node = given["sizes_tell"], let value = reader.boolean(node) { sizesTell = value }
    }

    fileprivate mutating func readManner(
        _ given: [String: SettingsNode], _ reader: inout SettingsReader
    ) {
        if let node = given["tenant"] { tenantName = reader.text(node) }
        if let node = given["tenants"], let count = reader.integer(node, 1...1_000_000) {
            tenants = count
        }
        if let node = given["class"], let index = reader.integer(node, 0...15) {
            priorityClass = index
        }
        if let node = given["deadline"], let time = reader.duration(node, ScenarioLoader.times) {
            deadlineSeconds = time.inSeconds
        }
        if let node = given["tells_deadline"], let told = reader.boolean(node) {
            tellsDeadline = told
        }
        if let node = given["unit_target"], let time = reader.duration(node, ScenarioLoader.times) {
            unitTargetSeconds = time.inSeconds
        }
        if let node = given["gateway"] { gateway = reader.integer(node, 0...63) }
        if let node = given["patience"] { patience = reader.patience(node) }
        if let node = given["impatient_share"], let share = reader.number(node, 0...1) {
            impatientShare = share
        }
        if let node = given["retry"], reader.word(node, blank: RetryWord.none) == .sdk {
            retry = .sdk
        }
        if let node = given["retry_after"],
            let time = reader.duration(node, .milliseconds(1)...Duration.seconds(60))
        {
            retry = .sdkWithConstant(milliseconds: Int(time.wholeNanoseconds / 1_000_000))
        }
        if let node = given["tells_retries"], let value = reader.boolean(node) {
            tellsRetries = value
        }
        if let node = given["retry_after_leaving"],
            let time = reader.duration(node, ScenarioLoader.times)
        {
            returnSeconds = time.inSeconds
        }
    }

    /// How fast they send and read.
    fileprivate mutating func readPace(
        _ given: [String: SettingsNode], _ reader: inout SettingsReader
    ) {
        if let node = given["sending"], let time = reader.duration(node, ScenarioLoader.times) {
            sendingSeconds = time.inSeconds
        }
        if let node = given["sends"], let word = reader.word(node, blank: sends) { sends = word }
        if let node = given["reading"], let time = reader.duration(node, ScenarioLoader.times) {
            readingSeconds = time.inSeconds
        }
        if let node = given["reads"] {
            readUnitsPerSecond = reader.number(node, 0...1e9, excludesLower: true)
        }
        if let node = given["buffered"], let value = reader.boolean(node) { isBuffered = value }
    }
}

extension SettingsReader {
    /// What clients bear: `1s` is `{mean: 1s}`.
    fileprivate mutating func patience(_ node: SettingsNode) -> Patience? {
        guard node.isMapping else {
            return duration(node, ScenarioLoader.times).map {
                Patience(.exponential(meanSeconds: $0.inSeconds))
            }
        }
        let given = mapping(node, keys: ["fixed", "mean", "lognormal", "until"])
        guard [given["fixed"], given["mean"], given["lognormal"]].count(where: { $0 != nil }) == 1
        else {
            report(
                node, "is no one distribution",
                "write {fixed: 1s}, {mean: 1s} or {lognormal: {median: 1s, sigma: 0.5}}")
            return nil
        }
        var distribution: Patience.Distribution?
        if let node = given["fixed"] {
            distribution = duration(node, ScenarioLoader.times).map {
                .fixed(seconds: $0.inSeconds)
            }
        } else if let node = given["mean"] {
            distribution = duration(node, ScenarioLoader.times).map {
                .exponential(meanSeconds: $0.inSeconds)
            }
        } else if let node = given["lognormal"] {
            distribution = logNormal(node)
        }
        guard let distribution else { return nil }
        var patience = Patience(distribution)
        if let node = given["until"], let word = word(node, blank: patience.until) {
            patience.until = word
        }
        return patience
    }

    private mutating func logNormal(_ node: SettingsNode) -> Patience.Distribution? {
        let given = mapping(node, keys: ["median", "sigma"])
        guard let median = given["median"], let sigma = given["sigma"] else {
            if node.isMapping {
                report(node, "is incomplete", "write {median: 1s, sigma: 0.5}")
            }
            return nil
        }
        let times = Duration.milliseconds(1)...ScenarioLoader.times.upperBound
        guard let median = duration(median, times), let sigma = number(sigma, 0...10) else {
            return nil
        }
        return .logNormal(medianSeconds: median.inSeconds, sigma: sigma)
    }
}

/// What a refused client may do.
private enum RetryWord: String, CaseIterable { case none, sdk }
