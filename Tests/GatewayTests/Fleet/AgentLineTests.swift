// Lines that say what a backend may be sent, as HAProxy's agents and operators write them.

import Testing

@testable import Admission
@testable import Gateway

@Suite struct AgentLineTests {
    private func apply(
        _ line: String, to signal: BackendSignal = BackendSignal()
    ) throws(AgentLine.Fault) -> BackendSignal {
        var next = signal
        try AgentLine.apply(Array(line.utf8), to: &next)
        return next
    }

    @Test func eachWordSaysItsPart() throws {
        #expect(try apply("drain").state == .drain)
        #expect(try apply("maint").state == .maint)
        #expect(try apply("down").state == .down)
        #expect(try apply("DRAIN MaxConn:3").ceiling == 3)
        #expect(try apply("fail#disk is full, really").state == .down)
        #expect(try apply("stopped").state == .down)
        #expect(try apply("75%").share == 0.75)
        #expect(try apply("weight:5%").share == 0.05)
        #expect(try apply("150%").share == 1)
        #expect(try apply("0%").state == .drain)
        #expect(try apply("maxconn:30").ceiling == 30)
        #expect(try apply("maxconn:30\tup,ready 50%\r\nwhatever").ceiling == 30)
        #expect(try apply("maxconn:30\tup,ready 50%\r\nwhatever").share == 0.5)
    }

    @Test func whatIsNotSaidStays() throws {
        var signal = try apply("drain maxconn:30 50%")
        signal = try apply("maxconn:20", to: signal)
        #expect(signal.order == .drain)
        #expect(signal.share == 0.5)
        #expect(signal.ceiling == 20)
        // Who is down while drained is drained afterwards.
        signal = try apply("down#why", to: signal)
        #expect(signal.state == .down)
        signal = try apply("up", to: signal)
        #expect(signal.state == .drain)
        signal = try apply("ready 100%, maxconn:0", to: signal)
        #expect(signal == BackendSignal())
    }

    @Test(arguments: [
        "", " ", ",", "\ndrain", "drained", "75", "%", "-5%", "7 5 %", "weight:75",
        "weight:%",
        "maxconn:", "maxconn:-1", "maxconn:3.5", "maxconn:99999999", "drain please", "state=drain",
        "up#why", "\u{0}", "\u{1b}[2J",
    ])
    func whatIsNotKnownChangesNothing(_ line: String) {
        var signal = BackendSignal()
        signal.ceiling = 5
        let before = signal
        #expect(throws: AgentLine.Fault.self) {
            try AgentLine.apply(Array(line.utf8), to: &signal)
        }
        #expect(signal == before)
    }

    @Test func faultsAreShortAndPlain() throws {
        let fault = AgentLine.Fault.word("x")
        #expect(fault.description.hasPrefix("\"x\" is not known; write a line of the words "))
        do throws(AgentLine.Fault) {
            _ = try apply("\u{1b}]0;\"\(String(repeating: "é", count: 500))")
            Issue.record("it was taken")
        } catch {
            #expect(error.description.utf8.count < 200)
            #expect(error.description.utf8.allSatisfy { (0x20...0x7e).contains($0) })
        }
        #expect(throws: AgentLine.Fault.tooLong) {
            try apply(String(repeating: " ", count: 2_000) + "drain")
        }
    }

    @Test func garbageChangesNothing() {
        let seed: UInt64 = 4711
        var random = SplitMix64(seed: seed)
        for _ in 0..<20_000 {
            let bytes = (0..<random.next(below: 30)).map { _ in
                UInt8(truncatingIfNeeded: random.next())
            }
            var signal = BackendSignal()
            try? AgentLine.apply(bytes, to: &signal)
            #expect((0...1).contains(signal.share), "seed \(seed)")
        }
    }
}
