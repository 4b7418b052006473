// Every policy of `policies/` against what the engines serve: `Tests/Endpoints` says what that is, and
// the gateway's own table of routes which of it can be reached.

import Foundation
import Testing

@testable import Gateway
@testable import Policy

@Suite struct EndpointTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// A line of a list.
    private struct Endpoint {
        let word: String
        let request: String
        let engine: String

        var isGeneration: Bool { request.contains("/generate") }
    }

    private static func names(in folder: String, _ suffix: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path)
            .filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.count)) }.sorted()
    }

    private static func endpoints(_ engine: String) throws -> [Endpoint] {
        let path = root.appending(path: "Tests/Endpoints/\(engine).txt")
        return try String(contentsOf: path, encoding: .utf8).split(separator: "\n")
            .filter { !$0.hasPrefix("#") }
            .map { line in
                let parts = line.split(separator: " ").map(String.init)
                try #require(parts.count == 3, "\(engine): \(line)")
                try #require(["work", "about", "closed", "either"].contains(parts[0]), "\(line)")
                return Endpoint(word: parts[0], request: "\(parts[1]) \(parts[2])", engine: engine)
            }
    }

    /// A policy as it answers.
    private struct Served {
        let table: RouteTable
        /// Names that stand for a model in a path: of each of the policy's patterns one.
        let models: [String]

        init(_ name: String) throws {
            let path = EndpointTests.root.appending(path: "policies/\(name).yaml").path
            let policy = try PolicyLoader.load(path: path)
            table = RouteTable(policy)
            models = ["m"] + policy.routes.flatMap(\.models).map { $0.replacing("*", with: "x") }
        }

        /// Whether `METHOD PATH` reaches a backend, whatever its host, and where the path does not name
        /// its model, whatever that is.
        func passes(_ request: String) throws -> Bool {
            let names = request.contains("{model}") ? models : [""]
            return try names.contains { name in
                table.takes(
                    try RouteTable.head(
                        request.replacing("{model}", with: name).replacing(/\{[a-z]+\}/, with: "1"))
                )
            }
        }

        /// Whether it is answered at all, by a backend or by the gateway.
        func answers(_ request: String) throws -> Bool {
            if try passes(request) { return true }
            let parts = request.split(separator: " ")
            guard parts[0] == "GET" else { return false }
            return table.healthPaths.contains(Array(parts[1].utf8))
                || parts[1] == "/v1/models" && table.modelList.isServed
        }
    }

    /// Which engines' lists a policy is held to, besides what is closed.
    private static let fronts: [(policy: String, engines: [String])] = [
        ("vllm", ["vllm"]), ("sglang", ["sglang"]), ("triton", ["triton", "mlserver"]),
        ("tgi", ["tgi"]), ("llamacpp", ["llamacpp"]), ("ollama", ["ollama"]),
        ("embeddings", ["tei", "infinity", "triton", "mlserver"]),
    ]

    @Test(arguments: fronts)
    func whatClientsComeForPasses(_ policy: String, _ engines: [String]) throws {
        let served = try Served(policy)
        for endpoint in try engines.flatMap(Self.endpoints) {
            // Nobody asks a server of embeddings to write.
            if policy == "embeddings", endpoint.isGeneration { continue }
            switch endpoint.word {
            case "work":
                #expect(
                    try served.passes(endpoint.request), "\(endpoint.engine): \(endpoint.request)")
            case "about":
                #expect(
                    try served.answers(endpoint.request), "\(endpoint.engine): \(endpoint.request)")
            default: break
            }
        }
    }

    /// What changes or looks into any of the engines is open in none of the policies.
    @Test func whatIsClosedIsReachedByNone() throws {
        let engines = try Self.names(in: "Tests/Endpoints", ".txt")
        let held = Set(Self.fronts.flatMap(\.engines))
        #expect(Set(engines) == held)
        let closed = try engines.flatMap(Self.endpoints).filter { $0.word == "closed" }
        #expect(closed.count > 150)
        for policy in try Self.names(in: "policies", ".yaml") {
            let served = try Served(policy)
            for endpoint in closed {
                let passes = try served.passes(endpoint.request)
                #expect(!passes, "\(policy).yaml passes \(endpoint.engine)'s \(endpoint.request)")
            }
            // An allow-list ends: nothing that no list has is passed.
            for path in ["/", "/x", "/v1/x", "/v1/", "/v2/x", "/api/x", "/v1/chat/completions/x"] {
                for method in ["GET", "POST", "PUT", "DELETE"] {
                    #expect(
                        try !served.passes("\(method) \(path)"), "\(policy).yaml \(method) \(path)")
                }
            }
        }
    }

    /// The ways in which servers take a path for another one, around what an allow-list has.
    private static let disguises = [
        "/PATH", "/.PATH", "PATH/", "PATH//", "PATH?a=/v1/models", "PATH%2f", "PATH%20", "PATH;a=b",
        "/v1/..PATH", "/v1/chat/completions/../../..PATH",
        "/v1/chat/completions/%2e%2e/%2E./..PATH",
        "/v1/chat/completions%2f..%2f..%2f..PATH", "/v1/models/x%2f..%2f..%2f..PATH",
        "/v2/models/x%2f..%2f..%2f..PATH", "/health/..PATH", "/v1/chat/completions%00PATH",
    ]

    @Test func noDisguiseOpensWhatIsClosed() throws {
        let engines = try Self.names(in: "Tests/Endpoints", ".txt")
        let closed = Set(
            try engines.flatMap(Self.endpoints).filter { $0.word == "closed" }.map(\.request))
        let tables = try Self.names(in: "policies", ".yaml").map { ($0, try Served($0).table) }
        for endpoint in closed {
            let parts = endpoint.replacing("{model}", with: "bge-m3")
                .replacing(/\{[a-z]+\}/, with: "1").split(separator: " ")
            for disguise in Self.disguises {
                let request = "\(parts[0]) " + disguise.replacing("PATH", with: parts[1])
                let head = try RouteTable.head(request)
                for (policy, table) in tables {
                    let passes = table.takes(head)
                    #expect(!passes, "\(policy).yaml passes \(request)")
                }
            }
        }
    }

    /// Policies for a purpose are for any engine that speaks OpenAI's dialect.
    @Test(arguments: ["one-backend", "several-replicas", "streaming-chat", "tenants", "api-keys"])
    func purposesTakeOpenAIsClients(_ policy: String) throws {
        let served = try Served(policy)
        for path in ["chat/completions", "completions", "responses", "messages"] {
            #expect(try served.passes("POST /v1/\(path)"), "\(path)")
            #expect(try !served.passes("DELETE /v1/\(path)"), "\(path)")
        }
        for path in ["/v1/models", "/health", "/ping"] {
            #expect(try served.answers("GET \(path)"), "\(path)")
        }
    }

    /// Two endpoints with one request, of which one is closed and one is not, could not both be held.
    @Test func noEndpointIsSaidTwice() throws {
        for engine in try Self.names(in: "Tests/Endpoints", ".txt") {
            let requests = try Self.endpoints(engine).map(\.request)
            #expect(requests.count == Set(requests).count, "\(engine)")
            #expect(requests.count > 8, "\(engine)")
        }
    }
}
