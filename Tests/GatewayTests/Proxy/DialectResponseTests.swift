// The gateway's own answers in each dialect, as clients' libraries get them.

import Admission
import Bytes
import Foundation
import HTTP1
import Inference
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct DialectResponseTests {
    /// What a request for `path` is told by a pool with no room at all.
    private func refusal(
        _ path: String, pool: String = "", fields: String = ""
    ) throws -> Message {
        let go = Door()
        let backend = try ScriptedBackend.serving { wire, _ in
            try go.pass(within: 20)
            try wire.answer("ok")
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 1, queue: {max_requests: 0}\(pool)"))
        let first = try gateway.connect()
        try first.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        try eventually("one in flight") { try gateway.holdings().inFlight == 1 }
        let client = try gateway.connect()
        try client.send(
            "POST \(path) HTTP/1.1\r\nHost: h\r\nX-Request-ID: id-1\r\n\(fields)Content-Length: 0\r\n\r\n"
        )
        let answer = try client.readResponse()
        go.open()
        _ = try first.readResponse()
        return answer
    }

    @Test(arguments: [
        ("/v1/chat/completions", 503), ("/v1/messages", 529), ("/v2/models/m/infer", 503),
        ("/generate", 503), ("/api/chat", 503), ("/anything", 503),
    ])
    func refusalsAreInTheClientsDialect(_ path: String, _ status: Int) throws {
        let answer = try refusal(path)
        #expect(answer.status == status)
        let seconds = try #require(answer.value("Retry-After").flatMap { Int($0) })
        let milliseconds = try #require(answer.value("retry-after-ms").flatMap { Int($0) })
        #expect((1...60).contains(seconds))
        #expect(milliseconds <= seconds * 1_000 && milliseconds > (seconds - 1) * 1_000)
        #expect(answer.value("X-Penstock-Reason") == "queue_full")
        #expect(answer.value("X-Request-ID") == "id-1")
        #expect(answer.value("x-envoy-overloaded") == "true")
        let body = try jsonObject(answer.bodyText)
        switch path {
        case "/v1/chat/completions":
            let error = try #require(body["error"] as? [String: Any])
            #expect(error["type"] as? String == "service_unavailable_error")
            #expect(error["code"] as? String == "queue_full")
            #expect(error["param"] is NSNull)
        case "/v1/messages":
            #expect(body["type"] as? String == "error")
            #expect(body["request_id"] as? String == "id-1")
            let error = try #require(body["error"] as? [String: Any])
            #expect(error["type"] as? String == "overloaded_error")
        case "/generate":
            #expect(body["error_type"] as? String == "overloaded")
        case "/anything":
            #expect(answer.value("Content-Type") == "application/problem+json")
            #expect(body["status"] as? Int == 503)
        default:
            #expect(body.count == 1)
            #expect(body["error"] is String)
        }
    }

    /// Most answers are written in one go; what has to say more is written gap by gap.
    @Test(arguments: [
        "/v1/chat/completions", "/v1/messages", "/v2/models/m/infer", "/generate", "/api/chat",
        "/anything",
    ])
    func bothWaysToWriteAResponseAgree(_ path: String) throws {
        let usual = try refusal(path)
        let other = try refusal(path, fields: "Connection: close\r\n")
        func comparable(_ head: String) -> String {
            head.replacingOccurrences(
                of: "((?i)date|retry-after|retry-after-ms): [^\r]*", with: "$1",
                options: .regularExpression)
        }
        let closing = other.head.replacingOccurrences(of: "Connection: close\r\n", with: "")
        #expect(closing != other.head)
        #expect(comparable(usual.head) == comparable(closing))
        #expect(usual.bodyText == other.bodyText)
    }

    @Test(arguments: [("/v1/messages", 429), ("/v1/completions", 429), ("/x", 429)])
    func thePolicyMayNameTheStatus(_ path: String, _ status: Int) throws {
        let answer = try refusal(path, pool: ", responses: {overload_status: 429}")
        #expect(answer.status == status)
        #expect(answer.value("x-envoy-overloaded") == "true")
        if path == "/x" {
            let body = try jsonObject(answer.bodyText)
            #expect((body["type"] as? String)?.hasSuffix("temporary-reduced-capacity") == true)
            #expect(body["status"] as? Int == 429)
        }
    }

    @Test func anIdThatJSONWouldHaveToEscapeIsLeftOut() throws {
        let gateway = try RunningGateway(policyText(["http://127.0.0.1:9"]))
        let client = try gateway.connect()
        try client.send(
            "TRACE /v1/messages HTTP/1.1\r\nHost: h\r\nX-Request-ID: a\"b\r\n\r\n")
        let answer = try client.readResponse()
        #expect(answer.status == 501)
        #expect(answer.value("x-should-retry") == "false")
        #expect(answer.value("X-Request-ID") == "a\"b")
        #expect(try jsonObject(answer.bodyText)["request_id"] is NSNull)
    }

    @Test func whoAsksForFarTooMuchIsToldNotToTryAgain() {
        let rejection = Rejection(reason: .queueFull, retryAfterMilliseconds: 100)
        var kind = ReplyTemplate.Kind(
            answer: .reason, status: 503, reason: .queueFull, dialect: .plain)
        kind.hasRequestID = true
        kind.tellsTime = true
        let answer = ReplyTemplate(kind, LocalReply(.queueFull, rejection: rejection))
        func text(_ template: borrowing MessageTemplate) -> String {
            var buffer = ByteBuffer()
            buffer.append(
                template, date: Array("D".utf8).span, requestID: Array("i".utf8), 1, 100, 0)
            return String(decoding: (0..<buffer.count).map { buffer.bytes[$0] }, as: UTF8.self)
        }
        let usual = text(answer.usual)
        #expect(usual.contains("Date: D\r\n"))
        #expect(usual.contains("Retry-After: 1\r\nretry-after-ms: 100\r\n"))
        #expect(usual.contains("Cache-Control: no-store\r\nX-Request-ID: i\r\n\r\n{"))
        #expect(
            text(answer.unwelcome)
                == usual.replacingOccurrences(
                    of: "X-Request-ID", with: "x-should-retry: false\r\nX-Request-ID"))
    }
}
