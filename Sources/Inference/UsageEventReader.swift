// Says of an event of a stream whether it is there for the usage alone, and what else is in it.
//
// Every event of a stream says whose it is: its id, its model and the like. That is not missed when the event
// goes; what is in no other event would be.

internal import Bytes

/// Reads a JSON text for whether it is the event that says how many tokens there were.
struct UsageEventReader: Sendable {
    private enum Value: Sendable {
        case other, choices, usage, further
    }

    private var scanner = JSONScanner()
    private var next = Value.other
    /// What container's first element is awaited, or its end.
    private var opened = Value.other
    private var hasNoChoices = false
    private var isBroken = false
    private var usageStart: Int?
    /// Bytes of the text before those that are shown.
    private var base = 0

    /// Where the usage stands in the text; nil where there is none.
    private(set) var usageRange: Range<Int>?
    /// Whether something is in the text that says more than whose it is.
    private(set) var saysMore = false

    /// Whether the text is complete, has usage, and an empty list of choices.
    var isUsage: Bool { hasNoChoices && usageRange != nil && !isBroken && scanner.isComplete }

    /// Begins another text.
    mutating func reset() {
        scanner.reset()
        next = .other
        opened = .other
        hasNoChoices = false
        isBroken = false
        usageStart = nil
        base = 0
        usageRange = nil
        saysMore = false
    }

    /// Reads the next bytes; what is no JSON is not that event.
    mutating func read(_ bytes: Span<UInt8>) {
        if isBroken { return }
        do throws(BodyFault) {
            var index = 0
            while true {
                let event = try scanner.next(in: bytes, at: &index)
                if event == .needMoreData { break }
                take(event, to: base &+ index)
            }
            base &+= bytes.count
        } catch {
            isBroken = true
        }
    }

    private mutating func take(_ event: JSONEvent, to end: Int) {
        if opened != .other {
            endOpened(event)
            return
        }
        switch (next, event) {
        case (_, .key):
            if scanner.depth == 1 { next = value() }
            return
        case (.choices, .open(isObject: false)), (.further, .open):
            opened = next
            // Its first element, or its end.
            scanner.reportedDepth = 2
        case (.usage, .open(isObject: true)): usageStart = scanner.valueStart
        case (.further, .string): saysMore = saysMore || !scanner.isStringEmpty
        case (.further, .literal(nil)): break
        case (.further, .literal), (.further, .number): saysMore = true
        case (_, .close):
            if scanner.depth == 1, let start = usageStart {
                usageRange = start..<end
                usageStart = nil
            }
        default: break
        }
        next = .other
    }

    /// What comes first in a container is `event`.
    private mutating func endOpened(_ event: JSONEvent) {
        let isEmpty = event == .close
        if opened == .choices { hasNoChoices = isEmpty } else if !isEmpty { saysMore = true }
        opened = .other
        next = .other
        scanner.reportedDepth = 1
    }

    /// What comes behind the key in hand.
    private func value() -> Value {
        if scanner.isTextCut { return .further }
        let key = scanner.text.span
        if key.equals("choices") { return .choices }
        if key.equals("usage") { return .usage }
        return UsageEventReader.envelope.contains { key.equals($0) } ? .other : .further
    }

    /// What all events of a stream say: OpenAI's own, and OpenRouter's `provider`.
    private static let envelope = [
        "id", "object", "created", "model", "system_fingerprint", "service_tier", "obfuscation",
        "provider",
    ].map { Array($0.utf8) }
}
