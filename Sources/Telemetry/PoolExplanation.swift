// Why a pool refuses right now, or fails, or that it does not: one sentence for whoever is called at night. It is worked
// out from a snapshot and what the pool counted of late, and from nothing else.
//
//     chat sheds 38 %: 64 of 64 in flight, wait 2.1 s > max_wait 2 s; 71 % is tenant acme
//     │    │            └ what most refusals are for                     └ what is behind it
//     │    └ the condition, with its share of the requests
//     └ the pool
//
// What is behind it is told where there is something to see: a backend that is held back or far slower than the others, a
// limit that somebody set or bounded, deadlines, a tenant that asks for much of it.

import Admission

/// What can be said of a pool at one moment.
package struct PoolExplanation: Equatable, Sendable {
    /// How a pool does, in a word.
    package enum Condition: String, CaseIterable, Sendable {
        /// Nothing asks for anything, and nothing is wrong.
        case idle
        /// Requests are started as they come, or after a short wait.
        case serving
        /// The same, and some backend gets less than its limit allows.
        case heldBack = "held_back"
        /// Requests fail at backends.
        case failing
        /// Requests are refused.
        case shedding
        /// No backend can be used.
        case unusable
    }

    /// How it does.
    package let condition: Condition
    /// The sentence, without a full stop.
    package let sentence: String

    /// The share of failures from which on they are worth a sentence.
    private static let failingShare = 0.02

    /// What can be said of `pool` while the gateway does or does not drain.
    package init(_ pool: PoolSnapshot, isDraining: Bool = false) {
        let phrases = PoolPhrases(pool)
        let recent = pool.recent
        let asked = max(recent.asked, recent.refusals)
        let refused = asked > 0 ? Double(recent.refusals) / Double(asked) : 0
        let failed = asked > 0 ? min(1, Double(recent.failures) / Double(asked)) : 0
        if recent.refusals > 0 {
            condition = .shedding
            let verb = pool.isObserving ? "would shed" : "sheds"
            sentence = PoolExplanation.join(
                "\(phrases.name) \(verb) \(PoolPhrases.percent(refused))", phrases.reasons,
                phrases.causes)
        } else if !pool.isUsable {
            condition = .unusable
            sentence = PoolExplanation.join(
                "\(phrases.name) has no usable backend", phrases.backends, [])
        } else if failed >= PoolExplanation.failingShare {
            condition = .failing
            sentence = PoolExplanation.join(
                "\(phrases.name) fails \(PoolPhrases.percent(failed))", phrases.failures,
                phrases.backends)
        } else {
            let load = isDraining ? phrases.load + ["the gateway is draining"] : phrases.load
            if !phrases.backends.isEmpty {
                condition = .heldBack
                sentence = PoolExplanation.join(
                    "\(phrases.name) refuses nothing", load, phrases.backends)
            } else if recent.asked == 0, pool.inFlight == 0, pool.queueRequests == 0 {
                condition = .idle
                sentence =
                    isDraining
                    ? "\(phrases.name) is idle: the gateway is draining" : "\(phrases.name) is idle"
            } else {
                condition = .serving
                sentence = PoolExplanation.join("\(phrases.name) refuses nothing", load, [])
            }
        }
    }

    private static func join(_ head: String, _ reasons: [String], _ causes: [String]) -> String {
        var text = head
        for (index, phrase) in reasons.enumerated() { text += (index == 0 ? ": " : ", ") + phrase }
        for (index, phrase) in causes.enumerated() {
            text += (index == 0 && reasons.isEmpty ? ": " : "; ") + phrase
        }
        return text
    }
}
