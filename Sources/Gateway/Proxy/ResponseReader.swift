// Follows a response of an inference server as it passes: counts its events, says whether one is
// under way, and finds the usage that it reports. Nothing of it is held. An exchange makes one the
// first time that it is needed and keeps it for its later requests.

internal import Bytes
internal import HTTP1
internal import Inference

/// The reader of one response.
final class ResponseReader {
    private var form = ResponseForm.other
    private var splitter = EventSplitter(.serverSent)
    private var reader = UsageReader()
    /// Keeps usage from the client; nil where all of the response passes.
    private var filter: UsageFilter?
    /// Whether not all of the response passes.
    private(set) var isFiltered = false
    /// Events of the stream that carried tokens.
    private(set) var tokenEvents = 0

    /// Begins with a response's head.
    func begin(_ head: borrowing ResponseHead) {
        form = .other
        forgetFilter()
        // What is compressed although nobody asked for that is passed on unread.
        if let coding = head.firstField(.contentEncoding),
            !head.value(of: coding).equals(lowercase: ResponseReader.identity)
        {
            return
        }
        guard let field = head.firstField(.contentType) else { return }
        form = ResponseForm(contentType: head.value(of: field))
        tokenEvents = 0
        if case .events(let format) = form {
            reader.reset(isStream: true)
            splitter = EventSplitter(format)
        } else {
            reader.reset()
        }
    }

    /// Reads a piece of the body and answers how many events ended in it.
    func read(_ content: Range<Int>, of input: borrowing ByteBuffer) -> Int {
        let bytes = input.bytes.extracting(content)
        switch form {
        case .other: return 0
        case .json:
            reader.read(bytes)
            return 0
        case .events: return readEvents(bytes)
        }
    }

    private static let identity = Array("identity".utf8)

    private func readEvents(_ bytes: Span<UInt8>) -> Int {
        var events = 0
        var index = 0
        while true {
            switch splitter.next(in: bytes, at: &index) {
            case .needMoreData: return events
            case .data(let range): reader.read(bytes.extracting(range))
            case .event(let isProgress):
                if isProgress, reader.isTextComplete { events += 1 }
                if reader.carriesTokens { tokenEvents += 1 }
                reader.beginText()
            }
        }
    }

    /// Events that only have usage do not pass, where the response has events of that kind.
    func filterUsage() {
        guard case .events(.serverSent) = form else { return }
        filter = UsageFilter()
        isFiltered = true
    }

    private func forgetFilter() {
        guard isFiltered else { return }
        filter = nil
        isFiltered = false
    }

    /// What passes of what was filtered last.
    var passed: [UInt8] { filter?.passed ?? [] }

    /// Filters a piece of the body.
    func filter(_ content: Range<Int>, of input: borrowing ByteBuffer) {
        filter?.read(input.bytes.extracting(content))
    }

    /// The response has ended: what is left of an event passes.
    func finishFilter() { filter?.finish() }

    /// Whether the response is a stream of events.
    var isStream: Bool { if case .events = form { true } else { false } }

    /// The stream's format while an event of the gateway's own can follow what has passed; else nil.
    var openFormat: EventSplitter.Format? {
        if case .events(let format) = form, splitter.isAtBoundary { format } else { nil }
    }

    /// What was reported so far.
    var usage: TokenUsage { reader.reported.usage }

    /// Forgets the response.
    func reset() {
        form = .other
        forgetFilter()
        tokenEvents = 0
        reader.reset()
    }
}
