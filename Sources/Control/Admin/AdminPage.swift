// A page of the admin listener, and how it is written.

internal import Bytes
internal import HTTP1
internal import Telemetry

/// A page, or what is wrong with the request.
struct AdminPage: ~Copyable {
    var status = 200
    var contentType = "text/plain; charset=utf-8"
    var body = ByteBuffer()
    /// The methods that are answered, for a status of 405.
    var allowed = "GET, HEAD"
    /// How a token may be shown, for a status of 401.
    var challenges: [String] = []
    /// The value of `Content-Security-Policy`, where there is one.
    var securityPolicy = ""
    /// Up to which second who asked has the history's rows, where events follow the body for as long as the connection
    /// lasts; nil where nothing follows.
    var watchedSecond: Int64?

    /// Bodies shorter than this are sent as they are: compressing them would gain nothing.
    private static let compressFromBytes = 1024

    /// A page of that text.
    init(status: Int = 200, _ text: String = "") {
        self.status = status
        body.append(text)
    }

    /// Appends the response that answers `request`, nil for one that could not be read.
    func append(to output: inout ByteBuffer, answering request: AdminRequest?, keeps: Bool) {
        var compressed = ByteBuffer()
        let isCompressed =
            body.count >= AdminPage.compressFromBytes && watchedSecond == nil
            && request.map { AdminPage.wantsGzip($0.head) } ?? false
            && Gzip.compress(body.bytes, into: &compressed)
        output.appendStatusLine(status: status)
        var dates = DateWriter()
        output.append("Date: ")
        dates.appendHTTPDate(ProcessClock.wallNanoseconds(), to: &output)
        output.appendLineEnd()
        output.appendField(.contentType, contentType)
        if status == 405 { output.append("Allow: \(allowed)\r\n") }
        for challenge in challenges { output.append("WWW-Authenticate: \(challenge)\r\n") }
        if !securityPolicy.isEmpty {
            output.append("Content-Security-Policy: \(securityPolicy)\r\n")
        }
        output.append("X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n")
        output.append("Vary: Accept, Accept-Encoding\r\n")
        if isCompressed { output.append("Content-Encoding: gzip\r\n") }
        if watchedSecond == nil {
            output.appendContentLength(isCompressed ? compressed.count : body.count)
        }
        if !keeps {
            output.append("Connection: close\r\n")
        } else if request?.head.version.isHTTP10 ?? false {
            output.append("Connection: keep-alive\r\n")
        }
        output.appendLineEnd()
        if request?.head.method == .head { return }
        if isCompressed { output.append(compressed.bytes) } else { output.append(body.bytes) }
    }

    private static func wantsGzip(_ head: borrowing RequestHead) -> Bool {
        var encodings = AcceptEncoding()
        for field in head.fields where field.known == .acceptEncoding {
            encodings.consider(head.value(of: field))
        }
        return encodings.wantsGzip
    }
}
