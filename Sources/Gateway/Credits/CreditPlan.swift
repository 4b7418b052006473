// How a worker that serves several gateways divides the requests that its engine can take among them. Pure: it is told what
// there is, and answers what to open and what to close.
//
// Nobody else divides: each gateway sees only the connections that it has, so that what all are given together is never more
// than the engine takes, without a word between gateways.

internal import Admission

/// What becomes of the connections that wait at each of a worker's gateways.
struct CreditPlan: Equatable {
    /// One gateway, as its worker sees it.
    struct Place {
        /// Connections that wait there, and those that are only coming.
        var idle = 0
        /// Connections that carry a request.
        var busy = 0
        /// Requests that wait there for a place, as far as was said of late.
        var waiting = 0
        /// Connections that may be there at once.
        var most = Int.max
        /// Whether connections can be opened there now.
        var isReachable = true
        /// Whether it has taken one: one that has not gets a single one, so that a gateway which answers nobody keeps nothing from
        /// others.
        var isProven = true
        /// Since when it has none at all; nil while it has one.
        var bareSince: Instant?
        /// Since when it has one again; nil where it always had.
        var hadSince: Instant?
    }

    /// Connections to open, by place.
    var opened: [Int]
    /// Connections that wait and are to be closed, by place.
    var closed: [Int]

    /// Requests that a gateway may say wait there, at most.
    static let mostWaiting = 1_000_000
    /// How long a gateway may have no connection while others have one that waits, since it cannot say that somebody waits
    /// there; and how long it keeps the one that it then gets, unless that is used.
    static let bareNanoseconds: Int64 = 1_000_000_000

    /// What to do where `free` more requests may be taken than are under way.
    init(free: Int, places: [Place], now: Instant) {
        let wanted = CreditPlan.wanted(free: free, places: places, now: now)
        opened = places.map { _ in 0 }
        closed = places.map { _ in 0 }
        var left = places.reduce(0) { $0 + $1.idle }
        // Fewer than there are: who has most beyond what he is to have gives first.
        for (index, place) in places.enumerated() {
            let excess = place.idle - wanted[index]
            guard excess > 0 else { continue }
            let surplus = min(excess, max(0, left - free))
            closed[index] = surplus
            left -= surplus
        }
        // Those that may be had without taking any from others.
        for (index, place) in places.enumerated() where place.isReachable {
            let room = max(0, free - left)
            opened[index] = min(max(0, wanted[index] - place.idle), room)
            left += opened[index]
        }
        move(toward: wanted, places)
    }

    /// Moves connections from one place to another, where that is worth two handshakes.
    private mutating func move(toward wanted: [Int], _ places: [Place]) {
        for (index, place) in places.enumerated() where place.isReachable {
            let has = place.idle - closed[index] + opened[index]
            let isUrgent = place.waiting > has || place.idle + place.busy == 0
            let lack = wanted[index] - has
            guard lack > 0, isUrgent || lack > wanted[index] / 4 else { continue }
            for (other, giver) in places.enumerated() where other != index && giver.isReachable {
                let spare = giver.idle - closed[other] + opened[other] - wanted[other]
                let moved = min(max(0, spare), wanted[index] - place.idle - opened[index])
                guard moved > 0 else { continue }
                let fromOpened = min(moved, opened[other])
                opened[other] -= fromOpened
                closed[other] += moved - fromOpened
                opened[index] += moved
            }
        }
    }

    /// How many connections are to wait at each place: one at each, where there are as many, the others where requests wait.
    static func wanted(free: Int, places: [Place], now: Instant) -> [Int] {
        var wanted = places.map { _ in 0 }
        let reachable = places.indices.filter {
            places[$0].isReachable && places[$0].busy < places[$0].most
        }
        // Where none can be opened, what is there stays.
        var left = free
        for index in places.indices where !places[index].isReachable {
            wanted[index] = min(places[index].idle, left)
            left -= wanted[index]
        }
        for index in inTurn(reachable, places, now: now).prefix(max(0, left)) {
            wanted[index] = 1
            left -= 1
        }
        while left > 0 {
            // Who has most waiting that no connection is meant for; where nobody has, whoever has fewest.
            let open = reachable.filter {
                places[$0].busy + wanted[$0] < (places[$0].isProven ? places[$0].most : 1)
            }
            let next = open.max { first, second in
                let waiting = places[first].waiting - wanted[first]
                let others = places[second].waiting - wanted[second]
                if max(waiting, others) > 0 { return waiting < others }
                if wanted[first] != wanted[second] { return wanted[first] > wanted[second] }
                return places[first].idle < places[second].idle
            }
            guard let next else { break }
            wanted[next] += 1
            left -= 1
        }
        return wanted
    }

    /// Who gets his first connection first.
    private static func inTurn(_ reachable: [Int], _ places: [Place], now: Instant) -> [Int] {
        reachable.sorted { first, second in
            let isNew = isNew(places[first], now: now)
            if isNew != CreditPlan.isNew(places[second], now: now) { return isNew }
            let one = bareFor(places[first], now: now)
            let other = bareFor(places[second], now: now)
            if one != other { return one > other }
            if places[first].waiting != places[second].waiting {
                return places[first].waiting > places[second].waiting
            }
            // What is there stays where it is.
            if (places[first].idle > 0) != (places[second].idle > 0) {
                return places[first].idle > 0
            }
            return first < second
        }
    }

    /// Whether a place has a connection that waits, and has had one only for a moment.
    private static func isNew(_ place: Place, now: Instant) -> Bool {
        guard place.idle > 0, let since = place.hadSince else { return false }
        return now.nanoseconds(since: since) < bareNanoseconds
    }

    /// For how long a place has had none, in nanoseconds; 0 where that is not too long yet.
    private static func bareFor(_ place: Place, now: Instant) -> Int64 {
        guard let since = place.bareSince else { return 0 }
        let nanoseconds = now.nanoseconds(since: since)
        return nanoseconds >= bareNanoseconds ? nanoseconds : 0
    }
}
