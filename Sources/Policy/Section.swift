// A mapping with known keys, declared once: `Section` reads it, writes it back, and describes it
// for the schema and the reference. What is not in the list of keys is reported as unknown.

/// A mapping of known keys, read into a `Target`.
struct Section<Target: Sendable>: Sendable {
    /// The defaults; what has none is a placeholder behind a required key.
    let blank: Target
    let keys: [Key<Target>]
    var rules: [Rule<Target>] = []
    /// Keys that are not known here, and what to do about them.
    var hints: [String: String] = [:]
    /// Settles defaults that depend on other keys; gets the names of the keys that were given.
    var settle: (@Sendable (inout Target, Set<String>) -> Void)?

    var shape: SectionShape { SectionShape(keys: keys.map { $0.shape(in: blank) }) }

    func read(_ node: YAMLNode, _ path: String, _ target: inout Target, _ reading: inout Reading) {
        reading.note(path, at: node.position)
        guard case .mapping(let entries) = node.content else {
            let fault = Fault(
                "found \(node.description)", "write \(Shape.section(shape).wanted)")
            reading.report(fault, path: path, at: node.position)
            return
        }
        let given = firstEntries(of: entries, path, &reading)
        for key in keys {
            if let entry = given[key.name] {
                let path = Reading.join(path, key.name)
                reading.note(path, at: entry.value.position)
                if entry.value.isNull {
                    let wanted = key.shape(in: blank).shape.wanted
                    let remedy = key.isRequired ? wanted : "\(wanted), or leave the key out"
                    let fault = Fault("has no value", "write \(remedy)")
                    reading.report(fault, path: path, at: entry.value.position)
                    continue
                }
                key.read(entry.value, path, &target, &reading)
            } else if key.isRequired {
                let fault = Fault("is missing", "write \(key.shape(in: blank).shape.wanted)")
                reading.report(fault, path: Reading.join(path, key.name), at: node.position)
            }
        }
        settle?(&target, Set(given.keys))
        // A misspelt key may be the very one that a rule would miss.
        guard given.count == entries.count else { return }
        for rule in rules { rule.check(target, given, path, &reading) }
    }

    /// The entries by key, after those that are unknown or repeated have been reported.
    private func firstEntries(
        of entries: [YAMLNode.Entry], _ path: String, _ reading: inout Reading
    ) -> [String: YAMLNode.Entry] {
        var first: [String: YAMLNode.Entry] = [:]
        let names = keys.map(\.name)
        for entry in entries {
            let path = Reading.join(path, entry.key)
            if let earlier = first[entry.key] {
                let fault = Fault.repeated(
                    earlier.position, in: reading, at: entry.position)
                reading.report(fault, path: path, at: entry.position)
            } else if names.contains(entry.key) {
                first[entry.key] = entry
            } else {
                // Guessing takes time, and what comes after so many faults is not shown.
                let remedy =
                    hints[entry.key]
                    ?? (reading.count < PolicyError.maxDiagnostics
                        ? remedy(unknown: entry.key) : "remove it")
                reading.report(Fault("is not known", remedy), path: path, at: entry.position)
            }
        }
        return first
    }

    /// A key of this mapping or of one in it that may have been meant, and all keys of this one.
    private func remedy(unknown name: String) -> String {
        let shape = shape
        var meant = Spelling.nearest(name, among: keys.map(\.name))
        for key in shape.keys where meant == nil {
            for case .section(let nested) in key.shape.alternatives
            where nested.keys.contains(where: { $0.name == name }) {
                meant = "\(key.name).\(name)"
            }
        }
        let hint = meant.map { "did you mean \($0.quoted)? " } ?? ""
        return hint + "keys here are \(shape.names)"
    }

    func write(_ target: Target) -> Literal {
        .mapping(keys.compactMap { key in key.write(target).map { (key.name, $0) } })
    }

    /// The kind of keys that have such a mapping.
    ///
    /// A scalar in its place is taken for the value of the key named `shorthand`.
    func kind(shorthand: String? = nil) -> Kind<Target> {
        let short = keys.first { $0.name == shorthand }
        let shapes = [short?.shape(in: blank).shape, .section(shape)].compactMap(\.self)
        return Kind(shapes.count == 1 ? shapes[0] : .either(shapes)) {
            node, path, target, reading in
            if let short, node.scalar != nil {
                short.read(node, path, &target, &reading)
            } else {
                read(node, path, &target, &reading)
            }
        } write: {
            write($0)
        }
    }
}

/// One key of a `Section`.
struct Key<Target: Sendable>: Sendable {
    let name: String
    let isRequired: Bool
    let read: Kind<Target>.Read
    let write: @Sendable (Target) -> Literal?
    private var meaning: String
    private let values: Shape
    /// Whether what it has where it is left out stands elsewhere.
    private var isInherited = false

    /// A key for one property; `.self` for a group of properties of the same target.
    init<Value>(
        _ name: String, _ property: any WritableKeyPath<Target, Value> & Sendable,
        _ kind: Kind<Value>, required: Bool = false, _ meaning: String
    ) {
        self.name = name
        self.meaning = meaning
        isRequired = required
        values = kind.shape
        read = { node, path, target, reading in
            kind.read(node, path, &target[keyPath: property], &reading)
        }
        write = { kind.write($0[keyPath: property]) }
    }

    /// A key whose value says nothing that the target would have to hold.
    init(_ name: String, always word: String, required: Bool, _ meaning: String) {
        self.name = name
        self.meaning = meaning
        isRequired = required
        values = .words([word])
        read = { _, _, _, _ in }
        write = { _ in .text(word) }
    }

    func shape(in blank: Target) -> KeyShape {
        KeyShape(
            name: name, meaning: meaning, shape: values, isRequired: isRequired,
            fallback: isRequired || isInherited ? nil : write(blank))
    }

    /// The same key where another mapping, called `source`, has what is left out.
    func inherited(from source: String) -> Key {
        var key = self
        key.isInherited = true
        key.meaning += " Where it is left out, what `\(source)` has."
        return key
    }
}

/// A condition across keys of one `Section`.
struct Rule<Target: Sendable>: Sendable {
    /// The keys that the condition looks at.
    ///
    /// It is checked when none of them has a fault, and its fault is reported at the first of them
    /// that was given.
    let keys: [String]
    let fault: @Sendable (Target) -> Fault?

    init(_ keys: String..., fault: @escaping @Sendable (Target) -> Fault?) {
        self.keys = keys
        self.fault = fault
    }

    fileprivate func check(
        _ target: Target, _ given: [String: YAMLNode.Entry], _ path: String,
        _ reading: inout Reading
    ) {
        let paths = keys.map { Reading.join(path, $0) }
        guard !paths.contains(where: reading.isFaulty), let fault = fault(target) else { return }
        let first = zip(keys, paths).first { given[$0.0] != nil }
        reading.report(fault, path: first?.1 ?? path)
    }
}

extension Fault {
    /// A key that stands in a mapping a second time.
    static func repeated(
        _ first: Position, in reading: Reading, at position: Position
    ) -> Fault {
        Fault("is given twice, first \(reading.place(first, from: position))", "keep one")
    }
}
