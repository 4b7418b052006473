// What a lane is asked for.

internal import HTTP1

/// A request that is made without a client's socket.
struct LaneRequest {
    /// How its source names it.
    let key: Int
    /// What it does.
    let method: Method
    /// Its head with the empty line that ends it, as a client would send it.
    let head: [UInt8]
    /// Its body, as long as the head says.
    let body: [UInt8]

    init(key: Int, method: Method = .post, head: [UInt8], body: [UInt8] = []) {
        self.key = key
        self.method = method
        self.head = head
        self.body = body
    }
}
