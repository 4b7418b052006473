// Where a group of clients stands: its rate or number of clients now, and its own random numbers.

import Admission

/// The state of one group of clients.
struct ArrivalState {
    let group: ClientGroup
    var timeRandom: SplitMix64
    private var workRandom: SplitMix64
    private var promptRandom: SplitMix64
    private let sharedKeys: UInt64
    private var segment = -1
    /// Requests a second, or clients, now.
    var value = 0.0
    /// Clients of a closed loop that exist.
    var population = 0
    private let logMean: Double
    private let logDeviation: Double

    private let tenant: TenantID

    init(_ group: ClientGroup, _ settings: AdmissionSettings, seed: UInt64, index: Int) {
        self.group = group
        if let name = group.tenantName {
            let isKnown = settings.tenants.contains { $0.name == name }
            tenant = isKnown ? .named(name) : .hashed(name.nameHash)
        } else {
            tenant = .anonymous
        }
        timeRandom = SplitMix64(seed: seed, purpose: 1000 + UInt64(index))
        workRandom = SplitMix64(seed: seed, purpose: 2000 + UInt64(index))
        promptRandom = SplitMix64(seed: seed, purpose: 3000 + UInt64(index))
        sharedKeys = promptRandom.next()
        let variance = Arithmetic.logarithm(1 + group.work.variation * group.work.variation)
        logDeviation = variance.squareRoot()
        logMean = Arithmetic.logarithm(group.work.mean) - variance / 2
    }

    /// When the next segment begins; the end of time when there is none.
    var nextSegment: Int64 {
        segment + 1 < group.segments.count ? group.segments[segment + 1].startNanoseconds : .max
    }

    mutating func beginNextSegment() {
        segment += 1
        value = group.segments[segment].value
    }

    /// Nanoseconds to the next arrival of an open stream; it has no memory, so a new segment may
    /// draw anew.
    mutating func drawGap() -> Int64 {
        guard value > 0 else { return .max / 2 }
        return Int64(min(timeRandom.exponential() / value * 1e9, 4e18).rounded(.up))
    }

    mutating func drawThinkTime(meanSeconds: Double) -> Int64 {
        Int64((timeRandom.exponential() * meanSeconds * 1e9).rounded(.up))
    }

    /// Units of work of the next request.
    mutating func drawUnits() -> Double {
        var units = group.work.mean
        if logDeviation > 0 {
            units = Arithmetic.exponential(logMean + logDeviation * workRandom.normal())
        }
        if group.work.expensiveShare > 0, workRandom.unit() < group.work.expensiveShare {
            units *= group.work.expensiveFactor
        }
        return units
    }

    /// The prompt of a request that is not a conversation's further one.
    mutating func drawPrompt() -> Prompt {
        guard let model = group.prompt else { return Prompt() }
        var prompt = Prompt()
        let isHot = model.hotShare > 0 && promptRandom.unit() < model.hotShare
        let kind = isHot ? 0 : promptRandom.next() % UInt64(model.kinds)
        var mixed = SplitMix64(seed: sharedKeys &+ kind)
        prompt.sharedKey = mixed.next()
        prompt.sharedTokens = model.sharedTokens
        prompt.ownKey = promptRandom.next()
        prompt.newTokens = model.ownTokens
        prompt.turnsLeft = model.turns - 1
        return prompt
    }

    /// Nanoseconds until a conversation's next request.
    mutating func drawTurnTime() -> Int64 {
        Int64((promptRandom.exponential() * (group.prompt?.thinkSeconds ?? 0) * 1e9).rounded(.up))
    }

    mutating func drawTenant() -> TenantID {
        guard group.tenants > 0 else { return tenant }
        return .hashed(workRandom.next() % UInt64(group.tenants))
    }
}
