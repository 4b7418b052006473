// Another project's gateway: what it knows of backends, and which it takes.

import Admission

/// The state of a reference's router.
///
/// It remembers every beginning that it has sent anywhere, which flatters those that have a bound on
/// that.
struct ReferenceRouting {
    private let rule: ReferenceRouter
    private(set) var inFlight: [Int]
    private var known: [Set<UInt64>]
    /// Points on the ring of hashes, 256 a backend.
    private var ring: [(point: UInt64, backend: Int)] = []
    private var random: SplitMix64

    init(_ rule: ReferenceRouter, backends: Int, seed: UInt64) {
        self.rule = rule
        inFlight = Array(repeating: 0, count: backends)
        known = Array(repeating: [], count: backends)
        random = SplitMix64(seed: seed, purpose: 6)
        guard rule == .boundedLoads else { return }
        for backend in 0..<backends {
            var points = SplitMix64(seed: UInt64(backend) &+ 1)
            for _ in 0..<256 { ring.append((points.next(), backend)) }
        }
        ring.sort { ($0.point, $0.backend) < ($1.point, $1.backend) }
    }

    /// The backend that a request goes to, which has it from now on.
    mutating func begin(_ prompt: Prompt) -> Int {
        let backend = choose(prompt)
        inFlight[backend] += 1
        prompt.forEachBeginning { key, _ in known[backend].insert(key) }
        return backend
    }

    /// A request has left its backend.
    mutating func end(at backend: Int) { inFlight[backend] -= 1 }

    private mutating func choose(_ prompt: Prompt) -> Int {
        switch rule {
        case .leastRequests: return best(inFlight.map { -Double($0) })
        case .llmd:
            let (least, most) = (inFlight.min() ?? 0, inFlight.max() ?? 0)
            let span = Double(most - least)
            return best(
                inFlight.indices.map { backend in
                    let idle = span == 0 ? 1 : Double(most - inFlight[backend]) / span
                    return 2 * matchedShare(prompt, backend) + idle
                })
        case .cacheAware:
            let (least, most) = (inFlight.min() ?? 0, inFlight.max() ?? 0)
            let isUneven = most - least > 32 && Double(most) > 1.1 * Double(least)
            let shares = inFlight.indices.map { matchedShare(prompt, $0) }
            if !isUneven, shares.contains(where: { $0 > 0.5 }) { return best(shares) }
            return best(inFlight.map { -Double($0) })
        case .boundedLoads: return next(after: prompt)
        }
    }

    /// The backend of the highest score, ties at random.
    private mutating func best(_ scores: [Double]) -> Int {
        let highest = scores.max() ?? 0
        let all = scores.indices.filter { scores[$0] == highest }
        return all[Int(random.next() % UInt64(all.count))]
    }

    private func matchedShare(_ prompt: Prompt, _ backend: Int) -> Double {
        var matched = 0
        prompt.forEachBeginning { key, tokens in
            if known[backend].contains(key) { matched = tokens }
        }
        return Double(matched) / Double(max(1, prompt.tokens))
    }

    /// The first backend on the ring from the prompt's beginning on that is below the bound.
    private func next(after prompt: Prompt) -> Int {
        let key = prompt.sharedTokens > 0 ? prompt.sharedKey : prompt.ownKey
        let sum = inFlight.reduce(0, +) + 1
        let bound = 1.25 * Double(sum) / Double(inFlight.count)
        let start = ring.firstIndex { $0.point >= key } ?? 0
        for step in ring.indices {
            let backend = ring[(start + step) % ring.count].backend
            if Double(inFlight[backend] + 1) <= max(1, bound) { return backend }
        }
        return ring[start].backend
    }
}
