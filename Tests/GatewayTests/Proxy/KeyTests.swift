// API keys: where they stand, whose they are, what is told without one, and that backends do not
// see them unless they are to.

import Admission
import Bytes
import Foundation
import HTTP1
import Policy
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct KeyTests {
    private static func digest(_ key: String) throws -> KeyDigest {
        let digest = KeyDigest(of: key.utf8.span)
        return try #require(digest)
    }

    private static func entry(_ tenant: String, _ key: String) throws -> KeyEntry {
        let digest = try digest(key).hexadecimal
        let bytes = stride(from: 0, to: 64, by: 2).compactMap { start in
            UInt8(digest.dropFirst(start).prefix(2), radix: 16)
        }
        return KeyEntry(digest: bytes, tenant: tenant)
    }

    @Test func digestsAreSHA256() throws {
        // FIPS 180-4, examples of one and two blocks.
        let vectors = [
            "abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq":
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ]
        for (text, expected) in vectors {
            let digest = try Self.digest(text)
            #expect(digest.hexadecimal == expected)
            #expect(digest.isEqual(to: digest))
        }
        let one = try Self.digest("a")
        let other = try Self.digest("b")
        #expect(!one.isEqual(to: other))
    }

    @Test func allOfManyKeysAreFound() throws {
        let entries = try (0..<5_000).map { try Self.entry("t\($0)", "key-\($0)") }
        let table = KeyTable(entries) { name in
            .hashed(UInt64(String(decoding: name.toArray().dropFirst(), as: UTF8.self)) ?? 0)
        }
        for index in 0..<5_000 {
            let digest = try Self.digest("key-\(index)")
            #expect(table.owner(of: digest) == .hashed(UInt64(index)))
        }
        let unknown = try Self.digest("key-5000")
        #expect(table.owner(of: unknown) == nil)
        #expect(KeyTable([]) { _ in .nobody }.owner(of: unknown) == nil)
    }

    @Test(
        arguments: [
            ("Authorization: Bearer k1", "k1"), ("authorization: bEARER   k1", "k1"),
            ("X-Api-Key: k2", "k2"), ("api-key: k3", "k3"),
            ("api-key: k3\r\nx-api-key: k2\r\nauthorization: Bearer k1", "k1"),
            ("api-key: k3\r\nx-api-key: k2\r\nauthorization: Basic azE=", "k2"),
            ("api-key: k3\r\napi-key: k4", "k3"), ("x-api-key:\r\napi-key: k3", "k3"),
            ("authorization: Bearer", nil), ("authorization: Bearerk1", nil),
            ("x-api-key:", nil), ("cookie: k1", nil),
        ])
    func aKeyIsFound(_ fields: String, _ expected: String?) throws {
        var parser = RequestParser(limits: HeadLimits(maxHeadBytes: 32 * 1024, maxFields: 100))
        var input = ByteBuffer()
        input.append("GET / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n\r\n")
        guard case .head = try parser.next(in: input) else {
            Issue.record("the head is not complete")
            return
        }
        let range = APIKey.place(in: parser.head)?.range
        #expect(range.map { String(decoding: parser.head.bytes[$0], as: UTF8.self) } == expected)
    }

    @Test func theLastKeyIsNotTakenForAnother() throws {
        var last = LastKey()
        let long = String(repeating: "x", count: 5_000)
        for key in ["a", "a", "b", "ab", "", long, long, "a"] {
            let found = last.digest(of: key.utf8.span)
            let expected = try Self.digest(key)
            #expect(found?.isEqual(to: expected) == true)
        }
    }

    private static let pool =
        "tenant: {keys: a.keys, header: x-tenant, named: [{name: acme}], default: {max_queued: 0}}"

    @Test func withoutAKnownKeyThereIsNoService() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 4, \(Self.pool)"),
            keys: [try Self.entry("acme", "right"), try Self.entry("other", "too")])
        let client = try gateway.connect()
        for (fields, reason) in [
            ("", "key_missing"), ("Authorization: Bearer wrong\r\n", "key_unknown"),
            ("X-Tenant: acme\r\n", "key_missing"), ("x-api-key: Right\r\n", "key_unknown"),
        ] {
            let answer = try client.get("/v1/models", fields: fields)
            #expect(answer.status == 401)
            #expect(answer.value("WWW-Authenticate") == "Bearer")
            #expect(answer.value("X-Penstock-Reason") == reason)
            #expect(answer.value("Retry-After") == nil)
            let error = try jsonObject(answer.bodyText)["error"] as? [String: Any]
            #expect(error?["message"] is String && error?["code"] as? String == reason)
        }
        #expect(backend.requests.isEmpty)
        for fields in [
            "Authorization: Bearer right\r\n", "x-api-key: right\r\n", "api-key: too\r\n",
        ] {
            #expect(try client.get("/v1/models", fields: fields).status == 200)
        }
    }

    /// What one place has may be meant for somebody else: the key counts that is known, wherever it is.
    @Test(
        arguments: [
            ("Authorization: Bearer foreign\r\nx-api-key: right\r\n", 200),
            ("x-api-key: foreign\r\nAuthorization: Bearer right\r\n", 200),
            ("Authorization: Bearer foreign\r\napi-key: right\r\n", 200),
            ("x-api-key: foreign\r\napi-key: right\r\n", 200),
            ("x-api-key: right\r\napi-key: foreign\r\n", 200),
            ("Authorization: Bearer a\r\nx-api-key: b\r\napi-key: right\r\n", 200),
            ("Authorization: Bearer   \r\nx-api-key: right\r\n", 200),
            ("Authorization: Bearer a\r\nx-api-key: b\r\napi-key: c\r\n", 401),
        ])
    func theKeyThatIsKnownCounts(fields: String, status: Int) throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 4, \(Self.pool)"),
            keys: [try Self.entry("acme", "right")])
        let client = try gateway.connect()
        for _ in 0..<2 {
            let answer = try client.get("/v1/models", fields: fields)
            #expect(answer.status == status)
            #expect(answer.value("X-Penstock-Reason") == (status == 200 ? nil : "key_unknown"))
        }
        for request in backend.requests {
            #expect(!request.head.contains("right") && !request.head.contains("foreign"))
        }
    }

    /// Of two that are known the one counts that comes first.
    @Test func ofTwoKnownKeysTheFirstPlaceCounts() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText(
                [backend.url],
                pool:
                    "limit: 4, tenant: {keys: a.keys, named: [{name: one, requests_per_minute: 9}, "
                    + "{name: two, requests_per_minute: 5}]}"),
            keys: [try Self.entry("one", "k1"), try Self.entry("two", "k2")])
        let client = try gateway.connect()
        let both = try client.get("/", fields: "x-api-key: k2\r\nAuthorization: Bearer k1\r\n")
        #expect(both.value("RateLimit-Policy") == "\"requests\";q=9;w=60")
        let other = try client.get("/", fields: "x-api-key: k2\r\nAuthorization: Bearer k3\r\n")
        #expect(other.value("RateLimit-Policy") == "\"requests\";q=5;w=60")
    }

    @Test func backendsDoNotSeeKeysUnlessTheyAreTo() throws {
        let backend = try ScriptedBackend.echoing()
        let keys = [try Self.entry("acme", "right")]
        let text = policyText([backend.url], pool: "limit: 4, \(Self.pool)")
        let gateway = try RunningGateway(text, keys: keys)
        let client = try gateway.connect()
        let fields =
            "Authorization: Bearer right\r\nX-API-Key: two\r\napi-key: three\r\nX-Other: o\r\n"
        #expect(try client.get("/", fields: fields).status == 200)
        let first = try #require(backend.requests.last)
        #expect(first.value("Authorization") == nil && first.value("X-API-Key") == nil)
        #expect(first.value("api-key") == nil && first.value("X-Other") == "o")
        // What is not a key is the backend's.
        #expect(
            try client.get("/", fields: "x-api-key: right\r\nAuthorization: Basic eA==\r\n").status
                == 200)
        #expect(backend.requests.last?.value("Authorization") == "Basic eA==")
        try gateway.reload(
            text.replacingOccurrences(
                of: "keys: a.keys", with: "keys: {file: a.keys, pass_on: true}"), keys: keys)
        #expect(try client.get("/", fields: fields).status == 200)
        let second = try #require(backend.requests.last)
        #expect(second.value("Authorization") == "Bearer right")
        #expect(second.value("X-API-Key") == "two" && second.value("api-key") == "three")
    }

    @Test func aReloadTakesKeysInAndOut() throws {
        let backend = try ScriptedBackend.echoing()
        let text = policyText([backend.url], pool: "limit: 4, \(Self.pool)")
        let gateway = try RunningGateway(text, keys: [try Self.entry("acme", "old")])
        let client = try gateway.connect()
        #expect(try client.get("/", fields: "x-api-key: old\r\n").status == 200)
        try gateway.reload(text, keys: [try Self.entry("acme", "new")])
        #expect(try client.get("/", fields: "x-api-key: old\r\n").status == 401)
        #expect(try client.get("/", fields: "x-api-key: new\r\n").status == 200)
    }

    @Test func aKeyCountsBeforeTheHeaderAndTheHeaderBeforeTheNetwork() throws {
        let policy = try PolicyLoader.load(
            text: policyText(
                ["http://127.0.0.1:1"],
                pool: "tenant: {keys: {file: a.keys, required: false}, header: x-tenant, named: "
                    + "[{name: a}, {name: b}, {name: c, networks: [127.0.0.0/8]}]}"),
            file: "policy.yaml")
        var settings = policy.pools[0]
        settings.claims.keys?.entries = [try Self.entry("a", "key")]
        let table = Classifier(settings, hashKey: HashKey(low: 1, high: 2))
        let loopback = UInt128(0xffff_7f00_0001)
        func claim(_ fields: String, _ key: String?, _ address: UInt128) throws -> TenantID {
            var parser = RequestParser(limits: HeadLimits(maxHeadBytes: 32 * 1024, maxFields: 100))
            var input = ByteBuffer()
            input.append("GET / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
            guard case .head = try parser.next(in: input) else { return .anonymous }
            let place = key.map { Classifier.Key.digest(KeyDigest(of: $0.utf8.span)) } ?? .missing
            let claim = table.identity(of: parser.head, key: place, address: address)
            #expect(claim.fault == .none)
            return claim.tenant
        }
        #expect(try claim("x-tenant: b\r\n", "key", loopback) == .named("a"))
        #expect(try claim("x-tenant: b\r\n", "unknown", loopback) == .named("b"))
        #expect(try claim("x-tenant: b\r\n", nil, loopback) == .named("b"))
        #expect(try claim("", nil, loopback) == .named("c"))
        #expect(try claim("", nil, 0xffff_8000_0001) == .anonymous)
        #expect(try claim("", nil, 0) == .anonymous)
    }

    /// The table finds what looking at every network finds.
    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func theSmallestNetworkCounts(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        // Few bits vary, so that networks lie in each other and side by side.
        func address() -> UInt128 {
            UInt128(random.next() & 0x3f) << 122 | UInt128(random.next() & 0x7)
        }
        var networks: [TenantNetwork] = []
        var seen: Set<String> = []
        for tenant in 0..<40 {
            let length = [0, 1, 3, 6, 64, 126, 127, 128][Int(random.next() % 8)]
            let host: UInt128 = length == 0 ? .max : (UInt128(1) << (128 - length)) - 1
            let lowest = address() & ~host
            guard seen.insert("\(lowest)/\(length)").inserted else { continue }
            let network = Network(lowest: lowest, prefixLength: length, text: "")
            networks.append(TenantNetwork(network: network, tenant: tenant))
        }
        let table = NetworkTable(networks)
        for _ in 0..<2_000 {
            let address = random.next() % 2 == 0 ? address() : address() &- 1
            let fitting = networks.filter {
                $0.network.lowest <= address && address <= $0.network.highest
            }
            let smallest = fitting.max { $0.network.prefixLength < $1.network.prefixLength }
            #expect(table.tenant(of: address) == smallest?.tenant, "seed \(seed): \(address)")
        }
        #expect(NetworkTable([]).tenant(of: 0) == nil)
    }

    private func keyedGateway(_ url: String) throws -> RunningGateway {
        try RunningGateway(
            """
            version: 1
            listen: 127.0.0.1:0
            admin: off
            log: {access: off}
            pools:
              main: {backends: ["\(url)"], websocket: allow, tenant: {keys: a.keys}}
            routes:
              - {path: /v1/*, pool: main, models: [m]}
              - {path: /plain/*, pool: main}
            models: {refresh: off}
            """, keys: [try Self.entry("acme", "k")])
    }

    /// Nothing is asked for, held or told before it is known that the request may be served at all.
    @Test func nothingIsDoneWithoutAKey() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try keyedGateway(backend.url)
        for (line, reason) in [
            ("POST /v1/chat/completions", "key_missing"), ("POST /plain/x", "key_missing"),
        ] {
            let client = try gateway.connect()
            try client.send(
                "\(line) HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 90000\r\n\r\n"
            )
            let answer = try client.readResponse()
            #expect(answer.status == 401)
            #expect(answer.value("X-Penstock-Reason") == reason)
        }
        let upload = try gateway.connect()
        try upload.send(
            "POST /plain/x HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\nabc")
        #expect(try upload.readResponse().status == 401)
        // Nor which models there are, or are not.
        for path in ["/v1/models", "/v1/models/m", "/v1/models/none"] {
            #expect(try gateway.connect().get(path).status == 401)
        }
        let client = try gateway.connect()
        for (key, status) in [("x", 401), ("k", 404)] {
            try client.send(
                "POST /v1/x HTTP/1.1\r\nHost: h\r\nx-api-key: \(key)\r\nContent-Length: 15\r\n\r\n"
                    + "{\"model\":\"none\"}".prefix(15))
            let body = try client.readResponse()
            #expect(body.status == status || status == 404 && body.status == 400)
        }
        #expect(try gateway.connect().get("/v1/models", fields: "api-key: k\r\n").status == 200)
        #expect(backend.requests.isEmpty)
        #expect(try gateway.askAll { $0.bodyMemory.heldBytes }.allSatisfy { $0 == 0 })
    }

    /// A browser asks without a key whether it may send one; who serves it answers.
    @Test func aPreflightNeedsNoKey() throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.answer("", fields: "Access-Control-Allow-Origin: *\r\n")
        }
        let gateway = try keyedGateway(backend.url)
        let asks = "Origin: https://a\r\nAccess-Control-Request-Method: POST\r\n"
        for path in ["/v1/chat/completions", "/plain/x"] {
            for (fields, status) in [(asks, 200), ("Origin: https://a\r\n", 401)] {
                let client = try gateway.connect()
                try client.send("OPTIONS \(path) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
                #expect(try client.readResponse().status == status)
            }
            let client = try gateway.connect()
            try client.send("POST \(path) HTTP/1.1\r\nHost: h\r\n\(asks)Content-Length: 0\r\n\r\n")
            #expect(try client.readResponse().status == 401)
        }
        #expect(backend.requests.map(\.startLine).allSatisfy { $0.hasPrefix("OPTIONS") })
    }

    /// A browser's WebSocket can have its key nowhere else; the backend does not see it.
    @Test func aWebSocketsKeyMayBeASubprotocol() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try keyedGateway(backend.url)
        let asks =
            "GET /plain/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        for (protocols, status, passed) in [
            ("realtime, openai-insecure-api-key.k,beta", 200, ["realtime, beta"]),
            ("openai-insecure-api-key.k", 200, []),
            ("openai-insecure-api-key.x", 401, []), ("openai-insecure-api-key.", 401, []),
        ] {
            let before = backend.requests.count
            let client = try gateway.connect()
            try client.send(asks + "Sec-WebSocket-Protocol: \(protocols)\r\n\r\n")
            #expect(try client.readResponse().status == status, "\(protocols)")
            if status == 200 {
                #expect(backend.requests[before].values("Sec-WebSocket-Protocol") == passed)
            }
        }
        // Where no WebSocket is asked for it is no key.
        let client = try gateway.connect()
        try client.send(
            "GET /plain/x HTTP/1.1\r\nHost: h\r\n"
                + "Sec-WebSocket-Protocol: openai-insecure-api-key.k\r\n\r\n")
        #expect(try client.readResponse().status == 401)
    }

    @Test func aClientsNetworkSaysWhoseItsRequestsAre() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText(
                [backend.url],
                pool: "tenant: {named: [{name: a, networks: [127.0.0.0/8], "
                    + "requests_per_minute: 1}]}"))
        let client = try gateway.connect()
        #expect(try client.get("/").value("x-ratelimit-remaining-requests") == nil)
        let refused = try client.get("/")
        #expect(refused.status == 429)
        #expect(refused.value("X-Penstock-Reason") == "tenant_request_rate")
    }
}

extension Span<UInt8> {
    fileprivate func toArray() -> [UInt8] { indices.map { self[$0] } }
}
