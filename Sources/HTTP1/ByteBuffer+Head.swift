// Writes the parts of a message that the gateway makes itself. Everything else on the wire is
// copied from a parsed message; nothing here allocates, for literals are in the program's image.

extension ByteBuffer {
    /// Appends the UTF-8 bytes of `text`: a literal, as a rule.
    package mutating func append(_ text: String) {
        append(text.utf8.span)
    }

    /// Appends a line end.
    package mutating func appendLineEnd() {
        reserve(2)
        append(ByteClass.carriageReturn)
        append(ByteClass.lineFeed)
    }

    /// Appends a field line; name and value must be valid already, as those of a parsed head are.
    package mutating func appendField(name: Span<UInt8>, value: Span<UInt8>) {
        assert(isFieldName(name) && isFieldValue(value), "bytes that end or split a field line")
        appendLine(name, separator: (UInt8(ascii: ":"), ByteClass.space), value)
    }

    /// Appends a field line with a name and value that the gateway made.
    package mutating func appendField(_ name: FieldName, _ value: Span<UInt8>) {
        appendField(name: name.spelling.utf8.span, value: value)
    }

    /// Appends a field line with a name and value that the gateway made.
    package mutating func appendField(_ name: FieldName, _ value: String) {
        appendField(name: name.spelling.utf8.span, value: value.utf8.span)
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

    /// Appends a request line for HTTP/1.1; the parts must be valid already.
    package mutating func appendRequestLine(method: Span<UInt8>, target: Span<UInt8>) {
        append(method)
        append(ByteClass.space)
        append(target)
        append(" HTTP/1.1\r\n")
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

    /// Appends a status line for HTTP/1.1 with the reason phrase of a parsed answer.
    package mutating func appendStatusLine(status: Int, reasonPhrase: Span<UInt8>) {
        precondition(status >= 100 && status <= 599, "a status out of range")
        assert(isFieldValue(reasonPhrase), "bytes that end or split a status line")
        append("HTTP/1.1 ")
        append(decimal: status)
        append(ByteClass.space)
        append(reasonPhrase)
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
        appendChunkHead(content.count)
        append(content)
        appendChunkEnd()
    }

    /// Appends the last chunk and an empty trailer section.
    package mutating func appendLastChunk() {
        append("0\r\n\r\n")
    }

    /// Appends the last chunk and `trailers`, as received.
    package mutating func appendLastChunk(trailers: borrowing FieldSection) {
        append("0\r\n")
        for field in trailers.fields {
            appendField(name: trailers.name(of: field), value: trailers.value(of: field))
        }
        appendLineEnd()
    }
}

private func isFieldName(_ bytes: Span<UInt8>) -> Bool {
    for index in bytes.indices where !ByteClass.isToken(bytes[index]) { return false }
    return !bytes.isEmpty
}

private func isFieldValue(_ bytes: Span<UInt8>) -> Bool {
    for index in bytes.indices where !ByteClass.isFieldValue(bytes[index]) { return false }
    return true
}
