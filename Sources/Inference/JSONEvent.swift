// What a scanner reports of a JSON text.

/// A step of a JSON text that is near enough to its root to be reported.
package enum JSONEvent: Equatable, Sendable {
    /// Nothing more to find in the bytes shown.
    case needMoreData
    /// A key, whose name is in the scanner's `text`; `captures` may be set for its value.
    case key
    /// A text, in the scanner's `text` if it was asked for.
    case string
    /// A number, in the scanner's `number`.
    case number
    /// `true`, `false` or `null`.
    case literal(Bool?)
    /// An object or an array begins; `depth` counts it already.
    case open(isObject: Bool)
    /// An object or an array ended; `depth` counts it no more.
    case close
}
