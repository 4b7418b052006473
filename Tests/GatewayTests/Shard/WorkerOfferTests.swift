// What a worker may say of itself, and why it is not taken; whole, and cut off at every byte.

import HTTP1
import Policy
import Testing

@testable import Bytes
@testable import Gateway

@Suite struct WorkerOfferTests {
    private static let key = "pw_key"
    private static let keys: WorkerKeyTable = {
        let digest = KeyDigest(of: key.utf8.span)?.hexadecimal ?? ""
        let digits = Array(digest.utf8)
        let bytes = stride(from: 0, to: digits.count, by: 2).map { index in
            UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16) ?? 0
        }
        return WorkerKeyTable([WorkerKey(digest: bytes, pools: ["chat", "more"])])
    }()

    private static let usual = [
        "GET /v1/workers/chat HTTP/1.1", "Host: gw", "Connection: upgrade", "Upgrade: ptth",
        "ALPN: http%2F1.1", "Authorization: Bearer \(key)",
        "Penstock-Worker: gpu-7.3f9c; credits=32; engine=\"vllm\"; models=\"llama-70b\"",
    ]

    private static func read(_ lines: [String]) throws -> WorkerOffer {
        var parser = RequestParser(limits: HeadLimits(maxHeadBytes: 4096, maxFields: 100))
        let text = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        _ = try parser.next(in: text.span)
        return try WorkerOffer(parser.head, keys: keys, takers: ["chat", "other"])
    }

    private static func status(_ lines: [String]) -> Int {
        do {
            _ = try read(lines)
            return 101
        } catch let refusal as WorkerRefusal {
            return refusal.status
        } catch {
            return 0
        }
    }

    @Test func theUsualOneIsTaken() throws {
        let offer = try Self.read(Self.usual)
        #expect(offer.pool == "chat")
        #expect(offer.field == WorkerField(name: "gpu-7.3f9c", credits: 32))
    }

    @Test(arguments: [
        ("w; credits=2; control", true), ("w; control; credits=2", true),
        ("w; credits=2; controls", false), ("w; credits=2; control=1", false),
        ("w; credits=2; control=\"yes\"", false),
    ])
    func aControlConnectionSaysSo(text: String, isControl: Bool) throws {
        let field = try WorkerField.read(Array(text.utf8).span)
        #expect(field == WorkerField(name: "w", credits: 2, isControl: isControl))
    }

    @Test(arguments: [
        (1, "Host: other", 101), (2, "Connection: keep-alive, Upgrade", 101),
        (2, "Connection: close", 426), (3, "Upgrade: websocket", 426), (3, "Upgrade: PTTH", 101),
        (3, "Upgrade: ptth, ptth", 426), (4, "ALPN: h2 , http%2f1.1", 101), (4, "ALPN: h2", 400),
        (4, "X: y", 101), (5, "Authorization: Basic abc", 401),
        (5, "Authorization: Bearer pw_other", 401), (5, "x-api-key: \(key)", 401),
        (6, "Penstock-Worker: w; credits=1", 101), (6, "Penstock-Worker: w;credits=10000", 101),
        (6, "Penstock-Worker: w; credits=10001", 400), (6, "Penstock-Worker: w; credits=0", 400),
        (6, "Penstock-Worker: w; credits=1.5", 400), (6, "Penstock-Worker: w; credits", 400),
        (6, "Penstock-Worker: w; credits=\"1\"", 400), (6, "Penstock-Worker: w", 400),
        (6, "Penstock-Worker: w; credits=1;", 400), (6, "Penstock-Worker: w credits=1", 400),
        (6, "Penstock-Worker: \"w\"; credits=1", 400), (6, "X: y", 400),
        (0, "GET /v1/workers/more HTTP/1.1", 404), (0, "GET /v1/workers/other HTTP/1.1", 403),
        (0, "GET /v1/workers/ HTTP/1.1", 404), (0, "GET /v1/workers/chat/ HTTP/1.1", 404),
        (0, "POST /v1/workers/chat HTTP/1.1", 426), (0, "GET /v1/workers/chat HTTP/1.0", 426),
    ])
    func oneLineDecides(place: Int, line: String, status: Int) {
        var lines = Self.usual
        lines[place] = line
        #expect(Self.status(lines) == status, "\(line)")
    }

    /// Who shows no key learns nothing of what there is.
    @Test func theKeyComesFirst() {
        for path in ["/v1/workers/chat", "/v1/workers/none", "/"] {
            #expect(Self.status(["GET \(path) HTTP/1.1", "Host: gw"]) == 401)
        }
    }

    /// Every beginning of a field is a fault or a worker, and nothing traps.
    @Test func fieldsAreReadToTheirEnds() throws {
        let text = Array(
            "a-b.c:d_9; credits=31; x; y=?1; z=\"q\\\"\"; t=*a/b; d=1.5; b=:aGk=:".utf8)
        for count in 0...text.count {
            let read = try? WorkerField.read(Array(text[..<count]).span)
            if let read { #expect(read.name == "a-b.c:d_9" && (1...31).contains(read.credits)) }
        }
        #expect(try WorkerField.read(text.span).credits == 31)
        let long = Array((String(repeating: "n", count: 65) + "; credits=1").utf8)
        #expect(throws: WorkerField.Fault.name) { try WorkerField.read(long.span) }
    }
}
