// What a backend says of itself in the head of a response.

internal import Admission
internal import HTTP1

extension Exchange {
    /// Takes in what a head says of its backend; only that backend can be sent less for it.
    func heedSignals(_ head: borrowing ResponseHead) {
        guard let pool, let connection = attempt.connection else { return }
        pool.heed(SignalField.read(head, now: now), of: connection.upstream)
    }
}
