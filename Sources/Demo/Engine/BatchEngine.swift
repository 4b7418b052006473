// A model of a continuously batched inference engine, as vLLM and its like are: all running
// requests share one step, each step makes one token for each of them, and a step takes longer the
// fuller the batch is. What does not fit into the batch waits in the engine's own queue, which has
// no bound, as theirs have none. No clock, no thread and no socket: every call has the time, and
// the same calls give the same tokens.

package import Admission

/// A batch of requests that make one token a step, and the queue behind it.
package struct BatchEngine: Sendable {
    /// A request that made a token.
    package struct Progress: Equatable, Sendable {
        /// The number that the request was submitted with.
        package var id: Int
        /// Whether the request is complete with this token and has left the batch.
        package var isLast: Bool
    }

    /// Where the engine's time went, in nanoseconds; a step's time is shared out equally to its
    /// requests.
    package struct Work: Equatable, Sendable {
        /// In steps, from their beginning on.
        package var busyNanoseconds: Int64 = 0
        /// For requests that were completed.
        package var usefulNanoseconds: Int64 = 0
        /// For requests that were cancelled before they were complete.
        package var wastedNanoseconds: Int64 = 0
    }

    private struct Request {
        var id: Int
        var tokensLeft: Int
        var workNanoseconds: Int64 = 0
    }

    /// How fast this engine is.
    package let speed: EngineSpeed
    /// When the present step ends; nil when the engine has nothing to do.
    package private(set) var stepEnd: Instant?
    /// Where the time went.
    package private(set) var work = Work()

    /// Those in the present step.
    private var running: [Request] = []
    /// Those that wait, the oldest first; only the clients' patience bounds it, which is the point.
    private var waiting: [Request] = []

    /// An engine without requests.
    package init(speed: EngineSpeed) { self.speed = speed }

    /// Requests in the batch.
    package var runningCount: Int { running.count }

    /// Requests in the engine's own queue.
    package var waitingCount: Int { waiting.count }

    /// Takes a request for `tokens` tokens, at least 1; it joins the batch when the next step
    /// begins.
    ///
    /// No other request in the engine may have the same `id`.
    package mutating func submit(_ id: Int, tokens: Int, now: Instant) {
        precondition(tokens > 0, "a request for no tokens")
        waiting.append(Request(id: id, tokensLeft: tokens))
        if stepEnd == nil { beginStep(at: now) }
    }

    /// Drops a request at once, wherever it is; a step that runs keeps its length.
    package mutating func cancel(_ id: Int) {
        if let index = running.firstIndex(where: { $0.id == id }) {
            work.wastedNanoseconds += running.remove(at: index).workNanoseconds
        } else if let index = waiting.firstIndex(where: { $0.id == id }) {
            waiting.remove(at: index)
        }
    }

    /// Ends the steps whose time has come; tells which requests made a token, in the order of the
    /// steps.
    ///
    /// Each step begins when the one before it ended, however late this is called.
    package mutating func finishSteps(upTo now: Instant) -> [Progress] {
        var made: [Progress] = []
        while let end = stepEnd, end <= now {
            for index in running.indices {
                running[index].tokensLeft -= 1
                let request = running[index]
                made.append(Progress(id: request.id, isLast: request.tokensLeft == 0))
                if request.tokensLeft == 0 { work.usefulNanoseconds += request.workNanoseconds }
            }
            running.removeAll { $0.tokensLeft == 0 }
            beginStep(at: end)
        }
        return made
    }

    private mutating func beginStep(at start: Instant) {
        let joining = min(waiting.count, speed.maxBatch - running.count)
        running.append(contentsOf: waiting[..<joining])
        waiting.removeFirst(joining)
        guard !running.isEmpty else {
            stepEnd = nil
            return
        }
        let length = speed.stepNanoseconds(batch: running.count)
        let share = length / Int64(running.count)
        for index in running.indices { running[index].workNanoseconds += share }
        // What the division leaves over is nobody's, so that the shares never exceed the whole.
        work.busyNanoseconds += length
        stepEnd = start.advanced(byNanoseconds: length)
    }
}

extension BatchEngine.Work {
    /// Adds another engine's work.
    package mutating func add(_ other: BatchEngine.Work) {
        busyNanoseconds += other.busyNanoseconds
        usefulNanoseconds += other.usefulNanoseconds
        wastedNanoseconds += other.wastedNanoseconds
    }

    /// What was done here and not yet in `earlier`, an older state of the same engines.
    package func since(_ earlier: BatchEngine.Work) -> BatchEngine.Work {
        BatchEngine.Work(
            busyNanoseconds: busyNanoseconds - earlier.busyNanoseconds,
            usefulNanoseconds: usefulNanoseconds - earlier.usefulNanoseconds,
            wastedNanoseconds: wastedNanoseconds - earlier.wastedNanoseconds)
    }
}
