// What the reactors have counted, brought together. Each counts in objects of its own, which cost
// no lock; a scrape asks for copies and adds them up.

internal import Admission

/// Goes through an object's counters in an order that is always the same: once to copy them, once
/// to add a copy to another object's.
package struct CounterWalk {
    /// The counters, wide enough for sums of nanoseconds.
    private(set) var values: [UInt128]
    private let isAdding: Bool
    private var next = 0

    /// A walk that copies.
    init() {
        values = []
        isAdding = false
    }

    /// A walk that adds what another one copied.
    init(adding values: [UInt128]) {
        self.values = values
        isAdding = true
    }

    mutating func visit(_ counter: inout UInt128) {
        if isAdding { counter &+= values[next] } else { values.append(counter) }
        next += 1
    }

    mutating func visit(_ counter: inout UInt64) {
        var wide = UInt128(counter)
        visit(&wide)
        counter = UInt64(truncatingIfNeeded: wide)
    }

    mutating func visit(_ counters: inout [UInt64]) {
        for index in counters.indices { visit(&counters[index]) }
    }
}

/// Copies of one reactor's counters.
package struct ReactorReport: Sendable {
    var counters: [UInt128] = []
    /// Objects that live in the reactor.
    package var alive = LiveObjects()
    var pools: [PoolReport] = []

    /// A report of those counters, living objects and pools.
    package init(
        counters: [UInt128] = [], alive: LiveObjects = LiveObjects(), pools: [PoolReport] = []
    ) {
        self.counters = counters
        self.alive = alive
        self.pools = pools
    }

    /// Those of one pool.
    package struct PoolReport: Sendable {
        let name: String
        let counters: [UInt128]
        let classes: [(name: String, counters: [UInt128])]
        let streams: [StreamReport]
        /// Those of the pool's backends.
        package let backends: [BackendReport]
    }

    /// Those of one model in one class, and of its tenants.
    package struct StreamReport: Sendable {
        let model: [UInt8]
        let hasAnswered: Bool
        let priorityClass: String
        let counters: [UInt128]
        let traffic: [(tenant: String, counters: [UInt128])]
    }

    /// Those of one backend.
    package struct BackendReport: Sendable {
        /// The backend's name in metrics.
        package let label: String
        let counters: [UInt128]
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
    package var copies: [UInt128] {
        var walk = CounterWalk()
        self.walk(&walk)
        return walk.values
    }

    /// This reactor's counters and those of `reports`.
    package func sum(with reports: [ReactorReport]) -> GatewayMetrics {
        let sum = copyOfLife()
        for counters in [copies] + reports.map(\.counters) {
            var walk = CounterWalk(adding: counters)
            sum.walk(&walk)
        }
        return sum
    }
}

extension PoolMetrics {
    /// Copies of the counters, with the connections of each backend by its label.
    package func report(
        connections: (_ label: String) -> (open: Int, idle: Int)
    ) -> ReactorReport.PoolReport {
        var walk = CounterWalk()
        self.walk(&walk)
        return ReactorReport.PoolReport(
            name: name, counters: walk.values,
            classes: classes.map { ($0.name, $0.copies) },
            streams: models.flatMap { model in
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

    /// The counters of `reports`, in this object's order of classes and backends.
    ///
    /// What a reactor has that is just about to take over a new policy may be missing.
    package func sum(of reports: [ReactorReport.PoolReport]) -> PoolMetrics {
        let sum = PoolMetrics(
            name: name, backends: backends.map(\.label), classes: classes.map(\.name))
        for report in reports {
            var walk = CounterWalk(adding: report.counters)
            sum.walk(&walk)
            for counted in sum.classes {
                let own = report.classes.first { $0.name == counted.name }
                if let own { counted.add(own.counters) }
            }
            for counted in sum.backends {
                let own = report.backends.first { $0.label == counted.label }
                if let own { counted.add(own.counters) }
            }
        }
        // Those that were answered first: together the reactors may have more than there is room for.
        let streams = reports.flatMap(\.streams)
        for report in streams where report.hasAnswered { sum.add(report) }
        for report in streams where !report.hasAnswered { sum.add(report) }
        return sum
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
            let place = tenant.isEmpty ? -1 : tenantPlace(tenant)
            traffic(model, priorityClass, tenant: place).add(counters)
        }
    }
}

/// Counters that can be walked one after the other, to be copied or added up.
private protocol Walked {
    func walk(_ walk: inout CounterWalk)
}

extension Walked {
    fileprivate var copies: [UInt128] {
        var walk = CounterWalk()
        self.walk(&walk)
        return walk.values
    }

    fileprivate func add(_ counters: [UInt128]) {
        var walk = CounterWalk(adding: counters)
        self.walk(&walk)
    }
}

extension ClassMetrics: Walked {}
extension StreamMetrics: Walked {}
extension TrafficMetrics: Walked {}
extension BackendMetrics: Walked {}
