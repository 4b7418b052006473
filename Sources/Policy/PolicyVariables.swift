// Values from the environment: `${NAME}` and `${NAME:-default}` in a policy's scalars, and `$$` for a `$` before a brace.
// They are replaced in the tree, after YAML has been read, so that no value can add a key, an element or a comment; a
// scalar without quotes is then what its text would be if it stood there. Keys of mappings stay as they are, and so does
// what is no policy: scenarios, lists of backends, limits.
//
// A `$` with anything else behind it is a `$`: paths of routes end with it.

/// The variables that a policy may name.
struct PolicyVariables: Sendable {
    /// What a variable has; nil where it is not set.
    let value: @Sendable (String) -> String?

    /// Those of the process, as they were when it was started.
    static let environment = PolicyVariables { ProcessEnvironment.variable($0) }

    /// A variable that a scalar has taken its text from.
    struct Use: Equatable, Sendable {
        var name: String
        var value: String
    }

    /// A text with values in place of its variables.
    struct Expansion: Equatable {
        var text = ""
        /// Those with a value from outside; defaults stand in the file.
        var uses: [Use] = []
    }

    /// `text` with the values of its variables.
    func expand(_ text: String) throws(Fault) -> Expansion {
        let characters = Array(text.unicodeScalars)
        var expansion = Expansion()
        var result = String.UnicodeScalarView()
        var valueBytes = 0
        var index = 0
        while index < characters.count {
            let next = index + 1 < characters.count ? characters[index + 1] : nil
            switch (characters[index], next) {
            case ("$", "$"):
                result.append("$")
                index += 2
            case ("$", "{"):
                let reference = try VariableReference(characters, at: index)
                index = reference.end
                let found = value(reference.name)
                if let found, !found.isEmpty || reference.fallback == nil {
                    guard !found.unicodeScalars.contains("\u{FFFD}") else {
                        throw Fault(
                            "the variable \(reference.name) is not UTF-8",
                            "set it to a text in UTF-8")
                    }
                    // Before it is copied: a value may be large, and named many times.
                    valueBytes += found.utf8.count
                    guard valueBytes <= PolicyLoader.maxBytes else { throw Self.tooLarge }
                    result.append(contentsOf: found.unicodeScalars)
                    expansion.uses.append(Use(name: reference.name, value: found))
                } else if let fallback = reference.fallback {
                    result.append(contentsOf: fallback.replacing("$$", with: "$").unicodeScalars)
                } else {
                    throw Fault(
                        "the variable \(reference.name) is not set",
                        "set it where penstock is started, or write ${\(reference.name):-DEFAULT}")
                }
            case (let character, _):
                result.append(character)
                index += 1
            }
        }
        expansion.text = String(result)
        return expansion
    }

    static let tooLarge = Fault(
        "is larger than \(Quantity.size.text(PolicyLoader.maxBytes)) with its variables",
        "make their values smaller")
}

/// A variable as a text names it.
struct VariableReference {
    let name: String
    /// What counts where it is not set, or to nothing; as it is written.
    let fallback: String?
    /// The index behind it.
    let end: Int

    private static let remedy =
        "write ${NAME} or ${NAME:-DEFAULT}, and $${ for the characters themselves"

    /// The one that begins with the `${` at `index` of `characters`.
    ///
    /// Names are those of POSIX (Base Definitions, 8.1), in either case. A default ends with the first `}`, on the same line, and has
    /// no variable of its own: what is read twice would be found to mean something twice.
    init(_ characters: [Unicode.Scalar], at index: Int) throws(Fault) {
        let begin = index + 2
        var next = begin
        while next < characters.count, Self.isName(characters[next], first: next == begin) {
            next += 1
        }
        func fault() -> Fault {
            let shown = characters[index..<min(next + 1, characters.count, index + 40)]
            return Fault("\(Self.text(shown).quoted) is no variable", Self.remedy)
        }
        guard next > begin, next < characters.count else { throw fault() }
        name = Self.text(characters[begin..<next])
        if characters[next] == "}" {
            fallback = nil
            end = next + 1
            return
        }
        guard characters[next] == ":", next + 1 < characters.count, characters[next + 1] == "-"
        else { throw fault() }
        let text = next + 2
        next = text
        while next < characters.count, !["}", "{", "\n", "\r"].contains(characters[next]) {
            next += 1
        }
        guard next < characters.count, characters[next] == "}" else { throw fault() }
        fallback = Self.text(characters[text..<next])
        end = next + 1
    }

    private static func isName(_ scalar: Unicode.Scalar, first: Bool) -> Bool {
        switch scalar {
        case "A"..."Z", "a"..."z", "_": true
        case "0"..."9": !first
        default: false
        }
    }

    private static func text(_ characters: ArraySlice<Unicode.Scalar>) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: characters)
        return String(text)
    }
}

// MARK: - In trees

extension YAMLNode {
    /// Puts the values of `variables` in place of their names in the values of a root's keys that are `wanted`, or in what there
    /// is instead of keys.
    mutating func expand(
        _ variables: PolicyVariables, _ reading: inout Reading, wanted: (String) -> Bool
    ) {
        guard case .mapping(var entries) = content else {
            if !wanted("include") { expand(variables, "", &reading) }
            return
        }
        for index in entries.indices where wanted(entries[index].key) {
            entries[index].value.expand(variables, Reading.join("", entries[index].key), &reading)
        }
        content = .mapping(entries)
    }

    /// Puts the values of `variables` in place of their names, in all scalars of the tree at `path`.
    ///
    /// A scalar that names one that is not there is reported, and once: nothing else is said of it.
    private mutating func expand(
        _ variables: PolicyVariables, _ path: String, _ reading: inout Reading
    ) {
        switch content {
        case .plain(let text):
            if let text = reading.expand(text, variables, path, at: position) {
                content = .plain(text)
            }
        case .quoted(let text):
            if let text = reading.expand(text, variables, path, at: position) {
                content = .quoted(text)
            }
        case .list(var items):
            for index in items.indices {
                items[index].expand(variables, "\(path)[\(index)]", &reading)
            }
            content = .list(items)
        case .mapping(var entries):
            for index in entries.indices {
                entries[index].value.expand(
                    variables, Reading.join(path, entries[index].key), &reading)
            }
            content = .mapping(entries)
        }
    }
}

// MARK: - In faults and dumps

extension Fault {
    /// Characters from which on a value may be a secret; whoever takes a shorter one for one is past help.
    private static let secretLength = 8

    /// The same without the values of variables, which may be secrets: they stand as `${NAME}`.
    ///
    /// `uses` are those of the scalar that is wrong, of which no part may stand there.
    func hiding(_ uses: [PolicyVariables.Use]) -> Fault {
        var fault = naming(uses)
        for use in uses where use.value.unicodeScalars.count >= Fault.secretLength {
            if fault.problem.hasPart(of: use.value, of: Fault.secretLength) {
                fault.problem = "the value of ${\(use.name)} cannot stand here"
            }
        }
        return fault
    }

    /// The same with `${NAME}` wherever one of the values stands whole: a fault may list what is written elsewhere.
    func naming(_ uses: some Sequence<PolicyVariables.Use>) -> Fault {
        var fault = self
        for use in uses where use.value.unicodeScalars.count >= Fault.secretLength {
            for text in [use.value, use.value.escaped] {
                fault.problem = fault.problem.replacing(text, with: "${\(use.name)}")
                fault.remedy = fault.remedy.replacing(text, with: "${\(use.name)}")
            }
        }
        return fault
    }
}

extension String {
    /// Whether some characters in a row, `length` of them, are so in `other` too.
    fileprivate func hasPart(of other: String, of length: Int) -> Bool {
        let own = Array(unicodeScalars)
        let others = Array(other.unicodeScalars)
        guard own.count >= length, others.count >= length else { return false }
        let parts = Set((0...own.count - length).map { own[$0..<$0 + length] })
        return (0...others.count - length).contains { parts.contains(others[$0..<$0 + length]) }
    }
}

extension Literal {
    /// The same where each text is what a policy reads as that text: a `$` that would mean something is doubled.
    var escapingVariables: Literal {
        switch self {
        case .integer, .number, .boolean: self
        case .text(let text): .text(Literal.escapingVariables(text))
        case .list(let items): .list(items.map(\.escapingVariables))
        case .mapping(let entries):
            .mapping(entries.map { ($0.key, $0.value.escapingVariables) })
        }
    }

    private static func escapingVariables(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
        let characters = Array(text.unicodeScalars)
        var escaped = String.UnicodeScalarView()
        for (index, character) in characters.enumerated() {
            escaped.append(character)
            guard character == "$", index + 1 < characters.count else { continue }
            if characters[index + 1] == "$" || characters[index + 1] == "{" { escaped.append("$") }
        }
        return String(escaped)
    }
}
