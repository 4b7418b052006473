// Damaged policies: whatever is in a file, the loader answers with a policy or with faults that
// have a place.

import Foundation
import Testing

@testable import Policy

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

@Suite struct MutationTests {
    private static let policies = GoldenCase.all.map(\.policy) + FullPolicy.all

    @Test(arguments: 0..<40 as Range<UInt64>)
    func damagedPoliciesNeverCrash(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for round in 0..<50 {
            let original = Self.policies.randomElement(using: &generator) ?? ""
            let text = Self.damage(original, &generator)
            do throws(PolicyError) {
                let policy = try PolicyLoader.load(text: text, file: "policy.yaml")
                let dump = PolicyDump.yaml(policy)
                let again = try PolicyLoader.load(text: dump, file: "dump.yaml")
                #expect(again == policy, "seed \(seed), round \(round):\n\(text)\n\(dump)")
            } catch {
                let places = error.diagnostics.map { ($0.line, $0.column) }
                let message = "seed \(seed), round \(round):\n\(text)\n\(error)"
                #expect(!places.isEmpty && places.allSatisfy { $0 >= 1 && $1 >= 1 }, "\(message)")
                #expect(error.diagnostics.allSatisfy { $0.file == "policy.yaml" }, "\(message)")
                // One line each, in the file's order.
                #expect(!error.diagnostics.contains { $0.description.contains("\n") }, "\(message)")
                #expect(zip(places, places.dropFirst()).allSatisfy { $0 <= $1 }, "\(message)")
            }
        }
    }

    /// One to four changes of bytes, lines or words.
    private static func damage(_ text: String, _ generator: inout SeededGenerator) -> String {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            let index = bytes.indices.randomElement(using: &generator) ?? 0
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[index] = punctuation.randomElement(using: &generator) ?? 0
            case 2: bytes.insert(punctuation.randomElement(using: &generator) ?? 0, at: index)
            case 3: bytes.removeSubrange(index..<min(bytes.count, index + 5))
            case 4:
                let word = words.randomElement(using: &generator) ?? ""
                bytes.insert(contentsOf: word.utf8, at: index)
            default: bytes = changeLines(bytes, &generator)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let punctuation = Array(":-?,[]{}#&*!|>'\"%@` \t\n\r\\~0/.".utf8)
    private static let words = [
        "&a ", "*a", "<<: *a\n", "!!int ", "!x ", "---\n", "...\n", "? ", "{}", "[]", "null",
        "\"\\u0000\"",
        "\u{FEFF}", "\u{E000}", "\u{E02A}", "\u{2028}", "e\u{301}", "99999999999999999999", "-1",
        "0x1F", "1e9", "${", "${A}", "${A:-b}", "$$", "\u{E07B}", "\u{E07D}",
        ".inf", "|\n", "%YAML 1.3\n", "pools:\n", "limit: ", "off",
    ]

    private static func changeLines(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [UInt8]
    {
        var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        let from = lines.indices.randomElement(using: &generator) ?? 0
        let to = lines.indices.randomElement(using: &generator) ?? 0
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: lines.remove(at: from)
        case 1: lines.insert(lines[from], at: to)
        case 2: lines.swapAt(from, to)
        default: lines[from] = [0x20, 0x20] + lines[from]
        }
        return Array(lines.joined(separator: [0x0A]))
    }
}
