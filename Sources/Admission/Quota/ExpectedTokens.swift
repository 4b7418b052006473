// What a request is expected to come to, as long as it waits and runs.

/// Tokens of a prompt and of a response; both 0 where they say nothing about the work.
struct ExpectedTokens: Equatable, Sendable {
    var input: Int32
    var output: Int32

    /// What `ticket` says.
    init(_ ticket: Ticket) {
        let tokens = ticket.outputTokens.map { (input: ticket.tokens - $0, output: $0) }
        input = Int32(clamping: max(0, tokens?.input ?? 0))
        output = Int32(clamping: max(0, tokens?.output ?? 0))
    }
}
