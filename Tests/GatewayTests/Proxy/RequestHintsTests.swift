// What clients say about their patience and their tries, in every way they say it, and in ways that
// mean nothing.

import Bytes
import HTTP1
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct RequestHintsTests {
    private func hints(_ fields: String) throws -> RequestHints {
        var parser = RequestParser(limits: HeadLimits(maxHeadBytes: 32 * 1024, maxFields: 100))
        var input = ByteBuffer()
        input.append("GET / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
        guard case .head = try parser.next(in: input) else {
            Issue.record("the head of \(fields) is not complete")
            return RequestHints(RequestHead())
        }
        return RequestHints(parser.head)
    }

    private func milliseconds(_ fields: String) throws -> Int64? {
        let hints = try hints(fields + "\r\n")
        let times = [hints.answerNanoseconds, hints.byteNanoseconds].compactMap(\.self)
        return times.min().map { $0 / 1_000_000 }
    }

    @Test(
        arguments: [
            ("grpc-timeout: 2S", 2_000), ("grpc-timeout: 1H", 3_600_000),
            ("grpc-timeout: 3M", 180_000), ("grpc-timeout: 250m", 250),
            ("grpc-timeout: 5000u", 5), ("grpc-timeout: 99999999n", 99),
            ("grpc-timeout: 1n", 1),
            ("x-request-timeout: 30", 30_000), ("X-Request-Timeout: 0.25", 250),
            ("request-timeout: 1.5", 1_500), ("request-timeout: 500ms", 500),
            ("request-timeout: 10s", 10_000), ("request-timeout: 2m", 120_000),
            ("request-timeout: 1h", 3_600_000), ("request-timeout: .5", 500),
            ("request-timeout: 7.", 7_000),
            ("x-envoy-expected-rq-timeout-ms: 1500", 1_500),
            ("x-stainless-read-timeout: 600", 600_000),
            ("x-stainless-read-timeout: 600.0", 600_000),
            ("x-stainless-read-timeout: 60\r\nrequest-timeout: 3\r\ngrpc-timeout: 2S", 2_000),
            ("request-timeout: 9\r\nrequest-timeout: 3\r\nrequest-timeout: x", 3_000),
        ])
    func timesAreRead(_ fields: String, _ expected: Int64) throws {
        #expect(try milliseconds(fields) == expected)
    }

    @Test(
        arguments: [
            "grpc-timeout: 2", "grpc-timeout: S", "grpc-timeout: 123456789S", "grpc-timeout: 2s",
            "grpc-timeout: -2S", "grpc-timeout: 2 S", "grpc-timeout: 0S", "grpc-timeout: 99999999H",
            "x-request-timeout:", "x-request-timeout: 0", "x-request-timeout: -1",
            "x-request-timeout: 0.0", "x-request-timeout: soon", "x-request-timeout: 1e3",
            "x-request-timeout: 1.2.3", "x-request-timeout: .", "x-request-timeout: 5 s",
            "x-request-timeout: 5d", "x-request-timeout: ms", "x-request-timeout: s",
            "x-request-timeout: 86401", "x-request-timeout: 99999999999999999999",
            "x-request-timeout: 999999999999999999999999999999", "x-request-timeout: inf",
            "x-request-timeout: NaN", "x-request-timeout: +5", "x-request-timeout: \u{666}",
            "x-request-timeout: 0x10", "x-envoy-expected-rq-timeout-ms: 1s",
            "x-envoy-expected-rq-timeout-ms: 0", "x-stainless-read-timeout: not_given",
            "x-stainless-read-timeout: None", "x-other-timeout: 1",
        ])
    func whatIsNoTimeIsIgnored(_ fields: String) throws {
        #expect(try milliseconds(fields) == nil)
    }

    @Test(
        arguments: [
            ("x-stainless-retry-count: 1", true), ("x-stainless-retry-count: 12", true),
            ("x-stainless-retry-count: 0", false), ("x-stainless-retry-count: -1", false),
            ("x-stainless-retry-count: 1234567890", false), ("x-stainless-retry-count: a", false),
            ("x-stainless-retry-count:", false), ("x-envoy-attempt-count: 1", false),
            ("x-envoy-attempt-count: 2", true), ("grpc-previous-rpc-attempts: 1", true),
            ("grpc-previous-rpc-attempts: 0", false),
            ("x-stainless-retry-count: 0\r\nx-envoy-attempt-count: 3", true),
        ])
    func retriesAreSeen(_ fields: String, _ expected: Bool) throws {
        #expect(try hints(fields + "\r\n").isRetry == expected)
    }

    @Test(
        arguments: [
            (FieldName.grpcTimeout, "1H", 1_234_567_890 as Int64, "1234m"),
            (.xEnvoyExpectedTimeout, "9", 1_234_567_890, "1234"),
            (.requestTimeout, "9", 1_234_567_890, "1.234"),
            (.requestTimeout, "9s", 1_234_567_890, "1234ms"),
            (.xStainlessReadTimeout, "600", 86_400_000_000_000, "86400.000"),
            (.grpcTimeout, "9H", 86_400_000_000_000, "86400000m"),
            (.requestTimeout, "9", -5, "0.001"),
        ])
    func whatIsLeftIsSaidInTheSameWay(
        _ name: FieldName, _ value: String, _ nanoseconds: Int64, _ expected: String
    ) {
        var output = ByteBuffer()
        RequestTimeout.append(
            nanoseconds: nanoseconds, as: name, value: value.utf8.span, to: &output)
        let text = output.text
        #expect(text == expected)
    }
}
