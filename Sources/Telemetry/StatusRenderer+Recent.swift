// What /status says of the seconds before: what pools, tenants and backends came to of late, and why a backend gets less
// than its limit.

import Admission
import Bytes

extension StatusRenderer {
    /// Appends a pool's member `recent`.
    static func append(_ recent: RecentFigures, to buffer: inout ByteBuffer) {
        buffer.append(text: ",\"recent\":{\"seconds\":")
        append(recent.seconds, to: &buffer)
        buffer.append(text: ",\"asked\":")
        buffer.append(unsigned: recent.asked)
        buffer.append(text: ",\"refused\":")
        buffer.append(unsigned: recent.refusals)
        buffer.append(text: ",\"failed\":")
        buffer.append(unsigned: recent.failures)
        buffer.append(text: "}")
    }

    /// Appends what a tenant asked for of late, as further members of its object.
    static func append(_ counts: TenantCounts, to buffer: inout ByteBuffer) {
        buffer.append(text: ",\"asked\":")
        buffer.append(unsigned: counts.requests)
        buffer.append(text: ",\"refused\":")
        buffer.append(unsigned: counts.refused)
    }

    /// Appends what a backend came to of late, and what holds it back, and ends its object.
    static func append(
        _ recent: RecentBackend, of backend: BackendSnapshot, to buffer: inout ByteBuffer
    ) {
        buffer.append(text: ",\"suspicion\":")
        appendText(backend.suspicion?.name.description, to: &buffer)
        buffer.append(text: ",\"ejected_for_seconds\":")
        append(backend.ejectedNanoseconds.map { Double($0) / 1e9 }, to: &buffer)
        buffer.append(text: ",\"limit_held_by\":")
        buffer.append(jsonString: backend.evidence.holder.name.description)
        buffer.append(text: ",\"last_move\":")
        if let (move, age) = backend.lastMove {
            buffer.append(text: "{\"from\":")
            append(short(move.from), to: &buffer)
            buffer.append(text: ",\"to\":")
            append(short(move.to), to: &buffer)
            buffer.append(text: ",\"reason\":")
            buffer.append(jsonString: move.reason.name.description)
            buffer.append(text: ",\"age_seconds\":")
            append(short(Double(age) / 1e9), to: &buffer)
            buffer.append(text: "}")
        } else {
            buffer.append(text: "null")
        }
        buffer.append(text: ",\"recent\":{\"requests\":")
        buffer.append(unsigned: recent.requests)
        buffer.append(text: ",\"errors\":")
        buffer.append(unsigned: recent.errors)
        buffer.append(text: ",\"first_byte_p50_seconds\":")
        append(recent.firstByteSeconds(0.5).map { rounded($0) }, to: &buffer)
        buffer.append(text: ",\"first_byte_p95_seconds\":")
        append(recent.firstByteSeconds(0.95).map { rounded($0) }, to: &buffer)
        buffer.append(text: "}}")
    }

    /// Appends a number; null for none, and for what JSON has no word for.
    static func append(_ value: Double?, to buffer: inout ByteBuffer) {
        buffer.append(text: value.map { $0.isFinite ? $0.description : "null" } ?? "null")
    }

    private static func appendText(_ text: String?, to buffer: inout ByteBuffer) {
        if let text {
            buffer.append(jsonString: text)
        } else {
            buffer.append(text: "null")
        }
    }

    private static func short(_ value: Double) -> Double { (value * 100).rounded() / 100 }

    private static func rounded(_ seconds: Double) -> Double {
        (seconds * 10_000).rounded() / 10_000
    }
}
