// What a request's prompt begins with, without a tokenizer: hashes over the values in its JSON that go into the
// prompt, in their order; not over keys, blanks and structure. Engines whose chat templates put the same texts
// together have the same tokens for them.
//
// Four hashes: what a cache is kept apart by (the model, a salt, how the template is used), tools, instructions,
// and messages. Tools and instructions stand before the messages in the prompt, wherever the JSON has them, so that
// the places in the messages are mixed with the other three when all has been read.
//
// A text is the same whether it stands alone or as the only part of a list. Escapes are hashed as they are
// written. What says only where an engine may cache is left out: it moves from turn to turn.

internal import Bytes

/// Reads the prompt of one request after another.
package struct PromptReader {
    /// What a value at the root has to do with the prompt.
    private enum Role: UInt8, Sendable {
        case other, salt, tools, instructions, messages
    }

    /// Bytes of a body that are read: what lies behind them is only counted.
    package static let mostBytes = 128 * 1024

    private var scanner = JSONScanner()
    private var role = Role.other
    private var salt = PromptHash()
    private var tools = PromptHash()
    private var instructions = PromptHash()
    private var messages = PromptHash()
    private var bytes = (tools: 0, instructions: 0, messages: 0)
    private var places = PromptPlaces()
    /// Whether the next value is the kind of a part, and whether it is left out.
    private var isKind = false
    private var isIgnored = false
    /// The depth of the container that is left out; 0 for none.
    private var ignoredDepth = 0

    /// A reader that has read nothing.
    package init() {
        scanner.isLenient = true
        scanner.reportedDepth = JSONScanner.maxDepth
    }

    /// Reads `body`, of which `restBytes` more are to come or are not read, and calls `place` with the hash and
    /// the bytes of each beginning, the shortest first; `apart` tells prompts apart that may not be taken for the
    /// same.
    ///
    /// Returns the bytes of the whole prompt; 0 where there is none that can be read.
    package mutating func read(
        _ body: Span<UInt8>, restBytes: Int, apart: UInt64, _ place: (UInt64, Int) -> Void
    ) -> Int {
        begin()
        let shown = body.extracting(0..<min(body.count, PromptReader.mostBytes))
        do throws(BodyFault) {
            var index = 0
            while true {
                let event = try scanner.next(in: shown, at: &index)
                if event == .needMoreData { break }
                take(event, shown, index)
            }
        } catch {
            // What an engine makes of it nobody knows, and a prompt that ends early begins like others.
            return 0
        }
        guard bytes.messages + bytes.instructions > 0 || scanner.openText != nil else { return 0 }
        var rest = restBytes + body.count - shown.count
        if let start = scanner.openText {
            rest += takeOpenText(shown, start)
        } else if scanner.isComplete {
            notePlace(isEnd: true)
        }
        return tell(rest: max(0, rest), apart, place)
    }

    private mutating func begin() {
        scanner.reset()
        scanner.reportedDepth = JSONScanner.maxDepth
        role = .other
        salt = PromptHash(seed: 1)
        tools = PromptHash(seed: 2)
        instructions = PromptHash(seed: 3)
        messages = PromptHash(seed: 4)
        bytes = (0, 0, 0)
        places.reset()
        isKind = false
        isIgnored = false
        ignoredDepth = 0
    }

    /// Says the places, mixed with what stands before the messages.
    private func tell(rest: Int, _ apart: UInt64, _ place: (UInt64, Int) -> Void) -> Int {
        var before = salt
        before.absorb(apart)
        before.absorb(tools.value)
        before.absorb(instructions.value)
        let bytesBefore = bytes.tools + bytes.instructions
        if bytesBefore > 0 { place(before.value, bytesBefore) }
        places.forEach { found in
            var hash = before
            hash.absorb(found.hash)
            place(hash.value, bytesBefore + found.bytes)
        }
        return bytesBefore + bytes.messages + rest
    }

    private mutating func take(_ event: JSONEvent, _ body: Span<UInt8>, _ index: Int) {
        switch event {
        case .key: takeKey()
        case .string:
            if role != .other { takeText(body, scanner.valueStart &+ 1, index &- 1) }
            endValue()
        case .number:
            if role != .other, !isLeftOut {
                takeWord(UInt64(bitPattern: Int64(scanner.number ?? 0)))
            }
            endValue()
        case .literal(let value):
            if role != .other, !isLeftOut { takeWord(value == true ? 1 : 2) }
            endValue()
        case .open:
            if isIgnored, ignoredDepth == 0 { ignoredDepth = scanner.depth }
            isIgnored = false
            isKind = false
        case .close:
            if scanner.depth < ignoredDepth { ignoredDepth = 0 }
            if role == .messages, scanner.depth == 2 { notePlace(isEnd: true) }
        case .needMoreData: break
        }
    }

    private var isLeftOut: Bool { isIgnored || ignoredDepth > 0 }

    private mutating func endValue() {
        isKind = false
        isIgnored = false
    }

    private mutating func takeKey() {
        if scanner.depth == 1 {
            let found = scanner.isTextCut ? .other : PromptReader.role(of: scanner.text.span)
            role = found
        } else {
            let isType = scanner.text.span.equals("type")
            let isMark = scanner.text.span.equals("cache_control")
            isKind = isType
            // Anthropic's clients mark the last of their messages so.
            isIgnored = isMark
        }
    }

    /// What the value of a key at the root has to do with the prompt.
    private static func role(of key: Span<UInt8>) -> Role {
        switch key.count {
        case 4: return key.equals("text") ? .messages : .other
        case 5:
            if key.equals("input") { return .messages }
            if key.equals("model") { return .salt }
            return key.equals("tools") ? .tools : .other
        case 6:
            if key.equals("prompt") || key.equals("inputs") { return .messages }
            return key.equals("system") ? .instructions : .other
        case 8: return key.equals("messages") ? .messages : .other
        case 9:
            if key.equals("functions") { return .tools }
            if key.equals("documents") { return .instructions }
            return key.equals("lora_path") ? .salt : .other
        case 10:
            if key.equals("text_input") { return .messages }
            return key.equals("cache_salt") ? .salt : .other
        case 12: return key.equals("instructions") ? .instructions : .other
        default:
            return PromptReader.furtherSalts.contains { key.equals($0) } ? .salt : .other
        }
    }

    /// How a template is used, and what an engine keeps of earlier turns by itself.
    private static let furtherSalts = [
        "chat_template", "chat_template_kwargs", "reasoning_effort", "previous_response_id",
    ].map { Array($0.utf8) }

    // MARK: Values

    private mutating func takeText(_ body: Span<UInt8>, _ start: Int, _ end: Int) {
        if isLeftOut || isKind && PromptReader.isPlainKind(body.extracting(start..<end)) { return }
        switch role {
        case .other: return
        case .salt: salt.absorb(body, start, end)
        case .tools:
            tools.absorb(body, start, end)
            bytes.tools += end - start
        case .instructions:
            instructions.absorb(body, start, end)
            bytes.instructions += end - start
        case .messages:
            let index = absorbWords(body, start, end)
            messages.endText(body, index, end)
            bytes.messages += end - index
            // A prompt of one text ends there.
            if scanner.depth <= 2 { notePlace(isEnd: true) }
        }
    }

    /// What says that a part is a text says nothing.
    private static func isPlainKind(_ kind: Span<UInt8>) -> Bool {
        kind.equals("text") || kind.equals("input_text") || kind.equals("output_text")
    }

    /// Takes in all whole words of a text of the messages, and notes the places within; where the rest begins.
    private mutating func absorbWords(_ body: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
        var index = start
        while index &+ 8 <= end {
            let words = min(
                (end &- index) / 8, max(1, (places.nextBytes &- bytes.messages &+ 7) / 8))
            for _ in 0..<words {
                messages.absorb(body.word(at: index))
                index &+= 8
            }
            bytes.messages += 8 &* words
            if bytes.messages >= places.nextBytes { notePlace(isEnd: false) }
        }
        return index
    }

    /// Takes in the beginning of a text within which what is shown of the body ends; the bytes that are left.
    private mutating func takeOpenText(_ body: Span<UInt8>, _ start: Int) -> Int {
        guard role == .messages, !isLeftOut, start < body.count else { return 0 }
        return body.count - absorbWords(body, start, body.count)
    }

    /// Token ids, mostly: of four bytes each, as everywhere.
    private mutating func takeWord(_ word: UInt64) {
        switch role {
        case .other: return
        case .salt: salt.absorb(word)
        case .tools:
            tools.absorb(word)
            bytes.tools += 4
        case .instructions:
            instructions.absorb(word)
            bytes.instructions += 4
        case .messages:
            messages.absorb(word)
            bytes.messages += 4
            if bytes.messages >= places.nextBytes { notePlace(isEnd: false) }
        }
    }

    private mutating func notePlace(isEnd: Bool) {
        let place = PromptPlaces.Place(hash: messages.value, bytes: bytes.messages)
        if isEnd { places.noteEnd(place) } else { places.note(place) }
    }
}
