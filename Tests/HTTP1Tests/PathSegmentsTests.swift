// Paths that servers read in different ways.

import Bytes
import Testing

@testable import HTTP1

@Suite struct PathSegmentsTests {
    private func isAmbiguous(_ path: String, names: Range<Int>? = nil) -> Bool {
        PathSegments.areAmbiguous(in: Array(path.utf8).span, names: names)
    }

    @Test(arguments: [
        "/v1/../reset_prefix_cache", "/v1/./x", "/..", "/.", "/v1/..", "/v1/.", "/v1/%2e%2e/x",
        "/v1/%2E./x", "/v1/.%2e", "/v1/%2e", "/v1%2fx", "/v1/a%2Fb", "/v1/a%5cb", "/v1\\x",
        "/v1/..%2freset", "/a%00b", "/v1/chat/completions/..", "..", "*/..",
    ])
    func pathsThatMeanAnotherAreFound(_ path: String) { #expect(isAmbiguous(path), "\(path)") }

    @Test(arguments: [
        "/", "", "*", "/v1/chat/completions", "/v1/models/llama-3.1-8b", "/v1/...", "/v1/..a/x",
        "/v1/a../x", "/v1/.well-known/x", "/v1/%20/%E2%82%AC", "/v1/a%", "/v1/a%2", "/v1/%zz",
        "/v1//x",
        "/v1/x.", "/v1/%2e%2e%2e", "/v1/x;a=.",
    ])
    func othersAreNot(_ path: String) { #expect(!isAmbiguous(path), "\(path)") }

    @Test func aNameMayHaveSlashesButNoDotSegments() {
        #expect(!isAmbiguous("/v1/models/org%2Fname", names: 11..<21))
        #expect(isAmbiguous("/v1/models/org%2F..%2Fname", names: 11..<26))
        #expect(isAmbiguous("/v1/models/..%2Fname", names: 11..<20))
        #expect(isAmbiguous("/v1/models/a%2Fb/c%2Fd", names: 11..<16))
    }

    @Test func lookalikesOfKnownNamesAreFound() throws {
        for (name, known) in [
            ("X_Forwarded_For", FieldName.lookalike), ("x-forwarded_proto", .lookalike),
            ("Content_Length", .lookalike), ("X_Request_ID", .lookalike),
            ("serve_multiplexed_model_id", .other), ("_", .other), ("X_Own", .other),
            ("X-Forwarded-For", .xForwardedFor), ("Host_", .other),
        ] {
            var parser = RequestParser(limits: HeadLimits())
            let text = Array("GET / HTTP/1.1\r\nHost: h\r\n\(name): 1\r\nA: b\r\n\r\n".utf8)
            var head = RequestHead()
            var input = ByteBuffer()
            input.append(text.span)
            _ = try parser.next(in: input, afterReset: false, givingHeadFor: &head)
            #expect(head.fields[1].known == known, "\(name)")
        }
    }

    @Test func aNameIsCountedInVia() {
        for (value, count) in [
            ("1.1 penstock", 1), ("1.1 a, 1.0 penstock (x, 1.1 penstock), HTTP/1.1 Penstock", 2),
            ("", 0), ("1.1", 0), ("penstock", 0), ("1.1 penstock2,1.1\tpenstock", 1), (", ,", 0),
        ] {
            let found = ViaField.count(of: Array("penstock".utf8).span, in: Array(value.utf8).span)
            #expect(found == count, "\(value)")
        }
    }
}
