// Several gateways in front of the same backends. What one of them buys with more concurrency of its
// own says little about the whole: with four of them it is 0.79 where the whole has 0.15, and what
// the others do meanwhile drowns the difference. So they take their levels at the same time, in
// slots by the clock on the wall, all high or all low; each then sees what all of them together
// buy, and they move alike. Nothing is sent between them. Clocks have to agree to a second.
//
// One that starts while the others run climbs alone, up to where its own elasticity is that of one
// among equals, which is its share.

/// What a gateway among several keeps about the slots.
struct KneeSlots: Sendable {
    /// Length of a slot: the first half for the level to settle, the second to be measured.
    static let nanoseconds: Int64 = 16_000_000_000
    /// Slots in a row with too little bound time, after which the limit rests.
    static let mostIdle = 4
    /// The part of a slot that has to be bound to count, in seconds.
    static let leastSeconds = 4.0
    /// Bounds of what a verdict moves the limit by, in ln n, and of the factor on it.
    static let largestStep = 0.35
    static let leastGain = 0.15

    /// The slot that the level belongs to.
    var current: Int64 = 0
    /// Slots in a row without bound time.
    var idle = 0
    /// Factor on what verdicts move the limit by, 0.15...1: small while they point to and fro.
    var gain = 1.0
}

extension KneeLimit {
    /// Whether levels follow the slots.
    var usesSlots: Bool { settings.replicas > 1 && (phase == .climb || phase == .compare) }

    /// Nanoseconds since 1970, as far as the settings know them.
    private func wallNanoseconds(_ now: Instant) -> Int64 {
        now.nanoseconds &+ settings.epochNanoseconds
    }

    func slot(at now: Instant) -> Int64 { wallNanoseconds(now) / KneeSlots.nanoseconds }

    /// Of each pair of slots one is high and one is low, in an order that follows from their number.
    func isHigh(slot: Int64) -> Bool {
        var order = SplitMix64(seed: UInt64(bitPattern: slot >> 1))
        return (order.next() & 1 == 0) == (slot & 1 == 0)
    }

    mutating func measureSlot(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        let slot = slot(at: now)
        guard slot == slots.current else { return endSlot(beginning: slot, meter, now: now) }
        let elapsed = wallNanoseconds(now) % KneeSlots.nanoseconds
        guard 2 * elapsed >= KneeSlots.nanoseconds else { return nil }
        if let begin = lastMeter { side.add(from: begin, to: meter) } else { measuredSince = now }
        lastMeter = meter
        return nil
    }

    private mutating func endSlot(
        beginning slot: Int64, _ meter: ConcurrencyMeter, now: Instant
    ) -> LimitMove? {
        let wasHigh = isHigh(slot: slots.current)
        let isMeasured = side.seconds >= KneeSlots.leastSeconds
        slots.current = slot
        slots.idle = isMeasured ? 0 : slots.idle + 1
        if slots.idle >= KneeSlots.mostIdle, phase == .compare {
            slots.idle = 0
            return change(.probe) { $0.beginRest(now: now) }
        }
        guard isMeasured else { return change(.probe) { $0.holdSlot(now: now) } }
        noteSignal()
        if phase == .climb { return endClimbSide(meter, now: now) }
        if wasHigh { high = side } else { low = side }
        guard slot & 1 == 0, let low, let high, let verdict = verdict(low, high) else {
            return change(.probe) { $0.holdSlot(now: now) }
        }
        elasticity = verdict.elasticity
        return move(verdict, now: now)
    }

    /// By how much a verdict moves the limit, in ln n.
    ///
    /// All have to do the same with what they see, which is nearly the same: what each knew before, which
    /// is not, has no part in it.
    mutating func slotStep(
        _ verdict: KneeVerdict, distance: Double, far: Double, isReturn: Bool
    ) -> Double {
        slots.gain =
            isReturn
            ? max(KneeSlots.leastGain, slots.gain / 2) : min(1, 1.5 * slots.gain)
        let certainty = (verdict.elasticity - wantedElasticity) / verdict.standardError
        let trust = certainty * certainty / (1 + certainty * certainty)
        let bounded = distance / (1 + abs(distance) / far)
        let most = KneeSlots.largestStep
        return min(max(slots.gain * trust * bounded, -most), most)
    }

    /// The level of the slot that is under way.
    mutating func holdSlot(now: Instant) {
        slots.current = slot(at: now)
        if phase == .climb { return hold(level, now: now) }
        hold(pairLevel(isHigh: isHigh(slot: slots.current)), now: now)
    }
}
