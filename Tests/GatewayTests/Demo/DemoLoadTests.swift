// The demo's arrivals and lengths, which the seed alone decides, and what is counted of them.

import Admission
import Testing

@testable import Demo

struct DemoLoadTests {
    private let start = Instant(nanoseconds: 5_000)

    @Test(arguments: [1, 2, 3] as [UInt64])
    func arrivalsArePoisson(seed: UInt64) {
        var arrivals = PoissonArrivals(ratePerSecond: 200, from: start, seed: seed)
        let count = 20_000
        var last = start
        var sum = 0.0
        var squares = 0.0
        for _ in 0..<count {
            let gap = arrivals.next.seconds(since: last)
            #expect(gap >= 0)
            sum += gap
            squares += gap * gap
            last = arrivals.next
            arrivals.advance()
        }
        let mean = sum / Double(count)
        let deviation = (squares / Double(count) - mean * mean).squareRoot()
        // The mean gap is 5 ms with a standard error of .7 %; gaps of a Poisson process vary by as
        // much as their mean.
        #expect(abs(mean - 0.005) < 0.005 * 0.03, "seed \(seed)")
        #expect(abs(deviation / mean - 1) < 0.05, "seed \(seed)")
    }

    @Test func theSeedDecidesTheWorkload() {
        func requests(_ seed: UInt64) -> [PlannedRequest] {
            var workload = Workload(
                ratePerSecond: 100, tokens: TokenDistribution(), retryShare: 0.25, from: start,
                seed: seed)
            return (0..<2_000).map { _ in workload.next() }
        }
        let first = requests(1)
        #expect(first == requests(1))
        #expect(first != requests(2))
        #expect(zip(first, first.dropFirst()).allSatisfy { $0.at <= $1.at })
        let streams = first.count { $0.completion.isStreamed }
        #expect((850...1_150).contains(streams))
        let returning = first.count { $0.comesBack }
        #expect((400...600).contains(returning))
    }

    @Test func lengthsAreSpreadOutAroundTheirMedian() {
        let distribution = TokenDistribution()
        var random = SplitMix64(seed: 11)
        let lengths = (0..<10_000).map { _ in distribution.draw(using: &random) }.sorted()
        #expect(lengths.first.map { $0 >= 4 } == true)
        #expect(lengths.last == 64)
        #expect((23...25).contains(lengths[5_000]))
        // Far from a bell around the median: a tenth are more than twice as long.
        #expect(lengths[9_000] > 46)
        let mean = Double(lengths.reduce(0, +)) / Double(lengths.count)
        #expect(abs(mean - distribution.mean) < 0.6)
        #expect(mean > 26)
    }

    @Test func retriesComeBackInTheOrderOfTheirTimes() {
        func request(_ nanoseconds: Int64) -> PlannedRequest {
            PlannedRequest(
                at: Instant(nanoseconds: nanoseconds),
                completion: CompletionRequest(tokens: 1, isStreamed: false), comesBack: true)
        }
        var schedule = RetrySchedule()
        for time in [50, 10, 30, 20, 40] as [Int64] {
            let isTaken = schedule.insert(request(time))
            #expect(isTaken)
        }
        let early = schedule.popDue(now: Instant(nanoseconds: 9))
        #expect(early == nil)
        var times: [Int64] = []
        while let due = schedule.popDue(now: Instant(nanoseconds: 35)) {
            times.append(due.at.nanoseconds)
        }
        #expect(times == [10, 20, 30])
        #expect(schedule.count == 2)
    }

    @Test func quantilesAreExactToFivePercent() {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(0.5) == nil)
        for milliseconds in 1...1_000 { histogram.add(seconds: Double(milliseconds) / 1_000) }
        for quantile in [0.01, 0.5, 0.99, 1] {
            let found = histogram.quantile(quantile) ?? 0
            #expect(abs(found / quantile - 1) < 0.05, "quantile \(quantile) is \(found)")
        }
        let earlier = histogram
        histogram.add(seconds: 1e9)
        histogram.add(seconds: 0)
        let added = histogram.since(earlier)
        #expect(added.count == 2)
        #expect(added.quantile(0.5).map { $0 < 0.001 } == true)
    }

    @Test func completionRequestsAreReadFromBodies() {
        let request = CompletionRequest(tokens: 37, isStreamed: true)
        #expect(CompletionRequest(body: Array(request.body.utf8)) == request)
        let loose = CompletionRequest(body: Array("{\"stream\": false, \"max_tokens\": 5}".utf8))
        #expect(loose == CompletionRequest(tokens: 5, isStreamed: false))
        #expect(CompletionRequest(body: []) == CompletionRequest(tokens: 16, isStreamed: false))
        let huge = CompletionRequest(body: Array("{\"max_tokens\":99999999}".utf8))
        #expect(huge.tokens == 4_096)
    }
}
