// Reads HTTP messages the plain way, for tests to look at. It is written apart from the parser
// under test on purpose.

import Foundation

/// A request or an answer, as it came.
struct Message: Sendable {
    /// The first line and the fields, with the empty line that ends them.
    var head = ""
    var body: [UInt8] = []
    /// The chunks that the body came in; empty for other framings.
    var chunks: [String] = []
    /// The trailer section's lines.
    var trailers: [String] = []

    var startLine: String { String(head.prefix { $0 != "\r\n" }) }
    var bodyText: String { String(decoding: body, as: UTF8.self) }

    /// The status of an answer.
    var status: Int { Int(startLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }

    /// The field lines.
    var fields: [String] { head.components(separatedBy: "\r\n").dropFirst().filter { !$0.isEmpty } }

    /// The values of all fields with this name.
    func values(_ name: String) -> [String] {
        fields.filter { $0.lowercased().hasPrefix(name.lowercased() + ":") }.map {
            $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
        }
    }

    /// The first value of the field with this name.
    func value(_ name: String) -> String? { values(name).first }
}

extension Duplex {
    /// The next request.
    func readRequest(within seconds: Double = patience) throws -> Message {
        var message = Message(head: try read(until: "\r\n\r\n", within: seconds))
        try readBody(of: &message, within: seconds)
        return message
    }

    /// The head of the next request alone.
    func readHead(within seconds: Double = patience) throws -> Message {
        Message(head: try read(until: "\r\n\r\n", within: seconds))
    }

    /// The next answer; `isHead` when it answers HEAD.
    ///
    /// An interim answer comes by itself.
    func readResponse(isHead: Bool = false, within seconds: Double = patience) throws -> Message {
        var message = Message(head: try read(until: "\r\n\r\n", within: seconds))
        let status = message.status
        if isHead || status < 200 || status == 204 || status == 304 { return message }
        if message.value("content-length") == nil && message.value("transfer-encoding") == nil {
            message.body = Array(try readToEnd(within: seconds).utf8)
            return message
        }
        try readBody(of: &message, within: seconds)
        return message
    }

    /// Reads what the head's Content-Length or chunking announces.
    func readBody(of message: inout Message, within seconds: Double = patience) throws {
        if message.value("transfer-encoding")?.lowercased() == "chunked" {
            while let chunk = try readChunk(within: seconds) {
                message.chunks.append(chunk)
                message.body += Array(chunk.utf8)
            }
            while true {
                let line = try read(until: "\r\n", within: seconds).dropLast(1)
                if line.isEmpty { return }
                message.trailers.append(String(line))
            }
        } else if let length = message.value("content-length").flatMap({ Int($0) }) {
            message.body = try read(count: length, within: seconds)
        }
    }

    /// The next chunk; nil for the last one, whose trailer section is left.
    func readChunk(within seconds: Double = patience) throws -> String? {
        let line = try read(until: "\r\n", within: seconds)
        guard let size = Int(line.trimmingCharacters(in: .whitespacesAndNewlines), radix: 16) else {
            throw WireError.ended("no chunk size: \(line)")
        }
        if size == 0 { return nil }
        let chunk = try read(count: size, within: seconds)
        _ = try read(until: "\r\n", within: seconds)
        return String(decoding: chunk, as: UTF8.self)
    }

    /// Sends a GET and reads its answer.
    func get(
        _ path: String, host: String = "example.org", fields: String = ""
    ) throws -> Message {
        try send("GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\(fields)\r\n")
        return try readResponse()
    }

    /// Sends an answer with a Content-Length.
    func answer(_ body: String = "", status: Int = 200, fields: String = "") throws {
        try send(
            "HTTP/1.1 \(status) Status\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
        )
    }
}
