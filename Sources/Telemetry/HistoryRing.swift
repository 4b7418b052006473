// What one pool did in each of the last seconds: a ring of rows of whole numbers, so that ten minutes of it have a size
// that is known.

internal import Admission
internal import Bytes

/// The rows of one pool.
struct HistoryRing: Sendable {
    /// Rows that are kept; there is one a second.
    static let mostRows = 600
    /// The columns before those of the reasons, by their names on the page.
    static let gauges: [StaticString] = [
        "asked", "started", "good", "retries", "failed", "limit", "in_flight", "queued",
        "oldest_wait_ms",
    ]
    /// Reasons for which admission refuses, each with a column.
    static let reasons = Reason.allCases.filter(\.isDecision)
    /// Numbers in a row: its second is kept apart.
    static let width = gauges.count + reasons.count

    /// The seconds since 1970 of the rows; the oldest is at `start`.
    private var seconds: [Int64] = []
    private var values: [UInt32] = []
    private var start = 0

    /// Rows that are there.
    var count: Int { seconds.count }

    /// Bytes that the rows take.
    var bytes: Int {
        seconds.count * (MemoryLayout<Int64>.size + Self.width * MemoryLayout<UInt32>.size)
    }

    /// Appends what happened until `second`, which is later than the last one; the oldest row gives way.
    ///
    /// Counts are those since `former`.
    mutating func append(
        _ second: Int64, _ pool: PoolSnapshot, _ now: PoolFigures, since former: PoolFigures
    ) {
        let limit = pool.backends.reduce(0) { $0 + ($1.isUsable ? $1.limit : 0) }
        var row: [UInt32] = [
            count(now.asked, former.asked), count(now.started, former.started),
            count(now.good, former.good), count(now.retries, former.retries),
            count(now.failed.reduce(0, &+), former.failed.reduce(0, &+)),
            UInt32(clamping: limit), UInt32(clamping: pool.inFlight),
            UInt32(clamping: pool.queueRequests),
            UInt32(clamping: pool.oldestWaitNanoseconds / 1_000_000),
        ]
        for reason in Self.reasons {
            let index = Int(reason.rawValue)
            row.append(count(now.refused[index], former.refused[index]))
        }
        if seconds.count < Self.mostRows {
            seconds.append(second)
            values.append(contentsOf: row)
        } else {
            seconds[start] = second
            for (index, value) in row.enumerated() { values[start * Self.width + index] = value }
            start = (start + 1) % Self.mostRows
        }
    }

    private func count(_ now: UInt64, _ former: UInt64) -> UInt32 {
        UInt32(clamping: now.less(former))
    }

    /// The place of the row that is `index` behind the oldest.
    private func place(_ index: Int) -> Int { (start + index) % max(1, seconds.count) }

    /// Appends the rows after `second`, as members of an object.
    ///
    /// These are `seconds`, the first of which is whole and all others what came since the one before, and a list for each
    /// column. Reasons without a refusal are left out.
    func render(after second: Int64, into buffer: inout ByteBuffer) {
        let first = (0..<count).first { seconds[place($0)] > second } ?? count
        let places = (first..<count).map(place)
        buffer.append(text: "\"seconds\":[")
        var last: Int64 = 0
        for (index, place) in places.enumerated() {
            if index > 0 { buffer.append(0x2c) }
            buffer.append(signed: Int(seconds[place] - last))
            last = seconds[place]
        }
        buffer.append(text: "]")
        for (column, name) in Self.gauges.enumerated() {
            buffer.append(text: ",\"\(name)\":")
            render(column, of: places, into: &buffer)
        }
        buffer.append(text: ",\"refused\":{")
        var isFirst = true
        for (index, reason) in Self.reasons.enumerated() {
            let column = Self.gauges.count + index
            guard places.contains(where: { values[$0 * Self.width + column] > 0 }) else { continue }
            buffer.append(text: isFirst ? "\"" : ",\"")
            isFirst = false
            buffer.append(text: reason.name)
            buffer.append(text: "\":")
            render(column, of: places, into: &buffer)
        }
        buffer.append(text: "}")
    }

    private func render(_ column: Int, of places: [Int], into buffer: inout ByteBuffer) {
        buffer.append(0x5b)
        for (index, place) in places.enumerated() {
            if index > 0 { buffer.append(0x2c) }
            buffer.append(unsigned: UInt64(values[place * Self.width + column]))
        }
        buffer.append(0x5d)
    }
}
