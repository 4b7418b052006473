// Limits that are kept over a restart: what the file says, what is let go, and what is said of files that say
// something else.

import Admission
import Foundation
import Testing

@testable import Policy

@Suite struct LearntLimitsTests {
    private static let week = LearntLimits.longestSeconds
    private static let now = 1_800_000_000

    private func learnt(_ limits: [String: Double], pool: String = "chat", at now: Int = now)
        -> LearntLimits
    {
        var learnt = LearntLimits()
        learnt.take([(pool, limits)], now: now)
        return learnt
    }

    private func faults(_ text: String) -> [String] {
        do throws(PolicyError) {
            _ = try LearntLimits.read(text: text, file: "s.json", now: Self.now)
            return []
        } catch {
            return error.diagnostics.map(\.description)
        }
    }

    @Test func theFileSaysWhatWasFound() throws {
        let found = learnt(["http://a:1": 57.26, "http://b:1 \"x\"\u{1}é": 3])
        let read = try LearntLimits.read(text: found.text, file: "s.json", now: Self.now)
        #expect(read == found)
        #expect(read.limits(ofPool: "chat") == ["http://a:1": 57.3, "http://b:1 \"x\"\u{1}é": 3])
        #expect(read.limits(ofPool: "other").isEmpty)
        #expect(LearntLimits().text == "[]\n")
        #expect(try LearntLimits.read(text: "[]", file: "s.json", now: 0) == LearntLimits())
    }

    /// What nothing is known of stays, until it is a week old; what is found anew is new.
    @Test func entriesLastForAWeek() throws {
        var kept = learnt(["a": 10, "b": 20])
        kept.take([("chat", ["a": 11])], now: Self.now + 100)
        #expect(kept.entries.map(\.limit) == [11, 20])
        #expect(kept.entries.map(\.foundAt) == [Self.now + 100, Self.now])
        kept.take([], now: Self.now + Self.week)
        #expect(kept.entries.count == 2)
        kept.take([], now: Self.now + Self.week + 1)
        #expect(kept.entries.map(\.backend) == ["a"])
        // Written under a clock that was ahead.
        let text = learnt(["a": 10], at: Self.now + 1).text
        #expect(try LearntLimits.read(text: text, file: "s.json", now: Self.now).entries.isEmpty)
    }

    @Test func theOldestGiveWay() {
        var kept = learnt(["old": 5])
        let many = (0..<LearntLimits.mostEntries).map { ("b\($0)", Double($0 % 100 + 1)) }
        kept.take([("chat", Dictionary(uniqueKeysWithValues: many))], now: Self.now + 1)
        #expect(kept.entries.count == LearntLimits.mostEntries)
        #expect(!kept.entries.contains { $0.backend == "old" })
        #expect(kept.text.utf8.count < PolicyLoader.maxBytes)
    }

    @Test func whatIsNoLimitIsNotKept() {
        let kept = learnt(["a": .nan, "b": .infinity, "c": 0.5, "d": 100_001, "e": 1])
        #expect(kept.entries.map(\.backend) == ["e"])
    }

    @Test(arguments: [
        ("", "s.json:1:1: error: state file: "),
        ("{", "s.json:2:1: error: state file: the file is not valid YAML"),
        ("{}", "s.json:1:1: error: state file: found a mapping"),
        ("[{pool: a, backend: b, limit: 3}]", "s.json:1:2: error: [0].found_at: is missing"),
        ("[{pool: a, backend: b, limit: 0, found_at: 1}]", "s.json:1:31: error: [0].limit"),
        ("[{pool: a, backend: b, limit: 3, found_at: 1, x: 1}]", "s.json:1:47: error: [0].x"),
    ])
    func faultsNameTheirPlace(text: String, begins: String) {
        let found = faults(text)
        #expect(found.first?.hasPrefix(begins) == true, "\(found)")
    }

    /// A file that was cut off anywhere is either read as it was meant or refused, and never taken for another one.
    @Test func aFileThatIsCutOffIsRefused() {
        let text = learnt(["http://a:1": 57.26, "http://b:1": 3]).text
        let bytes = Array(text.utf8)
        for count in 0..<(bytes.count - 1) {
            let cut = String(decoding: bytes[..<count], as: UTF8.self)
            if cut.hasSuffix("]") { continue }
            #expect(!faults(cut).isEmpty, "\(cut)")
        }
        #expect(faults(text + "garbage").isEmpty == false)
    }

    /// What is in force elsewhere is what was found of late, and nothing where nobody hands anything over.
    @Test func whatIsInForceWasFoundOfLate() {
        var limits = LearntLimits()
        limits.take([("p", ["old": 4, "new": 8]), ("q", ["old": 2])], now: Self.now - 100)
        limits.take([("p", ["new": 9])], now: Self.now)
        #expect(limits.backendsInForce(ofPool: "p").isEmpty)
        limits.inForceSince = Self.now - 90
        #expect(limits.backendsInForce(ofPool: "p") == ["new"])
        #expect(limits.backendsInForce(ofPool: "q").isEmpty)
    }

    @Test func whereThereIsNoFileNothingIsKnown() throws {
        let path = NSTemporaryDirectory() + "/penstock-state-\(UInt64.random(in: 0...(.max)))"
        #expect(try LearntLimits.read(path: path, now: Self.now) == LearntLimits())
        let found = learnt(["a": 2])
        try TextFile.write(found.text, path: path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try LearntLimits.read(path: path, now: Self.now) == found)
        #expect(throws: PolicyError.self) { try LearntLimits.read(path: "/", now: Self.now) }
    }
}
