// Reads files of settings that are no policies, such as the simulator's scenarios, with what reads
// policies: the same YAML, the same spellings of numbers and durations, the same diagnostics.

/// A value in a file of settings.
package struct SettingsNode {
    let node: YAMLNode
    /// Where it stands in the file's tree, such as `backends[0].name`.
    package let path: String
    /// Whether it is a mapping.
    package var isMapping: Bool { if case .mapping = node.content { true } else { false } }
    /// Whether it is a list.
    package var isList: Bool { if case .list = node.content { true } else { false } }
}

/// Reads one file, and collects its faults.
///
/// A value with a fault is reported and read as nil, and reading goes on.
package struct SettingsReader {
    private var reading: Reading

    /// A reader of the file named `file`; `subject` is what such a file is called.
    package init(file: String, subject: String) {
        reading = Reading(file: file)
        reading.subject = subject
    }

    /// The text of the file at `path`; `subject` is what such a file is called.
    package static func contents(
        of path: String, subject: String
    ) throws(PolicyError) -> String {
        try PolicyLoader.contents(of: path, subject: subject)
    }

    /// All faults so far; nil when there are none.
    package var error: PolicyError? {
        reading.count == 0 ? nil : PolicyError(reading.diagnostics)
    }

    /// The file's tree; nil when the text is no YAML.
    package mutating func root(of text: String) -> SettingsNode? {
        guard text.utf8.count <= PolicyLoader.maxBytes else {
            let fault = Fault("is larger than 1 MiB", "make it smaller")
            reading.report(fault, path: "", at: .start)
            return nil
        }
        return YAMLReader.read(text, &reading).map { SettingsNode(node: $0, path: "") }
    }

    /// Reports that something is wrong with a value, and what would be right.
    package mutating func report(_ node: SettingsNode, _ problem: String, _ remedy: String) {
        reading.report(Fault(problem, remedy), path: node.path, at: node.node.position)
    }

    /// Reports that a mapping lacks a key.
    package mutating func reportMissing(_ key: String, in node: SettingsNode, _ remedy: String) {
        reading.report(
            Fault("is missing", remedy), path: Reading.join(node.path, key),
            at: node.node.position)
    }

    /// The values of a mapping by their keys; keys that are not in `keys` are reported.
    package mutating func mapping(
        _ node: SettingsNode, keys: [String]
    ) -> [String: SettingsNode] {
        guard case .mapping(let entries) = node.node.content else {
            report(node, "found \(node.node.description)", "write a mapping")
            return [:]
        }
        var values: [String: SettingsNode] = [:]
        var first: [String: Position] = [:]
        for entry in entries {
            let path = Reading.join(node.path, entry.key)
            if let earlier = first.updateValue(entry.position, forKey: entry.key) {
                let fault = Fault.repeated(earlier, in: reading, at: entry.position)
                reading.report(fault, path: path, at: entry.position)
            } else if keys.contains(entry.key) {
                values[entry.key] = SettingsNode(node: entry.value, path: path)
            } else {
                let hint = Spelling.hint(entry.key, among: keys)
                let known = keys.map(\.quoted).joined(separator: ", ")
                let fault = Fault("is not known", "\(hint)keys here are \(known)")
                reading.report(fault, path: path, at: entry.position)
            }
        }
        return values
    }

    /// The elements of a list that has one at least.
    package mutating func list(_ node: SettingsNode) -> [SettingsNode] {
        guard case .list(let items) = node.node.content, (1...1000).contains(items.count) else {
            report(node, "found \(node.node.description)", "write a list of 1 to 1000 elements")
            return []
        }
        return items.enumerated().map {
            SettingsNode(node: $1, path: "\(node.path)[\($0)]")
        }
    }

    private mutating func read<Value>(
        _ kind: Kind<Value>, _ node: SettingsNode, blank: Value
    ) -> Value? {
        let faults = reading.count
        var value = blank
        reading.note(node.path, at: node.node.position)
        kind.read(node.node, node.path, &value, &reading)
        return reading.count == faults ? value : nil
    }

    /// An integer of a range.
    package mutating func integer(_ node: SettingsNode, _ range: ClosedRange<Int>) -> Int? {
        read(.integer(range), node, blank: 0)
    }

    /// A number of a range; without its lower end if `excludesLower`.
    package mutating func number(
        _ node: SettingsNode, _ range: ClosedRange<Double>, excludesLower: Bool = false
    ) -> Double? {
        read(.number(range, excludesLower: excludesLower), node, blank: 0)
    }

    /// A duration of a range, such as `250ms`.
    package mutating func duration(
        _ node: SettingsNode, _ range: ClosedRange<Duration>
    ) -> Duration? {
        read(.duration(range), node, blank: .zero)
    }

    /// `true` or `false`.
    package mutating func boolean(_ node: SettingsNode) -> Bool? {
        read(.boolean, node, blank: false)
    }

    /// Text of up to 100 characters.
    package mutating func text(_ node: SettingsNode) -> String? {
        do throws(Fault) {
            let text = try node.node.text("text")
            guard (1...100).contains(text.count) else {
                throw Fault("has \(text.count) characters", "write 1 to 100")
            }
            return text
        } catch {
            reading.report(error, path: node.path, at: node.node.position)
            return nil
        }
    }

    /// One of a type's cases by its name.
    package mutating func word<Word>(_ node: SettingsNode, blank: Word) -> Word?
    where Word: RawRepresentable & CaseIterable & Equatable & Sendable, Word.RawValue == String {
        read(.words, node, blank: blank)
    }

    /// The settings of a pool, as a policy has them but without backends, which are not its matter.
    package mutating func pool(_ node: SettingsNode) -> PoolSettings? {
        var inner = node.node
        guard case .mapping(var entries) = inner.content else {
            report(node, "found \(node.node.description)", "write a mapping, such as {limit: 32}")
            return nil
        }
        if let entry = entries.first(where: { $0.key == "backends" }) {
            let fault = Fault("does not belong here", "write backends beside pool")
            let path = Reading.join(node.path, entry.key)
            reading.report(fault, path: path, at: entry.position)
            return nil
        }
        let address = YAMLNode(
            content: .quoted("http://127.0.0.1:1"), position: node.node.position, size: 1)
        let list = YAMLNode(content: .list([address]), position: node.node.position, size: 2)
        entries.append(.init(key: "backends", position: node.node.position, value: list))
        inner.content = .mapping(entries)
        let whole = SettingsNode(node: inner, path: node.path)
        return read(PolicySections.pool.kind(), whole, blank: PolicySections.pool.blank)
    }
}
