// Which bytes reach the backend and which the client: heads, to the byte.

import Foundation
import Testing

@testable import Gateway

@Suite struct ForwardingTests {
    /// A request id of the client's own makes the forwarded head the same each time.
    private static let requestID = "X-Request-ID: abc-123\r\n"

    /// Sends `request`, lets the backend answer `answer`, and returns what each got.
    private func exchange(
        _ request: String, answer: String = "HTTP/1.1 204 No Content\r\n\r\n", more: String = "",
        pool: String = "limit: 10", isHead: Bool = false
    ) throws -> (request: Message, answer: Message) {
        let backend = try ScriptedBackend.serving { wire, _ in try wire.send(answer) }
        let gateway = try RunningGateway(policyText([backend.url], pool: pool, more: more))
        let client = try gateway.connect()
        try client.send(request)
        let got = try client.readAnswer(isHead: isHead)
        client.close()
        try gateway.settles(clients: 0)
        return (try #require(backend.requests.first), got)
    }

    @Test func headsAreRewrittenAsAProxyShould() throws {
        let (request, answer) = try exchange(
            "GET /v1/models?x=%20y HTTP/1.1\r\nhost: example.org:81\r\nUser-Agent: test\r\n"
                + "Accept: */*\r\n\(Self.requestID)\r\n",
            answer: "HTTP/1.1 200 Fine\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: s\r\n"
                + "Content-Length: 2\r\nX-Request-ID: from-backend\r\n\r\nok")
        #expect(
            request.head
                == "GET /v1/models?x=%20y HTTP/1.1\r\nHost: example.org:81\r\nUser-Agent: test\r\n"
                + "Accept: */*\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
                + "X-Forwarded-Host: example.org:81\r\nX-Request-ID: abc-123\r\n"
                + "Via: 1.1 penstock\r\n\r\n")
        #expect(
            answer.head
                == "HTTP/1.1 200 Fine\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: s\r\n"
                + "X-Request-ID: from-backend\r\nContent-Length: 2\r\nVia: 1.1 penstock\r\n\r\n")
        #expect(answer.bodyText == "ok")
    }
}
