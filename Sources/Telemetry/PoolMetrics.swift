// What one pool has counted since the gateway started. The object lives as long as its pool has a
// name in the policy: a reload keeps it, so that counters do not start over. It belongs to the
// reactor's thread.

package import Admission

/// Counters and histograms of one pool.
package final class PoolMetrics {
    /// What the admission controller's offer came to in the end.
    package enum Decision: UInt8, CaseIterable {
        /// The request got a permit.
        case forwarded
        /// The request was refused, at once or after a wait.
        case rejected
        /// The request left the queue by itself: its client went away or sent something invalid.
        case abandoned
        /// The request was refused, and its class gets only what nobody else wants: no sign of a shortage.
        case yielded
    }

    /// What `mode: observe` would have come to, had it been enforced.
    package enum Observation: UInt8, CaseIterable {
        /// The request would have started at once.
        case wouldStart
        /// The request would have waited.
        case wouldWait
        /// The request would have been refused.
        case wouldBeRefused
    }

    /// The class of a final status, which keeps the label set small.
    package enum StatusClass: UInt8, CaseIterable {
        case switching, success, redirection, clientError, serverError, none

        /// The class of `status`; `none` for what is not 101 or 200..599, above all 0 for "no response was
        /// sent".
        package init(status: Int) {
            switch status {
            case 101: self = .switching
            case 200...299: self = .success
            case 300...399: self = .redirection
            case 400...499: self = .clientError
            case 500...599: self = .serverError
            default: self = .none
            }
        }

        /// The value of the `code` label.
        package var name: String {
            switch self {
            case .switching: "1xx"
            case .success: "2xx"
            case .redirection: "3xx"
            case .clientError: "4xx"
            case .serverError: "5xx"
            case .none: "none"
            }
        }
    }

    /// The pool's name, also its label.
    package let name: String
    /// `pool="…"`, ready to be written.
    let labels: String

    /// Requests tried again on another connection or backend.
    package var retries: UInt64 = 0
    /// Requests that clients said they had tried before.
    package var clientRetries: UInt64 = 0
    /// Requests that were answered whole, with success and within their deadline, whatever their responses say.
    package private(set) var responsesInTime: UInt64 = 0
    /// WebSocket tunnels that were opened.
    package private(set) var tunnelsOpened: UInt64 = 0
    /// WebSocket tunnels that have ended.
    package private(set) var tunnelsEnded: UInt64 = 0
    /// Requests sent to their route's other pool.
    package var fallbacks: UInt64 = 0
    /// Requests that their route's split sent to this pool.
    package var splits: UInt64 = 0
    /// Requests that this pool refused and that went to the next one of their route's split.
    package var spills: UInt64 = 0
    /// Copies of requests that were sent to this pool.
    package private(set) var mirrorsBegun: UInt64 = 0
    /// What became of requests that were to be copied to this pool, by `MirrorOutcome`.
    package private(set) var mirrors = [UInt64](repeating: 0, count: MirrorOutcome.allCases.count)
    /// Requests that went back to their queue because their worker had not begun them and was gone.
    package var workerReturns: UInt64 = 0
    /// Workers that were taken for lost because they did not answer.
    package var workersLost: UInt64 = 0
    /// Bytes that passed by a rate, and for how long bodies waited for that, by `ByteDirection`.
    private(set) var pacedBytes = [UInt64](repeating: 0, count: ByteDirection.allCases.count)
    private(set) var pacedNanoseconds = [UInt64](
        repeating: 0, count: ByteDirection.allCases.count)
    /// Bytes read from clients whose request went to this pool: heads and bodies as they came.
    package var clientReceivedBytes: UInt64 = 0
    /// Bytes written to those clients.
    package var clientSentBytes: UInt64 = 0
    /// Bytes read from this pool's backends.
    package var upstreamReceivedBytes: UInt64 = 0
    /// Bytes written to this pool's backends.
    package var upstreamSentBytes: UInt64 = 0

    /// Time from the offer to the permit of forwarded requests; 0 for those that did not wait.
    package private(set) var queueWait = Histogram(bounds: Histogram.durationBounds)
    /// The `Retry-After` that was handed out.
    package private(set) var retryAfter = Histogram(bounds: Histogram.retryAfterBounds)
    /// Time to a backend connection that is ready to use, new connections only.
    package private(set) var connect = Histogram(bounds: Histogram.durationBounds)
    /// Time from the permit to the first byte of the backend's response.
    package private(set) var firstByte = Histogram(bounds: Histogram.durationBounds)
    /// Time from a request's first byte to the end of its response.
    package private(set) var total = Histogram(bounds: Histogram.durationBounds)

    /// The counters of the backends, in the policy's order.
    package private(set) var backends: [BackendMetrics]
    /// The counters of the priority classes, highest first; at least one.
    package private(set) var classes: [ClassMetrics]
    /// The counters of the models that were asked for, in the order of their first request.
    package var models: [ModelMetrics] = []
    /// Combinations of model, class and tenant that have counters of their own.
    var trafficCount = 0
    /// Tenants that the policy has named, at most `PoolSnapshot.mostTenants`.
    var tenantNames: [String] = []

    /// Kept because `allCases` makes an array each time.
    private let reasonCount = Reason.allCases.count
    private var requests = [UInt64](
        repeating: 0, count: StatusClass.allCases.count * Reason.allCases.count)

    /// Makes zeroed counters for the pool `name` whose backends have the labels `backends`, all
    /// different, and whose classes are `classes`, one at least and all different.
    package init(name: String, backends: [String], classes: [String] = ["default"]) {
        precondition(!classes.isEmpty, "a pool has one class at least")
        self.name = name
        let poolLabels = "pool=\"\(escapedLabel(name))\""
        self.labels = poolLabels
        self.backends = backends.map { BackendMetrics(label: $0, poolLabels: poolLabels) }
        self.classes = classes.map { ClassMetrics(name: $0) }
    }

    /// Shows every counter of the pool's own to `walk`.
    func walk(_ walk: inout CounterWalk) {
        walk.visit(&retries)
        walk.visit(&clientRetries)
        walk.visit(&responsesInTime)
        walk.visit(&tunnelsOpened)
        walk.visit(&tunnelsEnded)
        walk.visit(&fallbacks)
        walk.visit(&splits)
        walk.visit(&spills)
        walk.visit(&mirrorsBegun)
        walk.visit(&workerReturns)
        walk.visit(&workersLost)
        for index in mirrors.indices { walk.visit(&mirrors[index]) }
        for index in pacedBytes.indices {
            walk.visit(&pacedBytes[index])
            walk.visit(&pacedNanoseconds[index])
        }
        walk.visit(&clientReceivedBytes)
        walk.visit(&clientSentBytes)
        walk.visit(&upstreamReceivedBytes)
        walk.visit(&upstreamSentBytes)
        queueWait.walk(&walk)
        retryAfter.walk(&walk)
        connect.walk(&walk)
        firstByte.walk(&walk)
        total.walk(&walk)
        walk.visit(&requests)
    }

    /// Takes over another set of backends: those whose label stays keep their counters.
    ///
    /// Requests that still run at a removed backend go on counting in its object, which is no
    /// longer shown.
    package func replaceBackends(_ labels: [String]) {
        let former = Dictionary(
            backends.map { ($0.label, $0) }, uniquingKeysWith: { first, _ in first })
        backends = labels.map { label in
            former[label] ?? BackendMetrics(label: label, poolLabels: self.labels)
        }
    }

    /// Takes over a reloaded policy's classes, one at least: those whose name stays keep their
    /// counters.
    package func replaceClasses(_ names: [String]) {
        precondition(!names.isEmpty, "a pool has one class at least")
        classes = names.map { name in
            classes.first { $0.name == name } ?? ClassMetrics(name: name)
        }
    }

    /// Says of each class, in their order, whether it gets only what nobody else wants.
    package func setSlack(_ isSlack: [Bool]) {
        for (priorityClass, isSlack) in zip(classes, isSlack) { priorityClass.isSlack = isSlack }
    }
}

// MARK: Counting

extension PoolMetrics {
    /// WebSocket tunnels that are open now.
    package var tunnelsOpen: UInt64 { tunnelsOpened &- tunnelsEnded }

    /// Copies of requests that are under way.
    package var mirrorsInFlight: UInt64 {
        mirrorsBegun &- mirrors[MirrorOutcome.answered.rawValue]
            &- mirrors[MirrorOutcome.failed.rawValue]
    }

    /// Counts a copy that is sent; `countMirror` counts its end.
    package func countMirrorBegun() { mirrorsBegun &+= 1 }

    /// Counts what became of a request that was to be copied to this pool.
    package func countMirror(_ outcome: MirrorOutcome) { mirrors[outcome.rawValue] &+= 1 }

    /// Counts bytes of a body that passed by a rate.
    package func countPaced(_ direction: ByteDirection, bytes: Int) {
        pacedBytes[Int(direction.rawValue)] &+= UInt64(clamping: bytes)
    }

    /// Counts for how long a body waited for its rate.
    package func countPaced(_ direction: ByteDirection, nanoseconds: Int64) {
        pacedNanoseconds[Int(direction.rawValue)] &+= UInt64(clamping: nanoseconds)
    }

    /// Counts a whole response that came in time.
    package func countResponseInTime() { responsesInTime &+= 1 }

    /// Counts a WebSocket tunnel that was opened.
    package func countTunnelOpened() { tunnelsOpened &+= 1 }

    /// Counts the end of one that `countTunnelOpened` counted.
    package func countTunnelEnded() { tunnelsEnded &+= 1 }

    /// Counts a request that got its permit `nanoseconds` after it was offered; without a class
    /// in the highest.
    package func countForwarded(
        afterNanoseconds nanoseconds: Int64, in priorityClass: ClassMetrics? = nil
    ) {
        let priorityClass = priorityClass ?? classes[0]
        priorityClass.count(.forwarded, .none)
        // Who gets only what is left waits for as long as others want it.
        if !priorityClass.isSlack { queueWait.observe(nanoseconds: nanoseconds) }
    }

    /// Counts a refused request that was told to come back in `retryAfterSeconds`; `nil` when it
    /// was not told.
    package func countRejected(
        _ reason: Reason, retryAfterSeconds: Int?, in priorityClass: ClassMetrics? = nil
    ) {
        let priorityClass = priorityClass ?? classes[0]
        guard !priorityClass.isSlack else { return priorityClass.count(.yielded, reason) }
        priorityClass.count(.rejected, reason)
        if let retryAfterSeconds {
            retryAfter.observe(nanoseconds: Int64(retryAfterSeconds) &* 1_000_000_000)
        }
    }

    /// Counts a request that left the queue by itself.
    package func countAbandoned(_ reason: Reason, in priorityClass: ClassMetrics? = nil) {
        (priorityClass ?? classes[0]).count(.abandoned, reason)
    }

    /// Counts what would have become of a request that started because nothing is enforced.
    package func countObserved(
        _ observation: Observation, _ reason: Reason, in priorityClass: ClassMetrics? = nil
    ) {
        (priorityClass ?? classes[0]).count(observation, reason)
    }

    /// Counts a request that has ended, whatever its fate: with the status that the client got (0
    /// for none) and the time since its first byte, which is of no class's that gets only what nobody else wants.
    package func countEnded(
        status: Int, reason: Reason, totalNanoseconds: Int64, in priorityClass: ClassMetrics? = nil
    ) {
        requests[index(StatusClass(status: status), reason)] &+= 1
        if priorityClass?.isSlack != true { total.observe(nanoseconds: totalNanoseconds) }
    }

    /// Counts the time that a new backend connection took to be ready.
    package func observeConnect(nanoseconds: Int64) {
        connect.observe(nanoseconds: nanoseconds)
    }

    /// Counts the time from the permit to the first byte of a backend's response.
    package func observeFirstByte(nanoseconds: Int64) {
        firstByte.observe(nanoseconds: nanoseconds)
    }
}

// MARK: Reading

extension PoolMetrics {
    /// How often `decision` was taken for `reason`, over all classes.
    package func count(of decision: Decision, _ reason: Reason) -> UInt64 {
        classes.reduce(0) { $0 &+ $1.count(of: decision, reason) }
    }

    /// How many requests ended with a status of `statusClass` and `reason`.
    package func count(of statusClass: StatusClass, _ reason: Reason) -> UInt64 {
        requests[index(statusClass, reason)]
    }

    private func index(_ statusClass: StatusClass, _ reason: Reason) -> Int {
        Int(statusClass.rawValue) &* reasonCount &+ Int(reason.rawValue)
    }
}
