// Ordinary requests by libcurl, against servers that behave and servers that do not.

import Admission
import Testing

@testable import Gateway
@testable import Policy
@testable import Reactor
@testable import TestSupport

private typealias Outcome = Result<FetchResponse, FetchFailure>

/// Gives up waiting for a fetch that does not end.
private final class Guard: EventHandler {
    private let reactor: Reactor

    init(_ reactor: Reactor) { self.reactor = reactor }

    override func deadlineReached() { reactor.stop() }
}

@Suite struct FetcherTests {
    private static func target(_ url: String) throws -> DialTarget {
        DialTarget(try BackendAddress.parse(url))
    }

    /// Runs a loop until as many fetches as there are requests have ended, or `patience` is over.
    private static func fetch(_ requests: [FetchRequest]) throws -> [Outcome?] {
        let reactor = try Reactor()
        let fetcher = Fetcher(askingBackendsIn: reactor)
        let limit = Guard(reactor)
        reactor.register(limit)
        reactor.setDeadline(
            of: limit, to: reactor.now.advanced(byNanoseconds: Int64(patience * 1e9)))
        var outcomes = [Outcome?](repeating: nil, count: requests.count)
        var left = requests.count
        for (index, request) in requests.enumerated() {
            let fetch = fetcher.begin(request) { outcome in
                #expect(outcomes[index] == nil)
                outcomes[index] = outcome
                left -= 1
                if left == 0 { reactor.stop() }
            }
            #expect(fetch != nil)
        }
        reactor.run()
        #expect(fetcher.requestCount == left)
        return outcomes
    }

    private static func fetch(_ request: FetchRequest) throws -> Outcome? {
        try fetch([request])[0]
    }

    private static func get(_ url: String, milliseconds: Int = 5_000) throws -> FetchRequest {
        FetchRequest(try target(url), path: "/health?deep=1", timeoutMilliseconds: milliseconds)
    }

    /// A server that reads requests and says nothing.
    private static func silent() throws -> ScriptedBackend {
        try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            _ = wire.ends(within: 20)
        }
    }

    @Test func aWholeResponseIsHandedOver() throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.send("HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n")
            try wire.send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        }
        let outcome = try Self.fetch(Self.get(backend.url))
        #expect(try outcome?.get().status == 503)
        #expect(try outcome?.get().body == Array("abcde".utf8))
        let request = try #require(backend.requests.first)
        #expect(request.startLine == "GET /health?deep=1 HTTP/1.1")
        #expect(request.value("user-agent") == "penstock")
    }

    @Test func methodFieldsAndBodyAreSent() throws {
        let backend = try ScriptedBackend.echoing()
        var request = try Self.get(backend.url)
        request.method = "PUT"
        request.fields = ["Content-Type: text/plain", "X-Mark: 7"]
        request.body = Array(repeating: 0x61, count: 3_000)
        let response = try #require(try Self.fetch(request)).get()
        #expect(response.body == request.body)
        let got = try #require(backend.requests.first)
        #expect(
            got.startLine.hasPrefix("PUT ") && got.value("x-mark") == "7"
                && got.value("expect") == nil)
    }

    @Test func aUnixSocketIsAServerToo() throws {
        let path = "/tmp/penstock-fetch-\(UInt64.random(in: 0 ... .max))"
        let backend = try ScriptedBackend.serving(at: .unix(path: path)) { wire, _ in
            try wire.answer("ok")
        }
        #expect(try Self.fetch(Self.get(backend.url))?.get().status == 200)
    }

    @Test func everyFetchHasItsOwnConnection() throws {
        let backend = try ScriptedBackend.echoing()
        let request = try Self.get(backend.url)
        let outcomes = try Self.fetch(Array(repeating: request, count: 200))
        #expect(try outcomes.allSatisfy { try $0?.get().status == 200 })
        #expect(backend.acceptedCount == 200)
    }

    @Test func failuresSayWhatHappened() throws {
        let silent = try FetcherTests.silent()
        let halved = try ScriptedBackend.serving { wire, _ in
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            throw WireError.broken(0, "")
        }
        let garbage = try ScriptedBackend.serving { wire, _ in
            try wire.send("SSH-2.0-OpenSSH_9.2\r\n")
            throw WireError.broken(0, "")
        }
        let full = try FullBacklog()
        let requests = [
            try Self.get(silent.url, milliseconds: 300), try Self.get(halved.url),
            try Self.get(garbage.url), try Self.get(ScriptedBackend.refusingURL()),
            try Self.get(full.url, milliseconds: 300),
        ]
        let failures = try Self.fetch(requests).map { outcome -> FetchFailure? in
            if case .failure(let failure) = outcome { failure } else { nil }
        }
        #expect(
            failures == [.timeout, .cutShort, .notHTTP, .connect(.refused), .connect(.timeout)])
    }

    /// libcurl would take all of these for responses, and clients would get a 502 for them.
    @Test(arguments: ["HEAD", "GET"])
    func headsThatClientsDoNotGetAreNone(_ method: String) throws {
        let long = String(repeating: "a", count: 70_000)
        let heads = [
            "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nX: 1\r\n", "HTTP/1.1 200 OK\nX: 1\n\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: foo\r\n\r\n", "HTTP/1.1 600 No\r\n\r\n",
            "HTTP/1.1 999 No\r\n\r\n", "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n", "HTTP/1.1 200 OK\r\nX: \(long)\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        ]
        for head in heads {
            let backend = try ScriptedBackend.serving { wire, _ in
                try wire.send(head)
                throw WireError.broken(0, "")
            }
            var request = try Self.get(backend.url)
            request.method = method
            let outcome = try #require(try Self.fetch(request))
            guard case .failure(let failure) = outcome else {
                Issue.record("\(head.prefix(60)) is no response")
                continue
            }
            #expect(failure == .notHTTP || failure == .cutShort, "\(head.prefix(60))")
        }
    }

    @Test(arguments: [
        ("HEAD", "HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n"),
        ("HEAD", "HTTP/1.0 200 OK\r\n\r\n"), ("GET", "HTTP/1.1 204\r\n\r\n"),
        (
            "GET",
            "HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailer: 1\r\n\r\n"
        ),
    ])
    func headsThatClientsGetAreGood(_ method: String, _ response: String) throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.send(response)
            throw WireError.broken(0, "")
        }
        var request = try Self.get(backend.url)
        request.method = method
        #expect(throws: Never.self) { try Self.fetch(request)?.get() }
    }

    /// Connecting has a time of its own, which is not the response's.
    @Test func aConnectionMayHaveLessTimeThanAll() throws {
        let full = try FullBacklog()
        let silent = try FetcherTests.silent()
        let begun = ContinuousClock.now
        var requests = [
            try Self.get(full.url, milliseconds: 60_000),
            try Self.get(
                silent.url.replacing("http:", with: "https:"), milliseconds: 60_000),
            try Self.get(silent.url, milliseconds: 1_000),
        ]
        for index in requests.indices { requests[index].connectTimeoutMilliseconds = 300 }
        let failures = try Self.fetch(requests).map { outcome -> FetchFailure? in
            if case .failure(let failure) = outcome { failure } else { nil }
        }
        #expect(failures == [.connect(.timeout), .connect(.handshakeTimeout), .timeout])
        #expect(ContinuousClock.now - begun >= .seconds(1))
    }

    @Test func aBodyWithoutEndIsRefused() throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.send("HTTP/1.1 200 OK\r\n\r\n")
            while true { try wire.send(Array(repeating: 0x61, count: 10_000)) }
        }
        var request = try Self.get(backend.url)
        request.mostBytes = 100_000
        #expect(try Self.fetch(request) == .failure(.tooLarge))
    }

    @Test func aFetchGivenUpCallsNobody() throws {
        let reactor = try Reactor()
        let fetcher = Fetcher(askingBackendsIn: reactor)
        let silent = try FetcherTests.silent()
        let fetch = fetcher.begin(try Self.get(silent.url, milliseconds: 100)) { _ in
            Issue.record("it was given up")
        }
        fetcher.cancel(try #require(fetch))
        #expect(fetcher.requestCount == 0)
        fetcher.cancel(try #require(fetch))
        let limit = Guard(reactor)
        reactor.register(limit)
        reactor.setDeadline(of: limit, to: reactor.now.advanced(byNanoseconds: 300_000_000))
        reactor.run()
    }

    @Test func aFetcherMayGoWithFetchesUnderWay() throws {
        let reactor = try Reactor()
        let silent = try FetcherTests.silent()
        let request = try Self.get(silent.url, milliseconds: 100)
        do {
            let fetcher = Fetcher(askingBackendsIn: reactor)
            #expect(fetcher.begin(request) { _ in Issue.record("its fetcher has gone") } != nil)
        }
        let limit = Guard(reactor)
        reactor.register(limit)
        reactor.setDeadline(of: limit, to: reactor.now.advanced(byNanoseconds: 300_000_000))
        reactor.run()
    }
}
