// Either end of a connection, as messages are read from it and sent over it: a socket's with time that
// passes by itself, or one in memory with the world's time.

/// Longest wait, in seconds, for something that is expected to happen.
let patience: Double = 5

/// A connection's end whose reads wait for what they want.
protocol Duplex {
    /// Sends all of `bytes`.
    func send(_ bytes: [UInt8]) throws

    /// Everything up to and including `mark`.
    func read(until mark: String, within seconds: Double) throws -> String

    /// Exactly `count` bytes.
    func read(count: Int, within seconds: Double) throws -> [UInt8]

    /// Everything up to the peer's end.
    func readToEnd(within seconds: Double) throws -> String

    /// Whether the peer ends or resets the connection, without another byte, within `seconds`.
    func ends(within seconds: Double) -> Bool

    /// Whether nothing comes, not even an end, for `seconds`.
    func isSilent(for seconds: Double) -> Bool
}

extension Duplex {
    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func read(until mark: String) throws -> String { try read(until: mark, within: patience) }

    func read(count: Int) throws -> [UInt8] { try read(count: count, within: patience) }

    func readToEnd() throws -> String { try readToEnd(within: patience) }

    func ends() -> Bool { ends(within: patience) }
}
