// What a worker process is told, and the policy that follows: one pool with its engine, and nobody who listens.

package import Admission
package import Gateway
package import Policy

/// What a worker process does.
package struct WorkerTerms: Sendable {
    /// How many requests its engine gets at once.
    package enum Credits: Equatable, Sendable {
        /// So many, 1..10,000.
        case fixed(Int)
        /// As many as measuring shows to be best.
        case auto
    }

    /// Whom it serves, as what.
    package var credits: CreditSettings
    /// The engine.
    package var engine: BackendAddress
    /// How many requests that gets at once.
    package var limit: Credits
    /// A path that the engine is asked for, to see that it works; nil for a connection alone.
    package var healthPath: String?
    /// What the engine does when the connection to it is closed.
    package var cancel = CancelRule.auto
    /// Where its own pages are; nil for nowhere.
    package var admin: String?
    /// Seconds that requests under way get after SIGTERM, 0..86,400.
    package var drainSeconds = 30

    /// The least that is needed.
    package init(credits: CreditSettings, engine: BackendAddress, limit: Credits) {
        self.credits = credits
        self.engine = engine
        self.limit = limit
    }

    /// The policy of the process.
    ///
    /// What takes how long is the gateways' affair, who close a connection when it has taken too
    /// long: here everything may take a day.
    func policy() throws(PolicyError) -> Policy {
        var policy = try PolicyLoader.load(text: policyText, file: "penstock worker")
        policy.listen = []
        // It is between gateways, and a policy of anybody else's has no business with it.
        for index in policy.pools.indices {
            policy.pools[index].request.removed = ["penstock-queue"]
        }
        return policy
    }

    /// A text as YAML has it.
    private func quoted(_ text: String) -> String {
        "'\(text.map { $0 == "'" ? "''" : String($0) }.joined())'"
    }

    private var policyText: String {
        let limit =
            switch limit {
            case .fixed(let count): "\(count)"
            case .auto: "{algorithm: knee, max: \(credits.most)}"
            }
        let health = healthPath.map { "    health: {path: \(quoted($0))}\n" } ?? ""
        return """
            version: 1
            listen: 127.0.0.1:0
            admin: \(admin.map(quoted) ?? "off")
            threads: 1
            log: {access: off}
            server:
              max_connections: \(CreditSettings.mostCredits + 1_000)
              max_head_size: 256KiB
              max_fields: 1000
              max_body_size: 1TiB
              body_min_rate: 0B
              drain_timeout: \(drainSeconds)s
              readiness: backends
              ambiguous_paths: pass
              timeouts: {head: 24h, body_idle: 24h, body: off, keep_alive: 24h, write_stall: 24h}
            forwarding: {via: off, forwarded: off}
            pools:
              engine:
                backends: [\(quoted(engine.label))]
                limit: \(limit)
            \(health)    cancel: \(cancel.rawValue)
                queue: {max_requests: \(CreditSettings.mostCredits), max_wait: 8s}
                timeouts: {connect: 3s, first_byte: 24h, idle: 24h, stream_stall: 24h, tunnel_idle: 24h}
                websocket: allow
                deadline: {headers: ignore}
                responses: {timing: false}
            routes: [{path: /*, pool: engine}]

            """
    }
}
