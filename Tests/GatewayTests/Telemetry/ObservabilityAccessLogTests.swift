// Access log lines: every field, hostile bytes, and which requests are picked.

import Admission
import Foundation
import Gateway
import HTTP1
import Inference
import Policy
import Testing

@testable import Telemetry

@Suite struct ObservabilityAccessLogTests {
    private static let moment: Int64 = 1_700_000_123_456_789_000

    /// Logs by `body` and returns the file's lines.
    private func lines(
        _ settings: LogSettings = LogSettings(), seed: UInt64 = 1, _ body: (inout AccessLog) -> Void
    ) throws -> [String] {
        let folder = try TemporaryFolder()
        let writer = try LogWriter(destination: .file(path: folder.file("access")))
        var log = AccessLog(writer: writer, settings: settings, seed: seed)
        body(&log)
        #expect(writer.close(within: .seconds(10)))
        return try folder.lines("access").map(String.init)
    }

    /// The objects of one request each whose paths are `paths` and whose hosts are `host`.
    private func objects(
        paths: [[UInt8]], host: (Int) -> [UInt8] = { _ in [] }
    ) throws -> [[String: Any]] {
        let found = try lines { log in
            for (index, path) in paths.enumerated() {
                let record = AccessRecord(
                    wallNanoseconds: ObservabilityAccessLogTests.moment, status: 200, reason: .none)
                log.log(
                    record, requestID: [UInt8]().span, client: [UInt8]().span,
                    method: [UInt8]().span, path: path.span, host: host(index).span)
            }
        }
        try #require(found.count == paths.count)
        return try found.map { try jsonObject($0) }
    }

    private func loggedPath(_ path: [UInt8]) throws -> String? {
        try objects(paths: [path])[0]["path"] as? String
    }

    private func logPlain(_ log: inout AccessLog, status: Int, reason: Reason = .none) {
        let record = AccessRecord(wallNanoseconds: 0, status: status, reason: reason)
        log.log(
            record, requestID: "r".utf8.span, client: "c".utf8.span, method: "GET".utf8.span,
            path: "/".utf8.span, host: "h".utf8.span)
    }

    @Test func whatObservingWouldHaveRefusedIsNamed() throws {
        let found = try lines { log in
            var record = AccessRecord(wallNanoseconds: 0, status: 200, reason: .none)
            record.withheld = .waitTooLong
            log.log(
                record, requestID: "r".utf8.span, client: "c".utf8.span, method: "GET".utf8.span,
                path: "/".utf8.span, host: "h".utf8.span)
            logPlain(&log, status: 200)
        }
        let objects = try found.map { try jsonObject($0) }
        #expect(objects[0]["would_be_refused"] as? String == "wait_too_long")
        #expect(objects[0]["reason"] as? String == "none")
        #expect(objects[1]["would_be_refused"] == nil)
    }

    @Test func theFullLine() throws {
        let pool = PoolMetrics(
            name: "chat", backends: ["http://10.0.0.11:8000", "http://10.0.0.12:8000"],
            classes: ["paid"])
        let found = try lines { log in
            var record = AccessRecord(
                wallNanoseconds: ObservabilityAccessLogTests.moment, status: 503,
                reason: .upstreamClosed)
            record.pool = pool
            record.backend = pool.backends[0]
            record.formerBackends = [pool.backends[1], pool.backends[0]]
            record.hasFallenBack = true
            record.tenant = Array("ac\"me".utf8)
            record.tenantHash = 0x0123_4567_89ab_cdef
            record.priorityClass = pool.classes[0]
            record.model = [0x6d, 0xff]
            record.usage = TokenUsage(input: 12, output: 0)
            record.queueNanoseconds = 1_234_567
            record.connectNanoseconds = 0
            record.firstByteNanoseconds = 20_000_000
            record.totalNanoseconds = 61_000_999_999
            record.bytesIn = 512
            record.bytesOut = 1 << 40
            record.attempts = 2
            record.reused = true
            log.log(
                record, requestID: "4bf92f35".utf8.span, client: "203.0.113.7:51234".utf8.span,
                method: "POST".utf8.span, path: "/v1/chat?key=secret".utf8.span,
                host: "api.example".utf8.span)
        }
        let expected =
            #"{"time":"2023-11-14T22:15:23.456Z","request_id":"4bf92f35","client":"203.0.113.7:51234","#
            + #""method":"POST","path":"/v1/chat","host":"api.example","pool":"chat","#
            + #""fallback":true,"backend":"http://10.0.0.11:8000","#
            + #""former_backends":["http://10.0.0.12:8000","http://10.0.0.11:8000"],"#
            + #""tenant":"ac\"me","tenant_hash":"0123456789abcdef","class":"paid","#
            + "\"model\":\"m\u{fffd}\","
            + #""input_tokens":12,"output_tokens":0,"status":503,"reason":"upstream_closed","#
            + #""queue_ms":1.234,"connect_ms":0.000,"first_byte_ms":20.000,"total_ms":61000.999,"#
            + #""bytes_in":512,"bytes_out":1099511627776,"attempts":2,"reused":true}"#
        #expect(found == [expected])
        _ = try jsonObject(expected)
    }

    @Test func whatIsNotKnownIsLeftOut() throws {
        let found = try lines { logPlain(&$0, status: 400, reason: .badRequest) }
        #expect(
            found == [
                #"{"time":"1970-01-01T00:00:00.000Z","request_id":"r","client":"c","method":"GET","#
                    + #""path":"/","host":"h","status":400,"reason":"bad_request","total_ms":0.000,"#
                    + #""bytes_in":0,"bytes_out":0,"attempts":0,"reused":false}"#
            ])
    }

    @Test func everyByteInAPathGivesValidJSON() throws {
        let found = try objects(paths: (UInt8.min...UInt8.max).map { [0x2f, $0, 0x61] })
        for byte in UInt8.min...UInt8.max {
            let path = try #require(found[Int(byte)]["path"] as? String)
            switch byte {
            case 0x23, 0x3f: #expect(path == "/")
            case 0x80...: #expect(path == "/\u{fffd}a", "byte \(byte)")
            default: #expect(Array(path.utf8) == [0x2f, byte, 0x61], "byte \(byte)")
            }
        }
    }

    @Test(
        arguments: [
            ([0xc3, 0xa9], "é"), ([0xe2, 0x82, 0xac], "€"), ([0xf0, 0x9f, 0x98, 0x80], "😀"),
            // Overlong, surrogate, above U+10FFFF, cut short, and a lone continuation.
            ([0xc0, 0xaf], "\u{fffd}\u{fffd}"), ([0xe0, 0x80, 0xaf], "\u{fffd}\u{fffd}\u{fffd}"),
            ([0xed, 0xa0, 0x80], "\u{fffd}\u{fffd}\u{fffd}"),
            ([0xf4, 0x90, 0x80, 0x80], "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            ([0xe2, 0x82], "\u{fffd}\u{fffd}"), ([0xbf], "\u{fffd}"),
            ([0xe2, 0x82, 0x41], "\u{fffd}\u{fffd}A"),
        ] as [([UInt8], String)])
    func utf8(bytes: [UInt8], expected: String) throws {
        #expect(try loggedPath(bytes) == expected)
    }

    @Test func randomBytesGiveValidJSON() throws {
        var state: UInt64 = 7
        let hosts = (0..<500).map { _ in
            (0..<40).map { _ -> UInt8 in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 56)
            }
        }
        let found = try objects(paths: hosts.map { _ in [0x2f] }) { hosts[$0] }
        for (round, host) in hosts.enumerated() {
            #expect(
                found[round]["host"] as? String == String(validating: host),
                "seed 7, round \(round)")
        }
    }

    @Test func longPathsAreCutBetweenCharacters() throws {
        let long = [UInt8](repeating: 0x61, count: 511) + Array("é tail".utf8)
        #expect(try loggedPath(long) == String(repeating: "a", count: 511))
        let exact = [UInt8](repeating: 0x62, count: 512)
        #expect(try loggedPath(exact) == String(repeating: "b", count: 512))
        let garbage = [UInt8](repeating: 0xbf, count: 2_000)
        #expect(try loggedPath(garbage) == String(repeating: "\u{fffd}", count: 512))
    }

    @Test func longHostsAreCut() throws {
        let found = try objects(paths: [[0x2f]]) { _ in [UInt8](repeating: 0x61, count: 10_000) }
        #expect((found[0]["host"] as? String)?.utf8.count == AccessLog.maxTextBytes)
    }

    @Test func theLevelOfFailuresLeavesOutWhatWentWell() throws {
        var settings = LogSettings()
        settings.accessLevel = .failures
        let found = try lines(settings) { log in
            logPlain(&log, status: 200)
            logPlain(&log, status: 304)
            logPlain(&log, status: 404)
            logPlain(&log, status: 200, reason: .upstreamClosed)
            logPlain(&log, status: 0, reason: .clientGone)
        }
        #expect(found.count == 3)
    }

    @Test func aSampleTakesItsShareAndAllServerErrors() throws {
        var settings = LogSettings()
        settings.accessSample = 0.25
        let first = try lines(settings, seed: 9) { log in
            for _ in 0..<4_000 { logPlain(&log, status: 200) }
            for _ in 0..<50 { logPlain(&log, status: 503, reason: .queueFull) }
        }
        #expect(first.filter { $0.contains("\"status\":503") }.count == 50)
        // Three standard deviations of 4,000 draws are 82; the seed makes the figure the same each
        // time.
        #expect(abs(first.count - 1_050) < 82, "seed 9")

        settings.accessSample = 0
        let none = try lines(settings) { log in
            for _ in 0..<1_000 { logPlain(&log, status: 200) }
        }
        #expect(none.isEmpty)
    }

    @Test func aReloadChangesLevelAndSample() throws {
        let found = try lines { log in
            logPlain(&log, status: 200)
            var settings = LogSettings()
            settings.accessLevel = .failures
            log.apply(settings)
            logPlain(&log, status: 200)
        }
        #expect(found.count == 1)
    }
}

extension String {
    /// `bytes` with U+FFFD for each byte that is not part of a well-formed character.
    fileprivate init(validating bytes: [UInt8]) {
        self = ""
        var index = 0
        while index < bytes.count {
            let longest = (1...4).last { length in
                index + length <= bytes.count
                    && String(validatingAsOne: bytes[index..<(index + length)]) != nil
            }
            if let longest, let one = String(validatingAsOne: bytes[index..<(index + longest)]) {
                self += one
                index += longest
            } else {
                self += "\u{fffd}"
                index += 1
            }
        }
    }

    private init?(validatingAsOne bytes: ArraySlice<UInt8>) {
        guard let text = String(validating: bytes, as: UTF8.self), text.unicodeScalars.count == 1
        else { return nil }
        self = text
    }
}
