// Who takes what a lane brings: a class, so that a call costs one jump.

/// A source of requests.
///
/// All calls come from its lane's reactor, never from within a call of the lane's.
class LaneUser {
    /// More requests may be submitted than before.
    func laneHasDemand() {}

    /// A request has ended; in the order of their ends.
    func laneEnded(_ result: consuming LaneResult) {}
}
