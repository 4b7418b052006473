// The policies in `policies/` load, say what they are there to say, and explain it.

import Admission
import Foundation
import Testing

@testable import Policy

@Suite struct ExampleTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "policies")

    private static let names = [
        "api-keys", "embeddings", "hosted-fallback", "llamacpp", "ollama", "one-backend",
        "several-replicas", "sglang",
        "streaming-chat", "strict", "tenants", "tgi", "triton", "vllm",
    ]

    private func policy(_ name: String) throws -> Policy {
        try PolicyLoader.load(path: Self.folder.appending(path: "\(name).yaml").path)
    }

    @Test func allExamplesAreTested() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        let policies = files.filter { $0.hasSuffix(".yaml") }.sorted()
        #expect(policies == Self.names.map { "\($0).yaml" })
    }

    @Test(arguments: names)
    func loadsAndFitsTheSchema(name: String) throws {
        var loaded = try policy(name)
        // What a keys file says is not the policy's to repeat.
        for index in loaded.pools.indices { loaded.pools[index].claims.keys?.entries = [] }
        #expect(try PolicyLoader.load(text: PolicyDump.yaml(loaded), file: name) == loaded)

        let path = Self.folder.appending(path: "\(name).yaml")
        let text = try String(contentsOf: path, encoding: .utf8)
        let validator = try SchemaValidator(json: PolicySchema.json())
        #expect(try validator.accepts(try #require(SchemaValue(yaml: text))))
        // The reasons are what an example is for.
        let lines = text.split(separator: "\n")
        #expect(lines.count { $0.drop { $0 == " " }.hasPrefix("#") } * 5 >= lines.count)
        #expect(lines.allSatisfy { $0.count <= 100 })
    }

    /// A body that may be sent is not refused because its model stands at its end.
    @Test(arguments: names)
    func whatMayBeSentMayBeHeld(name: String) throws {
        let policy = try policy(name)
        // Where the path names the model nothing is held.
        let reads = policy.routes.contains { route in
            !route.models.isEmpty && !route.path.text.hasPrefix("/v2/models/")
        }
        #expect(!reads || policy.models.maxHeldBytes >= policy.server.maxBodyBytes)
    }

    @Test func oneBackendIsShort() throws {
        let policy = try policy("one-backend")
        #expect(policy.pools.count == 1 && policy.pools[0].backends.count == 1)
        #expect(policy.routes.count == 6 && policy.routes.allSatisfy { $0.pool == 0 })
        var limit = KneeLimitSettings()
        limit.max = 256
        #expect(policy.pools[0].admission.limit == .knee(limit))
        // Everything else but one time-out is the default.
        var expected = PoolSettings(name: "chat", backends: policy.pools[0].backends)
        expected.admission.limit = .knee(limit)
        expected.firstByteTimeout = .seconds(600)
        #expect(policy.pools[0] == expected)
        var server = ServerSettings()
        server.healthPaths = ["/health", "/ping"]
        #expect(policy.server == server)
    }

    @Test func oneBackendsRemarkOnOllamaLoads() throws {
        let path = Self.folder.appending(path: "one-backend.yaml")
        let text = try String(contentsOf: path, encoding: .utf8)
        let remark = text.split(separator: "\n").filter { $0.hasPrefix("#     ") }
            .map { $0.dropFirst(2) }.joined(separator: "\n")
        let policy = try PolicyLoader.load(
            text: """
                listen: 127.0.0.1:0
                pools:
                  chat:
                \(remark)
                routes: [{path: /v1/*, pool: chat}, {path: /api/*, pool: chat}]
                """, file: "ollama.yaml")
        #expect(policy.pools[0].host == .backend)
        #expect(policy.pools[0].admission.limit == .fixed(FixedLimitSettings(limit: 4)))
    }

    @Test func severalReplicasShareAQueue() throws {
        let policy = try policy("several-replicas")
        let large = policy.pools[0]
        #expect(large.backends.count == 3)
        #expect(large.admission.limit == .fixed(FixedLimitSettings(limit: 44)))
        #expect(large.admission.ejection.max > EjectionSettings().max)
        let small = policy.routes.prefix { $0.pool == 1 }
        #expect(small.allSatisfy { $0.hosts == ["small.models.example.com"] } && !small.isEmpty)
        #expect(policy.routes.dropFirst(small.count).allSatisfy { $0.pool == 0 && $0.hosts == [] })
        #expect(policy.server.drainTimeout > ServerSettings().drainTimeout)
    }

    @Test func embeddingsAreLearntAndNotQueuedForLong() throws {
        let policy = try policy("embeddings")
        let embed = policy.pools[0]
        guard case .gradient(let limit) = embed.admission.limit else {
            Issue.record("the limit is not learnt")
            return
        }
        #expect(limit.tolerance > GradientLimitSettings().tolerance)
        #expect(policy.pools.allSatisfy { $0.admission.queue.maxWait < .seconds(1) })
        #expect(policy.pools.allSatisfy { $0.firstByteTimeout <= .seconds(10) })
        #expect(policy.server.maxBodyBytes < ServerSettings().maxBodyBytes)
        // As many connections are kept as can be in use.
        #expect(embed.maxIdleConnections >= limit.max)
    }

    /// Each engine's own port; what may be reached there is `EndpointTests`' matter.
    @Test(
        arguments: [
            ("vllm", 8000), ("sglang", 30000), ("triton", 8000), ("tgi", 80), ("ollama", 11434),
            ("llamacpp", 8080),
        ] as [(String, UInt16)])
    func anEngineIsReachedWhereItListens(_ name: String, _ port: UInt16) throws {
        let policy = try policy(name)
        #expect(policy.pools.flatMap(\.backends).allSatisfy { $0.port == port })
        // What needs no model does not wait behind what does.
        let control = try #require(policy.pools.first { $0.name == "control" })
        #expect(control.firstByteTimeout <= .seconds(10))
        for pool in policy.pools where pool.name != "control" {
            #expect(pool.firstByteTimeout > control.firstByteTimeout)
        }
    }

    @Test func enginesDifferInSlotsBodiesAndHosts() throws {
        for name in ["vllm", "sglang", "tgi"] {
            let policy = try policy(name)
            guard case .knee = policy.pools[0].admission.limit else {
                Issue.record("\(name)'s limit is not learnt")
                continue
            }
            #expect(policy.pools[0].admission.queue.coldWait > .seconds(60))
        }
        #expect(try policy("vllm").pools[0].keepAliveTimeout < .seconds(5))
        let triton = try policy("triton")
        #expect(triton.server.maxBodyBytes > 64 << 20)
        #expect(triton.pools[0].admission.limit == .fixed(FixedLimitSettings(limit: 64)))
        #expect(try policy("tgi").server.maxBodyBytes == 2 << 20)
        let llama = try policy("llamacpp").pools[0]
        #expect(llama.admission.limit == .fixed(FixedLimitSettings(limit: 4)))
        #expect(llama.keepAliveTimeout < .seconds(5))
        let ollama = try policy("ollama")
        #expect(ollama.pools.allSatisfy { $0.host == .backend })
        #expect(ollama.pools[0].admission.limit == .fixed(FixedLimitSettings(limit: 4)))
        #expect(ollama.models.maxHeldBytes == ollama.server.maxBodyBytes)
    }

    @Test func streamsAreLongAndLean() throws {
        let policy = try policy("streaming-chat")
        #expect(policy.listen.count == 2)
        #expect(policy.server.bufferHighBytes < ServerSettings().bufferHighBytes)
        #expect(policy.server.maxConnections > ServerSettings().maxConnections)
        #expect(policy.server.drainTimeout > ServerSettings().drainTimeout)
        #expect(policy.server.halfClose == .gone)
        #expect(policy.log.accessSample < 1)
        let chat = policy.pools[0]
        #expect(chat.admission.limit == .fixed(FixedLimitSettings(limit: 128)))
        #expect(chat.keepAliveTimeout < .seconds(5))
        #expect(chat.admission.queue.maxBytes > QueueSettings().maxBytes)
    }

    @Test func tenantsShareByWeightAndClass() throws {
        let policy = try policy("tenants")
        let chat = policy.pools[0]
        #expect(chat.admission.mode == .observe)
        #expect(chat.admission.classes.map(\.name) == ["interactive", "batch", "bulk"])
        #expect(chat.admission.classes.map(\.ceiling) == [1, 0.9, 0.7])
        #expect(chat.claims.defaultClass == 1)
        #expect(
            chat.claims.tenantHeader == "x-tenant" && chat.claims.priorityHeader == "x-priority")
        #expect(chat.admission.otherTenants.highestClass == 1)
        #expect(chat.admission.tenants.map(\.highestClass) == [0, 0, 2])
        #expect(chat.admission.tenants[0].weight > chat.admission.otherTenants.weight)
        #expect(chat.admission.queue.overflow == .dropLowest)
    }

    @Test func keysAndQuotasAreThere() throws {
        let policy = try policy("api-keys")
        // Keys are for nobody else's eyes: what has TLS is in front, on the same machine.
        #expect(policy.listen.map(\.address) == [.tcp(host: "127.0.0.1", port: 8080)])
        #expect(
            policy.forwarding.forwarded == .append && policy.forwarding.trustedProxies.count == 1)
        let chat = policy.pools[0]
        let keys = try #require(chat.claims.keys)
        #expect(keys.isRequired && !keys.isPassedOn)
        #expect(keys.entries.map(\.tenant) == ["acme", "globex"])
        #expect(chat.admission.sharing == .tokens)
        #expect(chat.admission.tenants.map(\.tokensPerMinute) == [2_000_000, 500_000])
        #expect(chat.admission.tenants.map(\.requestsPerMinute) == [3_000, nil])
        #expect(chat.admission.otherTenants.requestsPerMinute == 60)
        #expect(chat.deadlines.longest == .seconds(600))
    }

    @Test func hostedFallbackKeepsEachSidesKeys() throws {
        let policy = try policy("hosted-fallback")
        let hosted = try #require(policy.pools.first { $0.name == "hosted" })
        #expect(hosted.backends.allSatisfy { $0.scheme == .https && !$0.path.isEmpty })
        #expect(hosted.tls.verify && hosted.host == .backend && hosted.request.hasKey)
        #expect(hosted.request.fields.allSatisfy { $0.value.file != nil })
        #expect(hosted.stripPrefix == "/v1" && hosted.backends[0].path.hasSuffix("/v1"))
        let chat = try #require(policy.routes.first)
        #expect(policy.pools[try #require(chat.fallback).pool].name == "hosted")
        #expect(policy.pools[chat.pool].claims.keys?.isPassedOn == false)
    }

    @Test func strictNamesBoundsAndVerifiesEverything() throws {
        let policy = try policy("strict")
        let admin = try #require(policy.admin)
        #expect(admin.address == .unix(path: "/run/penstock/admin.sock"))
        #expect(admin.access == .operators)
        #expect(policy.forwarding.forwarded == .set && !policy.forwarding.keepRequestID)
        #expect(policy.log.accessLevel == .failures)
        let defaults = ServerSettings()
        #expect(policy.server.maxHeadBytes < defaults.maxHeadBytes)
        #expect(policy.server.maxBodyBytes < defaults.maxBodyBytes)
        #expect(policy.server.headTimeout < defaults.headTimeout)
        for route in policy.routes {
            guard case .exact = route.path else {
                Issue.record("a route takes more than one path")
                continue
            }
            #expect(!route.hosts.isEmpty && !route.methods.isEmpty)
        }
        for pool in policy.pools {
            #expect(pool.backends.allSatisfy { $0.scheme == .https })
            #expect(pool.tls.verify && pool.tls.authorityFile != nil && pool.tls.keyFile != nil)
            #expect(pool.host == .backend)
            #expect(pool.admission.queue.maxRequests == 0)
        }
    }
}
