// Random targets and fields through random rules: what a backend gets is what a plain reading of the rules says, or
// nothing, and no message becomes two.

import Admission
import Foundation
import Testing

@testable import Gateway
@testable import Policy
@testable import TestSupport

@Suite struct HeadRulesPropertyTests {
    /// One set of rules, as a policy has it and as they are read here.
    private struct Rules {
        var prefix = ""
        var strips = false
        var rewrite: String?
        var base = ""
        var poolPrefix = ""
        var passesAmbiguous = false

        init(_ random: inout SplitMix64) {
            prefix = ["/in", "/in/v1", "/a%20b"].randomElement(using: &random) ?? ""
            switch Int.random(in: 0..<3, using: &random) {
            case 0: strips = true
            case 1: rewrite = ["/out/*", "/*", "/fixed", "/x/y/*"].randomElement(using: &random)
            default: break
            }
            base = ["", "/base", "/base/v1"].randomElement(using: &random) ?? ""
            poolPrefix = ["", "/v1", "/out"].randomElement(using: &random) ?? ""
            passesAmbiguous = Bool.random(using: &random)
        }

        var route: String {
            var text = "path: \"\(prefix)/*\", pool: main"
            if strips { text += ", strip_prefix: \"\(prefix)\"" }
            if let rewrite { text += ", rewrite: \"\(rewrite)\"" }
            return text + ", request: {set_fields: {X-Set: ours}, remove_fields: [X-Gone]}"
        }

        var pool: String {
            let strip = poolPrefix.isEmpty ? "" : ", strip_prefix: \(poolPrefix)"
            return "main: {backends: [\"http://127.0.0.1:9\(base)\"]\(strip)}"
        }

        var changesPaths: Bool {
            strips || rewrite != nil || !base.isEmpty || !poolPrefix.isEmpty
        }

        /// The path that a backend is asked for; nil where the request is refused.
        func expected(_ path: String) -> String? {
            if isAmbiguous(path), changesPaths || !passesAmbiguous { return nil }
            guard path.hasPrefix(prefix + "/") else { return nil }
            let rest = String(path.dropFirst(prefix.count + 1))
            var out = path
            if strips { out = "/" + rest }
            if let rewrite { out = rewrite.replacing("*", with: rest) }
            if (strips || rewrite != nil) && out.hasPrefix("//") { return nil }
            if !poolPrefix.isEmpty {
                let left = String(out.dropFirst(poolPrefix.count))
                if out == poolPrefix || out.hasPrefix(poolPrefix + "/") && !left.hasPrefix("//") {
                    out = left
                }
            }
            return base + out == "" ? "/" : base + out
        }

        private func isAmbiguous(_ path: String) -> Bool {
            let decoded = path.removingPercentEncoding ?? path
            return path.lowercased().contains("%2f") || decoded.contains("\\")
                || decoded.contains("\0")
                || decoded.split(separator: "/").contains { $0 == "." || $0 == ".." }
        }
    }

    private static let parts = [
        "/", "/", "/in", "/v1", "/out", "/a%20b", "..", ".", "%2e", "%2F", "%5c", "%00", "a", "x=1",
        ":",
        "%41", "/fixed", "//", "*",
    ]

    private static let names = [
        "X-Set", "x-set", "x_set", "X-Gone", "X_GONE", "X-Kept", "X-Settled", "Connection",
    ]

    /// A request's head, with the path that it is for.
    private static func request(
        _ rules: Rules, _ random: inout SplitMix64
    ) -> (head: String, path: String, query: String, kept: [String]) {
        var path = Bool.random(using: &random) ? rules.prefix + "/" : "/"
        for _ in 0..<Int.random(in: 0..<5, using: &random) {
            path += parts.randomElement(using: &random) ?? ""
        }
        let query = ["", "?", "?a=/../b", "?x=//y%2f"].randomElement(using: &random) ?? ""
        let start = Bool.random(using: &random) ? "" : "http://h"
        var kept: [String] = []
        var fields = ""
        for _ in 0..<Int.random(in: 0..<6, using: &random) {
            let name = names.randomElement(using: &random) ?? ""
            let value = name == "Connection" ? "keep-alive, x-set" : "client"
            fields += "\(name): \(value)\r\n"
            if ["X-Kept", "X-Settled"].contains(name) { kept.append(name) }
        }
        return (
            "GET \(start)\(path)\(query) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n", path, query,
            kept.sorted()
        )
    }

    @Test(arguments: 1...8) func backendsGetWhatTheRulesSay(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for round in 0..<6 {
            let rules = Rules(&random)
            let ruled = try RuledWorld(
                pools: rules.pool, routes: [rules.route],
                server: rules.passesAmbiguous ? "ambiguous_paths: pass" : "")
            var forwarded = 0
            for _ in 0..<150 {
                let request = Self.request(rules, &random)
                let place: Comment = "seed \(seed), round \(round), \(rules): \(request.head)"
                let before = ruled.requests.count
                let answer = try ruled.ask(request.head)
                guard let expected = rules.expected(request.path) else {
                    #expect([400, 404].contains(answer.status), place)
                    #expect(ruled.requests.count == before, place)
                    continue
                }
                forwarded += 1
                #expect(answer.status == 204, place)
                #expect(ruled.requests.count == before + 1, place)
                let got = try #require(ruled.requests.last)
                #expect(got.startLine == "GET \(expected)\(request.query) HTTP/1.1", place)
                #expect(got.values("Host") == ["h"] && got.values("X-Set") == ["ours"], place)
                #expect(got.value("X-Gone") == nil && got.value("X_GONE") == nil, place)
                #expect(got.value("x_set") == nil, place)
                let kept = got.fields.filter { $0.hasSuffix(": client") }
                    .map { String($0.prefix { $0 != ":" }) }.sorted()
                #expect(kept == request.kept, place)
            }
            #expect(forwarded > 5, "seed \(seed), round \(round): too few are forwarded")
        }
    }
}
