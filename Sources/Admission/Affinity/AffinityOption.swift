// The backends as one decision sees them: what each costs, and which has room.

/// Loads and rooms of all backends at one instant.
struct AffinityCosts: Sendable {
    /// One backend that may be sent requests.
    struct Option: Sendable {
        var backend: Int
        var load: AffinityLoad
        /// The widest request that it has room for; 0 where it is full.
        var room: Int
    }

    var options: [Option] = []

    /// The least cost of a request, wherever there is room or not.
    func least(of match: PrefixMatch) -> Double {
        var least = Double.infinity
        for option in options {
            least = min(least, option.load.cost(of: match, at: option.backend))
        }
        return least
    }
}
