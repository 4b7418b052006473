// What a backend says of itself in the head of a response, and behind its body.

internal import Admission
internal import HTTP1

extension Exchange {
    /// Takes in what a head says of its backend; only that backend can be sent less for it.
    func heedSignals(_ head: borrowing ResponseHead) {
        guard let pool, let connection = attempt.connection else { return }
        pool.heed(SignalField.read(head, now: now), of: connection.upstream)
        if pool.heedsReports { pool.heed(ReportField.read(head), of: connection.upstream) }
    }

    /// Takes in what stands behind a body, where it replaces what the head said.
    func heedSignals(_ trailers: borrowing FieldSection, of upstream: Upstream) {
        guard !trailers.ownFields.isEmpty, let pool else { return }
        pool.heed(SignalField.read(trailers, now: now), of: upstream)
        if pool.heedsReports { pool.heed(ReportField.read(trailers), of: upstream) }
    }
}
