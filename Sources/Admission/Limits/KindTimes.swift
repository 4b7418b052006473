// How long requests took at one level, by kind. Where short requests and long ones come together, their mean time
// hardly says anything: it changes with who happens to be served, and who is served changes with the level. Requests
// of one tenant and class, and of about the same expected cost, are mostly alike, so that times are compared kind by
// kind and put together for the same mixture at both levels: post-stratification (Holt and Smith, "Post
// Stratification", 1979).

/// Sums over requests that ended at one level, for each of eight kinds.
struct KindTimes: Sendable {
    /// Into how many kinds requests are sorted; several may share one, which then tells them apart no more.
    private static let kinds = 8
    /// The square of the relative standard error that the time of a single request of a kind is taken to have.
    private static let varianceOfOne = 1.0

    /// The requests of one kind.
    private struct Sum: Sendable {
        var count = 0.0
        var seconds = 0.0
        var squares = 0.0

        var mean: Double { seconds / count }

        /// The square of the mean's relative standard error; infinite below two requests.
        var relativeVariance: Double {
            guard count > 1, seconds > 0 else { return .infinity }
            let rest = squares - seconds * seconds / count
            return max(0, rest) / (seconds * seconds) * count / (count - 1)
        }

        mutating func add(_ other: Sum) {
            count += other.count
            seconds += other.seconds
            squares += other.squares
        }
    }

    /// A mean time, and the square of its relative standard error.
    typealias Mean = (seconds: Double, variance: Double)

    private var sums = InlineArray<8, Sum>(repeating: Sum())
    private(set) var count = 0.0
    private(set) var seconds = 0.0

    /// Takes in a request of a kind that took so long; kinds that are the same modulo eight count as one.
    @inline(__always) mutating func add(seconds newSeconds: Double, kind: UInt8) {
        count += 1
        seconds += newSeconds
        let index = Int(kind) % Self.kinds
        sums[index].count += 1
        sums[index].seconds += newSeconds
        sums[index].squares += newSeconds * newSeconds
    }

    mutating func add(_ other: KindTimes) {
        count += other.count
        seconds += other.seconds
        for index in sums.indices { sums[index].add(other.sums[index]) }
    }

    /// Mean seconds of a request; nil before the first one.
    var meanSeconds: Double? { seconds > 0 ? seconds / count : nil }

    /// The square of the relative standard error of the mean, for the mixture that there was; infinite below two
    /// requests.
    var relativeVariance: Double {
        guard count > 1, seconds > 0 else { return .infinity }
        var sum = 0.0
        for index in sums.indices where sums[index].count > 0 {
            let part = sums[index].seconds / seconds
            let known = sums[index].relativeVariance
            sum += part * part * (known.isFinite ? known : Self.varianceOfOne)
        }
        return sum
    }

    /// The mean times at two levels for the same mixture; nil where no kind was seen at both.
    ///
    /// Kinds of which one level has not two requests count together as one, where that has two.
    static func means(low: KindTimes, high: KindTimes) -> (low: Mean, high: Mean)? {
        var of = (low: Mixture(), high: Mixture())
        var rest = (low: Sum(), high: Sum())
        for index in low.sums.indices {
            let (one, other) = (low.sums[index], high.sums[index])
            if one.count > 1, other.count > 1 {
                let count = one.count + other.count
                of.low.add(one, count)
                of.high.add(other, count)
            } else {
                rest.low.add(one)
                rest.high.add(other)
            }
        }
        if rest.low.count > 1 && rest.high.count > 1 || of.low.seconds == 0 {
            guard rest.low.count > 0, rest.high.count > 0 else { return nil }
            let count = rest.low.count + rest.high.count
            of.low.add(rest.low, count)
            of.high.add(rest.high, count)
        }
        guard of.low.seconds > 0, of.high.seconds > 0 else { return nil }
        return (of.low.mean, of.high.mean)
    }

    /// The time of a mixture with so many of each kind.
    private struct Mixture {
        var seconds = 0.0
        private var errors = 0.0

        mutating func add(_ sum: Sum, _ count: Double) {
            let part = count * sum.mean
            seconds += part
            errors += part * part * sum.relativeVariance
        }

        var mean: Mean { (seconds, errors / (seconds * seconds)) }
    }
}
