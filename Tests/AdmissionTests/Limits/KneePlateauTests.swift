import Testing

@testable import Admission

/// Throughput that more concurrency does not raise for a while, and then does.
@Suite struct KneePlateauTests {
    /// A server that does 100 units a second with up to so many requests, and beyond as many as those of 10 ms get.
    private static func server(
        until last: Int, meanUnits: Double = 10, streams: Bool, seed: UInt64
    ) -> BatchServer {
        let server = BatchServer(
            .knee(KneeLimitSettings()), base: 0.1, each: 0, meanUnits: meanUnits, streams: streams,
            seed: seed)
        server.plateau = (last, 100)
        // Past 20 requests more buy nothing.
        server.cliff = 20
        return server
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64], [true, false])
    func whatLiesBeyondIsFound(seed: UInt64, streams: Bool) {
        let server = Self.server(until: 12, streams: streams, seed: seed)
        defer { server.stop() }
        server.run(seconds: 120)
        let throughput = server.run(seconds: 120)
        #expect(throughput >= 160, "\(throughput) of 200, limit \(server.limit), seed \(seed)")
    }

    /// More is tried once, up to 32, and given up where it buys nothing.
    @Test(arguments: [1, 2, 3] as [UInt64], [true, false])
    func whereNothingLiesBeyondTheLimitReturns(seed: UInt64, streams: Bool) {
        let server = Self.server(until: 1000, streams: streams, seed: seed)
        defer { server.stop() }
        var highest = 0
        server.run(seconds: 120) { highest = max(highest, $0) }
        #expect((16...32).contains(highest), "\(highest), seed \(seed)")
        var later = 0
        server.run(seconds: 120) { later = max(later, $0) }
        #expect(later <= 8, "\(later), seed \(seed)")
    }

    /// Who bore a second may not bear half a minute.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func longResponsesAreNotKeptWaitingForIt(seed: UInt64) {
        let server = Self.server(until: 1000, meanUnits: 80, streams: false, seed: seed)
        defer { server.stop() }
        var highest = 0
        server.run(seconds: 600) { highest = max(highest, $0) }
        #expect(highest <= 8, "\(highest), seed \(seed)")
    }
}
