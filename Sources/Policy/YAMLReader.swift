// Text -> YAMLNode by Yams, with every fault of the YAML itself reported.
//
// Two kinds of characters are masked before Yams sees the text, that is, replaced by one
// private-use character that stands for them, and unmasked in the tree:
// - the `*` of aliases. Yams copies an alias's whole node wherever it is used and hashes keys node
// by node, so a few lines of nested aliases would keep it busy for years. Masked, an alias is a
// scalar to Yams, and is resolved here, where what it expands to is counted.
// - the first character of a repeated key. Yams gives up at the first mapping with one; masked, it
// reads on, and all repeated keys are reported with everything else.

import Yams

/// Reads one YAML document.
struct YAMLReader {
    /// Most nodes of a document, aliases counted as often as they are used.
    static let maxNodes = 100_000
    /// Deepest nesting; a policy needs six.
    static let maxDepth = 64

    private var characters: [Unicode.Scalar]
    private var anchors: [String: YAMLNode] = [:]
    private var nodes = 0

    /// The document in `text`; `nil` after a fault that leaves nothing to read on with.
    static func read(_ text: String, _ reading: inout Reading) -> YAMLNode? {
        var reader = YAMLReader(characters: Array(text.unicodeScalars))
        if reader.characters.first == "\u{FEFF}" { reader.characters.removeFirst() }
        guard reader.checkCharacters(&reading) else { return nil }
        reader.maskAliases()
        return reader.compose(&reading)
    }

    private init(characters: [Unicode.Scalar]) {
        self.characters = characters
    }

    /// Reports characters that YAML does not allow (YAML 1.2.2 section 5.1) and those used for
    /// masking.
    private func checkCharacters(_ reading: inout Reading) -> Bool {
        var position = Position.start
        for (index, character) in characters.enumerated() {
            let isAllowed =
                switch character.value {
                case 0x09, 0x0A, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xD7FF: true
                case 0xF900...0xFFFD: character.value != 0xFEFF
                case 0x10000...0x10FFFF: true
                default: false
                }
            if !isAllowed {
                let code = String(character.value, radix: 16, uppercase: true)
                let digits = String(repeating: "0", count: max(0, 4 - code.count)) + code
                reading.report(
                    Fault("the character U+\(digits) is not allowed in a policy", "remove it"),
                    path: "", at: position)
                return false
            }
            if characters.endsLine(at: index) {
                position = Position(line: position.line + 1, column: 1)
            } else {
                position.column += 1
            }
        }
        return true
    }

    private mutating func maskAliases() {
        for index in characters.indices.dropLast()
        where characters[index] == "*" && Self.isNameCharacter(characters[index + 1]) {
            characters[index] = Mask.mask("*", round: 0)
        }
    }

    private static func isNameCharacter(_ scalar: Unicode.Scalar) -> Bool {
        let character = Character(scalar)
        return character.isASCIILetter || character.isASCIIDigit || "_-".contains(character)
    }

    private mutating func compose(_ reading: inout Reading) -> YAMLNode? {
        // A file with more repeated keys than this gets the rest of them when these have been put
        // right.
        for round in 1...Mask.rounds {
            var text = String()
            text.unicodeScalars.append(contentsOf: characters)
            text.makeContiguousUTF8()
            do {
                let parser = try Yams.Parser(
                    yaml: text, resolver: .basic, constructor: .default, encoding: .utf8)
                guard let root = try parser.singleRoot() else {
                    reading.report(
                        Fault("the file is empty", "write at least `listen`, `pools` and `routes`"),
                        path: "", at: .start)
                    return nil
                }
                // Nodes refer to their anchors weakly; the parser owns them.
                return withExtendedLifetime(parser) { convert(root, depth: 0, &reading) }
            } catch YamlError.duplicatedKeysInMapping(let keys, let context)
                where round < Mask.rounds
            {
                let position = Position(line: context.mark.line, column: context.mark.column)
                guard maskKey(at: position, round: round) else {
                    let name = (keys.first.map(Mask.unmask) ?? "").quoted
                    reading.report(
                        Fault("the key \(name) is given twice", "keep one"), path: "", at: position)
                    return nil
                }
            } catch {
                YAMLFault(error, characters).report(&reading)
                return nil
            }
        }
        return nil
    }

    /// Masks the first character of the key at `position`, if it is one that can be masked.
    private mutating func maskKey(at position: Position, round: Int) -> Bool {
        guard var index = characters.offset(of: position) else { return false }
        if characters[index] == "\"" || characters[index] == "'" { index += 1 }
        guard index < characters.count, Self.isNameCharacter(characters[index]) else {
            return false
        }
        characters[index] = Mask.mask(characters[index], round: round)
        return true
    }
}

// MARK: - Yams' tree to ours

extension YAMLReader {
    private mutating func convert(_ node: Node, depth: Int, _ reading: inout Reading) -> YAMLNode? {
        let position = Position(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
        guard depth < Self.maxDepth else {
            let fault = Fault("is nested more than \(Self.maxDepth) deep", "remove the nesting")
            reading.report(fault, path: "", at: position)
            return nil
        }
        let tag = node.tag.description
        if !["str", "map", "seq"].contains(where: { tag == "tag:yaml.org,2002:\($0)" }) {
            let fault = Fault("the tag \(tag.quoted) is not known", "remove it")
            reading.report(fault, path: "", at: position)
            return nil
        }
        guard let content = convertContent(of: node, depth: depth, at: position, &reading) else {
            return nil
        }
        if let anchor = node.anchor { anchors[anchor.rawValue] = content }
        return content
    }

    private mutating func convertContent(
        of node: Node, depth: Int, at position: Position, _ reading: inout Reading
    ) -> YAMLNode? {
        switch node {
        case .scalar(let scalar):
            let text = Mask.unmask(scalar.string)
            if scalar.style != .plain { return leaf(.quoted(text), at: position, &reading) }
            guard scalar.string.unicodeScalars.first == Mask.mask("*", round: 0) else {
                return leaf(.plain(text), at: position, &reading)
            }
            return alias(text, depth: depth, at: position, &reading)
        case .sequence(let sequence):
            guard count(1, at: position, &reading) else { return nil }
            var size = 1
            var items: [YAMLNode] = []
            for item in sequence {
                guard let item = convert(item, depth: depth + 1, &reading) else { return nil }
                size += item.size
                items.append(item)
            }
            return YAMLNode(content: .list(items), position: position, size: size)
        case .mapping(let mapping):
            return convert(mapping, depth: depth, at: position, &reading)
        case .alias: preconditionFailure("the text that Yams read has no aliases")
        }
    }

    private mutating func leaf(
        _ content: YAMLNode.Content, at position: Position, _ reading: inout Reading
    ) -> YAMLNode? {
        guard count(1, at: position, &reading) else { return nil }
        return YAMLNode(content: content, position: position, size: 1)
    }

    private mutating func alias(
        _ text: String, depth: Int, at position: Position, _ reading: inout Reading
    ) -> YAMLNode? {
        let name = String(text.dropFirst())
        guard name.unicodeScalars.allSatisfy(Self.isNameCharacter) else {
            let fault = Fault(
                "an unquoted \(text.quoted) would be an alias", "put quotes around it")
            reading.report(fault, path: "", at: position)
            return nil
        }
        guard let node = anchors[name] else {
            let fault = Fault(
                "there is no anchor \("&\(name)".quoted) before this alias",
                "put quotes around text that begins with `*`")
            reading.report(fault, path: "", at: position)
            return nil
        }
        // Counted first: what is counted may also be walked.
        guard count(node.size, at: position, &reading) else { return nil }
        guard depth + node.depth < Self.maxDepth else {
            let fault = Fault("is nested more than \(Self.maxDepth) deep", "remove the nesting")
            reading.report(fault, path: "", at: position)
            return nil
        }
        return node
    }

    /// Counts nodes against the limit.
    private mutating func count(
        _ added: Int, at position: Position, _ reading: inout Reading
    ) -> Bool {
        nodes += added
        if nodes <= Self.maxNodes { return true }
        let fault = Fault(
            "the policy has more than \(Self.maxNodes) values, aliases included", "make it smaller")
        reading.report(fault, path: "", at: position)
        return false
    }

    private mutating func convert(
        _ mapping: Node.Mapping, depth: Int, at position: Position, _ reading: inout Reading
    ) -> YAMLNode? {
        guard count(1, at: position, &reading) else { return nil }
        var entries: [YAMLNode.Entry] = []
        var merged: [YAMLNode] = []
        for (key, value) in mapping {
            let keyPosition = Position(line: key.mark?.line ?? 1, column: key.mark?.column ?? 1)
            guard let keyNode = convert(key, depth: depth + 1, &reading),
                let value = convert(value, depth: depth + 1, &reading)
            else { return nil }
            guard let name = keyNode.scalar else {
                let fault = Fault("\(keyNode.description) is used as a key", "write a name")
                reading.report(fault, path: "", at: keyPosition)
                continue
            }
            if case .plain("<<") = keyNode.content {
                merged.append(value)
            } else {
                entries.append(.init(key: name, position: keyPosition, value: value))
            }
        }
        for source in merged { merge(source, into: &entries, &reading) }
        let size = entries.reduce(1) { $0 + 1 + $1.value.size }
        return YAMLNode(content: .mapping(entries), position: position, size: size)
    }

    /// Adds the keys of a merge key's value that are not there yet (yaml.org/type/merge.html).
    private func merge(
        _ source: YAMLNode, into entries: inout [YAMLNode.Entry], _ reading: inout Reading
    ) {
        switch source.content {
        case .mapping(let added):
            let present = Set(entries.map(\.key))
            entries += added.filter { !present.contains($0.key) }
        case .list(let sources) where !sources.contains(where: \.isList):
            for source in sources { merge(source, into: &entries, &reading) }
        case .list, .plain, .quoted:
            let fault = Fault(
                "the merge key `<<` found \(source.description)", "write an alias of a mapping")
            reading.report(fault, path: "", at: source.position)
        }
    }
}

extension YAMLNode {
    fileprivate var isList: Bool {
        if case .list = content { true } else { false }
    }

    /// Levels below this node.
    fileprivate var depth: Int {
        switch content {
        case .plain, .quoted: 0
        case .list(let items): 1 + (items.lazy.map(\.depth).max() ?? 0)
        case .mapping(let entries): 1 + (entries.lazy.map(\.value.depth).max() ?? 0)
        }
    }
}

/// Private-use characters that stand for ASCII characters, differently in each round.
private enum Mask {
    /// Each round reads the text again; the private-use area has room for 49.
    static let rounds = 20

    static func mask(_ scalar: Unicode.Scalar, round: Int) -> Unicode.Scalar {
        Unicode.Scalar(0xE000 + UInt32(round) * 128 + scalar.value) ?? scalar
    }

    static func unmask(_ text: String) -> String {
        var unmasked = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isMasked = (0xE000...0xF8FF).contains(scalar.value)
            let original = Unicode.Scalar((scalar.value &- 0xE000) % 128)
            unmasked.append(isMasked ? original ?? scalar : scalar)
        }
        return String(unmasked)
    }
}
