// What the reactors have counted, brought together. Each counts in objects of its own, which cost
// no lock; a scrape asks for copies and adds them up.

internal import Admission

/// Goes through an object's counters in an order that is always the same: once to copy them, once
/// to add a copy to another object's.
package struct CounterWalk {
    /// The counters; a sum of nanoseconds takes two, the lower half first.
    private(set) var values: [UInt64]
    private let isAdding: Bool
    private var next = 0

    /// A walk that copies.
    init() {
        values = []
        isAdding = false
    }

    /// A walk that adds what another one copied.
    init(adding values: [UInt64]) {
        self.values = values
        isAdding = true
    }

    mutating func visit(_ counter: inout UInt64) {
        if isAdding {
            counter &+= values[next]
            next += 1
        } else {
            values.append(counter)
        }
    }

    mutating func visit(_ sum: inout UInt128) {
        if isAdding {
            sum &+= UInt128(values[next]) | UInt128(values[next + 1]) << 64
            next += 2
        } else {
            values.append(UInt64(truncatingIfNeeded: sum))
            values.append(UInt64(truncatingIfNeeded: sum >> 64))
        }
    }

    mutating func visit(_ counters: inout [UInt64]) {
        guard isAdding else { return values.append(contentsOf: counters) }
        for index in counters.indices { counters[index] &+= values[next + index] }
        next += counters.count
    }
}

/// Copies of one reactor's counters.
package struct ReactorReport: Sendable {
    var counters: [UInt64] = []
    /// Objects that live in the reactor.
    package var alive = LiveObjects()
    var pools: [PoolReport] = []
    /// Bulk requests that the reactor answers.
    package var bulk: [BulkSnapshot] = []

    /// A report of those counters, living objects and pools.
    package init(
        counters: [UInt64] = [], alive: LiveObjects = LiveObjects(), pools: [PoolReport] = []
    ) {
        self.counters = counters
        self.alive = alive
        self.pools = pools
    }

    /// Those of one pool.
    package struct PoolReport: Sendable {
        let name: String
        let counters: [UInt64]
        let classes: [(name: String, counters: [UInt64])]
        let streams: [StreamReport]
        /// Those of the pool's backends.
        package let backends: [BackendReport]

        /// That of the backend with `label`, which as a rule stands at `index`.
        package func backend(_ label: String, near index: Int) -> BackendReport? {
            if index < backends.count, backends[index].label == label { return backends[index] }
            return backends.first { $0.label == label }
        }
    }

    /// Those of one model in one class, and of its tenants.
    package struct StreamReport: Sendable {
        let model: [UInt8]
        let hasAnswered: Bool
        let priorityClass: String
        let counters: [UInt64]
        let traffic: [(tenant: String, counters: [UInt64])]
    }

    /// Those of one backend.
    package struct BackendReport: Sendable {
        /// The backend's name in metrics.
        package let label: String
        let counters: [UInt64]
        /// Connections that are open, in use or idle.
        package var openConnections = 0
        /// Connections that are idle.
        package var idleConnections = 0
    }

    /// Copies of all that has the name `pool`.
    package static func pools(named pool: String, in reports: [ReactorReport]) -> [PoolReport] {
        reports.compactMap { report in report.pools.first { $0.name == pool } }
    }
}

extension GatewayMetrics {
    /// A copy of the counters.
    package var copies: [UInt64] {
        var walk = CounterWalk()
        self.walk(&walk)
        return walk.values
    }

    /// What is known of the gateway's life, with the counters of `reports`.
    package func sum(of reports: [ReactorReport]) -> GatewayMetrics {
        let sum = copyOfLife()
        for report in reports {
            var walk = CounterWalk(adding: report.counters)
            sum.walk(&walk)
        }
        return sum
    }
}

extension PoolMetrics {
    /// Copies of the counters, with the connections of each backend by its label; the rows by model, class and tenant are
    /// left out where they are not wanted.
    package func report(
        withTraffic: Bool = true,
        connections: (_ label: String) -> (open: Int, idle: Int)
    ) -> ReactorReport.PoolReport {
        var walk = CounterWalk()
        self.walk(&walk)
        return ReactorReport.PoolReport(
            name: name, counters: walk.values,
            classes: classes.map { ($0.name, $0.copies) },
            streams: !withTraffic
                ? []
                : models.flatMap { model in
                    model.streams.map { streams in
                        ReactorReport.StreamReport(
                            model: model.name, hasAnswered: model.hasAnswered,
                            priorityClass: streams.priorityClass.name, counters: streams.copies,
                            traffic: streams.traffic.map { ($0.tenantName, $0.copies) })
                    }
                },
            backends: backends.map { backend in
                let (open, idle) = connections(backend.label)
                return ReactorReport.BackendReport(
                    label: backend.label, counters: backend.copies, openConnections: open,
                    idleConnections: idle)
            })
    }

    /// The counters of `reports`, for backends and classes in that order.
    ///
    /// What a reactor has that is just about to take over a new policy may be missing.
    package convenience init(
        name: String, backends: [String], classes: [String],
        adding reports: [ReactorReport.PoolReport]
    ) {
        self.init(name: name, backends: backends, classes: classes)
        for report in reports {
            var walk = CounterWalk(adding: report.counters)
            self.walk(&walk)
            for counted in self.classes {
                let own = report.classes.first { $0.name == counted.name }
                if let own { counted.add(own.counters) }
            }
            for (index, counted) in self.backends.enumerated() {
                let own = report.backend(counted.label, near: index)
                if let own { counted.add(own.counters) }
            }
        }
        // Those that were answered first: together the reactors may have more than there is room for.
        let streams = reports.flatMap(\.streams)
        for report in streams where report.hasAnswered { add(report) }
        for report in streams where !report.hasAnswered { add(report) }
    }

    /// Adds the counters of a model to those of another one.
    func add(_ leaving: ModelMetrics, to other: ModelMetrics) {
        for streams in leaving.streams {
            other.streams(in: streams.priorityClass).add(streams.copies)
            for row in streams.traffic {
                traffic(other, streams.priorityClass, tenant: row.tenant).add(row.copies)
            }
        }
    }

    private func add(_ report: ReactorReport.StreamReport) {
        guard let priorityClass = classes.first(where: { $0.name == report.priorityClass }) else {
            return
        }
        let model = model(report.model)
        model.streams(in: priorityClass).add(report.counters)
        for (tenant, counters) in report.traffic {
            let slot = tenant.isEmpty ? -1 : tenantSlot(tenant)
            traffic(model, priorityClass, tenant: slot).add(counters)
        }
    }
}

/// Counters that can be walked one after the other, to be copied or added up.
private protocol Walked {
    func walk(_ walk: inout CounterWalk)
}

extension Walked {
    fileprivate var copies: [UInt64] {
        var walk = CounterWalk()
        self.walk(&walk)
        return walk.values
    }

    fileprivate func add(_ counters: [UInt64]) {
        var walk = CounterWalk(adding: counters)
        self.walk(&walk)
    }
}

extension ClassMetrics: Walked {}
extension StreamMetrics: Walked {}
extension TrafficMetrics: Walked {}
extension BackendMetrics: Walked {}
