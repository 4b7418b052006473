// The gateway's state as tables, for `penstock ctl` and `penstock top`: pools, their backends and tenants, bulk requests, and
// what operators have changed.

internal import Admission
package import Bytes

/// Renders the gateway's state as tables.
package enum StatusTables {
    /// The gateway, its pools, backends, tenants, bulk requests and changes.
    package static func render(_ snapshot: GatewaySnapshot, into buffer: inout ByteBuffer) {
        let tables = [
            gateway(snapshot), pools(snapshot), backends(snapshot.pools),
            tenants(snapshot.pools), bulk(snapshot.bulk), topics(snapshot.topics),
            overrides(snapshot.overrides),
        ]
        join(tables, into: &buffer)
    }

    /// One pool: why it does what it does, its backends, and what is changed of it.
    package static func render(
        _ pool: PoolSnapshot, of snapshot: GatewaySnapshot, into buffer: inout ByteBuffer
    ) {
        var wanted = TextTable("wanted_backends", "demand", "limit_each")
        wanted.append([
            figure(pool.wanted.wanted), figure(pool.wanted.demand),
            pool.wanted.limit.map { figure($0) } ?? "",
        ])
        let tables = [
            pools(snapshot, only: pool.metrics.name), backends([pool]), limits(pool),
            tenants([pool]), wanted,
            overrides(snapshot.overrides.filter { $0.pool == pool.metrics.name }),
        ]
        join(tables, into: &buffer)
    }

    /// Changes.
    package static func render(_ overrides: [OverrideSnapshot], into buffer: inout ByteBuffer) {
        join([StatusTables.overrides(overrides)], into: &buffer)
    }

    private static func join(_ tables: [TextTable], into buffer: inout ByteBuffer) {
        for (index, table) in tables.filter({ !$0.rows.isEmpty }).enumerated() {
            if index > 0 { buffer.append(text: "\n") }
            table.render(into: &buffer)
        }
    }

    private static func topics(_ topics: [TopicSnapshot]) -> TextTable {
        var table = TextTable(
            "topic", "up", "paused", "partitions", "lag", "open", "completed", "failed", "dead",
            "error")
        for topic in topics {
            let figures = topic.figures
            table.append([
                topic.name, figures.isUp ? "yes" : "no", figures.isPaused ? "yes" : "no",
                "\(figures.partitionCount)", "\(figures.lag)", "\(figures.openCount)",
                "\(figures.completedCount)", "\(figures.failedCount)", "\(figures.deadCount)",
                figures.refusal.isEmpty ? figures.lastError : figures.refusal,
            ])
        }
        return table
    }

    private static func gateway(_ snapshot: GatewaySnapshot) -> TextTable {
        var table = TextTable("version", "state", "uptime_seconds", "connections", "policy")
        let metrics = snapshot.metrics
        table.append([
            metrics.version, snapshot.isDraining ? "draining" : "serving",
            "\(snapshot.uptimeNanoseconds / 1_000_000_000)", "\(metrics.connectionsOpen)",
            metrics.lastReloadSucceeded ? "in force" : "not reloaded: \(metrics.lastReloadError)",
        ])
        return table
    }

    private static func pools(
        _ snapshot: GatewaySnapshot, only name: String? = nil
    ) -> TextTable {
        var table = TextTable(
            "pool", "condition", "mode", "limit", "in_flight", "queued", "asked_per_second",
            "refused_per_second", "why")
        for pool in snapshot.pools where name == nil || pool.metrics.name == name {
            let explanation = PoolExplanation(pool, isDraining: snapshot.isDraining)
            let limit = pool.backends.reduce(0) { $0 + ($1.isUsable ? $1.limit : 0) }
            table.append([
                pool.metrics.name, explanation.condition.rawValue,
                pool.isObserving ? "observe" : "enforce", "\(limit)", "\(pool.inFlight)",
                "\(pool.queueRequests)", pool.recent.perSecond(pool.recent.asked),
                pool.recent.perSecond(pool.recent.refusals), explanation.sentence,
            ])
        }
        return table
    }

    private static func backends(_ pools: [PoolSnapshot]) -> TextTable {
        var table = TextTable("pool", "backend", "state", "limit", "in_flight", "weight", "pinned")
        for pool in pools {
            for backend in pool.backends {
                table.append([
                    pool.metrics.name, backend.metrics.label, state(of: backend),
                    "\(backend.limit)", "\(backend.inFlight)", "\(backend.weight)",
                    backend.pinnedLimit.map { "\($0)" } ?? "",
                ])
            }
        }
        return table
    }

    /// What a backend's limit rests on.
    private static func limits(_ pool: PoolSnapshot) -> TextTable {
        var table = TextTable(
            "backend", "limit", "held_by", "elasticity", "last_move", "seconds_ago")
        for backend in pool.backends {
            let moved = backend.lastMove.map { last in
                "\(figure(last.move.from)) to \(figure(last.move.to)) for \(last.move.reason.name)"
            }
            table.append([
                backend.metrics.label, "\(backend.limit)",
                backend.pinnedLimit != nil ? "operator" : backend.evidence.holder.name.description,
                backend.evidence.elasticity.map { figure($0) } ?? "", moved ?? "",
                backend.lastMove.map { "\($0.ageNanoseconds / 1_000_000_000)" } ?? "",
            ])
        }
        return table
    }

    private static func tenants(_ pools: [PoolSnapshot]) -> TextTable {
        var table = TextTable("pool", "tenant", "in_flight", "queued", "share")
        for pool in pools {
            for tenant in pool.tenants {
                table.append([
                    pool.metrics.name, tenant.name, "\(tenant.inFlight)", "\(tenant.queued)",
                    "\(tenant.share)",
                ])
            }
        }
        return table
    }

    private static func bulk(_ requests: [BulkSnapshot]) -> TextTable {
        var table = TextTable("bulk_client", "request_id", "seconds", "read", "completed", "failed")
        for request in requests {
            table.append([
                request.client, request.requestID, "\(request.ageNanoseconds / 1_000_000_000)",
                "\(request.linesRead)", "\(request.linesCompleted)", "\(request.linesFailed)",
            ])
        }
        return table
    }

    private static func overrides(_ overrides: [OverrideSnapshot]) -> TextTable {
        var table = TextTable(
            "verb", "pool", "about", "value", "instead_of", "age_seconds", "ends_in_seconds", "uid",
            "pid")
        for override in overrides {
            table.append([
                override.verb.rawValue, override.pool ?? "",
                override.backend ?? override.tenant ?? "",
                override.value, override.replaced, "\(override.ageNanoseconds / 1_000_000_000)",
                override.leftNanoseconds.map { "\($0 / 1_000_000_000)" } ?? "", "\(override.user)",
                "\(override.process)",
            ])
        }
        return table
    }

    /// Why a backend gets nothing or little, and what would end it, in a few words; `serves` where it gets what its limit
    /// allows.
    private static func state(of backend: BackendSnapshot) -> String {
        let strictest = backend.signals.max { $0.heard.signal.state < $1.heard.signal.state }
        if let signal = strictest, signal.heard.signal.state >= .drain {
            let left = signal.leftNanoseconds.map { ", for \($0 / 1_000_000_000) s" } ?? ""
            return "\(signal.heard.signal.state.name) by \(signal.heard.source.name)\(left)"
        }
        if let left = backend.ejectedNanoseconds {
            return "ejected, tried again in \(figure(Double(left) / 1e9)) s"
        }
        if backend.isFailingChecks, backend.suspicion == .check {
            return "checks fail, until they pass"
        }
        if let cause = backend.suspicion { return "suspected for \(cause.name), on trial" }
        if backend.isOnTrial { return "on trial" }
        if let signal = strictest, signal.heard.signal.state == .limited {
            return "limited by \(signal.heard.source.name)"
        }
        return backend.isUsable ? "serves" : "unusable"
    }

    private static func figure(_ value: Double) -> String {
        guard value.isFinite else { return "" }
        let hundredths = (value * 100).rounded() / 100
        return hundredths == hundredths.rounded() && abs(hundredths) < 1e15
            ? "\(Int(hundredths))" : "\(hundredths)"
    }
}
