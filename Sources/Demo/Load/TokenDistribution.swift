// How long responses are. Real lengths are spread out with a long tail, which matters here: it is
// what makes batches uneven and waits hard to predict.

package import Admission
internal import Glibc

/// A log-normal distribution of token counts, cut off at both ends.
package struct TokenDistribution: Equatable, Sendable {
    /// Half of the responses are shorter than this.
    package var median = 24.0
    /// Standard deviation of the natural logarithm.
    package var sigma = 0.6
    /// The shortest and the longest response.
    package var range = 4...64

    /// The demo's responses: 28 tokens on average.
    package init() {}

    /// Draws a length.
    package func draw(using random: inout SplitMix64) -> Int {
        // Box and Muller's transform; 1 - u is never 0.
        let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &random))).squareRoot()
        let normal = radius * cos(2 * Double.pi * Double.random(in: 0..<1, using: &random))
        let length = (median * exp(sigma * normal)).rounded()
        return min(max(Int(min(length, 1e9)), range.lowerBound), range.upperBound)
    }

    /// The mean length, which the ends that are cut off move: taken from many draws, always the
    /// same ones.
    package var mean: Double {
        var random = SplitMix64(seed: 1)
        let draws = 20_000
        var sum = 0
        for _ in 0..<draws { sum += draw(using: &random) }
        return Double(sum) / Double(draws)
    }
}
