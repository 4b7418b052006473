// What requests are expected to come to, by model.

import Inference
import Testing

@testable import Gateway

@Suite struct TokenEstimatesTests {
    private let request = TokenEstimates.Request(bodyBytes: 400)

    private func usage(_ input: Int, _ output: Int) -> TokenUsage {
        var usage = TokenUsage()
        usage.input = input
        usage.output = output
        return usage
    }

    private func name(_ index: Int) -> [UInt8] { Array("model-\(index)".utf8) }

    @Test func modelsAreToldApart() {
        let tokens = TokenEstimates()
        for _ in 0..<60 {
            tokens.learn(of: name(1), request, usage(200, 10))
            tokens.learn(of: name(2), request, usage(100, 90))
        }
        #expect(tokens.expected(of: name(1), request).output == 10)
        #expect(tokens.expected(of: name(2), request).output == 90)
        #expect(tokens.expected(of: name(1), request).input > 150)
        #expect(tokens.expected(of: name(2), request).input < 120)
        // What nothing was learnt of has the guess.
        #expect(
            tokens.expected(of: name(3), request)
                == TokenEstimates.Expected(input: 100, output: TokenEstimator.firstOutput))
    }

    /// Names that a backend answers to whatever they are do not drive out a model that is used.
    @Test func inventedNamesDoNotDriveOutWhatIsUsed() {
        let tokens = TokenEstimates()
        for _ in 0..<3 { tokens.learn(of: name(-1), request, usage(100, 7)) }
        for index in 0..<10 * TokenEstimates.mostModels {
            tokens.learn(of: name(index), request, usage(100, 1_000))
        }
        #expect(tokens.expected(of: name(-1), request).output == 7)
        #expect(tokens.expected(of: name(0), request).output == TokenEstimator.firstOutput)
        #expect(
            tokens.expected(of: name(10 * TokenEstimates.mostModels - 1), request).output == 1_000)
    }
}
