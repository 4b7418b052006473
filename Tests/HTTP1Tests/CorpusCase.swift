// The corpus: files of cases in plain text, input and expectation side by side.
//
//     === name
//     limits 64 2            head bytes and fields, if not the defaults
//     method HEAD            of the request that is answered, if not GET (responses only)
//     closed                 the peer closes after the input (responses only)
//     upgrade                the request asked for WebSocket (responses only)
//     | GET / HTTP/1.1\r\n   input, the lines simply joined
//     ---
//     end                    the transcript, see Transcript.swift
//
// Escapes: \r \n \t \\ \xHH, and \(300*a) for 300 times what stands behind the star. An input whose
// transcript ends in an error ends at the very byte that has to raise it.

import Foundation
import HTTP1

struct CorpusCase: CustomStringConvertible, Sendable {
    var file: String
    var name: String
    var limits = HeadLimits()
    var method = Method.get
    var closes = false
    var mayBecomeWebSocket = false
    var input: [UInt8] = []
    var expected: [String] = []

    var description: String { "\(file): \(name)" }

    struct Malformed: Error {
        var place: String
    }

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "Corpus")

    /// All cases of the files whose names begin with `prefix`.
    static func load(prefix: String) throws -> [CorpusCase] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        return try names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".txt") }.sorted().flatMap {
            try parse(String(contentsOf: folder.appending(path: $0), encoding: .utf8), file: $0)
        }
    }

    private static func parse(_ text: String, file: String) throws -> [CorpusCase] {
        var cases: [CorpusCase] = []
        var inExpectation = false
        for (number, line) in text.split(separator: "\n").enumerated() {
            let malformed = Malformed(
                place: "\(file), line \(number + 1) that is not empty: \(line)")
            if line.hasPrefix("#") { continue }
            if line.hasPrefix("=== ") {
                cases.append(CorpusCase(file: file, name: String(line.dropFirst(4))))
                inExpectation = false
                continue
            }
            guard let last = cases.indices.last else { throw malformed }
            if line == "---" {
                inExpectation = true
            } else if inExpectation {
                guard let bytes = unescaped(line) else { throw malformed }
                cases[last].expected.append(escaped(bytes))
            } else {
                guard cases[last].take(line) else { throw malformed }
            }
        }
        return cases
    }

    private mutating func take(_ line: Substring) -> Bool {
        let words = line.split(separator: " ")
        if line.hasPrefix("| ") {
            guard let bytes = unescaped(line.dropFirst(2)) else { return false }
            input += bytes
        } else if words.first == "limits", words.count == 3, let bytes = Int(words[1]),
            let fields = Int(words[2])
        {
            limits = HeadLimits(maxHeadBytes: bytes, maxFields: fields)
        } else if words.first == "method", words.count == 2 {
            guard let found = Method.allCases.first(where: { $0.spelling == words[1] }) else {
                return false
            }
            method = found
        } else if line == "closed" {
            closes = true
        } else if line == "upgrade" {
            mayBecomeWebSocket = true
        } else {
            return false
        }
        return true
    }
}

/// `bytes` as printable ASCII.
func escaped(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for byte in bytes {
        switch byte {
        case 0x0d: text += "\\r"
        case 0x0a: text += "\\n"
        case 0x09: text += "\\t"
        case 0x5c: text += "\\\\"
        case 0x20..<0x7f: text.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            let digits = String(byte, radix: 16)
            text += "\\x" + (digits.count == 1 ? "0" : "") + digits
        }
    }
    return text
}

/// The bytes that `text` stands for, or `nil` if an escape in it is malformed.
func unescaped(_ text: some StringProtocol) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "\\") else {
            bytes.append(byte)
            continue
        }
        switch rest.popFirst() {
        case UInt8(ascii: "r"): bytes.append(0x0d)
        case UInt8(ascii: "n"): bytes.append(0x0a)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "\\"): bytes.append(0x5c)
        case UInt8(ascii: "x"):
            guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        case UInt8(ascii: "("):
            guard let star = rest.firstIndex(of: UInt8(ascii: "*")),
                let close = rest.firstIndex(of: UInt8(ascii: ")")), star < close,
                let count = Int(String(decoding: rest[..<star], as: UTF8.self)),
                let part = unescaped(String(decoding: rest[(star + 1)..<close], as: UTF8.self))
            else { return nil }
            for _ in 0..<count { bytes += part }
            rest = rest[(close + 1)...]
        default: return nil
        }
    }
    return bytes
}
