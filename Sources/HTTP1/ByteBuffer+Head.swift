// Writes heads. Every line of one goes out through here and is checked on the way, whoever made its
// parts: no value can end a line, begin another one or be none of a field's. Nothing here allocates,
// for literals are in the program's image.

internal import Bytes

extension ByteBuffer {
    /// Appends the bytes of `first`, `separator`, `second` and a line end, with one look at the
    /// room.
    mutating func appendLine(
        _ first: Span<UInt8>, separator: (UInt8, UInt8), _ second: Span<UInt8>
    ) {
        reserve(first.count &+ second.count &+ 4)
        var index = end
        var bytes = storage.mutableSpan
        bytes.write(first, at: index)
        index &+= first.count
        bytes[index] = separator.0
        bytes[index &+ 1] = separator.1
        bytes.write(second, at: index &+ 2)
        index &+= second.count &+ 2
        bytes[index] = ByteClass.carriageReturn
        bytes[index &+ 1] = ByteClass.lineFeed
        end = index &+ 2
    }

    /// Makes spaces of the bytes among `count` readable ones from `offset` on that no field value
    /// may have.
    mutating func blankControls(_ offset: Int, _ count: Int) {
        precondition(offset >= 0 && count >= 0 && offset &+ count <= self.count, "out of bounds")
        let first = start &+ offset
        for index in first..<(first &+ count) where !ByteClass.isFieldValue(storage[index]) {
            storage[index] = ByteClass.space
        }
    }

    /// Appends a line end.
    package mutating func appendLineEnd() {
        append(ByteClass.carriageReturn, ByteClass.lineFeed)
    }

    /// Appends a field line.
    ///
    /// The name must be a token. Bytes that no value may have come out as spaces, RFC 9110
    /// section 5.5: those of a parsed head and of a policy have none.
    package mutating func appendField(name: Span<UInt8>, value: Span<UInt8>) {
        precondition(isToken(name), "a name that would end or split a field line")
        appendLine(name, separator: (UInt8(ascii: ":"), ByteClass.space), value)
        if !isFieldText(value) { blankControls(count &- 2 &- value.count, value.count) }
    }

    /// Appends a part of a line that is being written: a part of a field's value, or a reason
    /// phrase.
    ///
    /// Bytes that may not stand there come out as spaces.
    package mutating func appendFieldText(_ text: Span<UInt8>) {
        append(text)
        if !isFieldText(text) { blankControls(count &- text.count, text.count) }
    }

    /// Appends a field line with a name and value that the gateway made.
    package mutating func appendField(_ name: FieldName, _ value: Span<UInt8>) {
        precondition(name != .other, "a field without a name")
        // The spellings are tokens.
        appendLine(name.spelling.utf8.span, separator: (UInt8(ascii: ":"), ByteClass.space), value)
        if !isFieldText(value) { blankControls(count &- 2 &- value.count, value.count) }
    }

    /// Appends a field line with a name and value that the gateway made.
    package mutating func appendField(_ name: FieldName, _ value: String) {
        appendField(name, value.utf8.span)
    }

    /// Appends a Content-Length field line.
    package mutating func appendContentLength(_ length: Int) {
        append("Content-Length: ")
        append(decimal: length)
        appendLineEnd()
    }

    /// Appends a Transfer-Encoding field line that says `chunked`.
    package mutating func appendTransferEncodingChunked() {
        append("Transfer-Encoding: chunked\r\n")
    }

    /// Appends a request line for HTTP/1.1; the method must be a token, the target one of visible
    /// characters, and `query` is what follows the target at once.
    package mutating func appendRequestLine(
        method: Span<UInt8>, target: Span<UInt8>, query: Span<UInt8> = Span()
    ) {
        precondition(isToken(method), "a method that would split a request line")
        precondition(!target.isEmpty && isVisible(target) && isVisible(query), "a split target")
        append(method)
        append(ByteClass.space)
        append(target)
        append(query)
        append(" HTTP/1.1\r\n")
    }

    /// Appends the request line of `head` for HTTP/1.1, with the target in origin form, and a Host
    /// field line.
    ///
    /// Its path must not be empty. `template` is what stands between method, target and host, and
    /// has two gaps: for the first two as they came, and for the last.
    package mutating func appendRequestLine(
        of head: borrowing RequestHead, in template: borrowing HeadTemplate, host: Span<UInt8>
    ) {
        let bytes = head.bytes.span
        let method = head.methodRange
        // They stand together.
        let target = head.path.lowerBound..<max(head.path.upperBound, head.query.upperBound)
        if target.lowerBound == method.upperBound &+ 1,
            bytes[method.upperBound] == ByteClass.space
        {
            if case .other = head.method {
                precondition(isToken(bytes.extracting(method)), "a split request line")
            }
            let isWhole = !head.path.isEmpty && isVisible(bytes.extracting(target))
            precondition(isWhole, "a split target")
            append(
                template, bytes.extracting(method.lowerBound..<target.upperBound), host,
                isFirstChecked: true)
        } else {
            // The target came in absolute form.
            appendRequestLine(method: bytes.extracting(method), target: bytes.extracting(target))
            appendField(.host, host)
        }
    }

    /// Appends a status line for HTTP/1.1 with the registered reason phrase; `status` is 100 to
    /// 599.
    package mutating func appendStatusLine(status: Int) {
        precondition(status >= 100 && status <= 599, "a status out of range")
        append("HTTP/1.1 ")
        append(decimal: status)
        append(ByteClass.space)
        append(ReasonPhrase.of(status))
        appendLineEnd()
    }

    /// Appends a status line for HTTP/1.1 with the reason phrase of a parsed response.
    package mutating func appendStatusLine(status: Int, reasonPhrase: Span<UInt8>) {
        precondition(status >= 100 && status <= 599, "a status out of range")
        if status == 200, reasonPhrase.count == 2, reasonPhrase[0] == UInt8(ascii: "O"),
            reasonPhrase[1] == UInt8(ascii: "K")
        {
            append("HTTP/1.1 200 OK\r\n")
            return
        }
        append("HTTP/1.1 ")
        append(decimal: status)
        append(ByteClass.space)
        appendFieldText(reasonPhrase)
        appendLineEnd()
    }

    /// Appends the line that opens a chunk of `size` bytes, more than 0.
    package mutating func appendChunkHead(_ size: Int) {
        precondition(size > 0, "a chunk of no bytes would end the body")
        append(hexadecimal: size)
        appendLineEnd()
    }

    /// Appends the line end that closes a chunk.
    package mutating func appendChunkEnd() {
        appendLineEnd()
    }

    /// Appends `content` as one chunk; nothing where it is empty, for that would end the body.
    package mutating func appendChunk(_ content: Span<UInt8>) {
        if content.isEmpty { return }
        reserve(content.count &+ 20)
        var offset = end
        var bytes = storage.mutableSpan
        bytes.write(hexadecimal: content.count, before: &offset)
        bytes.writeLineEnd(before: &offset)
        bytes.write(content, before: &offset)
        bytes.writeLineEnd(before: &offset)
        end = offset
    }

    /// Appends the last chunk and an empty trailer section.
    package mutating func appendLastChunk() {
        append("0\r\n\r\n")
    }

    /// Appends the last chunk and `trailers`, as received.
    package mutating func appendLastChunk(trailers: borrowing FieldSection) {
        if trailers.fields.isEmpty {
            appendLastChunk()
        } else {
            appendLastChunk(trailers: trailers) { _, _ in false }
        }
    }

    /// Appends the last chunk and those of `trailers` of which `drops` says by their names that they go on.
    package mutating func appendLastChunk(
        trailers: borrowing FieldSection, without drops: (FieldName, Span<UInt8>) -> Bool
    ) {
        append("0\r\n")
        for field in trailers.fields {
            let name = trailers.name(of: field)
            if !drops(field.known, name) {
                appendField(name: name, value: trailers.value(of: field))
            }
        }
        appendLineEnd()
    }
}

private func isToken(_ bytes: Span<UInt8>) -> Bool {
    var index = 0
    if bytes.count >= 8, WordMask.notInPlainName(bytes.word(at: bytes.count &- 8)) == 0 {
        // The last word is a plain one, and may overlap the one before: no slow end.
        while bytes.count &- index > 8, WordMask.notInPlainName(bytes.word(at: index)) == 0 {
            index &+= 8
        }
        if bytes.count &- index <= 8 { return true }
    }
    while bytes.count &- index >= 8, WordMask.notInPlainName(bytes.word(at: index)) == 0 {
        index &+= 8
    }
    while index < bytes.count {
        guard ByteClass.isToken(bytes[index]) else { return false }
        index &+= 1
    }
    return !bytes.isEmpty
}

func isFieldText(_ bytes: Span<UInt8>) -> Bool {
    if hasNoControls(bytes) { return true }
    for index in bytes.indices where !ByteClass.isFieldValue(bytes[index]) { return false }
    return true
}

/// Whether there are no controls and no tabs, so far as that is quickly seen.
@inline(__always)
private func hasNoControls(_ bytes: Span<UInt8>) -> Bool {
    if bytes.count < 8 { return false }
    if bytes.count > 32 {
        var index = 0
        while bytes.count &- index >= 32 {
            let piece = min(224, (bytes.count &- index) & ~31)
            if bytes.extracting(index..<(index &+ piece)).countOfControls() != 0 { return false }
            index &+= piece
        }
        let rest = bytes.extracting((bytes.count &- 32)..<bytes.count)
        return index == bytes.count || rest.countOfControls() == 0
    }
    // The last words may overlap those before: no slow end.
    var found = WordMask.controls(bytes.word(at: 0))
    found |= WordMask.controls(bytes.word(at: bytes.count &- 8))
    if bytes.count > 16 {
        found |= WordMask.controls(bytes.word(at: 8))
        found |= WordMask.controls(bytes.word(at: bytes.count &- 16))
    }
    return found == 0
}

private func isVisible(_ bytes: Span<UInt8>) -> Bool {
    var index = 0
    while bytes.count &- index >= 8, WordMask.notInTarget(bytes.word(at: index)) == 0 {
        index &+= 8
    }
    while index < bytes.count {
        guard ByteClass.isVisible(bytes[index]) else { return false }
        index &+= 1
    }
    return true
}
