// What a worker calls itself: what people know it by, and something that no other process has. Were a restarted worker the
// same as before, connections of its former life would count as credits of this one until they are found to be dead.

import Gateway
internal import Reactor

/// Names of workers.
enum WorkerName {
    /// Bytes of a name that is given: nine of all that are allowed are ours.
    static let mostBytes = CreditSettings.mostNameBytes - 9

    /// Whether `text` may be a worker's name.
    static func isValid(_ text: String) -> Bool {
        (1...mostBytes).contains(text.utf8.count) && text.utf8.allSatisfy(CreditSettings.isNamePart)
    }

    /// The name of this process: `given`, or the machine's, with eight digits of chance.
    static func make(_ given: String?) -> String {
        let host = MachineAddresses.hostName().utf8.filter(CreditSettings.isNamePart).prefix(
            mostBytes)
        let known = given ?? String(decoding: host, as: UTF8.self)
        let digits = String(UInt32.random(in: .min ... .max), radix: 16)
        let padded = String(repeating: "0", count: 8 - digits.count) + digits
        return known.isEmpty ? padded : "\(known).\(padded)"
    }
}
