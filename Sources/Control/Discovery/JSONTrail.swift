// Where in a JSON text a scanner is: the names of the containers that are open, in a word. Names that nobody asks for
// are all alike.

/// The way from a text's root to what is looked at, eight steps at most.
struct JSONTrail: Equatable {
    /// A key that is known here.
    enum Name: UInt8 {
        /// Any other key; and the root's own place, which has none.
        case other
        /// An element of an array.
        case element
        case addresses, addressType, code, conditions, endpoints, items, message, metadata, name,
            object
        case port, ports, ready, resourceVersion, serving, targetRef, terminating, type, uid

        /// The key that is spelt so.
        init(_ text: [UInt8]) { self = Self.known[text] ?? .other }

        private static let known: [[UInt8]: Name] = [
            Array("addresses".utf8): .addresses, Array("addressType".utf8): .addressType,
            Array("code".utf8): .code, Array("conditions".utf8): .conditions,
            Array("endpoints".utf8): .endpoints, Array("items".utf8): .items,
            Array("message".utf8): .message, Array("metadata".utf8): .metadata,
            Array("name".utf8): .name, Array("object".utf8): .object, Array("port".utf8): .port,
            Array("ports".utf8): .ports, Array("ready".utf8): .ready,
            Array("resourceVersion".utf8): .resourceVersion, Array("serving".utf8): .serving,
            Array("targetRef".utf8): .targetRef, Array("terminating".utf8): .terminating,
            Array("type".utf8): .type, Array("uid".utf8): .uid,
        ]
    }

    /// A byte for each step, the last one lowest.
    private var steps: UInt64 = 0
    private var depth = 0

    /// The way that these steps are.
    init(_ names: Name...) {
        for name in names { open(name) }
    }

    /// A container has begun, whose first step is `name`.
    mutating func open(_ name: Name) {
        steps = steps << 8 | UInt64(name.rawValue)
        depth += 1
    }

    /// The innermost container has ended.
    mutating func close() {
        steps >>= 8
        depth -= 1
    }

    /// The last step is another one.
    mutating func name(_ name: Name) { steps = steps & ~0xff | UInt64(name.rawValue) }

    /// What is left of the way behind `prefix`; nil where it leads elsewhere.
    func behind(_ prefix: JSONTrail) -> JSONTrail? {
        let left = depth - prefix.depth
        guard left >= 0, steps >> UInt64(8 * left) == prefix.steps else { return nil }
        var rest = JSONTrail()
        rest.depth = left
        rest.steps = steps & ~(~0 << UInt64(8 * left))
        return rest
    }
}
