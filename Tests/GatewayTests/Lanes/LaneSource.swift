// A source of requests for tests: it submits what it has as its lane has demand, and keeps what comes back.

import Admission

@testable import Gateway
@testable import TestSupport

/// A source whose requests are bodies.
final class LaneSource: LaneUser {
    private let world: World
    var lane: Lane { made.first ?? { preconditionFailure("the lane is made at once") }() }
    private var made: [Lane] = []
    private var bodies: [String]
    private let paths: [String]
    private var next = 0
    private(set) var results: [LaneResult] = []
    /// The most requests that were open at a time.
    private(set) var mostOpen = 0
    /// Whether results' bytes are passed on at once.
    private let releases: Bool
    private var depth = 0
    private(set) var mostDepth = 0

    init(
        _ world: World, _ bodies: [String], path: String = "/v1/x", paths: [String] = [],
        class name: String = "bulk",
        tenant: String? = nil, _ settings: LaneSettings = LaneSettings(), releases: Bool = true
    ) {
        self.world = world
        self.bodies = bodies
        self.paths = paths.isEmpty ? [path] : paths
        self.releases = releases
        super.init()
        var identity = LaneIdentity(priorityClass: Array(name.utf8))
        identity.tenant = tenant.map { Array($0.utf8) }
        made = [Lane(in: world.gateway, as: identity, settings, user: self)]
        world.turn { submit() }
    }

    var statuses: [Int] { results.map(\.status) }
    /// The bodies that came back, by their requests.
    var answers: [Int: String] {
        Dictionary(
            uniqueKeysWithValues: results.map {
                ($0.key, String(decoding: $0.body, as: UTF8.self))
            })
    }

    override func laneHasDemand() { submit() }

    override func laneEnded(_ result: consuming LaneResult) {
        depth += 1
        mostDepth = max(mostDepth, depth)
        let bytes = result.body.count
        results.append(result)
        if releases { lane.release(bytes: bytes) }
        depth -= 1
    }

    private func submit() {
        while next < bodies.count, lane.demand > 0 {
            let body = bodies[next]
            let path = paths[next % paths.count]
            lane.submit(
                LaneRequest(
                    key: next,
                    head: Array(
                        ("POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)"
                            + "\r\n\r\n").utf8), body: Array(body.utf8)))
            next += 1
            mostOpen = max(mostOpen, lane.openCount)
        }
    }
}
