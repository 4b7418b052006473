// Takes the event out of a stream that only says how many tokens there were, for a client that did not ask
// for it. Servers send it last, with an empty list of choices:
//
//     data: {"id":"...","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}
//
// Events with choices stay, also where usage stands beside them, and so do those with an empty list and no
// usage, which say other things.

internal import Bytes

/// Says whether a JSON text is the event that only has usage.
struct UsageEventReader: Sendable {
    private enum Value: Sendable {
        case other, choices, firstChoice, usage
    }

    private var scanner = JSONScanner()
    private var next = Value.other
    private var hasNoChoices = false
    private var hasUsage = false
    private var isBroken = false

    /// Whether the text is complete, and is that event.
    var isUsageOnly: Bool { hasNoChoices && hasUsage && !isBroken && scanner.isComplete }

    /// Begins another text.
    mutating func reset() {
        scanner.reset()
        next = .other
        hasNoChoices = false
        hasUsage = false
        isBroken = false
    }

    /// Reads the next bytes; what is no JSON is not that event.
    mutating func read(_ bytes: Span<UInt8>) {
        if isBroken { return }
        do throws(BodyFault) {
            var index = 0
            while true {
                let event = try scanner.next(in: bytes, at: &index)
                if event == .needMoreData { return }
                take(event)
            }
        } catch {
            isBroken = true
        }
    }

    private mutating func take(_ event: JSONEvent) {
        defer { if scanner.depth < 2 { scanner.reportedDepth = 1 } }
        switch (next, event) {
        case (.firstChoice, .close): hasNoChoices = true
        case (.choices, .open(isObject: false)):
            scanner.reportedDepth = 2
            next = .firstChoice
            return
        case (.usage, .open(isObject: true)): hasUsage = true
        case (_, .key) where scanner.depth == 1 && !scanner.isTextCut:
            next = UsageEventReader.value(of: scanner.text.span)
            return
        default: break
        }
        next = .other
        scanner.reportedDepth = 1
    }
}

extension UsageEventReader {
    /// What comes behind a key of the event.
    private static func value(of key: Span<UInt8>) -> Value {
        if key.equals("choices") { return .choices }
        return key.equals("usage") ? .usage : .other
    }
}

/// Passes a stream of server-sent events on, but for those that only have usage.
package struct UsageFilter: Sendable {
    /// What goes on to the client, of the bytes that were read last.
    package private(set) var passed: [UInt8] = []

    private var splitter = EventSplitter(.serverSent)
    private var event = UsageEventReader()
    /// What has come of an event that is not complete.
    private var held: [UInt8] = []
    /// Whether the present event is too long to be held: it passes as it comes.
    private var isLong = false
    /// The last byte was the return that ended an event; whether that passed, to which a line feed
    /// belongs that follows.
    private var passedReturn: Bool?

    /// Bytes of the longest event that is held: one that only has usage is a tenth of that.
    static let mostHeldBytes = 8 << 10

    /// A filter at the beginning of a stream.
    package init() {}

    /// Reads the next bytes of the stream; `passed` is then what goes on.
    package mutating func read(_ bytes: Span<UInt8>) {
        passed.removeAll(keepingCapacity: true)
        var start = takeLineFeed(bytes)
        var index = 0
        while true {
            switch splitter.next(in: bytes, at: &index) {
            case .data(let range): if !isLong { event.read(bytes.extracting(range)) }
            case .event:
                let isPassed = isLong || !event.isUsageOnly
                var end = index
                if bytes[end - 1] == 0x0d, end < bytes.count, bytes[end] == 0x0a { end += 1 }
                hold(bytes.extracting(start..<end))
                if end == bytes.count, bytes[end - 1] == 0x0d { passedReturn = isPassed }
                start = end
                if !isPassed { held.removeAll(keepingCapacity: true) }
                pass()
                event.reset()
                isLong = false
            case .needMoreData:
                hold(bytes.extracting(start..<bytes.count))
                // Comments keep a connection alive, and wait for no event.
                if splitter.isAtBoundary { pass() }
                return
            }
        }
    }

    /// Takes the line feed that belongs to the event that ended with the last bytes.
    ///
    /// Returns where the next event begins.
    private mutating func takeLineFeed(_ bytes: Span<UInt8>) -> Int {
        guard let isPassed = passedReturn, !bytes.isEmpty else { return 0 }
        passedReturn = nil
        guard bytes[0] == 0x0a else { return 0 }
        if isPassed { passed.append(0x0a) }
        return 1
    }

    /// The stream has ended: what is left of an event goes on.
    package mutating func finish() {
        passed.removeAll(keepingCapacity: true)
        pass()
    }

    private mutating func hold(_ bytes: Span<UInt8>) {
        append(bytes)
        guard isLong || held.count > UsageFilter.mostHeldBytes else { return }
        isLong = true
        pass()
    }

    private mutating func append(_ bytes: Span<UInt8>) {
        held.reserveCapacity(held.count + bytes.count)
        for index in bytes.indices { held.append(bytes[index]) }
    }

    private mutating func pass() {
        passed.append(contentsOf: held)
        held.removeAll(keepingCapacity: true)
    }
}
