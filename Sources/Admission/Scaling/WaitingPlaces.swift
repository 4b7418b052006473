// What waiting requests will take, which the queue adds up as they come and go.

/// Places of limits that waiting requests will take.
struct WaitingPlaces: Sendable {
    /// All of them.
    var all = 0
    /// Those of clients that say that they have tried before.
    var again = 0

    /// A request begins to wait; with the negative, it waits no more.
    @inline(__always) mutating func add(_ seats: Int32, isRetry: Bool) {
        all += Int(seats)
        if isRetry { again += Int(seats) }
    }
}
