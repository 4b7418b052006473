// Responses to nothing: bytes that a backend sends before it was asked must not become the response
// to whoever asks next. The order of events is the point, so the connections are in memory.

import Admission
import Foundation
import HTTP1
import Logging
import Policy
import Testing

@testable import Gateway
@testable import Reactor

@Suite struct EarlyResponseTests {
    /// A gateway with one client and held dials, stepped by hand.
    private final class Scene {
        let gateway: Shard
        let client = MemoryStream()
        let connection: ClientConnection
        private var now = Instant(nanoseconds: 1_000_000_000)

        init() throws {
            let text = policyText(["http://127.0.0.1:9"])
            let policy = try PolicyLoader.load(text: text, file: "policy.yaml")
            gateway = try Shard.alone(policy, seed: 1)
            gateway.dialler.holdsDials = true
            connection = ClientConnection(
                shard: gateway, transport: .memory(client), peer: PeerAddress())
            _ = gateway.reserveConnection()
            _ = gateway.group.assign(acceptedBy: gateway.index)
            turn { gateway.serve(connection) }
        }

        func turn(_ events: () -> Void) {
            now = now.advanced(byNanoseconds: 1_000_000)
            gateway.reactor.turn(at: now, events)
        }

        func ask(_ path: String) {
            client.send(Array("GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n".utf8))
            connection.ready(.readable)
        }

        func wake(_ stream: MemoryStream, _ readiness: Readiness = .readable) {
            gateway.reactor.forEachHandler { handler in
                if let upstream = handler as? UpstreamConnection, upstream.isOver(stream) {
                    upstream.ready(readiness)
                }
            }
        }

        func connectBackend() -> MemoryStream {
            let stream = MemoryStream()
            turn { _ = gateway.dialler.finishHeld(.connected(.memory(stream))) }
            return stream
        }

        func answer(_ stream: MemoryStream, _ body: String) {
            stream.send(
                Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8))
        }

        var got: String { String(decoding: client.written, as: UTF8.self) }
    }

    @Test func aBackendThatSpeaksFirstIsAnswered502() throws {
        let scene = try Scene()
        scene.turn { scene.ask("/a") }
        let backend = MemoryStream()
        scene.answer(backend, "spoof")
        scene.turn { _ = scene.gateway.dialler.finishHeld(.connected(.memory(backend))) }
        #expect(scene.got.hasPrefix("HTTP/1.1 502 "))
        #expect(scene.got.contains("upstream_invalid") && !scene.got.contains("spoof"))
        #expect(backend.isClosed && backend.written.isEmpty)
    }

    @Test func bytesThatCameBeforeTheNextRequestAreNotItsResponse() throws {
        let scene = try Scene()
        scene.turn { scene.ask("/a") }
        let first = scene.connectBackend()
        scene.turn {
            scene.answer(first, "first")
            scene.wake(first)
        }
        #expect(scene.got.hasSuffix("first"))
        // The backend's surplus and the client's next request are reported together.
        scene.answer(first, "spoof")
        scene.turn {
            scene.ask("/b")
            scene.wake(first)
        }
        #expect(first.isClosed && !scene.got.contains("spoof"))
        let second = scene.connectBackend()
        scene.turn {
            scene.answer(second, "second")
            scene.wake(second)
        }
        #expect(scene.got.hasSuffix("second") && !scene.got.contains("spoof"))
    }

    @Test func anEndBeforeTheNextRequestCostsNothing() throws {
        let scene = try Scene()
        scene.turn { scene.ask("/a") }
        let first = scene.connectBackend()
        scene.turn {
            scene.answer(first, "first")
            scene.wake(first)
        }
        first.end()
        scene.turn {
            scene.ask("/b")
            scene.wake(first, [.readable, .peerClosed])
        }
        let second = scene.connectBackend()
        scene.turn {
            scene.answer(second, "second")
            scene.wake(second)
        }
        #expect(scene.got.hasSuffix("second"))
    }
}
