// Where a simulated backend's knee is, worked out from its description and not found by trying.

import Admission

extension Scenario {
    /// The most requests in flight, over all backends as they are at a time, up to which one more
    /// is worth what the limit asks for: the elasticity d ln X / d ln n of throughput
    /// X(n) = n / tau(n) has been at least `elasticity` up to there.
    ///
    /// For tau(n) = a + b n this is (a / b)(1 / elasticity - 1), and the slots of a backend that
    /// has slots. Limits other than `knee` are held to `knee`'s default.
    package func kneeConcurrency(atNanoseconds time: Int64) -> Int {
        var wanted = KneeLimitSettings().elasticity
        if case .knee(let settings) = admission.limit { wanted = settings.elasticity }
        return backends.reduce(0) { sum, backend in
            let phase = backend.phases.last { $0.startNanoseconds <= time } ?? backend.phases[0]
            return sum + phase.kneeConcurrency(elasticity: wanted)
        }
    }
}

extension Scenario {
    /// Units a second that all backends can do at best, as they are at a time; those that do not
    /// work add nothing.
    package func capacity(atNanoseconds time: Int64) -> Double {
        backends.reduce(0) { sum, backend in
            let phase = backend.phases.last { $0.startNanoseconds <= time } ?? backend.phases[0]
            return phase.availability == .serving ? sum + phase.unitsPerSecond : sum
        }
    }
}

extension BackendPhase {
    fileprivate func kneeConcurrency(elasticity: Double) -> Int {
        let most = min(batch, 4096)
        for count in 1..<max(most, 1) {
            let gain = Arithmetic.logarithm(throughput(count + 1) / throughput(count))
            let step = Arithmetic.logarithm(Double(count + 1) / Double(count))
            if gain < elasticity * step { return count }
        }
        return most
    }

    private func throughput(_ running: Int) -> Double {
        Double(running) / secondsPerUnit(running: running)
    }
}
