// Takes the event out of a stream that says how many tokens there were, for a client that did not ask for it.
// Servers send it last, with an empty list of choices:
//
//     data: {"id":"...","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}
//
// Where it says more, as llama.cpp's does with `timings`, it stays, and `null` stands for the usage. Events with
// choices stay, also where usage stands beside them, and so do those with an empty list and no usage, which
// say other things. So do comments, ids and times to wait before the next try, wherever they stand.

internal import Bytes

/// Passes a stream of server-sent events on, but for those that are there for usage.
package struct UsageFilter: Sendable {
    /// What goes on to the client, of the bytes that were read last.
    package private(set) var passed: [UInt8] = []

    private var splitter = EventSplitter(.serverSent)
    private var event = UsageEventReader()
    /// What has come of an event that is not complete, with what stands before it.
    private var held: [UInt8] = []
    /// Where the event's data begin and end in `held`; nil while there are none.
    private var data: Range<Int>?
    /// Whether the data have several lines.
    private var isSplit = false
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
            case .data(let range):
                if isLong { continue }
                note(range.lowerBound + held.count - start, range.count)
                event.read(bytes.extracting(range))
            case .event:
                var end = index
                if bytes[end - 1] == 0x0d, end < bytes.count, bytes[end] == 0x0a { end += 1 }
                hold(bytes.extracting(start..<end))
                let isPassed = isLong || !event.isUsage || event.saysMore
                if end == bytes.count, bytes[end - 1] == 0x0d { passedReturn = isPassed }
                start = end
                endEvent(isPassed)
            case .needMoreData:
                hold(bytes.extracting(start..<bytes.count))
                // Comments keep a connection alive, and wait for no event.
                pass(to: splitter.isAtBoundary ? held.count : eventStart)
                return
            }
        }
    }

    /// Data have come, at `start` in what will be held.
    private mutating func note(_ start: Int, _ count: Int) {
        if let data, data.upperBound != start { isSplit = true }
        data = (data?.lowerBound ?? start)..<(start + count)
    }

    /// The event is complete, and all of it is held that did not pass.
    private mutating func endEvent(_ isPassed: Bool) {
        if !isPassed {
            passOthers()
        } else if event.isUsage, !isLong {
            blankUsage()
        }
        pass(to: held.count)
        data = nil
        isSplit = false
        event.reset()
        isLong = false
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
        pass(to: held.count)
    }

    private mutating func hold(_ bytes: Span<UInt8>) {
        append(bytes)
        guard isLong || held.count > UsageFilter.mostHeldBytes else { return }
        isLong = true
        pass(to: held.count)
    }

    private mutating func append(_ bytes: Span<UInt8>) {
        held.reserveCapacity(held.count + bytes.count)
        for index in bytes.indices { held.append(bytes[index]) }
    }

    /// Passes on what is held before `end`.
    private mutating func pass(to end: Int) {
        if end == 0 { return }
        passed.append(contentsOf: held[..<end])
        held.removeFirst(end)
        if let place = data {
            data = max(0, place.lowerBound - end)..<max(0, place.upperBound - end)
        }
    }
}

// MARK: What is held of one event

extension UsageFilter {
    /// Has `null` stand for the usage.
    private mutating func blankUsage() {
        guard let usage = event.usageRange, let data, !isSplit else { return }
        let start = data.lowerBound + usage.lowerBound
        held.replaceSubrange(start..<start + usage.count, with: Array("null".utf8))
    }

    /// Passes on what is not the event itself, which are its type, its data and the empty line that ends it.
    ///
    /// What is left of its lines belongs to the next event then: some clients take an empty line for the
    /// end of an event although it has no data.
    private mutating func passOthers() {
        var index = eventStart
        passed.append(contentsOf: held[..<index])
        while index < held.count {
            let (end, next) = line(from: index)
            if end > index, !isOfEvent(index..<end) {
                passed.append(contentsOf: held[index..<next])
            }
            index = next
        }
        held.removeAll(keepingCapacity: true)
    }

    /// Where the last event begins in what is held: behind the last empty line but one that ends it.
    private var eventStart: Int {
        var start = 0
        var index = 0
        while index < held.count {
            let (end, next) = line(from: index)
            if end == index, next < held.count { start = next }
            index = next
        }
        return start
    }

    /// Where the line that begins at `start` ends, without its line end and with it.
    private func line(from start: Int) -> (end: Int, next: Int) {
        let end = held.span.endOfLine(from: start)
        if end + 1 < held.count, held[end] == 0x0d, held[end + 1] == 0x0a { return (end, end + 2) }
        return (end, min(end + 1, held.count))
    }

    /// Whether a line has the event's data or its type.
    private func isOfEvent(_ line: Range<Int>) -> Bool {
        let text = held.span.extracting(line)
        var end = 0
        while end < text.count, text[end] != UInt8(ascii: ":") { end += 1 }
        let name = text.extracting(0..<end)
        return name.equals("data") || name.equals("event")
    }
}
