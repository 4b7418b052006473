// The admin listener: its connections and pages, and that clients and pages do not stop each other.

import Admission
import Control
import Foundation
import Policy
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct AdminTests {
    private struct Scene {
        let backend: ScriptedBackend
        let gateway: RunningGateway
        let place: Place

        init(server: String = "", threads: Int = RunningGateway.usualThreads) throws {
            backend = try ScriptedBackend.echoing()
            let text = policyText([backend.url], server: server).replacingOccurrences(
                of: "admin: off", with: "admin: 127.0.0.1:0")
            gateway = try RunningGateway(text, threads: threads)
            place = RunningGateway.place(try #require(gateway.adminAddress))
        }

        func connect() throws -> Wire { try Wire(to: place) }
    }

    @Test func requestsFollowEachOtherOnAConnection() throws {
        let scene = try Scene()
        let admin = try scene.connect()
        for path in ["/healthz", "/readyz", "/status", "/metrics", "/healthz?verbose"] {
            #expect(try admin.get(path, host: "localhost").status == 200, "\(path)")
        }
        #expect(try admin.get("/nothing", host: "localhost").status == 404)
        // Two at once are answered in their order.
        try admin.send(
            "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET /nothing HTTP/1.1\r\nHost: [::1]:1\r\n\r\n"
        )
        #expect(try admin.readResponse().status == 200)
        #expect(try admin.readResponse().status == 404)
    }

    /// What an autoscaler asks for comes at once, whatever the threads do.
    @Test func eachPoolSaysHowManyBackendsItWants() throws {
        let scene = try Scene(threads: 2)
        let door = Door()
        try scene.gateway.hold(1, until: door)
        let admin = try scene.connect()
        let answer = try admin.get("/scale/main", host: "localhost")
        #expect(answer.status == 200 && answer.values("Content-Type") == ["application/json"])
        #expect(
            answer.bodyText
                == #"{"pool":"main","wanted":0.0,"demand":0.0,"limit":100.0,"usable":1}"# + "\n")
        #expect(answer.bodyText.utf8.count <= 100)
        door.open()
        for path in ["/scale/", "/scale/nothing", "/scale/main/x", "/scale/%00"] {
            #expect(try admin.get(path, host: "localhost").status == 404, "\(path)")
        }
        try admin.send("HEAD /scale/main HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try admin.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
        try admin.send("PUT /scale/main HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n9")
        #expect(try admin.readResponse().status == 405)
    }

    @Test func requestsComeByteByByte() throws {
        let scene = try Scene()
        let admin = try scene.connect()
        for byte in "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" {
            try admin.send(String(byte))
        }
        #expect(try admin.readResponse().bodyText == "ok\n")
    }

    @Test func aHeadIsAnsweredWithoutABody() throws {
        let scene = try Scene()
        let admin = try scene.connect()
        try admin.send("HEAD /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        let head = try admin.read(until: "\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 200 ") && !head.contains("Content-Length: 0\r\n"))
        #expect(try admin.get("/healthz").bodyText == "ok\n")
    }

    @Test(arguments: [
        ("POST /metrics HTTP/1.1\r\nHost: localhost:80\r\nContent-Length: 2\r\n\r\nab", 405),
        ("GET /healthz HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200), ("GET /healthz HTTP/1.1\r\n\r\n", 400),
        ("NOT HTTP\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 200),
    ])
    func theConnectionEndsAfter(request: String, status: Int) throws {
        let scene = try Scene()
        let admin = try scene.connect()
        try admin.send(request)
        let answer = try admin.readResponse()
        #expect(answer.status == status && answer.values("Connection") == ["close"])
        #expect(admin.ends())
    }

    @Test func aHeadHasATime() throws {
        let scene = try Scene(server: "timeouts: {head: 200ms}")
        let admin = try scene.connect()
        try admin.send("GET /healthz HTTP/1.1\r\n")
        #expect(try admin.readResponse().status == 408)
        #expect(admin.ends())
    }

    @Test func aConnectionThatRestsHasATime() throws {
        let scene = try Scene(server: "timeouts: {keep_alive: 200ms}")
        let admin = try scene.connect()
        #expect(try admin.get("/healthz").status == 200)
        #expect(admin.ends())
    }

    /// What a shard does for a client for a while does not stop pages, but for those of its counters.
    @Test func aShardThatStandsStillShows() throws {
        let scene = try Scene(threads: 2)
        let door = Door()
        try scene.gateway.hold(1, until: door)
        let admin = try scene.connect()
        #expect(try admin.get("/nothing", host: "localhost").status == 404)
        let late = try scene.connect()
        try late.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        let answer = try late.readResponse()
        #expect(answer.status == 503 && answer.bodyText == "a thread does not answer\n")
        door.open()
        #expect(try admin.get("/healthz").status == 200)
    }

    /// What the controlling thread does for a while stops no client.
    @Test func clientsAreServedWhileTheControllingThreadIsBusy() throws {
        let scene = try Scene()
        let busy = Door()
        let over = Door()
        onThread {
            _ = try? scene.gateway.askControl { _ in
                busy.open()
                try? over.pass()
            }
        }
        try busy.pass()
        for _ in 0..<3 { #expect(try scene.gateway.connect().get("/").status == 200) }
        over.open()
        #expect(try scene.connect().get("/healthz").status == 200)
    }

    @Test func aReloadMovesTheListener() throws {
        let scene = try Scene()
        let old = try scene.connect()
        #expect(try old.get("/healthz").status == 200)
        let path = Place.freshPath()
        let text = policyText([scene.backend.url])
        try scene.gateway.reload(
            text.replacingOccurrences(of: "admin: off", with: "admin: \"unix:\(path)\""))
        #expect(old.ends())
        #expect(try Wire(to: .unix(path: path)).get("/healthz").status == 200)
        try scene.gateway.reload(text)
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(try scene.gateway.askControl { $0.adminAddress == nil })
    }
}
