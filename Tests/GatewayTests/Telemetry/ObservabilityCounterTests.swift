// The counters and histograms themselves.

import Admission
import Gateway
import Testing

@testable import Telemetry

@Suite struct ObservabilityCounterTests {
    @Test func histogramCountsAValueBelowTheBoundItEquals() {
        var histogram = Histogram(bounds: [10, 20, 30])
        for value: Int64 in [-5, 0, 10, 11, 20, 30, 31, .max] {
            histogram.observe(nanoseconds: value)
        }
        #expect(histogram.counts == [3, 2, 1, 2])
        #expect(histogram.count == 8)
        #expect(histogram.sumNanoseconds == UInt128(Int64.max) + 102)
    }

    @Test func histogramFindsTheSameBucketAsAWalk() {
        let bounds = Histogram.durationBounds
        var values: [Int64] = []
        for bound in bounds { values += [bound - 1, bound, bound + 1] }
        for value in values {
            var histogram = Histogram(bounds: bounds)
            histogram.observe(nanoseconds: value)
            let expected = bounds.firstIndex { value <= $0 } ?? bounds.count
            #expect(histogram.counts[expected] == 1, "value \(value)")
        }
    }

    @Test func histogramSumDoesNotWrapAtSixtyFourBits() {
        var histogram = Histogram(bounds: [1])
        for _ in 0..<4 { histogram.observe(nanoseconds: .max) }
        #expect(histogram.sumNanoseconds == UInt128(Int64.max) * 4)
    }

    @Test func boundsAreThoseOfTheDesign() {
        #expect(Histogram.durationBounds.count == 22)
        #expect(Histogram.durationBounds.first == 1_000_000)
        #expect(Histogram.durationBounds.last == 2_560_000_000_000)
        #expect(
            Histogram.retryAfterBounds.map { $0 / 1_000_000_000 } == [
                1, 2, 3, 5, 8, 13, 20, 30, 45, 60,
            ])
    }

    @Test(arguments: [
        (200, "2xx"), (204, "2xx"), (299, "2xx"), (304, "3xx"), (400, "4xx"), (499, "4xx"),
        (500, "5xx"), (599, "5xx"), (0, "none"), (100, "none"), (101, "1xx"), (600, "none"),
        (-1, "none"),
    ])
    func statusClass(status: Int, name: String) {
        #expect(PoolMetrics.StatusClass(status: status).name == name)
    }

    @Test func eachDecisionAndReasonHasItsOwnCounter() {
        let pool = PoolMetrics(name: "p", backends: [])
        for reason in Reason.allCases {
            for _ in 0...Int(reason.rawValue) { pool.countRejected(reason, retryAfterSeconds: nil) }
            pool.countAbandoned(reason)
            for _ in 0..<2 { pool.countEnded(status: 404, reason: reason, totalNanoseconds: 1) }
        }
        pool.countForwarded(afterNanoseconds: 5)
        for reason in Reason.allCases {
            #expect(pool.count(of: .rejected, reason) == UInt64(reason.rawValue) + 1)
            #expect(pool.count(of: .abandoned, reason) == 1)
            #expect(pool.count(of: .forwarded, reason) == (reason == .none ? 1 : 0))
            #expect(pool.count(of: .clientError, reason) == 2)
            #expect(pool.count(of: .success, reason) == 0)
        }
        #expect(pool.retryAfter.count == 0)
        #expect(pool.queueWait.count == 1)
    }

    @Test func aReloadKeepsTheCountersOfBackendsThatStay() {
        let pool = PoolMetrics(name: "p", backends: ["http://a", "http://b"])
        let second = pool.backends[1]
        second.connectionsOpened = 7
        pool.replaceBackends(["http://b", "http://c"])
        #expect(pool.backends.map(\.label) == ["http://b", "http://c"])
        #expect(pool.backends[0] === second)
        #expect(pool.backends[1].connectionsOpened == 0)
    }

    @Test func openConnectionsAreThoseAcceptedAndNotClosed() {
        let gateway = GatewayMetrics(version: "1", startNanoseconds: 0)
        for _ in 0..<3 { gateway.countConnectionAccepted() }
        gateway.countConnectionClosed()
        #expect(gateway.connectionsOpen == 2)
    }

    @Test func aFailedReloadLeavesTheTimeOfTheLastGoodOne() {
        let gateway = GatewayMetrics(version: "1", startNanoseconds: 5)
        gateway.countReload(atNanoseconds: 10)
        gateway.countReloadFailure()
        #expect(gateway.lastReloadNanoseconds == 10)
        #expect(!gateway.lastReloadSucceeded)
        #expect((gateway.reloads, gateway.reloadFailures) == (1, 1))
        gateway.countReload(atNanoseconds: 20)
        #expect(gateway.lastReloadSucceeded)
    }
}
