// What became of a request of a lane.

internal import Admission

/// Why a request of a lane has no response.
enum LaneFailure: Equatable {
    /// The response is longer than the lane keeps.
    case tooLarge
    /// The response ended before it was whole.
    case cut
}

/// The end of a request that a lane was given.
struct LaneResult {
    /// How its source names the request.
    let key: Int
    /// Status of the last response; 0 where there was none.
    var status = 0
    /// What the gateway calls the last try in its log; empty where it did not come to one.
    var requestID: [UInt8] = []
    /// The last response's body.
    var body: [UInt8] = []
    /// Why there is no whole response; nil where there is.
    var failure: LaneFailure?
    /// Why the last try ended otherwise than with its backend's whole response; `none` where it did not.
    var reason = Reason.none
    /// Tries that were made, from 1.
    var tries = 1
}
