// What time it is on the wall: gateways that share backends take turns by it.

extension AdmissionController {
    /// Says what an instant's nanoseconds have to be increased by to be those since 1970.
    ///
    /// What a limit was just measuring starts anew where that has changed: its turn was another one.
    package mutating func setEpoch(nanoseconds: Int64) {
        guard case .knee(var knee) = settings.limit, knee.epochNanoseconds != nanoseconds else {
            return
        }
        knee.epochNanoseconds = nanoseconds
        settings.limit = .knee(knee)
        for index in backends.indices where backends[index].isPresent {
            _ = backends[index].limiter.reconfigure(
                limitSettings(of: index), seed: random.next(), now: clock)
        }
    }
}
