// Reads what an API server answers to a question for slices: a list, the events of a watch, one behind the other, or a
// refusal. A text is read as it comes, however it is cut, and nothing of it is held but the slice in hand, so that its
// length takes time and no memory.

internal import Bytes
internal import Inference

/// A reader of one answer.
struct EndpointSliceReader {
    /// What the answer is.
    enum Form {
        /// `{"metadata": .., "items": [SLICE, ..]}`.
        case list
        /// `{"type": .., "object": SLICE}` again and again.
        case watch
        /// A `Status`, or anything else.
        case status
    }

    /// A piece of the answer.
    enum Piece: Equatable {
        /// A slice of a list.
        case slice(EndpointSlice)
        /// The end of a list, and what a watch has to begin at.
        case listed(version: String)
        /// An event of a watch, and what the next watch has to begin at; empty where that is not said.
        case event(WatchEvent, version: String)
        /// The end of a status.
        case status(code: Int, message: String)
    }

    /// Why an answer is none.
    struct Fault: Error, Equatable {
        /// What is wrong, to stand behind the answer's name.
        let text: String
    }

    /// Bytes of a list, and of one event: slices have 1.5 MiB in the API server's own store.
    static let mostListBytes = 32 << 20
    static let mostEventBytes = 4 << 20

    private let form: Form
    private var scanner = JSONScanner()
    private var trail = JSONTrail()
    /// Whether no text has begun that has not ended.
    private(set) var isBetween = true
    /// Bytes of the text in hand, and texts that have ended.
    private var count = 0
    private var texts = 0
    private var slice = EndpointSlice()
    private var endpoint = Endpoint()
    private var port = EndpointSlice.Port()
    /// The version of the list, or of the event's object.
    private var version = ""
    private var type = ""
    private var code = 0
    private var message = ""
    private var pieces: [Piece] = []

    /// A reader at the beginning of an answer.
    init(_ form: Form) {
        self.form = form
        begin()
    }

    /// Whether all that was begun has ended, and something was.
    var isComplete: Bool { isBetween && texts > 0 }

    /// Reads on, and returns what was found.
    ///
    /// After a fault the reader is of no use.
    mutating func take(_ bytes: [UInt8]) throws(Fault) -> [Piece] {
        pieces = []
        let most = form == .list ? Self.mostListBytes : Self.mostEventBytes
        var index = 0
        while index < bytes.count {
            if isBetween {
                guard !Self.isSpace(bytes[index]) else {
                    index += 1
                    continue
                }
                guard form == .watch || texts == 0 else {
                    throw Fault(text: "goes on behind its end")
                }
                isBetween = false
            }
            let start = index
            let event = try next(in: bytes, at: &index)
            count += index - start
            guard count <= most else { throw Fault(text: "has more than \(most >> 20) MiB") }
            try take(event)
            if scanner.isComplete {
                try end()
                begin()
            }
        }
        return pieces
    }

    private mutating func next(in bytes: [UInt8], at index: inout Int) throws(Fault) -> JSONEvent {
        do throws(BodyFault) {
            return try scanner.next(in: bytes.span, at: &index)
        } catch {
            throw Fault(text: "is no JSON")
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09
    }

    /// Another text may begin.
    private mutating func begin() {
        scanner.reset()
        // A list, its slices, their endpoints, and what these have.
        scanner.reportedDepth = 6
        trail = JSONTrail()
        isBetween = true
        count = 0
        beginObject()
        version = ""
        type = ""
    }

    private mutating func beginObject() {
        slice = EndpointSlice()
        code = 0
        message = ""
    }

    // MARK: Places

    private static let itemPrefix = JSONTrail(.items, .element)
    private static let objectPrefix = JSONTrail(.object)
    private static let portElement = JSONTrail(.ports, .element)
    private static let endpointElement = JSONTrail(.endpoints, .element)

    /// Where in a slice, or a status, the scanner is; nil where it is in none.
    private var place: JSONTrail? {
        switch form {
        case .list: trail.behind(Self.itemPrefix)
        case .watch: trail.behind(Self.objectPrefix)
        case .status: trail
        }
    }

    // MARK: Steps

    private mutating func take(_ event: JSONEvent) throws(Fault) {
        switch event {
        case .needMoreData: break
        case .key:
            trail.name(JSONTrail.Name(scanner.isTextCut ? [] : scanner.text.bytes))
            scanner.captures = true
        case .open(let isObject):
            guard isObject || scanner.depth > 1 else { throw Fault(text: "is no object") }
            try opened()
            trail.open(isObject ? .other : .element)
            scanner.captures = !isObject
        case .close:
            trail.close()
            try closed()
        case .string:
            try takeText()
            // The next element, where this was one.
            scanner.captures = true
        case .number: takeNumber(scanner.number)
        case .literal(let value): takeLiteral(value)
        }
        guard scanner.depth > 0 || event == .close || event == .needMoreData else {
            throw Fault(text: "is no object")
        }
    }

    private mutating func opened() throws(Fault) {
        guard let place else { return }
        switch place {
        case JSONTrail(): beginObject()
        case Self.portElement:
            guard slice.ports.count < EndpointSlice.mostPorts else {
                throw Fault(text: "has a slice with more than \(EndpointSlice.mostPorts) ports")
            }
            port = EndpointSlice.Port()
        case Self.endpointElement:
            let most = EndpointSlice.mostEndpoints
            guard slice.endpoints.count < most else {
                throw Fault(text: "has a slice with more than \(most) endpoints")
            }
            endpoint = Endpoint()
        default: break
        }
    }

    private mutating func closed() throws(Fault) {
        guard let place else { return }
        switch place {
        case JSONTrail() where form == .list: pieces.append(.slice(try named(slice)))
        case Self.portElement: slice.ports.append(port)
        case Self.endpointElement: slice.endpoints.append(endpoint)
        default: break
        }
    }

    private func named(_ slice: EndpointSlice) throws(Fault) -> EndpointSlice {
        guard !slice.name.isEmpty else { throw Fault(text: "has a slice without a name") }
        return slice
    }

    private static let listVersion = JSONTrail(.metadata, .resourceVersion)
    private static let eventType = JSONTrail(.type)
    private static let sliceName = JSONTrail(.metadata, .name)
    private static let addressType = JSONTrail(.addressType)
    private static let portName = JSONTrail(.ports, .element, .name)
    private static let address = JSONTrail(.endpoints, .element, .addresses, .element)
    private static let uid = JSONTrail(.endpoints, .element, .targetRef, .uid)
    private static let statusMessage = JSONTrail(.message)

    private mutating func takeText() throws(Fault) {
        let text = String(decoding: scanner.text.bytes, as: UTF8.self)
        if form == .list, trail == Self.listVersion { return version = try whole(text) }
        if form == .watch, trail == Self.eventType { return type = text }
        guard let place else { return }
        switch place {
        case Self.listVersion: if form == .watch { version = try whole(text) }
        case Self.sliceName: slice.name = try whole(text)
        case Self.addressType: slice.addressType = text
        case Self.portName: port.name = try whole(text)
        case Self.address:
            if endpoint.address.isEmpty { endpoint.address = try whole(text) }
        case Self.uid: endpoint.uid = try whole(text)
        case Self.statusMessage: message = scanner.isTextCut ? text + ".." : text
        default: break
        }
    }

    private func whole(_ text: String) throws(Fault) -> String {
        guard !scanner.isTextCut else {
            throw Fault(text: "has a name of more than \(ShortText.mostBytes) bytes")
        }
        return text
    }

    private static let portNumber = JSONTrail(.ports, .element, .port)
    private static let statusCode = JSONTrail(.code)

    private mutating func takeNumber(_ number: Int?) {
        switch place {
        case Self.portNumber: port.number = number.flatMap { UInt16(exactly: $0) }
        case Self.statusCode: code = number ?? 0
        default: break
        }
    }

    private static let ready = JSONTrail(.endpoints, .element, .conditions, .ready)
    private static let serving = JSONTrail(.endpoints, .element, .conditions, .serving)
    private static let terminating = JSONTrail(.endpoints, .element, .conditions, .terminating)

    private mutating func takeLiteral(_ value: Bool?) {
        switch place {
        case Self.ready: endpoint.ready = value
        case Self.serving: endpoint.serving = value
        case Self.terminating: endpoint.terminating = value
        default: break
        }
    }

    /// A text has ended.
    private mutating func end() throws(Fault) {
        texts += 1
        switch form {
        case .list:
            guard !version.isEmpty else { throw Fault(text: "has no resourceVersion") }
            pieces.append(.listed(version: version))
        case .watch: pieces.append(.event(try event, version: version))
        case .status: pieces.append(.status(code: code, message: message))
        }
    }

    private var event: WatchEvent {
        get throws(Fault) {
            switch type {
            case "ADDED", "MODIFIED": .put(try named(slice))
            case "DELETED": .removed(name: try named(slice).name)
            case "BOOKMARK": .bookmark
            case "ERROR": .failed(code: code, message: message)
            default: .unknown
            }
        }
    }
}
