// What is known of a client's connection that TLS has told.

internal import Reactor

/// TLS between a client and the gateway.
struct ClientSecurity {
    /// Who the client is by its certificate, which an authority has vouched for; nil where it has shown none.
    var names: ClientNames?
}
