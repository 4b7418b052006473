// Which of several backends a request goes to: the one with the lowest share of its limit in flight.
//
// What only looks at a large structure is inlined on the way of every request: a call that does not
// change it would be handed a copy of it, a kilobyte at a time.

extension AdmissionController {
    /// The widest request that fits at any backend; 0 when every one is full.
    @inline(__always) var room: Int {
        var widest = 0
        for index in backends.indices { widest = max(widest, room(at: index)) }
        return widest
    }

    /// What a backend has in flight, as far as it is compared with others: nothing where a trial is due, for
    /// what it had before may be lost and never end.
    @inline(__always) private func share(_ index: Int) -> Int {
        backends[index].suspicion.isSuspected ? 0 : counted(index)
    }

    /// The backend with room for `seats` that has the lowest share of its limit in flight, ties at
    /// random.
    mutating func choose(seats: Int, except excluded: Int?) -> Int? {
        var best = -1
        var ties = 0
        for index in backends.indices {
            guard index != excluded, room(at: index) >= seats else { continue }
            guard best >= 0 else {
                best = index
                ties = 1
                continue
            }
            // a/b < c/d as a·d < c·b, which is exact.
            let mine = share(index) * backends[best].weight
            let theirs = share(best) * backends[index].weight
            if mine < theirs {
                best = index
                ties = 1
            } else if mine == theirs {
                ties += 1
                if random.next(below: ties) == 0 { best = index }
            }
        }
        return best < 0 ? nil : best
    }
}
