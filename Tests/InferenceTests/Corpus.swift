// The recorded requests, answers and streams, and the ways in which every test cuts them.

import Foundation

@testable import Inference

enum Corpus {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("Corpus")

    /// The bytes of a file, without the line end that editors add to those of one line.
    static func bytes(_ name: String) throws -> [UInt8] {
        var data = try Data(contentsOf: folder.appendingPathComponent(name))
        if name.hasSuffix(".json"), data.last == 0x0a { data.removeLast() }
        return [UInt8](data)
    }

    static func names(in subfolder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(
            atPath: folder.appendingPathComponent(subfolder).path
        ).sorted().map { "\(subfolder)/\($0)" }
    }

    /// Whole, byte by byte, and in seeded random pieces.
    static func cuts(_ bytes: [UInt8], seed: UInt64 = 1) -> [[[UInt8]]] {
        var random = Random(seed: seed)
        var pieces: [[UInt8]] = []
        var index = 0
        while index < bytes.count {
            let end = min(bytes.count, index + 1 + Int(random.next() % 23))
            pieces.append(Array(bytes[index..<end]))
            index = end
        }
        return [[bytes], bytes.map { [$0] }, pieces]
    }
}

/// A seeded generator, the multiplier and increment of Knuth's MMIX.
struct Random: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 2 &+ 1 }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}
