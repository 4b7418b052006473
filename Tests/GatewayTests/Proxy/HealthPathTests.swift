// Paths of the client listeners at which the gateway says that it is there.

import Admission
import Policy
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct HealthPathTests {
    private static let paths = "health_paths: [/health, /ping]"

    private func ask(_ client: Wire, _ method: String, _ path: String) throws -> Message {
        try client.send("\(method) \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        return try client.readResponse(isHead: method == "HEAD")
    }

    @Test func theGatewayAnswersAndNoBackendIsAsked() throws {
        let backend = try ScriptedBackend.serving { wire, _ in try wire.answer("backend") }
        let gateway = try RunningGateway(policyText([backend.url], server: Self.paths))
        let client = try gateway.connect()
        for path in ["/health", "/ping", "/health?verbose=1"] {
            let answer = try ask(client, "GET", path)
            #expect(answer.status == 200 && answer.bodyText == "ok\n")
            #expect(answer.value("Content-Type") == "text/plain")
            #expect(answer.value("X-Request-ID") != nil)
            let head = try ask(client, "HEAD", path)
            #expect(head.status == 200 && head.value("Content-Length") == "3")
        }
        #expect(backend.requests.isEmpty)
        // What is not named there, and other methods, take their routes.
        for (method, path) in [("GET", "/healthy"), ("GET", "/health/"), ("POST", "/health")] {
            #expect(try ask(client, method, path).bodyText == "backend", "\(method) \(path)")
        }
    }

    @Test func noKeyIsAsked() throws {
        let key = KeyEntry(digest: Array(repeating: 7, count: 32), tenant: "acme")
        let gateway = try RunningGateway(
            policyText(
                ["http://127.0.0.1:1"], pool: "limit: 1, tenant: {keys: keys.txt}",
                server: Self.paths),
            keys: [key])
        let client = try gateway.connect()
        #expect(try ask(client, "GET", "/health").status == 200)
        #expect(try ask(client, "GET", "/other").status == 401)
    }

    /// Backends that are gone, or full, are not the gateway's health.
    @Test func itSaysNothingOfBackends() throws {
        let gateway = try RunningGateway(
            policyText([try ScriptedBackend.refusingURL()], server: Self.paths))
        let client = try gateway.connect()
        #expect(try ask(client, "GET", "/x").status >= 500)
        #expect(try ask(client, "GET", "/ping").status == 200)
    }

    @Test func whileItDrainsItIsNot() throws {
        let gateway = try RunningGateway(policyText(["http://127.0.0.1:1"], server: Self.paths))
        let client = try gateway.connect()
        #expect(try ask(client, "GET", "/health").status == 200)
        gateway.drain()
        try eventually("the gateway drains") { try gateway.isDraining() }
        let answer = try ask(client, "GET", "/health")
        #expect(answer.status == 503 && answer.value("X-Penstock-Reason") == "draining")
        #expect(client.ends())
        try gateway.waitForEnd()
    }

    @Test func aReloadChangesThem() throws {
        let backend = try ScriptedBackend.serving { wire, _ in try wire.answer("backend") }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        #expect(try ask(client, "GET", "/health").bodyText == "backend")
        try gateway.reload(policyText([backend.url], server: Self.paths))
        #expect(try ask(client, "GET", "/health").bodyText == "ok\n")
    }
}
