// What a simulated backend is like, and how that changes over time.

/// One simulated backend.
package struct BackendModel: Equatable, Sendable {
    /// Its name in the pool.
    package var name: String
    /// What it is like from when on; the first begins at 0, the others follow in order.
    package var phases: [BackendPhase]
    /// The limit that an earlier process found, 1..100,000; nil for none.
    package var rememberedLimit: Double?

    /// Whether it is a worker, which says itself what it takes.
    package var isWorker: Bool { phases.contains { $0.credits != nil } }

    /// A backend that stays the same.
    package init(name: String, phase: BackendPhase) {
        self.name = name
        phases = [phase]
    }
}

/// What a backend is like for some time.
///
/// All running requests get one unit of work done every `tau(n)` seconds, where n is their number:
/// `tau(n) = (baseSeconds + perRequestSeconds n) (1 + cliffSlope max(0, n - cliffThreshold))
/// slowdown`. With `perRequestSeconds` 0 and a batch of K it is K fixed slots. With a `curve` the
/// first factor is n over what the curve says instead.
///
/// With `prefillSeconds` prompts are read first, one after the other, in pieces of `chunkTokens`: each
/// step of the engine then takes that much longer for all. `n` is the number of those whose prompts
/// have been read.
package struct BackendPhase: Equatable, Sendable {
    /// What becomes of a request whose connection the gateway closes.
    package enum OnCancel: String, CaseIterable, Sendable {
        /// The engine stops, `cancelDelayNanoseconds` later.
        case stops
        /// The engine works on to the end, for nobody.
        case continues
    }

    /// How it treats connections and requests.
    package enum Availability: String, CaseIterable, Sendable {
        /// It works.
        case serving
        /// It refuses connections.
        case refusing
        /// It accepts requests and does nothing.
        case silent
        /// The pool does not have it: it gets nothing new, and ends what it has.
        case absent
    }

    /// What it reports of its load with each response.
    package enum Reports: String, CaseIterable, Sendable {
        /// Nothing.
        case none
        /// What is so.
        case honest
        /// What was so when the phase began.
        case stale
        /// That nothing waits and its cache is empty, whatever is so.
        case zero
        /// That a request waits and its cache is full, whatever is so.
        case one
        /// That a thousand requests wait, whatever is so.
        case many
    }

    /// Nanoseconds from the simulation's start at which the phase begins.
    package var startNanoseconds: Int64 = 0
    /// Seconds for a unit of work of a lone request, without its own share; above 0.
    package var baseSeconds = 0.02
    /// Seconds by which each running request makes a unit longer, from 0.
    package var perRequestSeconds = 0.0
    /// What it does with how many requests; nil where the two times above say so.
    package var curve: ThroughputCurve?
    /// Requests that are worked on at once; further ones wait in order.
    package var batch = Int.max
    /// Running requests above which the backend has to preempt; nil for never.
    package var cliffThreshold: Int?
    /// Share by which each request above the threshold makes a unit longer.
    package var cliffSlope = 0.02
    /// Seconds for reading a token of a prompt that is not in the cache, from 0.
    package var prefillSeconds = 0.0
    /// Tokens of a prompt that are read in one step, from 1.
    package var chunkTokens = 2048
    /// Tokens that the memory for keys and values holds; nil for any number.
    package var memoryTokens: Int?
    /// Factor on all times, above 0.
    package var slowdown = 1.0
    /// How it treats connections and requests.
    package var availability = Availability.serving
    /// How many requests it says that it takes at once, as a worker that came by itself, 0..10,000; nil for a backend that is
    /// dialled, whose limit is the gateway's to find.
    package var credits: Int?
    /// Requests a second above which it answers 429 at once; nil for no such bound.
    package var requestsPerSecond: Double?
    /// Requests held above which it answers 429 at once; nil for no such bound.
    package var maxRequests: Int?
    /// Share of requests that it answers with 500 at once, 0...1.
    package var errorShare = 0.0
    /// How it fails requests; nil when it does not.
    package var failure: BackendFailure?
    /// What becomes of a request whose connection the gateway closes.
    package var onCancel = OnCancel.stops
    /// Nanoseconds until an engine that stops has noticed the close, from 0.
    package var cancelDelayNanoseconds: Int64 = 0
    /// What it reports of its load.
    package var reports = Reports.none
    /// Running requests that it ends with 503 as the phase begins.
    package var failAtStart = 0

    /// A phase with the defaults.
    package init() {}

    /// Seconds for one unit of work while `running` requests run.
    package func secondsPerUnit(running: Int) -> Double {
        var time = baseSeconds + perRequestSeconds * Double(running)
        if let curve {
            // While all read their prompts a unit takes what it would take one of them.
            let count = max(running, 1)
            time = Double(count) / curve.unitsPerSecond(running: count)
        }
        if let threshold = cliffThreshold, running > threshold {
            time *= 1 + cliffSlope * Double(running - threshold)
        }
        return time * slowdown
    }

    /// Units a second that it does at best.
    package var unitsPerSecond: Double {
        (1...min(batch, 4096)).reduce(0) { max($0, Double($1) / secondsPerUnit(running: $1)) }
    }
}
