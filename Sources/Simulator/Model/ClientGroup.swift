// Who sends requests, how often, and what they do when they are refused.

/// Clients that are alike.
package struct ClientGroup: Equatable, Sendable {
    /// When requests come.
    package enum Arrivals: Equatable, Sendable {
        /// A Poisson stream; a segment's value is requests a second.
        case open
        /// Each client waits for its response and then thinks; a segment's value is their number.
        ///
        /// The time to think is exponentially distributed with this mean.
        case closed(thinkSeconds: Double)
    }

    /// What a refused client does.
    package enum Retry: Equatable, Sendable {
        /// It gives up.
        case none
        /// What OpenAI's SDK does, see `SDKRetry`.
        case sdk
        /// The same with every server sending this number of milliseconds instead of its own.
        case sdkWithConstant(milliseconds: Int)
    }

    /// A rate or a number of clients from some time on.
    package struct Segment: Equatable, Sendable {
        /// Nanoseconds from the simulation's start.
        package var startNanoseconds: Int64
        /// Requests a second, or clients.
        package var value: Double

        /// From `startNanoseconds` on `value`.
        package init(startNanoseconds: Int64, value: Double) {
            self.startNanoseconds = startNanoseconds
            self.value = value
        }
    }

    /// When a slow client sends its body.
    package enum Sends: String, CaseIterable, Sendable {
        /// Before the request is offered: the gateway holds the body.
        case before
        /// After the permit: the body passes through, and the work begins when all of it is there.
        case after
    }

    /// Its name in results.
    package var name: String
    /// When requests come.
    package var arrivals = Arrivals.open
    /// In order of time; the first begins at 0.
    package var segments: [Segment]
    /// Units of work of a request.
    package var work = Work()
    /// What their prompts are like; nil where nothing is said of them.
    package var prompt: PromptModel?
    /// Whose requests these are: a tenant that the policy names, or any other; nil for nobody's.
    package var tenantName: String?
    /// Tenants that the requests are spread over at random; 0 for none but `tenantName`.
    package var tenants = 0
    /// Index of the priority class.
    package var priorityClass = 0
    /// The cost that the gateway is told is units over this; 0 tells nothing, which is cost 1.
    package var unitsPerCost = 0.0
    /// Seconds after which the response is no use any more; nil for never.
    package var deadlineSeconds: Double?
    /// Time after which a client goes away; nil for a patient one.
    package var patience: Patience?
    /// Share of the clients that are impatient.
    package var impatientShare = 1.0
    /// What a refused client does.
    package var retry = Retry.none
    /// Whether further tries say that they are some.
    package var tellsRetries = false
    /// Seconds after which a client that went away comes again, as often as the SDK tries; nil for
    /// never.
    package var returnSeconds: Double?
    /// Seconds that a client takes to send its body, from 0.
    package var sendingSeconds = 0.0
    /// When it sends it.
    package var sends = Sends.after
    /// Seconds that a client takes for the response after the work is done, from 0.
    package var readingSeconds = 0.0
    /// Units a second that a client takes of the response from the work's begin; nil for all at once.
    package var readUnitsPerSecond: Double?
    /// Whether the gateway can hold the whole response, so that the backend is not kept by its reader.
    package var isBuffered = true
    /// The longest that a unit of a response may take for the response to be of use; nil for any time.
    ///
    /// The response's duration over its units counts, as an `objective` for `unit` has it.
    package var unitTargetSeconds: Double?
    /// Whether the gateway is told of the deadline.
    package var tellsDeadline = true
    /// Index of the gateway that they ask; nil for any, at random.
    package var gateway: Int?
    /// Whether responses are streamed, so that the gateway sees them progress.
    package var streams = true
    /// Whether the size of a response in one piece says how much work it was.
    package var sizesTell = false

    /// An open stream of `rate` requests a second.
    package init(name: String, rate: Double) {
        self.name = name
        segments = [Segment(startNanoseconds: 0, value: rate)]
    }
}

/// How much work requests are: log-normal, and some many times as much.
package struct Work: Equatable, Sendable {
    /// Mean units of an ordinary request, above 0.
    package var mean = 1.0
    /// Standard deviation over the mean, from 0.
    package var variation = 0.0
    /// Share of the requests that are expensive.
    package var expensiveShare = 0.0
    /// How many times as much work those are.
    package var expensiveFactor = 1.0

    /// One unit always.
    package init() {}

    /// Mean units over all requests.
    package var overallMean: Double { mean * (1 + expensiveShare * (expensiveFactor - 1)) }
}

extension ClientGroup {
    /// Nanoseconds for which the client still takes the response when the work is done.
    func readingNanoseconds(of request: RequestRecord) -> Int64 {
        var seconds = readingSeconds
        if let readUnitsPerSecond {
            let working = Double(request.workedAt - request.begunAt) * 1e-9
            seconds = max(seconds, request.units / readUnitsPerSecond - working)
        }
        return Int64(seconds * 1e9)
    }
}
