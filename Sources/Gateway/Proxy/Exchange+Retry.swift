// A request whose backend failed before its client had anything is tried once more elsewhere, within
// the pool's budget.

internal import Admission
internal import Inference
internal import Policy
internal import Telemetry

extension Exchange {
    /// How often one request is tried again at most.
    static let mostRetries = 2

    /// Sends the request to another backend after its own failed in that way; false where it cannot.
    ///
    /// The connection is closed when it is sent, and in use as before when it is not.
    func triesElsewhere(after outcome: Outcome) -> Bool {
        guard mayBeRepeated(after: outcome), let pool,
            let connection = attempt.connection, attempt.mayRetry(in: pool, after: outcome),
            let permit = attempt.takePermit()
        else { return false }
        let work = attempt.work(outcome, charge)
        release(connection, reusable: false)
        connection.upstream.metrics.count(outcome)
        record.retries += 1
        record.connectBeganAt = Instant(nanoseconds: 0)
        attempt.forgetResponse()
        outlet.resume()
        pool.metrics.retries &+= 1
        record.waitBeganAt = now
        let verdict = pool.retry(permit, after: outcome, work, id, prompt) { makeTicket(pool) }
        switch consume verdict {
        case .forward(let next):
            granted(next)
        case .reject(let rejection):
            refused(rejection)
        case .parked(let handle):
            park(handle)
        }
        return true
    }

    /// Whether the request may be sent a second time, and can be.
    ///
    /// What says overload was not begun. Anything else may have been.
    private func mayBeRepeated(after outcome: Outcome) -> Bool {
        guard outlet.isOpenToAnother, record.retries < Exchange.mostRetries,
            let upstream = attempt.connection, isWhole(on: upstream)
        else { return false }
        switch outcome {
        case .overload: return record.retries == 0
        case .failed(.status), .failed(.invalid), .failed(.closed), .failed(.refusal):
            return claim.doesNoHarmTwice(intake.head)
        case .success, .failed, .cancelled: return false
        }
    }
}
