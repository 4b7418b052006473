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
        guard mayBeRepeated(after: outcome), let pool, let connection = upstream,
            pool.mayRetry(&permit, after: outcome), let permit = permit.take()
        else { return false }
        let work = servedWork(outcome)
        release(connection, reusable: false)
        connection.upstream.metrics.count(outcome)
        record.retries += 1
        forgetAttempt()
        pool.metrics.retries &+= 1
        record.waitBeganAt = now
        let verdict = pool.retry(permit, after: outcome, work, id) { makeTicket(pool) }
        switch consume verdict {
        case .forward(let next):
            granted(next)
        case .reject(let rejection):
            refused(rejection)
        case .parked(let handle):
            parkedHandle = handle
            move(to: .parked)
        }
        return true
    }

    /// Whether the request may be sent a second time, and can be.
    ///
    /// What says overload was not begun. Anything else may have been.
    private func mayBeRepeated(after outcome: Outcome) -> Bool {
        guard !isResponseBegun || isStreamPromised, record.retries < Exchange.mostRetries,
            let upstream, isWhole(on: upstream)
        else { return false }
        switch outcome {
        case .overload: return record.retries == 0
        case .failed(.status), .failed(.invalid), .failed(.closed), .failed(.refusal):
            return doesNoHarmTwice
        case .success, .failed, .cancelled: return false
        }
    }

    /// Forgets what the failed attempt left.
    private func forgetAttempt() {
        record.firstByteAt = Instant(nanoseconds: 0)
        record.connectBeganAt = Instant(nanoseconds: 0)
        record.backendStatus = 0
        record.backendRetryAfterSeconds = 0
        interimResponses = 0
        isResponsePaused = false
        responseNeedsMore = true
    }
}
