// From a command's words to its properties: `--name value`, `--name=value`, `-n value` and, behind
// `--` or without a hyphen, what is known by its place.

import Policy

/// Reads the words of one command.
struct ArgumentReader<Target: Command> {
    private var target = Target()
    private let parameters = Target.parameters
    private let outlines = Target.parameters.map(\.outline)
    private var rest: ArraySlice<String>
    /// The parameters that were given, by their places.
    private var given: Set<Int> = []

    private init(_ words: ArraySlice<String>) {
        rest = words
    }

    /// The command with its parameters taken from `words`.
    static func read(_ words: ArraySlice<String>) throws(ValidationError) -> Target {
        var reader = ArgumentReader(words)
        var hasOptions = true
        while let word = reader.rest.popFirst() {
            if hasOptions, word == "--" {
                hasOptions = false
            } else if hasOptions, word.hasPrefix("-"), word != "-" {
                try reader.takeOption(word)
            } else {
                try reader.takeArgument(word)
            }
        }
        for (place, parameter) in reader.outlines.enumerated()
        where parameter.isRequired && !reader.given.contains(place) {
            throw parameter.fault("Missing expected argument '\(parameter.synopsis)'")
        }
        return reader.target
    }

    private mutating func takeArgument(_ word: String) throws(ValidationError) {
        let place = outlines.indices.first {
            outlines[$0].names.isEmpty && (outlines[$0].isRepeated || !given.contains($0))
        }
        guard let place else { throw ValidationError("Unexpected argument '\(word)'") }
        given.insert(place)
        guard parameters[place].take(&target, word) else {
            throw outlines[place].fault(
                "The value '\(word)' is invalid for '\(outlines[place].label)'")
        }
    }

    private mutating func takeOption(_ word: String) throws(ValidationError) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        let attached = parts.count > 1 ? String(parts[1]) : nil
        guard let place = outlines.firstIndex(where: { $0.names.contains(name) }) else {
            let known = (outlines + ParameterOutline.general).flatMap(\.names)
            // Any letter is near any other.
            let meant = name.count > 2 ? Spelling.nearest(name, among: known) : nil
            let hint = meant.map { ". Did you mean '\($0)'?" } ?? ""
            throw ValidationError("Unknown option '\(name)'\(hint)")
        }
        let parameter = outlines[place]
        given.insert(place)
        guard parameter.value != nil else {
            if let attached {
                throw ValidationError(
                    "The option '\(name)' does not take any value, but '\(attached)' was specified."
                )
            }
            _ = parameters[place].take(&target, "")
            return
        }
        guard let value = attached ?? nextValue() else {
            throw parameter.fault("Missing value for '\(parameter.labelled(name))'")
        }
        guard parameters[place].take(&target, value) else {
            throw parameter.fault(
                "The value '\(value)' is invalid for '\(parameter.labelled(name))'")
        }
    }

    /// The next word, unless it is an option; numbers may be negative.
    private mutating func nextValue() -> String? {
        guard let word = rest.first, !word.hasPrefix("-") || word == "-" || Double(word) != nil
        else { return nil }
        return rest.popFirst()
    }
}

extension ParameterOutline {
    /// A fault of this parameter's value.
    fileprivate func fault(_ text: String) -> ValidationError {
        ValidationError(text, help: "\(label)  \(help)")
    }
}
