// Whose a request is, and which class it gets: what a pool's classifier makes of a head.

internal import Admission

/// Whose a request is, as its head comes to.
struct Identity: Equatable {
    var tenant = TenantID.anonymous
    /// Index of the tenant among those that the policy names, -1 for none of them.
    var tenantIndex = -1
    /// Never higher than the tenant may have.
    var priorityClass = 0
    /// Why it may not be served at all; `none` where it may.
    var fault = Reason.none
}
