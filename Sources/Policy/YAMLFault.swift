// What stops the reading of a text that is not YAML, or not YAML that policies may be written in, in
// the words of somebody who has to put it right.

/// A fault that leaves nothing to read on with.
struct YAMLFault: Error {
    var fault: Fault
    var position: Position

    init(_ fault: Fault, at position: Position) {
        self.fault = fault
        self.position = position
    }

    /// Translates what libyaml said while it read `characters`.
    init(_ error: YAMLSyntaxError, _ characters: [Unicode.Scalar]) {
        position = error.position
        let character = characters.offset(of: position).map { characters[$0] }
        fault = Self.fault(error, character: character)
    }

    func report(_ reading: inout Reading) {
        reading.report(fault, path: "", at: position)
    }

    private static func fault(_ error: YAMLSyntaxError, character: Unicode.Scalar?) -> Fault {
        let problem = error.problem
        if error.context?.text.contains("scanning an alias") == true {
            return Fault(
                "an unquoted `*` begins an alias", "put quotes around text that begins with `*`")
        }
        if problem.contains("cannot start any token"), let character {
            if character == "\t" {
                return Fault("a tab is used for indentation", "indent with spaces")
            }
            return Fault(
                "an unquoted value cannot begin with \(String(character).quoted)",
                "put quotes around it")
        }
        // Where an unfinished list or text began says more than where its end was missed.
        let begun = error.context.map { " \($0.text) begun at line \($0.line)" } ?? ""
        return Fault("the file is not valid YAML: \(problem)\(begun)", remedy(for: problem))
    }

    private static func remedy(for problem: String) -> String {
        switch problem {
        case let problem where problem.contains("mapping values are not allowed"):
            "check the indentation, and put quotes around text that contains `: `"
        case let problem where problem.contains("could not find expected ':'"):
            "write `key: value`"
        case let problem where problem.contains("block end"),
            let problem where problem.contains("block entry"):
            "check the indentation"
        case let problem where problem.contains("',' or ']'"): "close the list with `]`"
        case let problem where problem.contains("',' or '}'"): "close the mapping with `}`"
        case let problem where problem.contains("end of stream"): "close the quotes"
        case let problem where problem.contains("expected key"):
            "check the indentation, and the quotes and brackets before"
        case let problem where problem.contains("expected node content"):
            "put quotes around text that has brackets, braces or colons"
        default: "correct the syntax here"
        }
    }
}

extension [Unicode.Scalar] {
    /// Whether a line ends with the character at `index`, as libyaml counts lines.
    func endsLine(at index: Int) -> Bool {
        switch self[index] {
        case "\r": index + 1 == count || self[index + 1] != "\n"
        case "\n", "\u{85}", "\u{2028}", "\u{2029}": true
        default: false
        }
    }

    /// The index of the character at `position`; `nil` behind the end.
    func offset(of position: Position) -> Int? {
        var line = 1
        var index = 0
        while line < position.line, index < count {
            if endsLine(at: index) { line += 1 }
            index += 1
        }
        let found = index + position.column - 1
        return line == position.line && found < count ? found : nil
    }
}
