// What a worker calls itself: what people know it by, and something that no other process has. Were a restarted worker the
// same as before, connections of its former life would count as credits of this one until they are found to be dead.

internal import Reactor

/// Names of workers.
enum WorkerName {
    /// Bytes of a name that is given: 64 are allowed, and nine are ours.
    static let mostBytes = 55

    /// Whether `text` may be a worker's name.
    static func isValid(_ text: String) -> Bool {
        (1...mostBytes).contains(text.utf8.count) && text.utf8.allSatisfy(isPart)
    }

    /// The name of this process: `given`, or the machine's, with eight digits of chance.
    static func make(_ given: String?) -> String {
        let host = MachineAddresses.hostName().utf8.filter(isPart).prefix(mostBytes)
        let known = given ?? String(decoding: host, as: UTF8.self)
        let digits = String(UInt32.random(in: .min ... .max), radix: 16)
        let padded = String(repeating: "0", count: 8 - digits.count) + digits
        return known.isEmpty ? padded : "\(known).\(padded)"
    }

    private static func isPart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: ":"),
            UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
