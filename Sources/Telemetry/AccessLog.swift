// The access log: one JSON line for each finished request, written into a buffer that is used again
// and again. No header's value is ever logged but the request's ID, and no query: both may hold
// secrets.

package import Admission
internal import Bytes
package import Inference
package import Policy

/// What a finished request's line says besides its bytes of text.
package struct AccessRecord {
    /// Wall-clock time at which the request ended, in nanoseconds since 1970.
    package var wallNanoseconds: Int64
    /// The status that the client got, 0 when it got none.
    package var status: Int
    /// Why the request ended.
    package var reason: Reason
    /// What it would have been refused for, if its pool did more than observe.
    package var withheld = Reason.none
    /// The pool that the request went to.
    package var pool: PoolMetrics?
    /// The backend that the request went to last.
    package var backend: BackendMetrics?
    /// Backends that the request went to before, oldest first.
    package var formerBackends: [BackendMetrics] = []
    /// The name of the tenant, where the policy has one; else empty.
    package var tenant: [UInt8] = []
    /// What stands for the name of a tenant that the policy does not name.
    package var tenantHash: UInt64?
    /// The priority class that the request was offered in.
    package var priorityClass: ClassMetrics?
    /// The model that was asked for; empty where none was read.
    package var model: [UInt8] = []
    /// Whether the request went to its route's other pool.
    package var hasFallenBack = false
    /// Whether it went to another pool of its route's split than was chosen first.
    package var hasSpilled = false
    /// Whether it is a copy of a client's request, made by the gateway.
    package var isMirror = false
    /// Tokens that it came to.
    package var usage = TokenUsage()
    /// Time in the queue; `nil` when it was not queued.
    package var queueNanoseconds: Int64?
    /// Time until a connection was ready; `nil` when none was made.
    package var connectNanoseconds: Int64?
    /// Time from the permit to the first byte of the response; `nil` when there was none.
    package var firstByteNanoseconds: Int64?
    /// Time from the request's first byte to its end.
    package var totalNanoseconds: Int64 = 0
    /// Bytes read from the client for this request.
    package var bytesIn: UInt64 = 0
    /// Bytes written to the client for this request.
    package var bytesOut: UInt64 = 0
    /// Backends or connections that were tried.
    package var attempts = 0
    /// Whether the last try went out on a connection that was open already.
    package var reused = false

    /// The record of a request that ended at `wallNanoseconds` since 1970.
    package init(wallNanoseconds: Int64, status: Int, reason: Reason) {
        self.wallNanoseconds = wallNanoseconds
        self.status = status
        self.reason = reason
    }
}

/// Writes access log lines, as many of them as the policy asks for.
///
/// It belongs to the reactor's thread.
package struct AccessLog: ~Copyable {
    private var writer: LogWriter
    private var level: LogSettings.AccessLevel
    private var sample: Double
    private var random: SplitMix64
    private var dates = DateWriter()
    private var line = ByteBuffer()

    /// Bytes of the path that are logged.
    package static let maxPathBytes = 512
    /// Bytes that are logged of each of the other texts.
    package static let maxTextBytes = 256

    private static let reasons = Reason.allCases.map { $0.name.description }

    /// Makes an access log that writes to `writer` what `settings` asks for; `seed` decides which
    /// requests a sample of less than 1 picks.
    package init(writer: LogWriter, settings: LogSettings, seed: UInt64) {
        self.writer = writer
        self.level = settings.accessLevel
        self.sample = settings.accessSample
        random = SplitMix64(seed: seed)
    }

    /// Takes over the level and sample of a reloaded policy.
    package mutating func apply(_ settings: LogSettings) {
        level = settings.accessLevel
        sample = settings.accessSample
    }

    /// Writes to `writer` from now on.
    package mutating func move(to writer: LogWriter) { self.writer = writer }

    /// Writes the line of a finished request, if the level and the sample want it.
    ///
    /// The texts are bytes as they came, empty where unknown; a query in `path` is left out. Does
    /// not allocate once the buffers have grown.
    package mutating func log(
        _ record: borrowing AccessRecord, requestID: Span<UInt8>, client: Span<UInt8>,
        method: Span<UInt8>, path: Span<UInt8>, host: Span<UInt8>
    ) {
        guard wants(status: record.status, reason: record.reason) else { return }
        line.removeAll()
        line.append(text: "{\"time\":\"")
        dates.appendTimestamp(record.wallNanoseconds, to: &line)
        line.append(text: "\",\"request_id\":\"")
        line.append(jsonEscaped: requestID, limit: AccessLog.maxTextBytes)
        line.append(text: "\",\"client\":\"")
        line.append(jsonEscaped: client, limit: AccessLog.maxTextBytes)
        line.append(text: "\",\"method\":\"")
        line.append(jsonEscaped: method, limit: AccessLog.maxTextBytes)
        line.append(text: "\",\"path\":\"")
        let pathLength = AccessLog.lengthWithoutQuery(path)
        line.append(
            jsonEscaped: path.extracting(first: pathLength), limit: AccessLog.maxPathBytes)
        line.append(text: "\",\"host\":\"")
        line.append(jsonEscaped: host, limit: AccessLog.maxTextBytes)
        line.append(0x22)
        appendPlace(record)
        appendClaim(record)
        appendOutcome(record)
        appendTimings(record)
        line.append(text: ",\"bytes_in\":")
        line.append(unsigned: record.bytesIn)
        line.append(text: ",\"bytes_out\":")
        line.append(unsigned: record.bytesOut)
        line.append(text: ",\"attempts\":")
        line.append(signed: record.attempts)
        line.append(text: record.reused ? ",\"reused\":true}" : ",\"reused\":false}")
        writer.append(line.bytes)
    }

    private mutating func append(member: String, _ text: Span<UInt8>) {
        line.append(text: member)
        line.append(0x22)
        line.append(jsonEscaped: text, limit: AccessLog.maxTextBytes)
        line.append(0x22)
    }

    private mutating func appendPlace(_ record: borrowing AccessRecord) {
        if let pool = record.pool {
            append(member: ",\"pool\":", pool.name.utf8.span)
            if record.isMirror { line.append(text: ",\"mirror\":true") }
            if record.hasSpilled { line.append(text: ",\"spilled\":true") }
            if record.hasFallenBack { line.append(text: ",\"fallback\":true") }
        }
        if let backend = record.backend {
            append(member: ",\"backend\":", backend.label.utf8.span)
        }
        for index in record.formerBackends.indices {
            append(
                member: index == 0 ? ",\"former_backends\":[" : ",",
                record.formerBackends[index].label.utf8.span)
        }
        if !record.formerBackends.isEmpty { line.append(text: "]") }
    }

    private mutating func appendClaim(_ record: borrowing AccessRecord) {
        if !record.tenant.isEmpty { append(member: ",\"tenant\":", record.tenant.span) }
        if let hash = record.tenantHash {
            line.append(text: ",\"tenant_hash\":\"")
            for digit in (0..<16).reversed() {
                line.append(hexadecimal: Int(truncatingIfNeeded: hash &>> UInt64(4 &* digit)) & 0xf)
            }
            line.append(0x22)
        }
        if let priorityClass = record.priorityClass {
            append(member: ",\"class\":", priorityClass.name.utf8.span)
        }
        if !record.model.isEmpty { append(member: ",\"model\":", record.model.span) }
        if let tokens = record.usage.input {
            line.append(text: ",\"input_tokens\":")
            line.append(signed: tokens)
        }
        if let tokens = record.usage.output {
            line.append(text: ",\"output_tokens\":")
            line.append(signed: tokens)
        }
    }

    private mutating func appendOutcome(_ record: borrowing AccessRecord) {
        line.append(text: ",\"status\":")
        line.append(signed: record.status)
        line.append(text: ",\"reason\":\"")
        line.append(text: AccessLog.reasons[Int(record.reason.rawValue)])
        line.append(0x22)
        if record.withheld != .none {
            line.append(text: ",\"would_be_refused\":\"")
            line.append(text: AccessLog.reasons[Int(record.withheld.rawValue)])
            line.append(0x22)
        }
    }

    private mutating func appendTimings(_ record: borrowing AccessRecord) {
        if let nanoseconds = record.queueNanoseconds {
            line.append(text: ",\"queue_ms\":")
            line.append(milliseconds: nanoseconds)
        }
        if let nanoseconds = record.connectNanoseconds {
            line.append(text: ",\"connect_ms\":")
            line.append(milliseconds: nanoseconds)
        }
        if let nanoseconds = record.firstByteNanoseconds {
            line.append(text: ",\"first_byte_ms\":")
            line.append(milliseconds: nanoseconds)
        }
        line.append(text: ",\"total_ms\":")
        line.append(milliseconds: record.totalNanoseconds)
    }

    private mutating func wants(status: Int, reason: Reason) -> Bool {
        if level == .failures && reason == .none && status < 400 { return false }
        if sample >= 1 || status >= 500 { return true }
        return random.nextUnit() < sample
    }

    /// The length of `path` up to a query or fragment.
    private static func lengthWithoutQuery(_ path: Span<UInt8>) -> Int {
        var end = 0
        while end < path.count && path[end] != 0x3f && path[end] != 0x23 { end &+= 1 }
        return end
    }
}

extension ByteBuffer {
    /// Appends `nanoseconds` as milliseconds with three decimals; 0 for a negative value.
    fileprivate mutating func append(milliseconds nanoseconds: Int64) {
        let microseconds = Int(max(0, nanoseconds)) / 1_000
        append(decimal: microseconds / 1_000)
        let rest = microseconds % 1_000
        append(0x2e)
        append(0x30 &+ UInt8(truncatingIfNeeded: rest / 100))
        append(0x30 &+ UInt8(truncatingIfNeeded: rest / 10 % 10))
        append(0x30 &+ UInt8(truncatingIfNeeded: rest % 10))
    }
}
