// Which dialect paths speak, and the exact bodies of errors.

import Foundation
import Testing

@testable import Inference

@Suite struct DialectTests {
    @Test(
        arguments: [
            ("/v1/chat/completions", .openAI), ("/v1/embeddings", .openAI),
            ("/v1/responses", .openAI),
            ("/v1/audio/transcriptions", .openAI), ("/v1/images/generations", .openAI),
            ("/openai/v1/models", .openAI), ("/v1/messages", .anthropic),
            ("/v1/messages/count_tokens", .anthropic), ("/v1/messagesx", .openAI),
            ("/v2/models/m/infer", .openInference), ("/v2", .openInference),
            ("/v2/health/ready", .openInference), ("/generate", .textGeneration),
            ("/generate_stream", .textGeneration), ("/api/chat", .ollama), ("/api/orders", .plain),
            ("/", .plain), ("", .plain), ("/v1", .plain), ("/chat/completions", .openAI),
            ("/api/v1/chat/completions", .openAI), ("//v1/chat/completions", .openAI),
            ("/v3/chat/completions", .openAI), ("/xchat/completions", .plain),
            ("/completions", .plain), ("/%761/completions", .openAI),
            ("/v1/m%65ssages", .anthropic), ("/%61pi/chat", .ollama), ("/v1%", .plain),
            ("/generat%65", .textGeneration), ("/generat%6", .plain), ("/%zz1/x", .plain),
            ("/c%68at/completion%73", .openAI), ("/v1/messages%2", .openAI),
        ] as [(String, Dialect)])
    func paths(_ path: String, _ dialect: Dialect) {
        #expect(Dialect(path: Array(path.utf8).span) == dialect)
    }

    @Test(
        arguments: [
            ("/v1/chat/completions", true), ("/v1/completions", true),
            ("/v1/chat/completion%73", true), ("/v1/%63ompletions/", true),
            ("/%76%31/completions", true), ("/openai/deployments/m/completions", true),
            ("/v1/completionsx", false), ("/v1/responses", false), ("/v1/messages", false),
            ("/v1/completion%37", false), ("/other/completions", false),
        ] as [(String, Bool)])
    func streamOptions(_ path: String, _ areTaken: Bool) {
        let bytes = Array(path.utf8)
        let dialect = Dialect(path: bytes.span)
        #expect(dialect.takesStreamOptions(path: bytes.span) == areTaken)
    }

    @Test func aFieldTellsApartWhatBothHave() {
        for text in ["/v1/models", "/v1/models/m", "/v1/files", "/v1/files/f/content"] {
            let path = Array(text.utf8)
            #expect(Dialect(path: path.span, hasAnthropicVersion: true) == .anthropic)
            #expect(Dialect(path: path.span) == .openAI)
        }
    }

    /// A path that says it is not outvoted: any client can send the field.
    @Test(arguments: Dialect.allCases)
    func aFieldChangesNothingElse(_ dialect: Dialect) {
        let paths: [String] =
            switch dialect {
            case .openAI:
                [
                    "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings",
                    "/v1/modelsx", "/v1/x/models", "/openai/deployments/m/chat/completions",
                ]
            case .anthropic: ["/v1/messages", "/v1/messages/count_tokens", "/v1/complete"]
            case .openInference: ["/v2/models/m/infer"]
            case .textGeneration: ["/generate"]
            case .ollama: ["/api/chat"]
            case .plain: ["/", "/other"]
            }
        for path in paths {
            let bytes = Array(path.utf8)
            #expect(Dialect(path: bytes.span, hasAnthropicVersion: true) == dialect)
            #expect(Dialect(path: bytes.span) == dialect)
        }
    }

    private func text(_ pieces: InlineArray<12, ErrorPiece>, _ status: Int) -> String {
        var text = ""
        for index in pieces.indices {
            switch pieces[index] {
            case .nothing: break
            case .text(let piece): text += piece
            case .status: text += "\(status)"
            case .requestID: text += "\"id\""
            }
        }
        return text
    }

    private func facts(_ status: Int) -> ErrorFacts {
        ErrorFacts(status: status, title: "Title", message: "Full.", code: "queue_full")
    }

    @Test(
        arguments: [
            (
                .openAI, 503,
                #"{"error":{"message":"Full.","type":"service_unavailable_error","param":null,"code":"queue_full"}}"#
            ),
            (
                .openAI, 429,
                #"{"error":{"message":"Full.","type":"rate_limit_error","param":null,"code":"queue_full"}}"#
            ),
            (
                .anthropic, 529,
                #"{"type":"error","error":{"type":"overloaded_error","message":"Full."},"request_id":"id"}"#
            ),
            (
                .anthropic, 404,
                #"{"type":"error","error":{"type":"not_found_error","message":"Full."},"request_id":"id"}"#
            ),
            (.openInference, 503, #"{"error":"Full."}"#), (.ollama, 503, #"{"error":"Full."}"#),
            (.textGeneration, 429, #"{"error":"Full.","error_type":"overloaded"}"#),
            (.textGeneration, 422, #"{"error":"Full.","error_type":"validation"}"#),
            (
                .plain, 418,
                #"{"type":"about:blank","title":"Title","status":418,"detail":"Full.","reason":"queue_full"}"#
            ),
        ] as [(Dialect, Int, String)])
    func bodies(_ dialect: Dialect, _ status: Int, _ body: String) {
        #expect(text(dialect.errorBody(facts(status)), status) == body + "\n")
    }

    @Test func everyBodyIsJSONWithTheMessage() throws {
        for dialect in Dialect.allCases {
            for status in [400, 401, 403, 404, 408, 413, 415, 429, 500, 501, 502, 503, 504, 529] {
                let body = text(dialect.errorBody(facts(status)), status)
                let object = try JSONSerialization.jsonObject(with: Data(body.utf8))
                #expect((object as? [String: Any]) != nil)
                #expect(body.contains("Full."))
            }
        }
    }

    @Test func eventsAreWholeEventsOfTheirFormat() {
        for dialect in Dialect.allCases {
            let event = text(dialect.errorEvent(facts(502), .serverSent), 502)
            let isSent = dialect != .ollama
            var stream = FollowedStream(isSent ? .serverSent : .lines)
            stream.read(Array(event.utf8))
            #expect(stream.events == 1, "\(event)")
            #expect(stream.splitter.isAtBoundary)
        }
        #expect(
            text(Dialect.anthropic.errorEvent(facts(529), .serverSent), 529).hasPrefix(
                "event: error\ndata: {\"type\":\"error\""))
    }
}
