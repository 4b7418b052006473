// Load reports in every spelling that servers use, and what is none.

import Testing

@testable import Inference

@Suite struct LoadReportReaderTests {
    private func read(
        _ text: String, _ spelling: LoadReportReader.Spelling = .prefixed
    ) -> LoadReport? {
        LoadReportReader.read(Array(text.utf8).span, spelling)
    }

    private func report(_ queued: Double?, _ cacheUse: Double?) -> LoadReport {
        var report = LoadReport()
        report.queued = queued
        report.cacheUse = cacheUse
        return report
    }

    /// `{cpu_utilization: 0.5, named_metrics: {kv_cache_usage_perc: 0.25, num_requests_waiting: 3}}`, by protoc.
    private static let message: [UInt8] =
        [0x09] + double(0.5) + entry("kv_cache_usage_perc", 0.25)
        + entry("num_requests_waiting", 3)

    private static func double(_ value: Double) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> UInt64(8 * $0)) }
    }

    private static func entry(_ name: String, _ value: Double, map: UInt8 = 8) -> [UInt8] {
        let key = Array(name.utf8)
        return [map << 3 | 2, UInt8(key.count + 11), 0x0a, UInt8(key.count)] + key + [0x11]
            + double(value)
    }

    private static func base64(_ bytes: [UInt8], pads: Bool = true) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        var index = 0
        while index < bytes.count {
            let left = min(3, bytes.count - index)
            var word = 0
            for offset in 0..<3 {
                word = word << 8 | (offset < left ? Int(bytes[index + offset]) : 0)
            }
            for place in 0..<4 {
                if place <= left {
                    text.append(letters[word >> (18 - 6 * place) & 63])
                } else if pads {
                    text.append("=")
                }
            }
            index += 3
        }
        return text
    }

    @Test(arguments: [
        // vLLM and Triton.
        "TEXT named_metrics.kv_cache_usage_perc=0.25, named_metrics.num_requests_waiting=3.0",
        "TEXT named_metrics.kv_cache_utilization=2.5e-1,named_metrics.num_requests_waiting=3",
        // Envoy, and an older one.
        "TEXT cpu_utilization:0.3,named_metrics.kv_cache_usage_perc:.25,named_metrics.num_requests_waiting:3",
        "named_metrics.kv_cache_usage_perc:0.25 , named_metrics.num_requests_waiting : 3 ,",
        "JSON {\"named_metrics\":{\"kv_cache_usage_perc\":0.25,\"num_requests_waiting\":3.0}}",
        "JSON { \"namedMetrics\" : {\"num_requests_waiting\": \"3\"}, \"rps\": \"7\", \"eps\": null, "
            + "\"utilization\": {\"kv_cache_usage_perc\": 25e-2}}",
        "BIN " + base64(message), "BIN " + base64(message, pads: false),
    ])
    func everySpellingIsRead(_ text: String) {
        #expect(read(text) == report(3, 0.25))
    }

    @Test func eachFieldHasItsOwn() {
        let json = "{\"named_metrics\":{\"num_requests_waiting\":1}}"
        #expect(read(json, .json) == report(1, nil))
        #expect(read(json, .binary) == nil)
        #expect(read(json) == nil)
        #expect(read(Self.base64(Self.message), .binary) == report(3, 0.25))
        #expect(read(Self.base64(Self.message), .json) == nil)
    }

    @Test func whatIsNotKnownIsPassedOver() {
        #expect(read("TEXT cpu_utilization=7, named_metrics.x=-3") == report(nil, nil))
        #expect(read("TEXT request_cost.num_requests_waiting=3") == report(nil, nil))
        #expect(read("TEXT num_requests_waiting=3") == report(nil, nil))
        #expect(read("TEXT ") == report(nil, nil))
        #expect(read("JSON {}") == report(nil, nil))
        #expect(read("BIN ") == report(nil, nil))
        let unknown: [UInt8] =
            [0x18, 0xff, 0x01, 0x7a, 0x02, 0x00, 0x00, 0x7d, 0, 0, 0, 0] + Self.message
        #expect(read(Self.base64(unknown), .binary) == report(3, 0.25))
        #expect(
            read("TEXT named_metrics.vllm:x=1,named_metrics.num_requests_waiting=2")
                == report(2, nil))
    }

    @Test(arguments: [
        "TEXT named_metrics.x=nan", "TEXT named_metrics.x=inf", "TEXT named_metrics.x=-Infinity",
        "TEXT named_metrics.x=0x10", "TEXT named_metrics.x=1e999", "TEXT named_metrics.x=",
        "TEXT named_metrics.x", "TEXT =1", "TEXT a=1, a=1", "TEXT a=1 b=2",
        "TEXT named_metrics.num_requests_waiting=-1", "TEXT named_metrics.kv_cache_usage_perc=1.5",
        "JSON", "JSON {", "JSON []", "JSON 3", "JSON {\"a\":NaN}", "JSON {\"a\":\"NaN\"}",
        "JSON {\"a\":true}", "JSON {\"a\":[1]}", "JSON {\"a\":{\"b\":1}}", "JSON {\"a\":1}}",
        "JSON {\"a\":1,\"a\":1}", "JSON {\"utilization\":{\"a\":{}}}",
        "JSON {\"utilization\":{\"a\":1,\"a\":1}}",
        "BIN *", "BIN A", "BIN AAAA====", "BIN CQ==", "BIN AA==", "BIN /////w==",
        "text a=x", "XML a=1 ",
    ])
    func whatIsNoReportSaysNothing(_ text: String) {
        #expect(read(text) == nil)
    }

    @Test func boundsHold() {
        let entries = (0..<65).map { "named_metrics.a\($0)=1" }
        #expect(read("TEXT " + entries.dropLast().joined(separator: ",")) != nil)
        #expect(read("TEXT " + entries.joined(separator: ",")) == nil)
        let long = "TEXT " + String(repeating: " ", count: LoadReport.mostBytes - 8)
        #expect(read(long + "a=1") == report(nil, nil))
        #expect(read(long + " a=1") == nil)
        let twice = Self.entry("num_requests_waiting", 1)
        #expect(read(Self.base64(twice), .binary) == report(1, nil))
        #expect(read(Self.base64(twice + twice), .binary) == nil)
        #expect(read(Self.base64(Self.entry("x", .nan)), .binary) == nil)
    }

    @Test func garbageAndCutMessagesNeverCrash() {
        let seed: UInt64 = 20_261_128
        var random = SystemlessRandom(seed)
        for _ in 0..<20_000 {
            var bytes = Self.message
            for _ in 0..<random.next(below: 4) {
                bytes[random.next(below: bytes.count)] = UInt8(random.next(below: 256))
            }
            bytes.removeLast(random.next(below: bytes.count))
            let report = read(Self.base64(bytes), .binary)
            if let use = report?.cacheUse { #expect((0...1).contains(use), "seed \(seed)") }
            if let queued = report?.queued { #expect(queued >= 0, "seed \(seed)") }
            let text = String(decoding: bytes, as: UTF8.self)
            _ = (read("TEXT \(text)"), read("JSON \(text)"), read("BIN \(text)"), read(text))
        }
    }
}

/// Numbers that follow from a seed (Knuth's MMIX).
private struct SystemlessRandom {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next(below bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(bound))
    }
}
