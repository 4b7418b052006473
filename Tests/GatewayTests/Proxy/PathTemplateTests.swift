// Patterns of paths with `*` for a segment: all short ones against all short paths, by a reading of
// them that is told by segments and has nothing of the gateway's.

import Testing

@testable import Gateway
@testable import Policy
@testable import TestSupport

@Suite struct PathTemplateTests {
    /// What a pattern says, and what it is made of.
    private struct Case {
        let text: String
        let segments: [String]
        let isOpen: Bool

        /// By the words of the key's description.
        func takes(_ path: String) -> Bool {
            let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            guard isOpen ? parts.count > segments.count : parts.count == segments.count else {
                return false
            }
            return zip(segments, parts).allSatisfy { segment, part in
                guard segment == "*" else { return segment == part }
                return !PathTemplateTests.noSegments.contains(String(part))
            }
        }
    }

    /// What no `*` stands for: nothing, and what some servers read as several segments or another one.
    private static let noSegments: Set = [
        "", ".", "..", "%2e", "%2E%2e", ".%2E", "a%2Fb", "a%2fb", "%5c", "a\\b", "%00",
    ]

    private static func words(_ alphabet: [String], upTo count: Int) -> [[String]] {
        var all: [[String]] = [[]]
        var longest = all
        for _ in 0..<count {
            longest = longest.flatMap { word in alphabet.map { word + [$0] } }
            all += longest
        }
        return all
    }

    private static let cases = words(["a", "*", "", "b$"], upTo: 3).flatMap { segments in
        let path = segments.map { "/" + $0 }.joined()
        var cases = [Case(text: path + "/*", segments: segments, isOpen: true)]
        if !segments.isEmpty {
            let end = segments.last == "*" ? "$" : ""
            cases.append(Case(text: path + end, segments: segments, isOpen: false))
        }
        return cases
    }

    private static let paths = words(["a", "b$", "c", "", "..", "a%2Fb", "%41"], upTo: 4)
        .dropFirst()
        .map { segments in segments.map { "/" + $0 }.joined() }

    private func table(_ patterns: [Route.PathPattern]) throws -> RouteTable {
        var policy = try PolicyLoader.load(
            text: """
                listen: 127.0.0.1:0
                pools: {chat: {backends: ["http://127.0.0.1:1"]}}
                routes: [{path: /*, pool: chat}]
                """, file: "policy.yaml")
        policy.routes = patterns.map { pattern in
            var route = Route(path: pattern, pool: 0)
            // So that no route hides the next one.
            route.models = ["*"]
            return route
        }
        return RouteTable(policy)
    }

    @Test func allShortPatternsTakeWhatTheySay() throws {
        let cases = Self.cases
        #expect(cases.count > 150 && Self.paths.count > 2_500)
        let patterns = try cases.map { try Route.PathPattern.parse($0.text) }
        let table = try table(patterns)
        for (pattern, one) in zip(patterns, cases) {
            // `//*` is a beginning, as `/a/*` is, and is written as it was read.
            #expect(pattern.text == one.text)
        }
        for path in Self.paths {
            let taken = try table.candidates("GET \(path)")
            let expected = cases.indices.filter { cases[$0].takes(path) }
            #expect(taken == expected, "\(path)")
        }
    }

    @Test func whatIsNoSegmentIsTakenByNoStar() throws {
        let table = try table([
            .template("/m/*/infer", isPrefix: false), .template("/m/*", isPrefix: false),
            .template("/*/infer/", isPrefix: true),
        ])
        for text in Self.noSegments where !text.contains("\\") {
            #expect(try table.candidates("GET /m/\(text)/infer") == [], "\(text)")
            #expect(try table.candidates("GET /m/\(text)") == [], "\(text)")
            #expect(try table.candidates("GET /\(text)/infer/x") == [], "\(text)")
        }
        #expect(try table.candidates("GET /m/a.b..c/infer") == [0])
        #expect(try table.candidates("GET /m/a%20b/infer?x=/y/z") == [0])
        #expect(try table.candidates("GET /m/...") == [1])
        #expect(try table.candidates("GET /a/infer/") == [2])
        #expect(try table.candidates("GET http://h") == [])
        #expect(try table.candidates("OPTIONS *") == [])
    }

    @Test func aGatewayRoutesByThem() throws {
        let backend = try ScriptedBackend.serving { wire, request in
            try wire.answer(request.startLine)
        }
        let gateway = try RunningGateway(
            """
            listen: 127.0.0.1:0
            admin: off
            log: {access: off}
            pools: {chat: {backends: ["\(backend.url)"], limit: 1}}
            routes:
              - {path: /v2/models/*/infer, pool: chat, methods: [POST], models: ["detector-*"]}
              - {path: /v2/models/*$, pool: chat, methods: [GET]}

            """)
        let client = try gateway.connect()
        let requests = [
            ("POST /v2/models/detector-1/infer?a=b", 200), ("POST /v2/models/other/infer", 404),
            ("POST /v2/models/detector-1/load", 404), ("GET /v2/models/any", 200),
            ("GET /v2/models/any/trace/setting", 404),
            ("GET /v2/models/any%2Ftrace%2Fsetting", 404),
            ("GET /v2/models/", 404), ("GET /v2/models/any/", 404),
        ]
        for (request, status) in requests {
            try client.send("\(request) HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
            let answer = try client.readResponse()
            #expect(answer.status == status, "\(request)")
            if status == 200 { #expect(answer.bodyText == "\(request) HTTP/1.1") }
        }
    }

    /// One pattern covers another exactly where all paths of the other are its own.
    @Test func coveringIsHavingAllPaths() throws {
        let cases = Self.cases
        let patterns = try cases.map { try Route.PathPattern.parse($0.text) }
        // One of each kind of segment is enough to tell them apart; a bit for each path.
        let paths = Self.words(["a", "b$", "c", ""], upTo: 4).dropFirst()
            .map { segments in segments.map { "/" + $0 }.joined() }
        let sets = cases.map { one in
            stride(from: 0, to: paths.count, by: 64).map { start in
                paths[start..<min(start + 64, paths.count)].reduce(UInt64(0)) {
                    $0 << 1 | (one.takes($1) ? 1 : 0)
                }
            }
        }
        for (index, pattern) in patterns.enumerated() {
            for (other, otherPattern) in patterns.enumerated() {
                let isSuperset = zip(sets[index], sets[other]).allSatisfy { $1 & ~$0 == 0 }
                #expect(
                    pattern.covers(otherPattern) == isSuperset,
                    "\(pattern.text) covers \(otherPattern.text)")
            }
        }
    }
}
