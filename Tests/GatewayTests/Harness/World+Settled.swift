// What a test expects to be left in a world.

import Testing

@testable import TestSupport

extension World {
    /// Lets time pass until nothing is held but `clients` connections and `idle` idle ones to backends
    /// (nil: any number); records an issue when that does not happen.
    func settles(
        clients: Int? = nil, idle: Int? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        do {
            try wait(for: "nothing to be held") { holdings.isSettled(clients: clients, idle: idle) }
        } catch {
            Issue.record("the gateway still holds \(holdings)", sourceLocation: sourceLocation)
        }
    }
}
