// Patterns of names, names in paths, and what is expected of their requests.

import Testing

@testable import Inference

@Suite struct ModelNameTests {
    @Test(arguments: [
        ("a", "a", true), ("a", "b", false), ("a", "", false), ("*", "", true), ("*", "abc", true),
        ("qwen*", "qwen2.5-7b", true), ("qwen*", "q", false), ("*-8b", "llama-8b", true),
        ("*-8b", "llama-8b-x", false), ("a*b*c", "a-b-b-c", true), ("a*b*c", "acb", false),
        ("**", "x", true), ("*ab", "aab", true), ("a*a", "a", false),
    ])
    func patterns(_ pattern: String, _ name: String, _ fits: Bool) {
        #expect(ModelPattern(pattern).matches(Array(name.utf8).span) == fits)
        #expect(ModelPattern(pattern).isGlob == pattern.contains("*"))
    }

    @Test(
        arguments: [
            ("/v2/models/llama%2F8b/infer", "llama/8b"), ("/v2/models/m", "m"),
            ("/v2/models/m/versions/1/generate_stream", "m"), ("/v2/models/", nil),
            ("/v2/models/%zz/infer", nil), ("/v2/models/a%0Ab", nil), ("/v2/models/%4", nil),
            ("/openai/deployments/gpt/chat/completions", "gpt"), ("/v1/models/m", nil),
            ("/v2/mod%65ls/m/infer", "m"), ("/%762/models/a%2Fb", "a/b"),
            ("%2fv2%2Fmodels%2fm/infer", "m"), ("/v2/m%6f%64els/m", "m"),
            ("//v2/models/m", "m"), ("/v2///models//m/infer", "m"), ("/v2/models//", nil),
            ("/openai/%64eployments/gpt/completions", "gpt"), ("/v2/mod%6Gls/m", nil),
            ("/v2/mod%2565ls/m", nil), ("/v2/model%", nil), ("/v2/model%7", nil),
            ("/v2/model%73", nil), ("/v2/models%2", nil), ("/V2/models/m", nil),
        ] as [(String, String?)])
    func paths(_ path: String, _ model: String?) {
        let bytes = Array(path.utf8)
        var name: [UInt8] = []
        let isNamed =
            ModelPath.range(in: bytes.span).map {
                ModelPath.decode(bytes.span.extracting($0), into: &name)
            } ?? false
        #expect((isNamed ? String(decoding: name, as: UTF8.self) : nil) == model)
    }

    @Test func estimatesFollowWhatIsReported() {
        var estimator = TokenEstimator()
        #expect(estimator.input(bodyBytes: 4_000) == 1_000)
        #expect(estimator.input(bodyBytes: 0) == 0)
        #expect(estimator.output(maxTokens: nil) == TokenEstimator.firstOutput)
        #expect(estimator.output(maxTokens: 10, choices: 3) == 30)
        for _ in 0..<400 {
            estimator.learn(bodyBytes: 1_000, TokenUsage(input: 500, output: 40), tenant: 1)
            estimator.learn(
                bodyBytes: 1_000, TokenUsage(input: 500, output: 160), choices: 2, tenant: 2)
        }
        #expect((490...510).contains(estimator.input(bodyBytes: 1_000)))
        #expect((39...41).contains(estimator.output(maxTokens: nil, tenant: 1)))
        #expect((79...81).contains(estimator.output(maxTokens: nil, tenant: 2)))
        #expect((50...70).contains(estimator.output(maxTokens: 2_000, tenant: 99)))
    }

    @Test func anEstimatorOfManyTenantsStaysBounded() {
        var estimator = TokenEstimator()
        for tenant in 1...100_000 as ClosedRange<UInt64> {
            estimator.learn(bodyBytes: 10, TokenUsage(input: 5, output: 7), tenant: tenant)
        }
        #expect(estimator.output(maxTokens: nil, tenant: 5) == 7)
    }
}
