// The buckets of one tenant, or of those without a name that share them.

extension QuotaTable {
    /// A row of the table.
    struct Row: Sendable {
        /// The name that the policy gives the tenant, or gave it; empty for the rows without one.
        var name: String
        var requests: RateBucket
        var tokens: RateBucket
        /// Requests under way that were charged to it.
        private(set) var held = 0
        /// Those of them that its buckets still lack, and the tokens that were taken for these.
        private(set) var counted = 0
        private(set) var countedTokens = 0
        /// The first generation whose reservations these are.
        private var countedFrom: UInt32 = 0
        /// Whether the policy in force has this row.
        var isPresent = true
        /// Whether the policy no longer names the tenant, which has the terms of those without a name here
        /// until it owes nothing.
        var isLeaving = false

        init(_ settings: TenantSettings) {
            name = settings.name
            requests = RateBucket(perMinute: settings.requestsPerMinute)
            tokens = RateBucket(perMinute: settings.tokensPerMinute)
        }

        mutating func advance(to now: Instant) {
            requests.advance(to: now)
            tokens.advance(to: now)
        }

        /// Whether nobody has anything to do with it any more.
        var isForgotten: Bool { held == 0 && requests.isFull && tokens.isFull }

        /// Seconds until nothing is used of it.
        var secondsUntilFull: Double { max(requests.secondsUntilFull, tokens.secondsUntilFull) }

        // MARK: Requests

        /// Takes what a request may come to; answers how many tokens were taken.
        mutating func reserve(_ units: Int) -> Int {
            let taken = tokens.reservation(units)
            requests.take(1)
            tokens.take(Double(taken))
            held += 1
            counted += 1
            countedTokens += taken
            return taken
        }

        /// Puts what was used in the place of what was taken for it.
        mutating func settle(_ reservation: Reservation, _ charge: Charge) {
            release(reservation)
            let taken = Double(reservation.tokens)
            switch charge {
            case .reserved:
                break
            case .tokens(let used):
                tokens.settle(taken: taken, used: Double(used), .counted)
            case .estimated(let guessed, let used):
                tokens.settle(taken: taken, used: Double(guessed), .guessed)
                tokens.settle(used: Double(used), .counted)
            case .nothing:
                requests.give(1)
                tokens.give(taken)
            }
        }

        /// Gives back what was taken, as far as that did not happen at a reload.
        mutating func giveBack(_ reservation: Reservation) {
            guard counts(reservation) else {
                held -= 1
                return
            }
            release(reservation)
            requests.give(1)
            tokens.give(Double(reservation.tokens))
        }

        /// Charges what was used on other terms: for that no more is owed than these buckets hold.
        mutating func charge(_ reservation: Reservation, _ charge: Charge) {
            let used =
                switch charge {
                case .nothing: nil as Double?
                case .reserved: Double(reservation.tokens)
                case .tokens(let tokens): Double(tokens)
                case .estimated(let guessed, let counted): Double(guessed) + Double(counted)
                }
            guard let used else { return }
            requests.settle(used: 1, .guessed)
            tokens.settle(used: used, .guessed)
        }

        /// Whether the buckets lack what was taken.
        func counts(_ reservation: Reservation) -> Bool { reservation.generation >= countedFrom }

        private mutating func release(_ reservation: Reservation) {
            held -= 1
            counted -= 1
            countedTokens -= reservation.tokens
        }

        // MARK: Reloads

        /// Puts other terms in force from `generation` on; the share that was used of the old ones is used.
        ///
        /// What is taken for requests under way stays taken, unless the new buckets are too small for it:
        /// then it is given back, and charged when it is known.
        mutating func reconfigure(_ settings: TenantSettings, _ generation: UInt32) {
            isPresent = true
            isLeaving = false
            guard
                settings.requestsPerMinute != requests.perMinute
                    || settings.tokensPerMinute != tokens.perMinute
            else { return }
            self = settled
            requests.reconfigure(perMinute: settings.requestsPerMinute)
            tokens.reconfigure(perMinute: settings.tokensPerMinute)
            if requests.bears(Double(counted)), tokens.bears(Double(countedTokens)) {
                requests.take(Double(counted))
                tokens.take(Double(countedTokens))
            } else {
                counted = 0
                countedTokens = 0
                countedFrom = generation
            }
        }

        /// The row without what requests under way may come to.
        var settled: Row {
            var row = self
            row.requests.give(Double(counted))
            row.tokens.give(Double(countedTokens))
            return row
        }

        mutating func takeOver(_ other: Row) {
            requests.takeOver(other.requests)
            tokens.takeOver(other.tokens)
        }
    }
}
