// What a parser found in the bytes it was shown.

/// A step of a message.
///
/// Every event says how many bytes it used up, from the first one shown; the
/// caller drops exactly those and shows the rest again.
package enum ParserEvent: Equatable, Sendable {
    /// Nothing more to find; `consumed` can be above 0 where chunk framing was read.
    ///
    /// Show the remaining bytes again, with more behind them. No byte of an unfinished head or
    /// trailer section is consumed, and none is looked at twice.
    case needMoreData(consumed: Int)
    /// A head is complete; read it from the parser.
    case head(consumed: Int)
    /// A piece of the body: `content` is where it stands in the bytes shown, without chunk framing.
    case body(consumed: Int, content: Range<Int>)
    /// The message is complete; the parser gives this again until it is reset.
    case end(consumed: Int)
}
