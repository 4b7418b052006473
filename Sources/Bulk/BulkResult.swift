// The lines that a bulk request is answered with: OpenAI's form for results of batches, with the line's
// index and the number that a client goes on from, and one line at the end.

package import Bytes
internal import Inference

/// What became of one line.
package struct BulkResult {
    /// The line's index, from 0.
    package var index: Int
    /// Its `custom_id` as it stood in the line, without quotation marks; nil for the index in its place.
    package var customID: [UInt8]?
    /// The request's id; empty where none was made.
    package var requestID: [UInt8]
    /// The end.
    package var outcome: Outcome

    /// How a line ended.
    package enum Outcome {
        /// A response, a backend's or the gateway's.
        case response(status: Int, body: [UInt8])
        /// No response: a word for programs, a sentence for people. Neither has anything to escape.
        case failure(code: String, message: String)
    }

    /// A result of the line `index`.
    package init(index: Int, customID: [UInt8]?, requestID: [UInt8] = [], _ outcome: Outcome) {
        self.index = index
        self.customID = customID
        self.requestID = requestID
        self.outcome = outcome
    }

    /// Whether the line got what it asked for.
    package var isCompleted: Bool {
        if case .response(200...299, _) = outcome { true } else { false }
    }

    /// Appends the line, with its end; all lines below `doneBelow` are answered, this one included.
    package func append(doneBelow: Int, to output: inout ByteBuffer) {
        output.append("{\"id\":\"batch_req_")
        if requestID.isEmpty {
            output.append(decimal: index)
        } else {
            output.append(jsonEscaped: requestID.span)
        }
        output.append("\",\"custom_id\":\"")
        if let customID { output.append(customID.span) } else { output.append(decimal: index) }
        output.append("\",\"index\":")
        output.append(decimal: index)
        switch outcome {
        case .response(let status, let body):
            output.append(",\"response\":{\"status_code\":")
            output.append(decimal: status)
            output.append(",\"request_id\":\"")
            output.append(jsonEscaped: requestID.span)
            output.append("\",\"body\":")
            BulkResult.append(body: body.span, to: &output)
            output.append("},\"error\":null,\"done_below\":")
        case .failure(let code, let message):
            output.append(",\"response\":null,\"error\":{\"code\":\"")
            output.append(code)
            output.append("\",\"message\":\"")
            output.append(message)
            output.append("\"},\"done_below\":")
        }
        output.append(decimal: doneBelow)
        output.append("}\n")
    }

    /// Appends a response's body: JSON as it is, but in one line; anything else as a text.
    private static func append(body: Span<UInt8>, to output: inout ByteBuffer) {
        if body.isEmpty {
            output.append("null")
        } else if isJSON(body) {
            var start = 0
            while start < body.count {
                // Line ends stand between values alone: within texts JSON has none.
                let end = body.endOfLine(from: start)
                output.append(body.extracting(start..<end))
                start = end + 1
            }
        } else {
            output.append(0x22)
            output.append(jsonEscaped: body)
            output.append(0x22)
        }
    }

    private static func isJSON(_ body: Span<UInt8>) -> Bool {
        var scanner = JSONScanner()
        // Of what is deeper than the root nothing is reported.
        scanner.reportedDepth = 0
        var index = 0
        do throws(BodyFault) {
            while try scanner.next(in: body, at: &index) != .needMoreData {}
        } catch {
            return false
        }
        return scanner.isComplete && JSONText.isWellFormed(body)
    }
}

/// The last line: what became of the request as a whole.
package struct BulkEnd: Equatable, Sendable {
    /// Lines that were read, that have a status of 2xx, and others.
    package var total: Int
    package var completed: Int
    package var failed: Int
    /// All lines with a smaller index are answered.
    package var doneBelow: Int
    /// Why no more lines were read than were; nil where all were.
    ///
    /// It has nothing to escape.
    package var code: String?

    /// The end of a request with that window.
    package init(_ window: borrowing BulkWindow, code: String? = nil) {
        self.init(
            total: window.total, completed: window.completed, failed: window.failed,
            doneBelow: window.doneBelow, code: code)
    }

    /// An end with these counts.
    package init(total: Int, completed: Int, failed: Int, doneBelow: Int, code: String?) {
        self.total = total
        self.completed = completed
        self.failed = failed
        self.doneBelow = doneBelow
        self.code = code
    }

    /// Appends the line, with its end, and a sentence for people where there is a code.
    package func append(message: String? = nil, to output: inout ByteBuffer) {
        output.append("{\"object\":\"bulk.end\",\"total\":")
        output.append(decimal: total)
        output.append(",\"completed\":")
        output.append(decimal: completed)
        output.append(",\"failed\":")
        output.append(decimal: failed)
        output.append(",\"done_below\":")
        output.append(decimal: doneBelow)
        if let code {
            output.append(",\"code\":\"")
            output.append(code)
            output.append("\"")
            if let message {
                output.append(",\"message\":\"")
                output.append(message)
                output.append("\"")
            }
        }
        output.append("}\n")
    }
}
