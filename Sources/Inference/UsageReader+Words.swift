// Keys of responses as words, with which a key in hand is compared at once: one has a dozen keys, and each of them is looked
// at in every event of a stream.

internal import Bytes

extension UsageReader {
    /// Keys of at most eight bytes, with zeros behind them, and the first and the last eight bytes of longer ones.
    enum Word {
        @inline(__always) static var choices: UInt64 {
            WordMask.of("c", "h", "o", "i", "c", "e", "s", "\0")
        }
        @inline(__always) static var content: UInt64 {
            WordMask.of("c", "o", "n", "t", "e", "n", "t", "\0")
        }
        @inline(__always) static var delta: UInt64 {
            WordMask.of("d", "e", "l", "t", "a", "\0", "\0", "\0")
        }
        @inline(__always) static var details: UInt64 {
            WordMask.of("d", "e", "t", "a", "i", "l", "s", "\0")
        }
        @inline(__always) static var message: UInt64 {
            WordMask.of("m", "e", "s", "s", "a", "g", "e", "\0")
        }
        @inline(__always) static var refusal: UInt64 {
            WordMask.of("r", "e", "f", "u", "s", "a", "l", "\0")
        }
        @inline(__always) static var response: UInt64 {
            WordMask.of("r", "e", "s", "p", "o", "n", "s", "e")
        }
        @inline(__always) static var text: UInt64 {
            WordMask.of("t", "e", "x", "t", "\0", "\0", "\0", "\0")
        }
        @inline(__always) static var thinking: UInt64 {
            WordMask.of("t", "h", "i", "n", "k", "i", "n", "g")
        }
        @inline(__always) static var timings: UInt64 {
            WordMask.of("t", "i", "m", "i", "n", "g", "s", "\0")
        }
        @inline(__always) static var token: UInt64 {
            WordMask.of("t", "o", "k", "e", "n", "\0", "\0", "\0")
        }
        @inline(__always) static var type: UInt64 {
            WordMask.of("t", "y", "p", "e", "\0", "\0", "\0", "\0")
        }
        @inline(__always) static var usage: UInt64 {
            WordMask.of("u", "s", "a", "g", "e", "\0", "\0", "\0")
        }
        @inline(__always) static var cacheN: UInt64 {
            WordMask.of("c", "a", "c", "h", "e", "_", "n", "\0")
        }
        @inline(__always) static var promptStart: UInt64 {
            WordMask.of("p", "r", "o", "m", "p", "t", "_", "t")
        }
        @inline(__always) static var cachedStart: UInt64 {
            WordMask.of("c", "a", "c", "h", "e", "d", "_", "t")
        }
        @inline(__always) static var outputStart: UInt64 {
            WordMask.of("o", "u", "t", "p", "u", "t", "_", "t")
        }
        @inline(__always) static var tokensBehindD: UInt64 {
            WordMask.of("d", "_", "t", "o", "k", "e", "n", "s")
        }
        @inline(__always) static var tokensBehindT: UInt64 {
            WordMask.of("t", "_", "t", "o", "k", "e", "n", "s")
        }
        @inline(__always) static var inputStart: UInt64 {
            WordMask.of("i", "n", "p", "u", "t", "_", "t", "o")
        }
        @inline(__always) static var inputLengthStart: UInt64 {
            WordMask.of("i", "n", "p", "u", "t", "_", "l", "e")
        }
        @inline(__always) static var lengthEnd: UInt64 {
            WordMask.of("t", "_", "l", "e", "n", "g", "t", "h")
        }
    }
}
