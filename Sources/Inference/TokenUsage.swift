// How many tokens a request took.

/// Tokens of a prompt and of its response; nil where nobody said.
package struct TokenUsage: Equatable, Sendable {
    /// Tokens of the prompt, those from a cache included.
    package var input: Int?
    /// Tokens of the prompt that came from a cache; nil where nobody said.
    package var cached: Int?
    /// Tokens that were generated, for all choices.
    package var output: Int?

    /// Nothing known.
    package init(input: Int? = nil, cached: Int? = nil, output: Int? = nil) {
        self.input = input
        self.cached = cached
        self.output = output
    }
}
