// Answers of an API server, as the documentation has them, in one piece, byte by byte, and cut short.

import Testing

@testable import Control

@Suite struct EndpointSliceReaderTests {
    /// What is read of `text` in pieces of `count` bytes, or the fault.
    private static func read(
        _ text: String, _ form: EndpointSliceReader.Form, by count: Int
    ) -> (pieces: [EndpointSliceReader.Piece], isComplete: Bool, fault: String?) {
        var reader = EndpointSliceReader(form)
        var pieces: [EndpointSliceReader.Piece] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            do throws(EndpointSliceReader.Fault) {
                pieces += try reader.take(Array(rest.prefix(count)))
            } catch {
                return (pieces, false, error.text)
            }
            rest = rest.dropFirst(count)
        }
        return (pieces, reader.isComplete, nil)
    }

    private static let sizes = [1, 2, 7, 1_000, 1 << 20]

    @Test func aList() {
        let other = EndpointSlice(name: "example-def", addressType: "IPv6")
        let text =
            #"{"kind":"EndpointSliceList","metadata":{"resourceVersion":"12800"},"items":["#
            + EndpointSliceText.documented + "," + EndpointSliceText.text(other) + "]}\n"
        for size in Self.sizes {
            let found = Self.read(text, .list, by: size)
            #expect(
                found.pieces == [
                    .slice(EndpointSliceText.documentedSlice), .slice(other),
                    .listed(version: "12800"),
                ])
            #expect(found.isComplete && found.fault == nil)
        }
        // The version may stand behind the items.
        let late = #"{"items":[],"metadata":{"continue":"","resourceVersion":"opaque/ä"}}"#
        #expect(Self.read(late, .list, by: 3).pieces == [.listed(version: "opaque/ä")])
    }

    @Test func eventsOfAWatch() {
        let gone = EndpointSlice(name: "gone", addressType: "IPv4")
        let text =
            #"{"type":"ADDED","object":"# + EndpointSliceText.documented + "}\n"
            + EndpointSliceText.event("DELETED", gone, version: 12_747)
            + #"{"type":"BOOKMARK","object":{"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","#
            + #""metadata":{"resourceVersion":"12790","creationTimestamp":null},"addressType":"","#
            + #""endpoints":null,"ports":null}}"# + "\r\n \n"
            // The order of keys is nobody's promise.
            + #"{"object":{"endpoints":[],"metadata":{"resourceVersion":"12791","name":"late"}},"type":"MODIFIED"}"#
            + #"{"type":"NEWS","object":{"a":[{"ready":true}]}}"#
            + #"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#
            + #""message":"too old resource version: 1 (12791)","reason":"Expired","code":410}}"#
        for size in Self.sizes {
            let found = Self.read(text, .watch, by: size)
            #expect(
                found.pieces == [
                    .event(.put(EndpointSliceText.documentedSlice), version: "12746"),
                    .event(.removed(name: "gone"), version: "12747"),
                    .event(.bookmark, version: "12790"),
                    .event(.put(EndpointSlice(name: "late")), version: "12791"),
                    .event(.unknown, version: ""),
                    .event(
                        .failed(code: 410, message: "too old resource version: 1 (12791)"),
                        version: ""),
                ])
            #expect(found.isComplete && found.fault == nil)
        }
    }

    @Test func aRefusal() {
        let text =
            #"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"endpointslices is forbidden","#
            + #""reason":"Forbidden","details":{"kind":"endpointslices"},"code":403}"#
        #expect(
            Self.read(text, .status, by: 5).pieces
                == [.status(code: 403, message: "endpointslices is forbidden")])
        let long = #"{"message":"\#(String(repeating: "x", count: 300))","code":500}"#
        guard case .status(500, let message)? = Self.read(long, .status, by: 64).pieces.first else {
            Issue.record("no status")
            return
        }
        #expect(message.hasSuffix("xx..") && message.utf8.count < 300)
    }

    /// A text that is cut anywhere is not whole, and what came before stands.
    @Test func textsThatAreCutShort() {
        let list = EndpointSliceText.list([EndpointSliceText.documentedSlice])
        let bytes = Array(list.utf8)
        for count in 0..<(bytes.count - 1) {
            let cut = String(decoding: bytes[..<count], as: UTF8.self)
            let found = Self.read(cut, .list, by: 64)
            #expect(!found.isComplete && found.fault == nil, "\(count) bytes")
            #expect(!found.pieces.contains { if case .listed = $0 { true } else { false } })
        }
        let event = EndpointSliceText.event("ADDED", EndpointSliceText.documentedSlice)
        let two = event + String(event.dropLast(10))
        let found = Self.read(two, .watch, by: 64)
        #expect(found.pieces.count == 1 && !found.isComplete)
    }

    @Test(arguments: [
        ("[]", "is no object"), ("12 ", "is no object"), ("\"text\"", "is no object"),
        ("<html>", "is no JSON"), (#"{"items":[]}"#, "has no resourceVersion"),
        (
            #"{"metadata":{"resourceVersion":"1"},"items":[{"addressType":"IPv4"}]}"#,
            "has a slice without a name"
        ),
        (#"{"metadata":{"resourceVersion":"1"},"items":[]} {}"#, "goes on behind its end"),
    ])
    func whatIsNoList(text: String, fault: String) {
        for size in Self.sizes { #expect(Self.read(text, .list, by: size).fault == fault) }
    }

    @Test func boundsHold() {
        var slice = EndpointSlice(name: "a", addressType: "IPv4")
        var endpoint = Endpoint()
        endpoint.address = "10.0.0.1"
        slice.endpoints = Array(repeating: endpoint, count: 1_001)
        let many = EndpointSliceText.list([slice])
        #expect(
            Self.read(many, .list, by: 4096).fault == "has a slice with more than 1000 endpoints")
        slice.endpoints = []
        slice.ports = Array(repeating: .init(name: "p", number: 1), count: 101)
        #expect(
            Self.read(EndpointSliceText.list([slice]), .list, by: 4096).fault
                == "has a slice with more than 100 ports")
        slice.ports = []
        slice.name = String(repeating: "n", count: 257)
        #expect(
            Self.read(EndpointSliceText.list([slice]), .list, by: 4096).fault
                == "has a name of more than 256 bytes")
        let long = #"{"type":"ADDED","object":{"x":""# + String(repeating: "y", count: 5 << 20)
        #expect(Self.read(long, .watch, by: 16_384).fault == "has more than 4 MiB")
    }
}
