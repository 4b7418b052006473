// Text -> YAMLNode by libyaml, with every fault of the YAML itself reported.
//
// The `*` of aliases is masked before libyaml sees the text, that is, replaced by a private-use
// character that stands for it, and unmasked in the tree. Masked, an alias is a scalar to libyaml:
// it is resolved here, where what it expands to is counted, and an unquoted glob such as `*-large`
// is found whole, so that its fault can say what has to be put into quotes. So are the braces of variables, `${NAME}`, which
// would be a mapping's within brackets.

/// Reads one YAML document.
struct YAMLReader {
    /// Most nodes of a document, aliases counted as often as they are used.
    static let maxNodes = 100_000
    /// Deepest nesting; a policy needs six.
    static let maxDepth = 64

    /// The text as libyaml sees it.
    private let characters: [Unicode.Scalar]
    private let parser: YAMLParser
    private let file: Int
    private var anchors: [String: YAMLNode] = [:]
    private var nodes: Int

    /// The document in `text`, that of `file` among those that are read together; `nil` after a fault that leaves nothing to
    /// read on with.
    static func read(_ text: String, _ reading: inout Reading, file: Int = 0) -> YAMLNode? {
        var characters = Array(text.unicodeScalars)
        if characters.first == "\u{FEFF}" { characters.removeFirst() }
        do throws(YAMLFault) {
            try Mask.check(characters)
            Mask.maskAliases(&characters)
            Mask.maskVariables(&characters)
            var reader = try YAMLReader(characters, file, nodes: reading.values)
            let root = try reader.document(&reading)
            reading.values = reader.nodes
            return root
        } catch {
            var fault = error
            fault.position.file = file
            fault.report(&reading)
            return nil
        }
    }

    private init(
        _ characters: [Unicode.Scalar], _ file: Int, nodes: Int
    ) throws(YAMLFault) {
        var text = String()
        text.unicodeScalars.append(contentsOf: characters)
        guard let parser = YAMLParser(text) else {
            throw YAMLFault(Fault("there is no memory to read it", "free some"), at: .start)
        }
        self.characters = characters
        self.parser = parser
        self.file = file
        self.nodes = nodes
    }

    private func next() throws(YAMLFault) -> YAMLEvent {
        do throws(YAMLSyntaxError) {
            var event = try parser.next()
            event.position.file = file
            return event
        } catch {
            throw YAMLFault(error, characters)
        }
    }

    private mutating func document(_ reading: inout Reading) throws(YAMLFault) -> YAMLNode {
        // The first event says that the text begins.
        _ = try next()
        guard try next().kind == .documentBegins else {
            let fault = Fault(
                "the file is empty",
                file == 0
                    ? "write at least `listen`, `pools` and `routes`"
                    : "write `pools` or `routes`, or remove the file")
            throw YAMLFault(fault, at: .start)
        }
        let root = try node(try next(), depth: 0, &reading)
        // The first event behind the root says that the document ends.
        _ = try next()
        let event = try next()
        guard event.kind == .textEnds else {
            let fault = Fault("a second document begins here", "keep one document a file")
            throw YAMLFault(fault, at: event.position)
        }
        return root
    }
}

// MARK: - Events to nodes

extension YAMLReader {
    /// The tags that say no more than what is there anyway, "!" and none among them.
    private static let plainTags: Set<String> = [
        "", "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq",
    ]

    /// The node that begins with `event`.
    private mutating func node(
        _ event: YAMLEvent, depth: Int, _ reading: inout Reading
    ) throws(YAMLFault) -> YAMLNode {
        let position = event.position
        guard depth < Self.maxDepth else { throw Self.tooDeep(at: position) }
        if let tag = event.tag, !Self.plainTags.contains(tag) {
            throw YAMLFault(Fault("the tag \(tag.quoted) is not known", "remove it"), at: position)
        }
        var node: YAMLNode
        switch event.kind {
        case .scalar(let text, let isPlain):
            if isPlain, text.unicodeScalars.first == Mask.star {
                node = try alias(Mask.unmask(text), depth: depth, at: position)
            } else {
                try count(1, at: position)
                let text = Mask.unmask(text)
                node = YAMLNode(
                    content: isPlain ? .plain(text) : .quoted(text), position: position, size: 1)
            }
        case .listBegins: node = try list(depth: depth, at: position, &reading)
        case .mappingBegins: node = try mapping(depth: depth, at: position, &reading)
        case .alias, .ends, .documentBegins, .textEnds, .other:
            preconditionFailure(
                "aliases are masked, and nothing else begins here in libyaml's grammar")
        }
        if let anchor = event.anchor { anchors[anchor] = node }
        return node
    }

    private mutating func alias(
        _ text: String, depth: Int, at position: Position
    ) throws(YAMLFault) -> YAMLNode {
        let name = String(text.dropFirst())
        guard name.unicodeScalars.allSatisfy(Mask.isNameCharacter) else {
            let fault = Fault(
                "an unquoted \(text.quoted) would be an alias", "put quotes around it")
            throw YAMLFault(fault, at: position)
        }
        guard let node = anchors[name] else {
            let fault = Fault(
                "there is no anchor \("&\(name)".quoted) before this alias",
                "put quotes around text that begins with `*`")
            throw YAMLFault(fault, at: position)
        }
        // Counted first: what is counted may also be walked.
        try count(node.size, at: position)
        guard depth + node.depth < Self.maxDepth else { throw Self.tooDeep(at: position) }
        return node
    }

    private static func tooDeep(at position: Position) -> YAMLFault {
        YAMLFault(
            Fault("is nested more than \(maxDepth) deep", "remove the nesting"), at: position)
    }

    /// Counts nodes against the limit.
    private mutating func count(_ added: Int, at position: Position) throws(YAMLFault) {
        nodes += added
        if nodes <= Self.maxNodes { return }
        let fault = Fault(
            "the policy has more than \(Self.maxNodes) values, aliases included", "make it smaller")
        throw YAMLFault(fault, at: position)
    }

    private mutating func list(
        depth: Int, at position: Position, _ reading: inout Reading
    ) throws(YAMLFault) -> YAMLNode {
        try count(1, at: position)
        var size = 1
        var items: [YAMLNode] = []
        var event = try next()
        while event.kind != .ends {
            let item = try node(event, depth: depth + 1, &reading)
            size += item.size
            items.append(item)
            event = try next()
        }
        return YAMLNode(content: .list(items), position: position, size: size)
    }

    private mutating func mapping(
        depth: Int, at position: Position, _ reading: inout Reading
    ) throws(YAMLFault) -> YAMLNode {
        try count(1, at: position)
        var entries: [YAMLNode.Entry] = []
        var merged: (source: YAMLNode, position: Position)?
        var event = try next()
        while event.kind != .ends {
            let place = event.position
            let key = try node(event, depth: depth + 1, &reading)
            let value = try node(try next(), depth: depth + 1, &reading)
            if case .plain("<<") = key.content {
                if let merged {
                    let fault = Fault("the key `<<` is given twice", "keep one")
                    throw YAMLFault(fault, at: merged.position)
                }
                merged = (value, place)
            } else if let name = key.scalar {
                entries.append(.init(key: name, position: place, value: value))
            } else {
                let fault = Fault("\(key.description) is used as a key", "write a name")
                reading.report(fault, path: "", at: place)
            }
            event = try next()
        }
        if let merged { merge(merged.source, into: &entries, &reading) }
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

/// The private-use characters that stand for the `*` of an alias and the braces of a variable.
private enum Mask {
    static let star: Unicode.Scalar = "\u{E02A}"
    private static let opening: Unicode.Scalar = "\u{E07B}"
    private static let closing: Unicode.Scalar = "\u{E07D}"

    /// Refuses characters that YAML does not allow (YAML 1.2.2 section 5.1) and the private-use
    /// ones, of which some have a meaning here.
    static func check(_ characters: [Unicode.Scalar]) throws(YAMLFault) {
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
                throw YAMLFault(
                    Fault("the character U+\(digits) is not allowed in a policy", "remove it"),
                    at: position)
            }
            if characters.endsLine(at: index) {
                position = Position(line: position.line + 1, column: 1)
            } else {
                position.column += 1
            }
        }
    }

    static func maskAliases(_ characters: inout [Unicode.Scalar]) {
        for index in characters.indices.dropLast()
        where characters[index] == "*" && isNameCharacter(characters[index + 1]) {
            characters[index] = star
        }
    }

    static func maskVariables(_ characters: inout [Unicode.Scalar]) {
        var index = 0
        while index + 1 < characters.count {
            guard characters[index] == "$", characters[index + 1] == "{",
                let reference = try? VariableReference(characters, at: index),
                // What has these needs quotes within brackets, and a scalar may have ended before it.
                !characters[index..<reference.end].contains(where: endsScalars)
            else {
                index += 1
                continue
            }
            characters[index + 1] = opening
            characters[reference.end - 1] = closing
            index = reference.end
        }
    }

    private static func endsScalars(_ scalar: Unicode.Scalar) -> Bool {
        " \t,[]\"'#\\\u{85}\u{2028}\u{2029}".unicodeScalars.contains(scalar)
    }

    static func unmask(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { unmasked($0) != $0 }) else { return text }
        var whole = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { whole.append(unmasked(scalar)) }
        return String(whole)
    }

    private static func unmasked(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        switch scalar {
        case star: "*"
        case opening: "{"
        case closing: "}"
        default: scalar
        }
    }

    /// Whether anchors can have the character in their names, as libyaml reads them.
    static func isNameCharacter(_ scalar: Unicode.Scalar) -> Bool {
        let character = Character(scalar)
        return character.isASCIILetter || character.isASCIIDigit || "_-".contains(character)
    }
}
