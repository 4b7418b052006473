// One number that stands for everything that happened in a run.

/// A running 64-bit hash over events.
struct Trace {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func mix(_ time: Int64, _ kind: UInt64, _ detail: UInt64) {
        var word = UInt64(bitPattern: time) &* 0x9E37_79B9_7F4A_7C15
        word ^= (kind &+ detail << 8) &* 0xC2B2_AE3D_27D4_EB4F
        value = (value ^ word ^ word >> 29) &* 0x0000_0100_0000_01B3
        value ^= value >> 32
    }
}
