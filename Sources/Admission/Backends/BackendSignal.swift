// What a backend, or somebody for it, says that it may be sent: in fields of its responses, by an operator's order,
// by an agent that is asked, by whoever the pool's backends are looked up with, by a weight of 0.
// Each source is kept apart and the most restrictive one counts, so that none can take back what another has
// said. All of it can only lower what a backend is sent.

/// What one source says of a backend.
package struct BackendSignal: Equatable, Sendable {
    /// Who says it.
    package enum Source: UInt8, CaseIterable, Sendable {
        /// Fields of the backend's own responses.
        case field
        /// Whoever has put it to the admin listener.
        case push
        /// An agent that the gateway asks.
        case agent
        /// Where the pool's backends are looked up: it is there, and not ready.
        case discovery
        /// The policy, or the file that lists the backend: its weight is 0.
        case weight
        /// An operator, by the control socket.
        case control

        /// Whether what it says stays until it says something else: operators take back what they have said, and what
        /// is looked up is looked up again.
        var isLasting: Bool {
            switch self {
            case .field, .agent: false
            case .push, .discovery, .weight, .control: true
            }
        }

        /// Whether all that it can say is that a backend gets nothing new.
        package var onlyDrains: Bool {
            switch self {
            case .field, .agent, .push: false
            case .discovery, .weight, .control: true
            }
        }

        /// The value of the metric's `source` label.
        package var name: StaticString {
            switch self {
            case .field: "field"
            case .push: "push"
            case .agent: "agent"
            case .discovery: "discovery"
            case .weight: "weight"
            case .control: "control"
            }
        }
    }

    /// What it comes to, the more restrictive the later.
    package enum State: UInt8, CaseIterable, Comparable, Sendable {
        /// It takes all that its limit allows.
        case ready
        /// It takes less than that.
        case limited
        /// It gets nothing new and goes on with what it has.
        case drain
        /// It could not serve anything: nothing is spent on trying.
        case down
        /// As `drain`, and it is left alone altogether: no checks, no idle connections.
        case maint

        /// The value of the metric's `state` label.
        package var name: StaticString {
            switch self {
            case .ready: "ready"
            case .limited: "limited"
            case .drain: "drain"
            case .down: "down"
            case .maint: "maint"
            }
        }

        package static func < (one: State, other: State) -> Bool {
            one.rawValue < other.rawValue
        }
    }

    /// What operators order.
    package enum Order: UInt8, Sendable {
        case ready, drain, maint
    }

    /// What is ordered of it.
    package var order = Order.ready
    /// Whether it could not serve anything; apart from `order`, which outlives it.
    package var isDown = false
    /// The share of what it would get otherwise, 0...1.
    package var share = 1.0
    /// The most that it may have in flight, all gateways together, from 0; nil for no such bound.
    package var ceiling: Int?
    /// When it ends by itself; the distant future for never.
    package var end = Instant.distantFuture

    /// The longest that fields of responses count, and what an agent said last, in nanoseconds: an hour.
    package static let longestNanoseconds: Int64 = 3_600_000_000_000

    /// Nothing is held against it.
    package init() {}

    /// That a weight of 0 is a drain, and any other says nothing.
    init(weight: Int) { if weight == 0 { order = .drain } }

    /// What it comes to.
    package var state: State {
        if order == .maint { return .maint }
        if isDown { return .down }
        if order == .drain || share <= 0 || ceiling == 0 { return .drain }
        return share < 1 || ceiling != nil ? .limited : .ready
    }

    /// What is left of `limit`, from 1, where `replicas` gateways share the backend.
    func allowed(of limit: Int, replicas: Int) -> Int {
        guard let ceiling else { return share < 1 ? max(1, Int(Double(limit) * share)) : limit }
        let own = Double(ceiling) * share / Double(max(1, replicas))
        return min(limit, max(1, Int(min(own, 1e9))))
    }
}

/// What a source says of a backend, and since when.
package struct HeardSignal: Equatable, Sendable {
    /// Who says it.
    package var source: BackendSignal.Source
    /// What is said.
    package var signal: BackendSignal
    /// When it was said last.
    package var heardAt: Instant

    /// What `source` said at `heardAt`.
    package init(source: BackendSignal.Source, signal: BackendSignal, heardAt: Instant) {
        self.source = source
        self.signal = signal
        self.heardAt = heardAt
    }
}
