// How wide requests are: how many units of a limit they take.

/// How many units of a limit requests take by their expected tokens.
package struct SeatSettings: Equatable, Sendable {
    /// Tokens of prompt and response for each unit, 1..100,000,000.
    package var tokens = 8_192
    /// The most units for one request, 2..1,000.
    package var most = 4

    /// The defaults.
    package init() {}

    /// The units that a request of so many tokens takes, 1...`most`.
    package func seats(forTokens count: Int) -> Int {
        min(max(1, (max(0, count) - 1) / tokens + 1), most)
    }
}
