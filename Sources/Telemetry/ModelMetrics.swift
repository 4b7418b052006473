// What the requests of one model came to in one pool. It belongs to the reactor's thread.
//
//     ModelMetrics            a model
//       StreamMetrics         of a priority class: times of its streams
//         TrafficMetrics      of a tenant: counters
//
// A histogram has two dozen series, so there is none for each tenant.

internal import Bytes

/// The counters of one model.
package final class ModelMetrics {
    /// The model's name, as its label says it; empty for requests whose model is not read, `other` for
    /// those beyond the bound of names.
    package let name: [UInt8]
    /// `model="…"`, ready to be written.
    let label: String
    /// Whether a backend has answered requests for it with success.
    package var hasAnswered = false
    /// Whether its row is another model's now.
    fileprivate(set) var hasLeft = false
    /// By priority class, in the order of their first requests.
    package private(set) var streams: [StreamMetrics] = []

    /// A model `name` that nothing has asked for.
    package init(name: [UInt8]) {
        self.name = name
        label = "model=\"\(escapedLabel(String(decoding: name, as: UTF8.self)))\""
    }

    /// The name of the row in which requests for the model `name` are counted.
    ///
    /// Clients may put any bytes into a name, and a label is UTF-8. Names that are not, and that look the
    /// same as labels, share a row: who reads the page refuses all of it where a series stands twice.
    package static func rowName(of name: [UInt8]) -> [UInt8] {
        if JSONText.isWellFormed(name.span) { return name }
        return Array(String(decoding: name, as: UTF8.self).utf8)
    }

    /// The counters of a class.
    func streams(in priorityClass: ClassMetrics) -> StreamMetrics {
        for known in streams where known.priorityClass === priorityClass { return known }
        let made = StreamMetrics(model: self, priorityClass)
        streams.append(made)
        return made
    }
}

/// The times of the streams of one model and class.
package final class StreamMetrics {
    /// The class whose streams these are.
    package let priorityClass: ClassMetrics
    /// `model="…",class="…"`, ready to be written.
    let labels: String
    /// Time from a request's first byte to the first event of its response that carries tokens.
    package private(set) var firstToken = Histogram(bounds: Histogram.durationBounds)
    /// Time between two events of a response that carry tokens.
    package private(set) var interToken = Histogram(bounds: Histogram.interTokenBounds)
    /// Tokens a second from a stream's first token to its last; a token a second is counted as a second.
    package private(set) var tokenRate = Histogram(bounds: Histogram.tokenRateBounds)
    /// By tenant, in the order of their first requests.
    package fileprivate(set) var traffic: [TrafficMetrics] = []

    init(model: ModelMetrics, _ priorityClass: ClassMetrics) {
        self.priorityClass = priorityClass
        labels = "\(model.label),\(priorityClass.label)"
    }

    /// Shows the histograms to `walk`.
    func walk(_ walk: inout CounterWalk) {
        firstToken.walk(&walk)
        interToken.walk(&walk)
        tokenRate.walk(&walk)
    }

    /// Counts a first token.
    package func observeFirstToken(nanoseconds: Int64) {
        firstToken.observe(nanoseconds: nanoseconds)
    }

    /// Counts as many gaps between tokens.
    package func observeInterToken(nanoseconds: Int64, times: Int) {
        for _ in 0..<times { interToken.observe(nanoseconds: nanoseconds) }
    }

    /// Counts a whole stream of so many tokens, the last of which came so long after the first; one
    /// without any such time has no rate.
    package func observeStream(tokens: Int, nanoseconds: Int64) {
        guard tokens > 1, nanoseconds > 0 else { return }
        let rate = Int128(tokens - 1) * 1_000_000_000_000_000_000 / Int128(nanoseconds)
        tokenRate.observe(nanoseconds: Int64(clamping: rate))
    }

    fileprivate func find(_ tenant: Int) -> TrafficMetrics? {
        for known in traffic where known.tenant == tenant { return known }
        return nil
    }
}

extension PoolMetrics {
    /// Models that are told apart in one pool; clients may name as many as they like.
    package static let mostModels = 64
    /// Combinations of model, class and tenant that are told apart in one pool.
    package static let mostTraffic = 1_000

    /// The counters of the model `name`.
    package func model(_ name: [UInt8]) -> ModelMetrics {
        // A row's name is UTF-8: what is found by its bytes needs no further look.
        for model in models where model.name == name { return model }
        let rowName = ModelMetrics.rowName(of: name)
        for model in models where model.name == rowName { return model }
        if models.count >= PoolMetrics.mostModels { return otherModel() }
        let made = ModelMetrics(name: rowName)
        models.append(made)
        return made
    }

    func otherModel() -> ModelMetrics {
        for model in models where model.name == PoolMetrics.otherName { return model }
        let made = ModelMetrics(name: PoolMetrics.otherName)
        models.append(made)
        return made
    }

    private static let otherName = Array("other".utf8)

    /// A backend has answered a request for the model `name`, which was counted in `row`, with success;
    /// the row that it is counted in from now on.
    ///
    /// Where there was no room for one of its own it takes that of a model that no backend has
    /// answered for: names can be invented, responses cannot.
    package func answered(_ row: ModelMetrics, _ name: [UInt8]) -> ModelMetrics {
        let name = ModelMetrics.rowName(of: name)
        if row.name == name, !row.hasLeft {
            row.hasAnswered = true
            return row
        }
        var own = models.first { $0.name == name }
        if own == nil, let index = models.firstIndex(where: { isRoom($0) }) {
            let leaving = models[index]
            let made = ModelMetrics(name: name)
            models[index] = made
            leaving.hasLeft = true
            trafficCount -= leaving.streams.reduce(0) { $0 + $1.traffic.count }
            add(leaving, to: otherModel())
            own = made
        }
        guard let own else { return row }
        own.hasAnswered = true
        return own
    }

    /// Whether the row may be given to another model.
    private func isRoom(_ model: ModelMetrics) -> Bool {
        !model.hasAnswered && model.name != PoolMetrics.otherName
    }

    /// The counters of a model, a class and the tenant in that slot of `tenantNames`, -1 for those
    /// that have none.
    ///
    /// Beyond the bound a combination is counted as of the model `other` and of no tenant's.
    package func traffic(
        _ model: ModelMetrics, _ priorityClass: ClassMetrics, tenant: Int
    ) -> TrafficMetrics {
        let streams = model.streams(in: priorityClass)
        if let found = streams.find(tenant) { return found }
        if trafficCount < PoolMetrics.mostTraffic {
            trafficCount += 1
            return add(tenant, to: streams)
        }
        let other = otherModel().streams(in: priorityClass)
        return other.find(-1) ?? add(-1, to: other)
    }

    private func add(_ tenant: Int, to streams: StreamMetrics) -> TrafficMetrics {
        let name = tenant < 0 ? "" : tenantNames[tenant]
        let made = TrafficMetrics(streams, tenant: tenant, name: name)
        streams.traffic.append(made)
        return made
    }

    /// The slot of a tenant that the policy names, -1 for those beyond the bound; slots last for
    /// the pool's life.
    package func tenantSlot(_ name: String) -> Int {
        if let slot = tenantNames.firstIndex(of: name) { return slot }
        if tenantNames.count >= PoolSnapshot.mostTenants { return -1 }
        tenantNames.append(name)
        return tenantNames.count - 1
    }

    /// The times of all streams whose class the policy has.
    package var allStreams: [StreamMetrics] {
        models.flatMap(\.streams).filter { streams in
            classes.contains { $0 === streams.priorityClass }
        }
    }
}

extension Histogram {
    /// 2..500 tokens a second.
    package static let tokenRateBounds: [Int64] = [2, 5, 10, 20, 30, 50, 75, 100, 200, 500].map {
        $0 * 1_000_000_000
    }

    /// The bounds of vLLM's histogram of the time per output token, 10 ms..80 s.
    package static let interTokenBounds: [Int64] = [
        10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000,
        20_000, 40_000, 80_000,
    ].map { $0 * 1_000_000 }
}
