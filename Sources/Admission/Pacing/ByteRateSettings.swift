// What may pass a second of the bodies of responses, and of those of requests.

/// Which way bytes go.
package enum ByteDirection: UInt8, CaseIterable, Sendable {
    /// From backends to clients: bodies of responses.
    case down
    /// From clients to backends: bodies of requests.
    case up

    /// The value of the metrics' `direction` label.
    package var name: StaticString {
        switch self {
        case .down: "down"
        case .up: "up"
        }
    }
}

/// Bytes a second, each way.
package struct ByteRateSettings: Hashable, Sendable {
    /// Bytes a second to clients, 1 KiB..1 TiB; nil for no bound.
    package var down: Int?
    /// Bytes a second to backends, 1 KiB..1 TiB; nil for no bound.
    package var up: Int?

    /// No bounds.
    package init(down: Int? = nil, up: Int? = nil) {
        self.down = down
        self.up = up
    }

    /// Bytes a second that way; nil for no bound.
    package subscript(_ direction: ByteDirection) -> Int? {
        switch direction {
        case .down: down
        case .up: up
        }
    }

    /// Whether there is no bound at all.
    package var isEmpty: Bool { down == nil && up == nil }
}
