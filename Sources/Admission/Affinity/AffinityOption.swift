// A backend as one decision sees it: what requests cost there, and whether it has room.

/// One backend that may be sent requests.
struct AffinityOption: Sendable {
    var backend: Int
    var load: AffinityLoad
    /// The widest request that it has room for; 0 where it is full.
    var room: Int
}
