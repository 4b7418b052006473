// What admission knows of a request.

/// The properties of a request that decide about its admission.
package struct Ticket: Sendable {
    /// Bytes of the request that stay in the gateway's memory while it is parked, from 0.
    package var bodyBytes: Int
    /// The instant after which nobody wants the response any more; nil when there is none.
    ///
    /// A request is refused as soon as it is likely that its response would come later.
    package var respondBy: Instant?
    /// The instant by which the request has to be started, however long it takes then; nil when
    /// only the queue's bounds count.
    package var startBy: Instant?
    /// When the request came, from which on its client waits; nil for the time of the offer.
    package var arrivedAt: Instant?
    /// Who asks.
    package var tenant = TenantID.anonymous
    /// Index of the priority class, 0 the highest; a tenant's bound and the number of classes clamp
    /// it.
    package var priorityClass = 0
    /// Expected work, in units of a usual request, above 0, where `tokens` and `outputTokens` tell
    /// nothing of it; 1 where nothing is known, and what the tenant's requests usually take tells.
    ///
    /// Fair queueing charges it, and the permit's end corrects it to what the request came to.
    package var cost = 1.0
    /// Units of the limit that the request takes while in flight, from 1.
    package var seats = 1
    /// Expected tokens of the prompt and the response, from 0; what the tenant's quota is charged
    /// until the real number is known.
    package var tokens = 0
    /// How many of `tokens` are the response's; nil where the tokens say nothing about the work.
    package var outputTokens: Int?
    /// Whether the client says that it has tried before.
    package var isRetry = false
    /// Whether no client waits for it: it waits for as long as it takes, and only gives way where the queue is full.
    package var isPatient = false

    /// A ticket for a request that holds `bodyBytes` and whose response is wanted by `respondBy`.
    package init(bodyBytes: Int = 0, respondBy: Instant? = nil) {
        precondition(bodyBytes >= 0, "a body cannot hold \(bodyBytes) bytes")
        self.bodyBytes = bodyBytes
        self.respondBy = respondBy
    }
}
