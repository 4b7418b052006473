// The sections `timeouts` and `keep_alive` of a pool: how long its backends are waited for, and their
// connections kept.

extension PolicySections {
    static let poolTimeouts = Section<PoolSettings>(
        blank: blankPool,
        keys: [
            Key(
                "connect", \.connectTimeout, .duration(timeouts),
                "Until a connection is ready to use, over all tries of one request."),
            Key(
                "first_byte", \.firstByteTimeout, .duration(timeouts),
                "From the forwarded request to the response's first byte, and from there to the first "
                    + "event of an inference server's stream."),
            Key(
                "idle", \.idleTimeout, .duration(timeouts),
                "Between two reads of a response that is no such stream."),
            Key(
                "stream_stall", \.streamStallTimeout, .duration(timeouts),
                "Between two reads of such a stream after its first event; then the stream ends with an "
                    + "error event of its dialect, and its backend stops."),
            Key(
                "tunnel_idle", \.tunnelIdleTimeout, .duration(timeouts),
                "Without a byte in either direction of a WebSocket tunnel."),
        ])

    static let keepAlive = Section<PoolSettings>(
        blank: blankPool,
        keys: [
            Key(
                "idle", \.keepAliveTimeout, .duration(.zero...timeouts.upperBound),
                "How long an unused connection is kept; keep it below the backend's own time."),
            Key(
                "max_age", \.keepAliveMaxAge,
                Kind<Duration>.duration(.seconds(1)...timeouts.upperBound)
                    .optional(blank: .seconds(30), absent: "off"),
                "How old a connection becomes that is used again: a name that has moved is looked up when "
                    + "somebody dials. `off` for any age."),
            Key(
                "max_connections", \.maxIdleConnections, .integer(0...10_000),
                "Unused connections kept for each backend; 0 uses each connection once."),
        ])
}
