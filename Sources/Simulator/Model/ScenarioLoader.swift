// YAML text -> a `Scenario`, or every fault of the text with its line and column.

import Admission
package import Policy

/// Makes scenarios from files.
package enum ScenarioLoader {
    static let times = Duration.zero...Duration.seconds(30 * 24 * 3600)

    /// Reads the scenario in the file at `path`.
    package static func load(path: String) throws(PolicyError) -> Scenario {
        try load(text: try SettingsReader.contents(of: path), file: path)
    }

    /// Reads the scenario in `text`; `file` is the name for diagnostics.
    package static func load(text: String, file: String) throws(PolicyError) -> Scenario {
        var reader = SettingsReader(file: file, subject: "scenario")
        var scenario = Scenario(
            name: file, durationNanoseconds: 60_000_000_000, backends: [], clients: [])
        if let root = reader.root(of: text) { scenario.read(root, &reader) }
        if let error = reader.error { throw error }
        return scenario
    }
}

extension Scenario {
    private static let keys = [
        "name", "duration", "warm_up", "seeds", "sample", "pool", "backends", "clients", "windows",
        "expect",
    ]

    fileprivate mutating func read(_ root: SettingsNode, _ reader: inout SettingsReader) {
        let given = reader.mapping(root, keys: Self.keys)
        for key in ["duration", "backends", "clients"] where given[key] == nil {
            guard root.isMapping else { break }
            reader.reportMissing(key, in: root, key == "duration" ? "write 60s" : "write a list")
        }
        if let node = given["name"], let text = reader.text(node) { name = text }
        if let node = given["seeds"], let count = reader.integer(node, 1...1000) { seeds = count }
        read(time: \.durationNanoseconds, given["duration"], atLeast: .milliseconds(10), &reader)
        read(time: \.warmUpNanoseconds, given["warm_up"], atLeast: .zero, &reader)
        read(time: \.sampleNanoseconds, given["sample"], atLeast: .milliseconds(1), &reader)
        if let node = given["warm_up"], warmUpNanoseconds >= durationNanoseconds {
            reader.report(node, "is not shorter than duration", "write a shorter time")
        }
        if let node = given["pool"], let pool = reader.pool(node) { use(pool) }
        if let node = given["backends"] { readBackends(node, &reader) }
        if let node = given["clients"] { readClients(node, &reader) }
        if let node = given["windows"] { readWindows(node, &reader) }
        if let node = given["expect"] { readExpectations(node, &reader) }
    }

    /// Takes over how a pool of a policy admits.
    package mutating func use(_ pool: PoolSettings) {
        admission = pool.admission
        firstByteTimeoutNanoseconds = pool.firstByteTimeout.wholeNanoseconds
    }

    private mutating func read(
        time: WritableKeyPath<Scenario, Int64>, _ node: SettingsNode?, atLeast least: Duration,
        _ reader: inout SettingsReader
    ) {
        guard let node,
            let value = reader.duration(node, least...ScenarioLoader.times.upperBound)
        else { return }
        self[keyPath: time] = value.wholeNanoseconds
    }

    private mutating func readWindows(_ node: SettingsNode, _ reader: inout SettingsReader) {
        for item in reader.list(node) {
            let given = reader.mapping(item, keys: ["name", "from", "to"])
            guard let name = given["name"].flatMap({ reader.text($0) }),
                let from = given["from"].flatMap({ reader.duration($0, ScenarioLoader.times) }),
                let to = given["to"].flatMap({ reader.duration($0, ScenarioLoader.times) })
            else {
                if item.isMapping, given.count < 3 {
                    reader.report(item, "is incomplete", "write {name: ..., from: ..., to: ...}")
                }
                continue
            }
            let window = Window(
                name: name, startNanoseconds: from.wholeNanoseconds,
                endNanoseconds: to.wholeNanoseconds)
            guard window.startNanoseconds < window.endNanoseconds,
                window.endNanoseconds <= durationNanoseconds
            else {
                reader.report(item, "is not within the duration", "end it after its begin")
                continue
            }
            windows.append(window)
        }
    }

    private mutating func readExpectations(_ node: SettingsNode, _ reader: inout SettingsReader) {
        let keys = ["measure", "window", "clients", "at_least", "at_most", "of"]
        for item in reader.list(node) {
            let given = reader.mapping(item, keys: keys)
            guard let measure = given["measure"] else {
                if item.isMapping { reader.reportMissing("measure", in: item, "name a measure") }
                continue
            }
            guard let measure = reader.word(measure, blank: Measure.throughput) else { continue }
            var expectation = Expectation(measure: measure)
            if let node = given["window"], let name = reader.text(node) {
                expectation.window = name
                if !windows.contains(where: { $0.name == name }) {
                    reader.report(node, "there is no such window", "name one of windows")
                }
            }
            if let node = given["clients"], let name = reader.text(node) {
                expectation.clients = name
                if !clients.contains(where: { $0.name == name }) {
                    reader.report(node, "there are no such clients", "name one of clients")
                }
            }
            if let node = given["of"] {
                expectation.isRelativeToOracle = reader.word(node, blank: Standard.oracle) != nil
            }
            if let node = given["at_least"] { expectation.atLeast = reader.number(node, 0...1e12) }
            if let node = given["at_most"] { expectation.atMost = reader.number(node, 0...1e12) }
            if given["at_least"] == nil, given["at_most"] == nil {
                reader.report(item, "asserts nothing", "write at_least or at_most")
            }
            expectations.append(expectation)
        }
    }
}

/// What a bound may be relative to.
private enum Standard: String, CaseIterable { case oracle }
