// What /status says: the same snapshot as /metrics, as one JSON object that people and scripts can
// read.

import Admission
package import Bytes
import Policy

/// Renders the gateway's state as JSON.
package enum StatusRenderer {
    /// The value of the `Content-Type` field.
    package static let contentType = "application/json"

    /// Renders `snapshot` into `buffer`, after what it holds; where there is a `history`, the rows of that after `second` as
    /// its member `history`.
    package static func render(
        _ snapshot: GatewaySnapshot, with history: History? = nil, after second: Int64 = 0,
        into buffer: inout ByteBuffer
    ) {
        let metrics = snapshot.metrics
        var dates = DateWriter()
        buffer.append(text: "{\"version\":")
        buffer.append(jsonString: metrics.version)
        buffer.append(text: ",\"state\":")
        buffer.append(jsonString: state(of: snapshot))
        buffer.append(text: ",\"time\":\"")
        dates.appendTimestamp(snapshot.wallNanoseconds, to: &buffer)
        buffer.append(text: "\",\"uptime_seconds\":")
        buffer.append(decimal: Int(snapshot.uptimeNanoseconds / 1_000_000_000))
        buffer.append(text: ",\"policy\":{\"loaded\":\"")
        dates.appendTimestamp(metrics.lastReloadNanoseconds, to: &buffer)
        buffer.append(text: "\",\"last_reload_successful\":")
        buffer.append(text: metrics.lastReloadSucceeded ? "true" : "false")
        buffer.append(text: ",\"error\":")
        buffer.append(jsonString: metrics.lastReloadError)
        append(metrics.policySources, to: &buffer)
        buffer.append(text: "},\"client_connections\":{\"open\":")
        buffer.append(unsigned: metrics.connectionsOpen)
        buffer.append(text: ",\"max\":")
        buffer.append(signed: snapshot.maxConnections)
        buffer.append(text: "},\"certificates\":")
        buffer.append(jsonListOf: snapshot.certificates) { append($0, to: &$1) }
        buffer.append(text: ",\"pools\":")
        buffer.append(jsonListOf: snapshot.pools) {
            append($0, isDraining: snapshot.isDraining, to: &$1)
        }
        buffer.append(text: ",\"splits\":")
        buffer.append(jsonListOf: snapshot.splits) { append($0, to: &$1) }
        buffer.append(text: ",\"mirrors\":")
        buffer.append(jsonListOf: snapshot.mirrors) { mirror, buffer in
            buffer.append(text: "{\"path\":")
            buffer.append(jsonString: mirror.path)
            buffer.append(text: ",")
            append(mirror.pool, share: mirror.share, to: &buffer)
        }
        if snapshot.takesBulk {
            buffer.append(text: ",\"bulk\":")
            buffer.append(jsonListOf: snapshot.bulk) {
                $0.render(wallNanoseconds: snapshot.wallNanoseconds, into: &$1)
            }
        }
        if !snapshot.topics.isEmpty {
            buffer.append(text: ",\"topics\":")
            buffer.append(jsonListOf: snapshot.topics) { append($0, to: &$1) }
        }
        buffer.append(text: ",\"overrides\":")
        append(snapshot.overrides, to: &buffer)
        if let history {
            buffer.append(text: ",\"history\":")
            history.render(after: second, into: &buffer)
        }
        buffer.append(text: "}\n")
    }

    private static func append(_ certificate: CertificateSnapshot, to buffer: inout ByteBuffer) {
        buffer.append(text: "{\"listener\":")
        buffer.append(jsonString: certificate.listener)
        buffer.append(text: ",\"name\":")
        buffer.append(jsonString: certificate.name)
        buffer.append(text: ",\"ends\":")
        if let seconds = certificate.endSeconds {
            var dates = DateWriter()
            buffer.append(text: "\"")
            // Nanoseconds in 64 bits reach to 2262.
            dates.appendTimestamp(min(max(seconds, 0), 9_223_372_036) * 1_000_000_000, to: &buffer)
            buffer.append(text: "\"}")
        } else {
            buffer.append(text: "null}")
        }
    }

    private static func append(_ split: SplitSnapshot, to buffer: inout ByteBuffer) {
        buffer.append(text: "{\"path\":")
        buffer.append(jsonString: split.path)
        buffer.append(text: ",\"sticky\":")
        buffer.append(jsonString: split.stickiness)
        buffer.append(text: split.spills ? ",\"spill\":true" : ",\"spill\":false")
        buffer.append(text: ",\"pools\":")
        buffer.append(jsonListOf: split.parts) { part, buffer in
            buffer.append(text: "{")
            append(part.pool, share: part.share, to: &buffer)
        }
        buffer.append(text: "}")
    }

    /// Appends the last members of an object: a pool, and the share that it gets.
    private static func append(_ pool: String, share: Double, to buffer: inout ByteBuffer) {
        buffer.append(text: "\"pool\":")
        buffer.append(jsonString: pool)
        buffer.append(text: ",\"share\":")
        buffer.append(text: share.description)
        buffer.append(text: "}")
    }

    /// Renders one pool of `snapshot` as in there.
    package static func render(
        _ pool: PoolSnapshot, of snapshot: GatewaySnapshot, into buffer: inout ByteBuffer
    ) {
        append(pool, isDraining: snapshot.isDraining, to: &buffer)
        buffer.append(text: "\n")
    }

    /// Names of included files that are told.
    private static let mostFiles = 100

    private static func append(_ sources: PolicySources, to buffer: inout ByteBuffer) {
        buffer.append(text: ",\"file\":")
        buffer.append(jsonString: sources.file)
        buffer.append(text: ",\"sha256\":")
        buffer.append(jsonString: sources.digest)
        buffer.append(text: ",\"included\":")
        buffer.append(jsonListOf: sources.included.prefix(mostFiles)) { $1.append(jsonString: $0) }
        buffer.append(text: ",\"included_files\":")
        buffer.append(decimal: sources.included.count)
    }

    /// `draining`, `ready`, or `unavailable` while no pool has a usable backend.
    private static func state(of snapshot: GatewaySnapshot) -> String {
        if snapshot.isDraining { return "draining" }
        return snapshot.isReady ? "ready" : "unavailable"
    }

    private static func append(
        _ pool: PoolSnapshot, isDraining: Bool, to buffer: inout ByteBuffer
    ) {
        buffer.append(text: "{\"name\":")
        buffer.append(jsonString: pool.metrics.name)
        buffer.append(text: ",\"usable\":")
        buffer.append(text: pool.isUsable ? "true" : "false")
        buffer.append(text: pool.isObserving ? ",\"mode\":\"observe\"" : ",\"mode\":\"enforce\"")
        let explanation = PoolExplanation(pool, isDraining: isDraining)
        buffer.append(text: ",\"condition\":")
        buffer.append(jsonString: explanation.condition.rawValue)
        buffer.append(text: ",\"sentence\":")
        buffer.append(jsonString: explanation.sentence)
        append(pool.recent, to: &buffer)
        buffer.append(text: ",\"limit\":")
        buffer.append(signed: pool.backends.reduce(0) { $0 + ($1.isUsable ? $1.limit : 0) })
        buffer.append(text: ",\"in_flight\":")
        buffer.append(signed: pool.inFlight)
        buffer.append(text: ",\"wanted\":")
        buffer.append(text: pool.wanted.wanted.description)
        buffer.append(text: ",\"queue\":{\"requests\":")
        buffer.append(signed: pool.queueRequests)
        buffer.append(text: ",\"max_requests\":")
        buffer.append(signed: pool.maxQueueRequests)
        buffer.append(text: ",\"bytes\":")
        buffer.append(signed: pool.queueBytes)
        buffer.append(text: ",\"max_bytes\":")
        buffer.append(signed: pool.maxQueueBytes)
        buffer.append(text: ",\"oldest_wait_seconds\":")
        buffer.append(secondsOf: UInt128(max(0, pool.oldestWaitNanoseconds)))
        buffer.append(text: ",\"max_wait_seconds\":")
        append(pool.maxWaitSeconds, to: &buffer)
        buffer.append(text: ",\"drain_rate\":")
        append(pool.drainRatePerSecond, to: &buffer)
        buffer.append(text: "}")
        appendClasses(pool, to: &buffer)
        appendTenants(pool, to: &buffer)
        if let discovery = pool.discovery { append(discovery, to: &buffer) }
        if let affinity = pool.affinity { append(affinity, to: &buffer) }
        buffer.append(text: ",\"backends\":")
        buffer.append(jsonListOf: pool.backends.enumerated()) { each, buffer in
            let (index, backend) = each
            append(backend, to: &buffer)
            append(
                index < pool.recent.backends.count
                    ? pool.recent.backends[index] : RecentBackend(), of: backend, to: &buffer)
        }
        buffer.append(text: "}")
    }

    private static func appendClasses(_ pool: PoolSnapshot, to buffer: inout ByteBuffer) {
        buffer.append(text: ",\"classes\":")
        buffer.append(jsonListOf: zip(pool.metrics.classes, pool.classes)) { each, buffer in
            let (counters, now) = each
            buffer.append(text: "{\"name\":")
            buffer.append(jsonString: counters.name)
            buffer.append(text: ",\"in_flight\":")
            buffer.append(signed: now.inFlight)
            buffer.append(text: ",\"queued\":")
            buffer.append(signed: now.queued)
            buffer.append(text: "}")
        }
    }

    private static func appendTenants(_ pool: PoolSnapshot, to buffer: inout ByteBuffer) {
        buffer.append(text: ",\"tenants\":")
        buffer.append(jsonListOf: pool.tenants.enumerated()) { each, buffer in
            let (index, tenant) = each
            buffer.append(text: "{\"name\":")
            buffer.append(jsonString: tenant.name)
            buffer.append(text: ",\"in_flight\":")
            buffer.append(signed: tenant.inFlight)
            buffer.append(text: ",\"queued\":")
            buffer.append(signed: tenant.queued)
            buffer.append(text: ",\"share\":")
            buffer.append(signed: tenant.share)
            append(
                index < pool.recent.tenants.count ? pool.recent.tenants[index] : TenantCounts(),
                to: &buffer)
            buffer.append(text: "}")
        }
    }

    private static func append(_ discovery: DiscoverySnapshot, to buffer: inout ByteBuffer) {
        buffer.append(text: ",\"discovery\":{\"source\":")
        buffer.append(jsonString: discovery.source)
        buffer.append(text: ",\"backends\":")
        buffer.append(signed: discovery.backends)
        buffer.append(text: ",\"unready\":")
        buffer.append(signed: discovery.unready)
        buffer.append(text: ",\"good_timestamp_seconds\":")
        buffer.append(secondsOf: UInt128(max(0, discovery.goodNanoseconds)))
        buffer.append(text: ",\"errors\":")
        buffer.append(signed: Int(clamping: discovery.errors))
        buffer.append(text: ",\"changes\":")
        buffer.append(signed: Int(clamping: discovery.changes))
        buffer.append(text: "}")
    }

    private static func append(_ backend: BackendSnapshot, to buffer: inout ByteBuffer) {
        buffer.append(text: "{\"url\":")
        buffer.append(jsonString: backend.metrics.label)
        buffer.append(text: ",\"usable\":")
        buffer.append(text: backend.isUsable ? "true" : "false")
        buffer.append(text: ",\"on_trial\":")
        buffer.append(text: backend.isOnTrial ? "true" : "false")
        buffer.append(text: ",\"weight\":")
        buffer.append(signed: backend.weight)
        buffer.append(text: ",\"limit\":")
        buffer.append(signed: backend.limit)
        buffer.append(text: ",\"in_flight\":")
        buffer.append(signed: backend.inFlight)
        buffer.append(text: ",\"connections\":{\"open\":")
        buffer.append(signed: backend.openConnections)
        buffer.append(text: ",\"idle\":")
        buffer.append(signed: backend.idleConnections)
        buffer.append(text: "},\"signals\":")
        append(backend.signals, to: &buffer)
        buffer.append(text: ",\"report\":")
        append(backend.report, to: &buffer)
        if let tokens = backend.cacheTokens {
            buffer.append(text: ",\"cache_tokens\":")
            buffer.append(signed: tokens)
        }
    }
}
