// Which of several backends a request goes to: the one with the lowest share of its limit in flight, over its
// weight: that with weight w and limit L which has the lowest n / (w L). While all have room, they so have in flight in
// the ratio of w L; a limit is never exceeded for a weight. Those that have equally much, such as all idle ones, get it
// in the ratio of their weights. That is the rule of nginx' `least_conn` (ngx_http_upstream_least_conn_module.c), which
// knows no limits.
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

    /// The backend with room for `seats` that has the lowest share of its limit in flight over its weight,
    /// ties at random by their weights.
    mutating func choose(seats: Int, except excluded: Int?) -> Int? {
        var best = -1
        var ties = 0
        for index in backends.indices {
            guard index != excluded, room(at: index) >= seats else { continue }
            guard best >= 0 else {
                best = index
                ties = backends[index].configuredWeight
                continue
            }
            // a/b < c/d as a·d < c·b, which is exact.
            let mine = share(index) * backends[best].weight
            let theirs = share(best) * backends[index].weight
            if mine < theirs {
                best = index
                ties = backends[index].configuredWeight
            } else if mine == theirs {
                let weight = backends[index].configuredWeight
                ties += weight
                if random.next(below: ties) < weight { best = index }
            }
        }
        return best < 0 ? nil : best
    }
}
