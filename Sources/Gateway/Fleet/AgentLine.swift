// A line that says what a backend may be sent, in the words of HAProxy's agent checks
// (https://docs.haproxy.org/3.2/configuration.html#5.2-agent-check), so that what writes these can be used as it is.

package import Admission

/// Reads what operators and agents say of a backend.
package enum AgentLine {
    /// What is wrong with a line.
    package enum Fault: Error, Equatable {
        /// It says nothing.
        case empty
        /// It is longer than `mostBytes`.
        case tooLong
        /// It has a word that means nothing here.
        case word(String)

        /// What is wrong, and what would be right.
        package var description: String {
            let words = "ready, drain, maint, up, down, 75%, maxconn:30"
            return switch self {
            case .empty: "nothing is said; write a line of the words \(words)"
            case .tooLong:
                "more than \(AgentLine.mostBytes) bytes; write a line of the words \(words)"
            case .word(let word): "\"\(word)\" is not known; write a line of the words \(words)"
            }
        }
    }

    /// Bytes of the longest line.
    package static let mostBytes = 1024
    /// Bytes of a word that is not known which are told.
    private static let mostTold = 40

    /// Has `signal` say what `text` does up to its first line's end; what that does not say stays.
    package static func apply(
        _ text: [UInt8], to signal: inout BackendSignal
    ) throws(Fault) {
        let line = text.prefix { $0 != 0x0a && $0 != 0x0d }
        guard line.count <= mostBytes else { throw .tooLong }
        let words = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x2c }
        guard !words.isEmpty else { throw .empty }
        var next = signal
        for word in words {
            // What is behind says why, and may be anything.
            guard try apply(word, to: &next) else { break }
        }
        signal = next
    }

    /// Has `signal` say one word; false where the rest of the line is for people.
    private static func apply(
        _ word: ArraySlice<UInt8>, to signal: inout BackendSignal
    ) throws(Fault) -> Bool {
        // HAProxy knows its words in any case.
        let text = String(decoding: word, as: UTF8.self).lowercased()
        switch text {
        case "ready": signal.order = .ready
        case "drain": signal.order = .drain
        case "maint": signal.order = .maint
        case "up": signal.isDown = false
        case _ where isDown(text):
            signal.isDown = true
            return !word.contains(UInt8(ascii: "#"))
        case _ where word.last == UInt8(ascii: "%"):
            let digits = text.hasPrefix("weight:") ? word.dropFirst("weight:".utf8.count) : word
            guard let percent = number(digits.dropLast()) else { throw unknown(text) }
            signal.share = Double(min(percent, 100)) / 100
        case _ where text.hasPrefix("maxconn:"):
            guard let most = number(word.dropFirst("maxconn:".utf8.count)) else {
                throw unknown(text)
            }
            // As at HAProxy, 0 is no bound.
            signal.ceiling = most == 0 ? nil : most
        default: throw unknown(String(decoding: word, as: UTF8.self))
        }
        return true
    }

    private static func isDown(_ word: String) -> Bool {
        ["down", "fail", "failed", "stopped"].contains { word == $0 || word.hasPrefix("\($0)#") }
    }

    private static func unknown(_ word: String) -> Fault {
        // It ends up in a response and on a terminal.
        let plain = word.unicodeScalars.prefix(mostTold).map {
            $0.value < 0x20 || $0.value > 0x7e || $0 == "\"" ? "?" : Character($0)
        }
        return .word(String(plain))
    }

    /// The number that one to seven digits make; nil for anything else.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...7).contains(digits.count) else { return nil }
        var value = 0
        for digit in digits {
            guard digit &- 0x30 < 10 else { return nil }
            value = 10 * value + Int(digit - 0x30)
        }
        return value
    }
}
