// The list of models that the gateway answers, with what backends say of theirs.

import Foundation
import Synchronization
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct ModelListTests {
    /// What a backend says of its models, which may change.
    private final class Said: Sendable {
        private let value: Mutex<(status: Int, text: String)>

        init(_ models: String) { value = Mutex((200, Said.list(models))) }

        private static func list(_ models: String) -> String {
            "{\"object\":\"list\",\"data\":[\(models)]}"
        }

        func change(to models: String) { value.withLock { $0 = (200, Said.list(models)) } }

        func fail(_ status: Int) { value.withLock { $0.status = status } }

        func answer(_ wire: Wire, _ request: Message) throws {
            let (status, text) = value.withLock { $0 }
            let isList = request.startLine == "GET /v1/models HTTP/1.1"
            try wire.answer(isList ? text : "work", status: isList ? status : 200)
        }
    }

    private static func backend(_ said: Said) throws -> ScriptedBackend {
        try .serving { wire, request in try said.answer(wire, request) }
    }

    private static func policy(_ one: String, _ two: String, models: String) -> String {
        """
        listen: 127.0.0.1:0
        admin: off
        log: {access: off}
        pools:
          one: {backends: ["\(one)"], limit: 10}
          two: {backends: ["\(two)"], limit: 10}
        routes:
          - {path: /v1/*, pool: one, models: [llama, "llama-lora-*"]}
          - {path: /v1/*, pool: two, models: ["*"]}
        models: {\(models)}

        """
    }

    private static func models(_ gateway: RunningGateway) throws -> [[String: Any]] {
        let text = try gateway.connect().get("/v1/models").bodyText
        return try #require(try jsonObject(text)["data"] as? [[String: Any]])
    }

    private static func names(_ gateway: RunningGateway) throws -> [String] {
        try models(gateway).compactMap { $0["id"] as? String }
    }

    private static let llama = """
        {"id":"llama","object":"model","created":17,"owned_by":"vllm","max_model_len":8192}
        """

    @Test func whatBackendsHaveIsListed() throws {
        let one = Said("\(Self.llama),{\"id\":\"llama-lora-a\"},{\"id\":\"other\"}")
        let two = Said("{\"id\":\"qwen\",\"max_model_len\":32768},{\"id\":\"llama\"}")
        let backends = (try Self.backend(one), try Self.backend(two))
        let gateway = try RunningGateway(
            Self.policy(
                backends.0.url, backends.1.url, models: "aliases: {gpt-4o: llama}, refresh: 100ms"))
        // Names of the policy in its order, then what the patterns of a pool's routes take of its
        // backends' own; a name is listed once.
        let expected = ["llama", "gpt-4o", "llama-lora-a", "qwen"]
        try eventually("all are listed") { try Self.names(gateway) == expected }
        let models = try Self.models(gateway)
        #expect(models.map { $0["max_model_len"] as? Int } == [8192, 8192, nil, 32_768])
        #expect(
            models.map { $0["owned_by"] as? String } == ["vllm", "vllm", "penstock", "penstock"])
        #expect(models.map { $0["created"] as? Int } == [17, 17, 0, 0])
        let client = try gateway.connect()
        #expect(
            try jsonObject(try client.get("/v1/models/qwen").bodyText)["max_model_len"] as? Int
                == 32_768)
        #expect(try client.get("/v1/models/other").status == 404)

        // A model that comes, and one that goes, are noticed.
        two.change(to: "{\"id\":\"phi\"}")
        try eventually("the other one is listed") {
            try Self.names(gateway) == ["llama", "gpt-4o", "llama-lora-a", "phi"]
        }
        // No client's request was needed for that, and none was delayed or passed on.
        #expect(backends.0.requests.allSatisfy { $0.startLine == "GET /v1/models HTTP/1.1" })
    }

    /// What a backend said holds for four rounds; names of the policy stay.
    @Test func whatIsNotSaidAgainIsForgotten() throws {
        let one = Said(Self.llama)
        let two = Said("{\"id\":\"qwen\"}")
        let backends = (try Self.backend(one), try Self.backend(two))
        let gateway = try RunningGateway(
            Self.policy(backends.0.url, backends.1.url, models: "refresh: 100ms"))
        try eventually("both are listed") { try Self.names(gateway) == ["llama", "qwen"] }
        two.fail(503)
        one.fail(401)
        // The two are forgotten one after the other.
        try eventually("the policy's is left") {
            try Self.names(gateway) == ["llama"]
                && Self.models(gateway)[0]["max_model_len"] == nil
        }
        two.change(to: "{\"id\":\"qwen\"}")
        try eventually("it is back") { try Self.names(gateway) == ["llama", "qwen"] }
    }

    @Test func aReloadAsksOthersAtOnce() throws {
        let one = Said(Self.llama)
        let two = Said("{\"id\":\"qwen\"}")
        let backends = (try Self.backend(one), try Self.backend(two))
        let refusing = try ScriptedBackend.refusingURL()
        let gateway = try RunningGateway(Self.policy(refusing, backends.1.url, models: ""))
        try eventually("one is listed") { try Self.names(gateway) == ["llama", "qwen"] }
        try gateway.reload(Self.policy(backends.0.url, refusing, models: ""))
        try eventually("the other one is") {
            let models = try Self.models(gateway)
            return models.count == 1 && models[0]["max_model_len"] as? Int == 8192
        }
    }

    /// Who asks while a reload goes on is told what was known before it.
    @Test func aReloadForgetsNoModel() throws {
        let said = Said("{\"id\":\"qwen\"}")
        let backend = try Self.backend(said)
        let policy = Self.policy(backend.url, backend.url, models: "")
        let gateway = try RunningGateway(policy)
        try eventually("it is listed") { try Self.names(gateway).contains("qwen") }
        let client = try gateway.connect()
        for round in 0..<20 {
            try gateway.reload(policy + "# \(round)\n")
            try client.send("GET /v1/models/qwen HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.readResponse().status == 200)
        }
        try gateway.reload(Self.policy(backend.url, backend.url, models: "refresh: off"))
        try eventually("it is not") { try !Self.names(gateway).contains("qwen") }
    }

    /// Nobody is asked who is not to be, or whose list the gateway does not answer.
    @Test func backendsAreLeftAloneWhereTheyAreToBe() throws {
        let said = Said(Self.llama)
        let backend = try Self.backend(said)
        let off = Self.policy(backend.url, backend.url, models: "refresh: off")
        let routed = Self.policy(backend.url, backend.url, models: "refresh: 100ms")
            .replacing("routes:\n", with: "routes:\n  - {path: /v1/models, pool: one}\n")
        for (policy, own) in [(off, true), (routed, false)] {
            let gateway = try RunningGateway(policy)
            let answer = try jsonObject(try gateway.connect().get("/v1/models").bodyText)
            let data = try #require(answer["data"] as? [[String: Any]])
            #expect(data.map { $0["max_model_len"] as? Int } == [own ? nil : 8192])
            // Some rounds would have gone by.
            Thread.sleep(forTimeInterval: 0.3)
            try gateway.stop()
        }
        #expect(backend.requests.count == 1)
    }
}
