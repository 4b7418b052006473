// A bulk request at one moment, as pages and tables show it.

internal import Bytes

/// A bulk request that is being answered.
package struct BulkSnapshot: Sendable {
    /// Its client's address; empty for a unix socket's.
    package var client: String
    /// Its `X-Request-ID`.
    package var requestID: String
    /// For how long it has been answered, in nanoseconds.
    package var ageNanoseconds: Int64
    /// Lines that were read.
    package var linesRead: Int
    /// Lines that were answered with a status of 2xx, and otherwise.
    package var linesCompleted: Int
    package var linesFailed: Int

    /// Requests that are shown, those that began last left out.
    package static let mostShown = 100

    /// A bulk request with these figures.
    package init(
        client: String, requestID: String, ageNanoseconds: Int64, linesRead: Int,
        linesCompleted: Int, linesFailed: Int
    ) {
        self.client = client
        self.requestID = requestID
        self.ageNanoseconds = ageNanoseconds
        self.linesRead = linesRead
        self.linesCompleted = linesCompleted
        self.linesFailed = linesFailed
    }

    /// Those of `requests` that are shown, the oldest first.
    package static func shown(of requests: [BulkSnapshot]) -> [BulkSnapshot] {
        Array(requests.sorted { $0.ageNanoseconds > $1.ageNanoseconds }.prefix(mostShown))
    }

    /// Appends it as one JSON object; it is `wallNanoseconds` since 1970.
    func render(wallNanoseconds: Int64, into buffer: inout ByteBuffer) {
        var dates = DateWriter()
        buffer.append(text: "{\"client\":")
        buffer.append(jsonString: client)
        buffer.append(text: ",\"request_id\":")
        buffer.append(jsonString: requestID)
        buffer.append(text: ",\"since\":\"")
        dates.appendTimestamp(max(0, wallNanoseconds - ageNanoseconds), to: &buffer)
        buffer.append(text: "\",\"lines\":{\"read\":")
        buffer.append(signed: linesRead)
        buffer.append(text: ",\"completed\":")
        buffer.append(signed: linesCompleted)
        buffer.append(text: ",\"failed\":")
        buffer.append(signed: linesFailed)
        buffer.append(text: "}}")
    }
}
