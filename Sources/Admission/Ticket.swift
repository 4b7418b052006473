// What admission knows of a request.

/// The properties of a request that decide about its admission.
package struct Ticket: Sendable {
    /// Bytes of the request that stay in the gateway's memory while it is parked, from 0.
    package var bodyBytes: Int
    /// The instant after which nobody wants the answer any more; nil when there is none.
    package var deadline: Instant?

    /// A ticket for a request that holds `bodyBytes` and has to be started before `deadline`.
    package init(bodyBytes: Int = 0, deadline: Instant? = nil) {
        precondition(bodyBytes >= 0, "a body cannot hold \(bodyBytes) bytes")
        self.bodyBytes = bodyBytes
        self.deadline = deadline
    }
}
