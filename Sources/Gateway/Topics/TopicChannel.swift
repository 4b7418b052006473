// Between a topic's thread and the shard whose lane asks for its messages: how many requests the lane takes, and what has
// become of them. Nothing here waits, and there is never more than the lane has given demand for.

internal import Reactor
internal import Synchronization
internal import Telemetry

/// What a topic's thread and its lane share.
final class TopicChannel: Sendable {
    /// What the thread does from now on.
    enum Phase: Comparable {
        case reads
        /// It reads nothing more, and writes what is under way.
        case finishes
        /// It writes what has ended, and ends.
        case ends
    }

    private struct State {
        var phase = Phase.reads
        var credit = 0
        /// Requests that were sent and have not come to the lane.
        var underWay = 0
        var results: [LaneResult] = []
        var figures = TopicFigures()
        var waker: KafkaWaker?
    }

    private let state = Mutex(State())

    // MARK: The thread's side

    var phase: Phase { state.withLock { $0.phase } }

    /// Whether a request would be taken.
    var hasCredit: Bool { state.withLock { $0.credit > 0 } }

    /// Takes room for one request, which is sent then; false where there is none.
    func takeCredit() -> Bool {
        state.withLock { state in
            guard state.credit > 0 else { return false }
            state.credit -= 1
            state.underWay += 1
            return true
        }
    }

    /// Room that was taken is not needed.
    func giveBackCredit() {
        state.withLock {
            $0.underWay -= 1
            $0.credit += 1
        }
    }

    /// What has ended since the last call.
    func takeResults() -> [LaneResult] {
        state.withLock { state in
            var taken: [LaneResult] = []
            swap(&taken, &state.results)
            return taken
        }
    }

    /// Who is woken when something happens here; nil for nobody.
    func wakes(_ waker: KafkaWaker?) { state.withLock { $0.waker = waker } }

    /// Changes what is told of the topic.
    func note(_ change: (inout TopicFigures) -> Void) { state.withLock { change(&$0.figures) } }

    // MARK: The lane's side

    /// The lane has so much demand.
    func offer(_ demand: Int) {
        let waker = state.withLock { state -> KafkaWaker? in
            let had = state.credit
            state.credit = max(0, demand - state.underWay)
            return had == 0 && state.credit > 0 ? state.waker : nil
        }
        waker?.wake()
    }

    /// A request that was sent has come, or never will.
    func arrived() { state.withLock { $0.underWay -= 1 } }

    /// A request has ended.
    func give(_ result: consuming LaneResult) {
        let ended = result
        let waker = state.withLock { state -> KafkaWaker? in
            state.results.append(ended)
            return state.results.count == 1 ? state.waker : nil
        }
        waker?.wake()
    }

    // MARK: Any side

    /// The thread goes on to `phase`, and never back.
    func enter(_ phase: Phase) {
        let waker = state.withLock { state -> KafkaWaker? in
            state.phase = max(state.phase, phase)
            return state.waker
        }
        waker?.wake()
    }

    /// What is told of the topic.
    var figures: TopicFigures { state.withLock { $0.figures } }
}
