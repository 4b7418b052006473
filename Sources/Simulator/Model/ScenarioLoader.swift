// YAML text -> a `Scenario`, or every fault of the text with its line and column.

import Admission
package import Policy

/// Makes scenarios from files.
package enum ScenarioLoader {
    /// What diagnostics call such a file.
    private static let subject = "scenario"
    static let times = Duration.zero...Duration.seconds(30 * 24 * 3600)

    /// Reads the scenario in the file at `path`.
    package static func load(path: String) throws(PolicyError) -> Scenario {
        try load(text: try SettingsReader.contents(of: path, subject: subject), file: path)
    }

    /// Reads the scenario in `text`; `file` is the name for diagnostics.
    package static func load(text: String, file: String) throws(PolicyError) -> Scenario {
        var reader = SettingsReader(file: file, subject: subject)
        var scenario = Scenario(
            name: file, durationNanoseconds: 60_000_000_000, backends: [], clients: [])
        if let root = reader.root(of: text) { scenario.read(root, &reader) }
        if let error = reader.error { throw error }
        return scenario
    }
}

extension Scenario {
    private static let keys = [
        "name", "duration", "warm_up", "seeds", "sample", "gateways", "pool", "router", "backends",
        "autoscale", "clients", "windows", "variants", "expect",
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
        readParts(given, &reader)
        if let node = given["windows"] { readWindows(node, &reader) }
        if let node = given["variants"] { readVariants(node, given, &reader) }
        if let node = given["expect"] { readExpectations(node, &reader) }
    }

    /// What a variant may have different.
    static let partKeys = ["gateways", "pool", "router", "backends", "autoscale", "clients"]

    /// Reads the pool, its backends and its clients.
    mutating func readParts(_ given: [String: SettingsNode], _ reader: inout SettingsReader) {
        if let node = given["gateways"], let count = reader.integer(node, 1...64) {
            gateways = count
        }
        if let node = given["pool"], let pool = reader.pool(node) { use(pool) }
        if let node = given["router"] {
            router = reader.word(node, blank: ReferenceRouter.leastRequests)
        }
        if let node = given["backends"] { readBackends(node, &reader) }
        if let node = given["autoscale"] { readAutoscale(node, &reader) }
        if let node = given["clients"] { readClients(node, &reader) }
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
}
