// How the values of a key are read and written. A kind carries its `Shape`, so whatever reads a
// value also says in the schema and in the reference what it reads.

/// How values of one type are read from YAML and written back.
struct Kind<Value: Sendable>: Sendable {
    /// Takes the value at a path over into its target, or reports why not.
    typealias Read = @Sendable (YAMLNode, String, inout Value, inout Reading) -> Void

    let shape: Shape
    let read: Read
    /// `nil` where the absence of the key says it.
    let write: @Sendable (Value) -> Literal?

    init(
        _ shape: Shape, read: @escaping Read, write: @escaping @Sendable (Value) -> Literal?
    ) {
        self.shape = shape
        self.read = read
        self.write = write
    }

    /// A kind whose values are made from one node at once.
    init(
        _ shape: Shape, parse: @escaping @Sendable (YAMLNode) throws(Fault) -> Value,
        write: @escaping @Sendable (Value) -> Literal?
    ) {
        self.init(
            shape,
            read: { node, path, value, reading in
                do throws(Fault) {
                    value = try parse(node)
                } catch {
                    reading.report(error, path: path, at: node.position)
                }
            },
            write: write)
    }
}

// MARK: - Numbers

extension Kind<Int> {
    static func integer(_ range: ClosedRange<Int>) -> Kind {
        let shape = Shape.integer(range)
        return Kind(shape) { (node) throws(Fault) in
            let text = try node.plain(shape.wanted)
            let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
            let isDecimal = !digits.isEmpty && digits.allSatisfy(\.isASCIIDigit)
            guard isDecimal, digits == "0" || digits.first != "0" else {
                throw Fault("\(text.quoted) is not an integer", "write \(shape.wanted)")
            }
            guard let value = Int(text), range.contains(value) else {
                throw Fault("\(text) is out of range", "write \(shape.wanted)")
            }
            return value
        } write: {
            .integer($0)
        }
    }

    /// A size in bytes.
    static func size(_ range: ClosedRange<Int>) -> Kind {
        let quantity = Quantity.size
        let shape = Shape.quantity(
            quantity, lowest: quantity.text(range.lowerBound),
            highest: quantity.text(range.upperBound))
        return Kind(shape) { (node) throws(Fault) in
            let text = try node.scalarText(shape.wanted)
            guard let value = try quantity.parse(text), range.contains(value) else {
                throw Fault("\(text.quoted) is out of range", "write \(shape.wanted)")
            }
            return value
        } write: {
            .text(quantity.text($0))
        }
    }
}

extension Kind<Double> {
    static func number(
        _ range: ClosedRange<Double>, excludesLower: Bool = false, excludesUpper: Bool = false
    ) -> Kind {
        let shape = Shape.number(
            range, excludesLower: excludesLower, excludesUpper: excludesUpper)
        return Kind(shape) { (node) throws(Fault) in
            let text = try node.plain(shape.wanted)
            let isDecimal = text.allSatisfy { $0.isASCIIDigit || ".-".contains($0) }
            guard isDecimal, let value = Double(text) else {
                throw Fault("\(text.quoted) is not a number", "write \(shape.wanted)")
            }
            guard range.contains(value), !(excludesLower && value == range.lowerBound),
                !(excludesUpper && value == range.upperBound)
            else { throw Fault("\(text.quoted) is out of range", "write \(shape.wanted)") }
            return value
        } write: {
            .number($0)
        }
    }
}

extension Kind<Duration> {
    /// A duration; the range's ends are whole nanoseconds of less than 292 years.
    static func duration(_ range: ClosedRange<Duration>) -> Kind {
        let quantity = Quantity.duration
        let shape = Shape.quantity(
            quantity, lowest: quantity.text(range.lowerBound.nanoseconds),
            highest: quantity.text(range.upperBound.nanoseconds))
        return Kind(shape) { (node) throws(Fault) in
            let text = try node.scalarText(shape.wanted)
            guard let value = try quantity.parse(text),
                range.contains(.nanoseconds(Int64(value)))
            else { throw Fault("\(text.quoted) is out of range", "write \(shape.wanted)") }
            return .nanoseconds(Int64(value))
        } write: {
            .text(quantity.text($0.nanoseconds))
        }
    }
}

extension Duration {
    fileprivate var nanoseconds: Int {
        Int(components.seconds) * 1_000_000_000 + Int(components.attoseconds / 1_000_000_000)
    }
}

// MARK: - Words and text

extension Kind<Bool> {
    static var boolean: Kind {
        Kind(.boolean) { (node) throws(Fault) in
            let text = try node.plain(Shape.boolean.wanted)
            switch text {
            case "true": return true
            case "false": return false
            default: throw Fault("\(text.quoted) is not a boolean", "write true or false")
            }
        } write: {
            .boolean($0)
        }
    }

    /// A boolean that the file says with two words.
    static func words(true yes: String, false no: String) -> Kind {
        .words([(yes, true), (no, false)])
    }
}

extension Kind where Value: Equatable {
    /// One of some words.
    static func words(_ choices: [(word: String, value: Value)]) -> Kind {
        let words = choices.map(\.word)
        let shape = Shape.words(words)
        return Kind(shape) { (node) throws(Fault) in
            let text = try node.text(shape.wanted)
            guard let choice = choices.first(where: { $0.word == text }) else {
                let hint = Spelling.hint(text, among: words)
                throw Fault("\(text.quoted) is not known here", "\(hint)write \(shape.wanted)")
            }
            return choice.value
        } write: { value in
            choices.first { $0.value == value }.map { .text($0.word) }
        }
    }
}

extension Kind where Value: RawRepresentable & CaseIterable & Equatable, Value.RawValue == String {
    /// One of the type's cases by its name.
    static var words: Kind { .words(Value.allCases.map { ($0.rawValue, $0) }) }
}

extension Kind {
    /// Text of a form of its own; `noun` says with its article what it is.
    static func text(
        _ noun: String, pattern: String,
        parse: @escaping @Sendable (String) throws(Fault) -> Value,
        write: @escaping @Sendable (Value) -> String?
    ) -> Kind {
        Kind(.text(noun, pattern: pattern)) { (node) throws(Fault) in
            do throws(Fault) {
                return try parse(try node.text(noun))
            } catch {
                guard case .plain(let text) = node.content, !text.isEmpty, (try? parse(text)) != nil
                else { throw error }
                throw Fault(error.problem, "write \("\"\(text)\"".quoted): quotes make it text")
            }
        } write: { value in
            write(value).map { .text($0) }
        }
    }

    /// The same for an optional value, which the word `absent` switches off.
    ///
    /// Without a word there is no way to say it but leaving the key out. `blank` is what is read
    /// into.
    func optional(blank: Value, absent: String? = nil) -> Kind<Value?> {
        let shape = absent.map { Shape.either([.words([$0]), self.shape]) } ?? self.shape
        return Kind<Value?>(shape) { node, path, value, reading in
            if let absent {
                if node.scalar == absent {
                    value = nil
                    return
                }
                if case .plain("false") = node.content {
                    let fault = Fault("found \(node.description)", "write \(absent.quoted)")
                    return reading.report(fault, path: path, at: node.position)
                }
            }
            var present = value ?? blank
            read(node, path, &present, &reading)
            value = present
        } write: { value in
            if let value { write(value) } else { absent.map { .text($0) } }
        }
    }

    /// A list; its elements must differ by `identity` where that is given.
    static func list<Element>(
        of element: Kind<Element>, blank: Element, counts: ClosedRange<Int>,
        identity: (@Sendable (Element) -> [String])?
    ) -> Kind where Value == [Element] {
        let shape = Shape.list(element.shape, counts: counts, isUnique: identity != nil)
        return Kind(shape) { node, path, value, reading in
            guard case .list(let items) = node.content else {
                let remedy =
                    node.scalar == nil
                    ? "write \(shape.wanted)" : "write a list, with brackets or dashes"
                let fault = Fault("found \(node.description)", remedy)
                reading.report(fault, path: path, at: node.position)
                return
            }
            if !counts.contains(items.count) {
                let fault = Fault(
                    "has \(items.count) elements",
                    "write \(counts.lowerBound) to \(counts.upperBound)")
                reading.report(fault, path: path, at: node.position)
                // The elements of a list that is too long are not worth their diagnostics.
                return
            }
            var first: [[String]: String] = [:]
            value = []
            for (index, item) in items.enumerated() {
                let path = "\(path)[\(index)]"
                reading.note(path, at: item.position)
                var read = blank
                element.read(item, path, &read, &reading)
                value.append(read)
                guard !reading.isFaulty(path), let id = identity?(read) else { continue }
                if let earlier = first.updateValue(first[id] ?? path, forKey: id) {
                    let other = reading.named(earlier, from: path)
                    let fault = Fault("is the same as \(other)", "remove one of them")
                    reading.report(fault, path: path, at: item.position)
                }
            }
        } write: { value in
            .list(value.compactMap(element.write))
        }
    }

    /// A list that may be written without brackets when it has one element.
    func orOne<Element>(_ element: Kind<Element>, blank: Element) -> Kind where Value == [Element] {
        Kind(.either([element.shape, shape])) { node, path, value, reading in
            // A mapping is one element where elements may be mappings.
            let isOne =
                switch node.content {
                case .list: false
                case .mapping: element.shape.takesMappings
                default: node.scalar != nil
                }
            guard isOne else { return read(node, path, &value, &reading) }
            var one = blank
            element.read(node, path, &one, &reading)
            value = [one]
        } write: {
            write($0)
        }
    }
}
