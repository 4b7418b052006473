// How much a lane has under way.

/// The bounds of a lane.
struct LaneSettings: Equatable {
    /// Requests that are under way at least, as far as there are any, and at most.
    var window = 4...256
    /// Bytes of a response's body that are kept, from 1.
    var mostAnswerBytes = 8 << 20
    /// Bytes of responses that are kept in all, until their source has passed them on.
    var mostHeldBytes = 64 << 20
    /// Requests that wait by themselves for a pool without backends at most, and the bytes of their bodies; what is beyond
    /// holds the others up.
    var mostSetAside = 64
    var mostSetAsideBytes = 8 << 20
    /// Tries of a request that are made, from 1.
    var mostTries = 3
}
