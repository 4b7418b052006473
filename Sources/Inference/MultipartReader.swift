// The `model` field of a form with files, as audio and images are sent (RFC 7578, RFC 2046 section
// 5.1). Files pass without being held; only the heads of parts and the model's few bytes are kept.

internal import Bytes

/// Reads the model's name out of one `multipart/form-data` body.
package struct MultipartReader {
    private enum State {
        case preamble, afterDelimiter, head, content, epilogue
    }

    /// Bytes of the longest boundary, RFC 2046 section 5.1.1.
    package static let maxBoundaryBytes = 70
    /// Bytes of the longest head of a part.
    package static let maxHeadBytes = 4_096

    /// The model's name; empty until it is found.
    package private(set) var model: [UInt8] = []
    /// Where the name stands in the body.
    package private(set) var modelRange = 0..<0

    /// CR LF, two dashes, and the boundary.
    private var delimiter: [UInt8] = []
    private var matched = 2
    private var state = State.preamble
    /// The head of the present part, or the line after a delimiter.
    private var line: [UInt8] = []
    private var isModel = false
    private var value: [UInt8] = []
    private var valueStart = 0
    private var position = 0

    /// A reader of a body whose `Content-Type` is `contentType`; nil where that is no form or has
    /// no boundary.
    package init?(contentType: Span<UInt8>) {
        guard contentType.hasPrefix(lowercase: "multipart/form-data"),
            let boundary = MultipartReader.boundary(in: contentType)
        else { return nil }
        delimiter = [0x0d, 0x0a, 0x2d, 0x2d]
        for index in boundary { delimiter.append(contentType[index]) }
        // The first delimiter needs no line end before it.
    }

    /// Whether the model is known.
    package var hasModel: Bool { !model.isEmpty }

    /// Where the boundary stands in a `Content-Type`; nil where there is none, or more than one.
    private static func boundary(in value: Span<UInt8>) -> Range<Int>? {
        var found: Range<Int>?
        var parameters = ParameterReader(value)
        do throws(BodyFault) {
            while let parameter = try parameters.next() {
                guard value.extracting(parameter.name).hasPrefix(lowercase: "boundary") else {
                    continue
                }
                guard found == nil, parameter.isPlain, parameter.name.count == 8,
                    (1...maxBoundaryBytes).contains(parameter.value.count)
                else { return nil }
                found = parameter.value
            }
        } catch {
            return nil
        }
        return found
    }

    /// Reads the next bytes of the body.
    package mutating func read(_ bytes: Span<UInt8>) throws(BodyFault) {
        var index = 0
        while index < bytes.count {
            switch state {
            case .preamble, .content:
                try readContent(bytes, &index)
            case .afterDelimiter:
                try readLine(bytes[index])
                index &+= 1
            case .head:
                try readHead(bytes[index], at: position &+ index)
                index &+= 1
            case .epilogue:
                index = bytes.count
            }
        }
        position &+= bytes.count
    }

    /// Notes that the body has ended.
    package func finish() throws(BodyFault) {
        guard state == .epilogue else { throw .truncated }
    }

    /// Looks for the delimiter; what turns out not to be one was content.
    private mutating func readContent(
        _ bytes: Span<UInt8>, _ index: inout Int
    ) throws(BodyFault) {
        while index < bytes.count {
            let byte = bytes[index]
            if byte == delimiter[matched] {
                matched &+= 1
                index &+= 1
                guard matched == delimiter.count else { continue }
                matched = 0
                try endPart()
                return
            }
            if matched > 0 {
                // No part of the delimiter but its first byte can begin it anew.
                if isModel, state == .content { try keepMatched() }
                matched = 0
                continue
            }
            if isModel, state == .content { try keep(byte) }
            index &+= 1
            if !isModel { index = endOfPlain(bytes, from: index) }
        }
    }

    /// The next carriage return, which alone can begin a delimiter.
    private func endOfPlain(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < bytes.count {
            index = bytes.endOfLine(from: index)
            if index == bytes.count || bytes[index] == 0x0d { return index }
            index &+= 1
        }
        return index
    }

    private mutating func keepMatched() throws(BodyFault) {
        for index in 0..<matched { try keep(delimiter[index]) }
    }

    private mutating func keep(_ byte: UInt8) throws(BodyFault) {
        guard value.count < RequestReader.maxModelBytes, byte >= 0x20, byte != 0x7f else {
            throw .invalidModel
        }
        value.append(byte)
    }

    private mutating func endPart() throws(BodyFault) {
        if isModel, state == .content {
            if hasModel { throw .repeatedModel }
            if value.isEmpty { throw .invalidModel }
            model = value
            modelRange = valueStart..<(valueStart + value.count)
        }
        isModel = false
        line.removeAll(keepingCapacity: true)
        state = .afterDelimiter
    }

    /// What follows a delimiter: two dashes at the end of the form, else a line end.
    private mutating func readLine(_ byte: UInt8) throws(BodyFault) {
        line.append(byte)
        if line.equals("--") {
            state = .epilogue
        } else if line.count >= 2, line[line.count - 2] == 0x0d, byte == 0x0a {
            line.removeAll(keepingCapacity: true)
            state = .head
        } else if line.count > 64 || !(byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x2d)
        {
            throw .notMultipart
        }
    }

    private mutating func readHead(_ byte: UInt8, at offset: Int) throws(BodyFault) {
        guard line.count < MultipartReader.maxHeadBytes else { throw .notMultipart }
        line.append(byte)
        guard byte == 0x0a else { return }
        let isEmpty = line.count == 2
        let endsEmpty =
            line.count >= 4 && line[line.count - 4] == 0x0d && line[line.count - 3] == 0x0a
            && line[line.count - 2] == 0x0d
        guard isEmpty || endsEmpty else { return }
        isModel = try MultipartReader.namesModel(line.span)
        value.removeAll(keepingCapacity: true)
        valueStart = offset + 1
        state = .content
    }

    /// Whether a part's head says that it is the field `model` and no file.
    ///
    /// Parsers of forms differ in nearly all that RFC 7578 section 4.2 does not show: what some of them
    /// may take for `model`, and others not, is a fault.
    private static func namesModel(_ head: Span<UInt8>) throws(BodyFault) -> Bool {
        var isModel: Bool?
        var index = 0
        while index < head.count {
            let end = head.endOfLine(from: index)
            guard end + 1 < head.count, head[end] == 0x0d, head[end + 1] == 0x0a else {
                throw .notMultipart
            }
            let line = head.extracting(index..<end)
            index = end + 2
            guard !line.isEmpty else { break }
            // A line that goes on in the next one, and a space before the colon, are read or not.
            var colon = 0
            while colon < line.count, line[colon] != UInt8(ascii: ":") {
                guard line[colon] > 0x20 else { throw .notMultipart }
                colon += 1
            }
            guard line.hasPrefix(lowercase: "content-disposition:") else { continue }
            guard isModel == nil else { throw .ambiguousField }
            isModel = try isModelField(line.extracting((colon + 1)...))
        }
        return isModel ?? false
    }

    /// Whether that is the disposition of the field `model`.
    private static func isModelField(_ value: Span<UInt8>) throws(BodyFault) -> Bool {
        var name: Range<Int>?
        var isFile = false
        var parameters = ParameterReader(value)
        while let parameter = try parameters.next() {
            let key = value.extracting(parameter.name)
            if key.equals(lowercase: "name") {
                guard name == nil, parameter.isPlain else { throw .ambiguousField }
                name = parameter.value
            } else if key.hasPrefix(lowercase: "filename") {
                isFile = true
            } else if key.hasPrefix(lowercase: "name") {
                // RFC 2231 spells `name*` and `name*0`, which form parsers read or not.
                throw .ambiguousField
            }
        }
        guard let name else { return false }
        let text = value.extracting(name)
        guard text.folds(to: modelName.span) else {
            // Escapes that some resolve.
            for index in text.indices
            where text[index] == UInt8(ascii: "%") || text[index] == UInt8(ascii: "\\") {
                throw .ambiguousField
            }
            if text.hasPrefix("=?") || isModelWithin(text) { throw .ambiguousField }
            return false
        }
        guard text.equals(modelName), !isFile else { throw .ambiguousField }
        return true
    }

    /// Whether the name is `model` for who leaves spaces, brackets or a file's path away around it.
    private static func isModelWithin(_ text: Span<UInt8>) -> Bool {
        var start = 0
        var end = text.count
        while start < end, !text[start].isLetterOrHigh { start += 1 }
        while end > start, !text[end - 1].isLetterOrHigh { end -= 1 }
        return text.extracting(start..<end).folds(to: modelName.span)
    }

    private static let modelName = Array("model".utf8)
}

/// Telling forms from other bodies.
package enum FormType {
    /// Whether a `Content-Type` is that of a form with files.
    package static func isForm(_ contentType: Span<UInt8>) -> Bool {
        contentType.hasPrefix(lowercase: "multipart/")
    }
}

extension UInt8 {
    /// Whether it is a letter of ASCII, or of a longer sequence in UTF-8.
    fileprivate var isLetterOrHigh: Bool { lowered &- 0x61 < 26 || self >= 0x80 }
}
