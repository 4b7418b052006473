// Streams that are freed from the usage that their clients did not ask for.

import Foundation
import Testing

@testable import Inference

@Suite struct UsageFilterTests {
    private static let content =
        "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":null}\n\n"
    private static let both =
        "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":3}}\n\n"
    private static let usage =
        "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"details\":{\"a\":[1]}}}\n\n"
    private static let filtered = "data: {\"choices\":[],\"prompt_filter_results\":[{\"a\":1}]}\n\n"
    private static let null = "data: {\"choices\":[],\"usage\":null}\n\n"
    private static let done = "data: [DONE]\n\n"

    private func passed(_ text: String, piece: Int) -> String {
        var filter = UsageFilter()
        var passed: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let next = Array(rest.prefix(piece))
            rest = rest.dropFirst(piece)
            filter.read(next.span)
            passed += filter.passed
        }
        filter.finish()
        return String(decoding: passed + filter.passed, as: UTF8.self)
    }

    @Test(arguments: [
        content + usage + done, usage, content + usage, content + both + usage + done,
        filtered + content + null + usage + done, ": ping\n\n" + content + usage + done,
        ": ping\n\n" + usage + ": ping\n\n" + done, content + ": a\n\n: b\n\n\n" + usage + done,
        "retry: 9\n\n" + usage + done, "event: x\n\n" + usage, "\n\n" + usage + "\n" + done,
        content + done, "event: x\nid: 3\n" + content + usage + done, content + usage + content,
        "data: {\"usage\":{\"prompt_tokens\":1},\"choices\":[ ]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}\n\n", "data: nonsense\n\n",
        "data: {\"x\":{\"choices\":[],\"usage\":{}}}\n\n", content + "data: {\"choices\":[",
        "data: {\"usage\":{\"a\":{\"b\":1}},\"choices\":[[]]}\n\n",
    ])
    func onlyUsageIsTakenOut(text: String) {
        let others = ["data: {\"usage\":{\"prompt_tokens\":1},\"choices\":[ ]}\n\n"]
        var expected = text.replacing(Self.usage, with: "")
        for other in others { expected = expected.replacing(other, with: "") }
        for ending in ["\n", "\r\n", "\r"] {
            let stream = text.replacing("\n", with: ending)
            let wanted = expected.replacing("\n", with: ending)
            for piece in 1...stream.utf8.count {
                let got = passed(stream, piece: piece)
                #expect(got == wanted, "pieces of \(piece)")
                if got != wanted { return }
            }
        }
    }

    /// What stands among the lines of the event is not the event.
    @Test(
        arguments: [
            (": c\n" + usage, ": c\n"), ("retry: 3000\n" + usage, "retry: 3000\n"),
            ("id: 7\nevent: x\n" + usage, "id: 7\n"), ("id\n" + usage, "id\n"),
            (usage.dropLast() + ": c\nretry: 5\n\n", ": c\nretry: 5\n"),
            (": a\n\n: b\n" + usage, ": a\n\n: b\n"), ("database: 3\n" + usage, "database: 3\n"),
            (
                "data: {\"choices\":[],\n: c\ndata: \"usage\":{\"prompt_tokens\":1}}\n\n", ": c\n"
            ),
        ] as [(String, String)])
    func whatStandsAroundTheEventStays(_ text: String, _ kept: String) {
        for ending in ["\n", "\r\n", "\r"] {
            let stream = (Self.content + text + Self.done).replacing("\n", with: ending)
            let wanted = (Self.content + kept + Self.done).replacing("\n", with: ending)
            for piece in 1...stream.utf8.count {
                let got = passed(stream, piece: piece)
                #expect(got == wanted, "pieces of \(piece)")
                if got != wanted { return }
            }
        }
    }

    private static let counts = "{\"prompt_tokens\":3,\"details\":{\"a\":[1,{}]}}"

    /// What a client would miss stays, without the usage.
    @Test(arguments: [
        "{\"choices\":[],\"usage\":USAGE,\"timings\":{\"prompt_n\":1}}",
        "{\"timings\":{\"prompt_n\":1,\"usage\":{}},\"usage\": USAGE ,\"choices\":[]}",
        "{\"usage\":USAGE,\"choices\":[],\"id\":\"a\",\"citations\":[\"x\"]}",
        "{\"usage\":USAGE,\"choices\":[],\"x\":1}", "{\"usage\":USAGE,\"choices\":[],\"x\":\"y\"}",
        "{\"x\":false,\"usage\":USAGE,\"choices\":[]}",
    ])
    func whatSaysMoreStays(_ event: String) {
        for ending in ["\n", "\r\n", "\r"] {
            for before in ["", ": c\n", ": c\n\n", "id: 3\nevent: x\n"] {
                let frame = Self.content + before + "data: EVENT\n\n" + Self.done
                let text = frame.replacing("EVENT", with: event).replacing("\n", with: ending)
                let stream = text.replacing("USAGE", with: Self.counts)
                let wanted = text.replacing("USAGE", with: "null")
                for piece in 1...stream.utf8.count {
                    let got = passed(stream, piece: piece)
                    #expect(got == wanted, "pieces of \(piece)")
                    if got != wanted { return }
                }
            }
        }
    }

    /// What says whose the event is, and what is empty, says no more.
    @Test func anEnvelopeIsNotMissed() {
        let event =
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
            + "\"system_fingerprint\":\"f\",\"service_tier\":\"default\",\"obfuscation\":\"ab\",\"choices\":[],"
            + "\"usage\":\(Self.counts),\"a\":null,\"b\":{},\"c\":[ ],\"d\":\"\"}\n\n"
        for piece in [1, 7, 1_000] {
            #expect(
                passed(Self.content + event + Self.done, piece: piece) == Self.content + Self.done)
        }
    }

    /// Data of several lines stay as they are.
    @Test func whatIsCutIntoLinesPassesWhole() {
        let event =
            "data: {\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":1},\"timings\":{\"a\":1}}\n\n"
        #expect(passed(event + Self.done, piece: 5) == event + Self.done)
    }

    @Test func nothingWaitsThatIsComplete() {
        var filter = UsageFilter()
        for (text, expected) in [
            (Self.content, Self.content), (": ping\n\n", ": ping\n\n"), (Self.usage, ""),
            (Self.content + "data: {", Self.content), ("}\n\n", "data: {}\n\n"),
            (": ping\n\ndata: {", ": ping\n\n"), ("}\n\n", "data: {}\n\n"),
            (": ping\n\n" + Self.usage.prefix(20), ": ping\n\n"),
            (Self.usage.dropFirst(20) + ": ping\n\n", ": ping\n\n"),
        ] {
            let bytes = Array(text.utf8)
            filter.read(bytes.span)
            #expect(String(decoding: filter.passed, as: UTF8.self) == expected)
        }
    }

    @Test func aLongEventIsNotHeld() {
        let long =
            "data: {\"choices\":[],\"a\":\"\(String(repeating: "x", count: 50_000))\",\"usage\":{}}\n\n"
        var filter = UsageFilter()
        let bytes = Array(long.utf8)
        let begin = Array(bytes[..<20_000])
        let rest = Array(bytes[20_000...])
        filter.read(begin.span)
        #expect(filter.passed.count == 20_000)
        filter.read(rest.span)
        #expect(filter.passed.count == bytes.count - 20_000)
        let last = Array((Self.usage + Self.done).utf8)
        filter.read(last.span)
        #expect(String(decoding: filter.passed, as: UTF8.self) == Self.done)
    }
}
