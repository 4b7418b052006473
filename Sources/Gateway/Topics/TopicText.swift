// What a topic's messages say, and what is said of them: lines of OpenAI's batch files, one a message. Pure.

internal import Admission
internal import Bulk
internal import Bytes
internal import Reactor

/// Reads a topic's messages and writes their results.
struct TopicText {
    /// What requests have as their host: the topic's name in the policy.
    let host: String

    /// What a message asks for: a request called `id`, or the result that says why it is none.
    enum Question {
        case request(LaneRequest, customID: [UInt8]?)
        case fault(TopicOutcome)
    }

    /// Bytes of the longest line that is looked at; what brokers send compressed may be any length.
    private static let mostLineBytes = 16 << 20

    func question(_ message: KafkaMessage, id: Int) -> Question {
        var customID: [UInt8]?
        do throws(BulkFault) {
            guard message.value.count <= TopicText.mostLineBytes else { throw .tooLong }
            let line = try BulkLine(message.value.span, target: [], customID: &customID)
            var head = Array("POST ".utf8)
            head += line.target
            head += Array(
                (" HTTP/1.1\r\nHost: \(host)\r\nContent-Type: application/json\r\n"
                    + "Accept-Encoding: identity\r\nContent-Length: \(line.body.count)\r\n\r\n")
                    .utf8)
            let request = LaneRequest(key: id, head: head, body: Array(message.value[line.body]))
            return .request(request, customID: customID)
        } catch {
            return .fault(
                TopicText.line(
                    message, customID, .failure(code: error.code, message: error.message)))
        }
    }

    /// What a message calls itself, where that can be read.
    static func customID(of message: KafkaMessage) -> [UInt8]? {
        guard message.value.count <= mostLineBytes else { return nil }
        var customID: [UInt8]?
        // What stands before a fault is known, as when it was asked for.
        _ = try? BulkLine(message.value.span, target: [], customID: &customID)
        return customID
    }

    /// What became of a message; nil where it has to be asked again, by whoever reads it next.
    static func outcome(
        of message: KafkaMessage, _ customID: [UInt8]?, _ result: borrowing LaneResult
    ) -> TopicOutcome? {
        if result.reason == .draining { return nil }
        if result.failure == .tooLarge { return tooLarge(message, customID) }
        if let reason = failure(result) { return .dead(reason: reason) }
        return line(
            message, customID, requestID: result.requestID,
            .response(status: result.status, body: result.body))
    }

    /// Why a request has failed that may end well another time; nil where its response says all there is to say.
    private static func failure(_ result: borrowing LaneResult) -> String? {
        if result.reason != .none {
            let isFailure =
                result.failure != nil || result.status == 429 || result.status >= 500
            return isFailure ? result.reason.name : nil
        }
        if result.failure != nil || result.status == 0 { return "no_response" }
        return [429, 503, 529].contains(result.status) ? "status_\(result.status)" : nil
    }

    /// The result of a message whose answer is longer than what is written.
    static func tooLarge(_ message: KafkaMessage, _ customID: [UInt8]?) -> TopicOutcome {
        line(
            message, customID,
            .failure(
                code: "answer_too_large",
                message: "The answer is longer than what is written to the topic of results."))
    }

    private static func line(
        _ message: KafkaMessage, _ customID: [UInt8]?, requestID: [UInt8] = [],
        _ outcome: BulkResult.Outcome
    ) -> TopicOutcome {
        let result = BulkResult(
            index: Int(message.offset), customID: customID, requestID: requestID, outcome)
        var output = ByteBuffer()
        // Results of a partition are written in its order.
        result.append(doneBelow: Int(message.offset) + 1, to: &output)
        var line = output.takeList()
        if line.last == 0x0a { line.removeLast() }
        return .result(line, isCompleted: result.isCompleted)
    }
}
