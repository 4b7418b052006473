// The dashboard of a real gateway: its page, who may see it, and its events.

import Control
import Foundation
import Policy
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct DashboardTests {
    private struct Scene {
        let backend: ScriptedBackend
        let gateway: RunningGateway
        let place: Place

        init(server: String = "", admin: String = "127.0.0.1:0", more: String = "") throws {
            backend = try ScriptedBackend.echoing()
            let text = policyText([backend.url], server: server, more: more)
                .replacingOccurrences(of: "admin: off", with: "admin: \(admin)")
            gateway = try RunningGateway(text)
            place = RunningGateway.place(try #require(gateway.adminAddress))
        }

        func connect(receiveBuffer: Int32? = nil) throws -> Wire {
            try Wire(to: place, receiveBuffer: receiveBuffer)
        }

        func get(_ path: String, host: String = "localhost", fields: String = "") throws -> Message
        {
            try connect().get(path, host: host, fields: fields)
        }

        /// A watcher that has read the head of its stream and the first event.
        func watch(after second: Int? = nil) throws -> Watcher {
            let watcher = Watcher(wire: try connect())
            let field = second.map { "Last-Event-ID: \($0)\r\n" } ?? ""
            try watcher.wire.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\(field)\r\n")
            let head = try watcher.wire.read(until: "\r\n\r\n")
            #expect(
                head.hasPrefix("HTTP/1.1 200 ")
                    && head.contains("Content-Type: text/event-stream\r\n"))
            #expect(!head.contains("Content-Length") && head.contains("Connection: close\r\n"))
            return watcher
        }
    }

    /// Who reads events.
    private struct Watcher {
        let wire: Wire

        /// The next event: its id, and the seconds of the first pool's rows.
        func next() throws -> (id: Int, seconds: [Int], all: [String: Any]) {
            let lines = try wire.read(until: "\n\n").split(separator: "\n").map(String.init)
            let id = try #require(lines.first { $0.hasPrefix("id: ") })
            let data = try #require(lines.first { $0.hasPrefix("data: ") })
            let all = try #require(
                try JSONSerialization.jsonObject(with: Data(data.dropFirst(6).utf8))
                    as? [String: Any])
            let history = try #require(all["history"] as? [String: Any])
            let pools = try #require(history["pools"] as? [[String: Any]])
            var second = 0
            let seconds = (pools.first?["seconds"] as? [Int] ?? []).map { step in
                second += step
                return second
            }
            return (try #require(Int(id.dropFirst(4))), seconds, all)
        }
    }

    // MARK: The page

    @Test func thePageIsTheFileWithItsRules() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let file = try Data(
            contentsOf: root.appending(path: "Sources/Control/Admin/dashboard.html"))
        let page = try Scene().get("/")
        #expect(page.status == 200 && page.value("Content-Type") == "text/html; charset=utf-8")
        #expect(Data(page.body) == file && file.count <= 60_000)
        #expect(page.value("X-Content-Type-Options") == "nosniff")
        #expect(page.value("Cache-Control") == "no-store")
        let text = page.bodyText
        // One script, no markup made from texts, nothing from elsewhere.
        #expect(text.components(separatedBy: "<script").count == 2)
        for word in [
            "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "src=",
            "<link", "@import", "url(",
        ] {
            #expect(!text.contains(word), "\(word)")
        }
        let policy = try #require(page.value("Content-Security-Policy"))
        let script = text.components(separatedBy: "<script>")[1].components(
            separatedBy: "</script>")[0]
        let digest = try run(
            "/usr/bin/openssl", ["dgst", "-sha256", "-binary"], input: Array(script.utf8))
        let expected = Data(digest.output).base64EncodedString()
        #expect(
            policy
                == "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-\(expected)'; "
                + "connect-src 'self'; frame-ancestors 'none'")
    }

    @Test func thePageIsCompressedForWhoWantsIt() throws {
        let page = try Scene().get("/", fields: "Accept-Encoding: gzip\r\n")
        #expect(page.value("Content-Encoding") == "gzip" && page.body.count < 16_000)
    }

    // MARK: Who may see it

    @Test func aForeignNameIsTurnedAway() throws {
        let scene = try Scene(admin: "{address: \"127.0.0.1:0\", hosts: [gpu-1]}")
        for path in ["/", "/events", "/status", "/metrics", "/backends/main/x", "/nothing"] {
            let refused = try scene.get(path, host: "evil.example:9090")
            #expect(refused.status == 421, "\(path)")
            #expect(!refused.bodyText.contains("main"))
        }
        for host in ["127.0.0.1:9090", "[::1]", "localhost:1", "GPU-1:9090"] {
            #expect(try scene.get("/status", host: host).status == 200, "\(host)")
        }
        // Probes ask by whatever name, and learn nothing.
        #expect(try scene.get("/healthz", host: "evil.example").status == 200)
        #expect(try scene.get("/readyz", host: "evil.example").status == 200)
        // A target's own authority counts, as it does for clients.
        let absolute = try scene.connect()
        try absolute.send("GET http://evil.example/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try absolute.readResponse().status == 421)
        let old = try scene.connect()
        try old.send("GET /status HTTP/1.0\r\n\r\n")
        #expect(try old.readResponse().status == 200)
    }

    @Test func theTokenIsAskedForWhereThePolicySaysSo() throws {
        let token = String(repeating: "0123456789abcdef", count: 2)
        let scene = try Scene(
            admin: "{address: \"127.0.0.1:0\", token_for: pages}", more: "admin_token_file: /token")
        _ = try scene.gateway.askControl { control in
            control.gateway.policy.adminToken?.bytes = Array(token.utf8)
        }
        func basic(_ pair: String) -> String {
            "Authorization: Basic \(Data(pair.utf8).base64EncodedString())\r\n"
        }
        for path in ["/", "/events", "/status", "/metrics", "/backends/main/x"] {
            let refused = try scene.get(path)
            #expect(refused.status == 401, "\(path)")
            #expect(
                refused.values("WWW-Authenticate") == [
                    "Basic realm=\"Penstock\", charset=\"UTF-8\"", "Bearer",
                ])
        }
        let wrong = [
            basic("admin:" + token.dropLast()), basic(token), basic("admin:\(token)x"), basic(":"),
            "Authorization: Basic \(token)\r\n", "Authorization: Bearer x\(token)\r\n",
            "Authorization: Basic\r\n",
        ]
        for field in wrong {
            #expect(try scene.get("/status", fields: field).status == 401, "\(field)")
        }
        let right = [
            basic("admin:\(token)"), basic(":\(token)"), "Authorization: Bearer \(token)\r\n",
            "Authorization: bAsIc " + basic("x:\(token)").dropFirst("Authorization: Basic ".count),
        ]
        for field in right {
            #expect(try scene.get("/status", fields: field).status == 200, "\(field)")
        }
        for path in ["/healthz", "/readyz"] { #expect(try scene.get(path).status == 200) }
        // A browser sends passwords by itself, so they change nothing.
        let change = try scene.connect()
        try change.send(
            "PUT /backends/main/x HTTP/1.1\r\nHost: localhost\r\n\(basic("admin:\(token)"))Content-Length: 5\r\n\r\ndrain"
        )
        let refused = try change.readResponse()
        #expect(refused.status == 401 && refused.values("WWW-Authenticate") == ["Bearer"])
    }

    // MARK: Events

    @Test func eventsFollowEachOtherWithTheRowsThatAreNew() throws {
        let scene = try Scene()
        let watcher = try scene.watch()
        let first = try watcher.next()
        #expect(first.all["state"] as? String == "ready")
        let second = try watcher.next()
        let third = try watcher.next()
        #expect(second.seconds.allSatisfy { $0 > first.id } && second.seconds.last == second.id)
        #expect(third.seconds == [third.id] && third.id > second.id)
        // A break is filled by who names the last event that it had.
        watcher.wire.close()
        let later = try scene.watch()
        while try later.next().id < third.id + 2 {}
        let again = try scene.watch(after: third.id).next()
        #expect(again.seconds.first == third.id + 1 && again.seconds.last == again.id)
        #expect(again.seconds.count == again.id - third.id)
        let strange = try scene.connect()
        try strange.send(
            "GET /events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: nonsense\r\n\r\n")
        _ = try strange.read(until: "\r\n\r\n")
        #expect(try Watcher(wire: strange).next().seconds.count > 2)
    }

    @Test func theNinthWatcherIsToldSo() throws {
        let scene = try Scene()
        let watchers = try (0..<8).map { _ in try scene.watch() }
        let ninth = try scene.get("/events")
        #expect(ninth.status == 503 && ninth.bodyText.hasPrefix("8 are watching already"))
        for watcher in watchers { _ = try watcher.next() }
        // A place is free when one has gone, however it went.
        watchers[0].wire.close()
        watchers[1].wire.reset()
        watchers[2].wire.finishSending()
        try eventually("three places are free") {
            let wire = try scene.connect()
            try wire.send("HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return try wire.readResponse(isHead: true).status == 200
        }
        _ = try (0..<3).map { _ in try scene.watch() }
    }

    /// Who takes nothing has a place for as long as a response may stand still.
    @Test func aWatcherThatTakesNothingIsEnded() throws {
        let scene = try Scene(server: "timeouts: {write_stall: 500ms}")
        let idle = try scene.connect(receiveBuffer: 1)
        try idle.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let taking = try scene.watch()
        try eventually("seven others find a place", within: 20) {
            _ = try taking.next()
            let others = try (0..<7).map { _ in try scene.connect() }
            for wire in others { try wire.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n") }
            return try others.allSatisfy { try $0.read(until: "\r\n").hasPrefix("HTTP/1.1 200 ") }
        }
        #expect(try taking.next().all["state"] as? String == "ready")
    }

    @Test func aReloadThatMovesTheListenerEndsStreams() throws {
        let scene = try Scene()
        let watcher = try scene.watch()
        try scene.gateway.reload(policyText([scene.backend.url]))
        // The last event is whole, and then there is an end.
        #expect(try watcher.wire.readToEnd().hasSuffix("}\n\n"))
    }
}
