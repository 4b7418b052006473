// A request to the admin listener, which may have to wait for what the shards tell of themselves, longer than its parser
// keeps it.

internal import HTTP1

/// A request whose head is complete.
final class AdminRequest {
    let head: RequestHead

    /// A request with a copy of that head.
    init(_ head: borrowing RequestHead) { self.head = head.copy() }
}
