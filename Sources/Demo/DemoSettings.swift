// What a run of the demo is made of. The defaults stand here and nowhere else.

internal import Admission

/// One run of the demo.
package struct DemoSettings: Equatable, Sendable {
    /// How the gateway finds each backend's limit.
    package enum Limit: Equatable, Sendable {
        /// So many requests, always.
        case fixed(Int)
        /// Up while responses are in time, down by a tenth when one is late: the demo's default,
        /// because it uses the whole batch without being told how large it is.
        case aimd
        /// By the ratio of usual to present latency, with the defaults that a policy has. Here
        /// the latency grows with each request in the batch, long before it is full; gradient takes
        /// that for overload.
        case gradient
        /// The limit of policies that say nothing: raised while more concurrency buys throughput.
        case knee
    }

    /// Seconds until the end; nil to go on until `stop`.
    package var seconds: Double? = 30
    /// Arrivals as a multiple of what the backends can do.
    package var load = 3.0
    /// Decides all that is left to chance.
    package var seed: UInt64 = 1
    /// Backends of each side, at least 1.
    package var backends = 2
    /// How the gateway finds each backend's limit.
    package var limit = Limit.aimd
    /// Share of refused clients that come back once after Retry-After, 0...1.
    package var retryShare = 0.5
    /// How long a client waits for the end of its response.
    package var patience = Duration.seconds(2)
    /// How long a request may wait in the gateway.
    package var maxWait = Duration.milliseconds(500)
    /// What the backends can do.
    package var speed = EngineSpeed()
    /// How long responses are.
    package var tokens = TokenDistribution()

    /// The defaults.
    package init() {}

    /// Requests a second that one side's backends complete with full batches.
    package var capacityPerSecond: Double {
        Double(backends) * speed.tokensPerSecond(batch: speed.maxBatch) / tokens.mean
    }

    /// Requests a second that arrive at each side, on average, without those that come back.
    package var arrivalsPerSecond: Double { load * capacityPerSecond }

    /// Descriptors that a run may need: a client's and a server's end for each of those who wait at
    /// the backends, some more for chance, and both ends of the few that the gateway holds at a
    /// time.
    package var neededDescriptors: Int {
        Int(2.2 * arrivalsPerSecond * patience.inSeconds) + 1_000
    }

    /// The gateway's policy in front of backends at `ports`.
    package func policyText(ports: [UInt16]) -> String {
        let backends = ports.map { "\"http://127.0.0.1:\($0)\"" }.joined(separator: ", ")
        let wait = milliseconds(maxWait)
        let limit =
            switch limit {
            case .fixed(let limit): "{algorithm: fixed, limit: \(limit)}"
            // What is left of the patience after the longest wait; the default would be longer than
            // all of it.
            case .aimd: "{algorithm: aimd, timeout: \(milliseconds(patience) - wait)ms}"
            case .gradient: "{algorithm: gradient}"
            case .knee: "{algorithm: knee}"
            }
        return """
            version: 1
            listen: 127.0.0.1:0
            admin: 127.0.0.1:0
            threads: 1
            log: {access: off}
            server: {drain_timeout: 1s}
            pools:
              demo:
                backends: [\(backends)]
                limit: \(limit)
                queue: {max_requests: 256, max_wait: \(wait)ms}
            routes:
              - {path: /*, pool: demo}

            """
    }

    private func milliseconds(_ duration: Duration) -> Int64 {
        duration.components.seconds * 1000
            + duration.components.attoseconds / 1_000_000_000_000_000
    }
}
