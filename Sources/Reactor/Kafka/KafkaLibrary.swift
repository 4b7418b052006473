// librdkafka, which is opened by the first who needs it and stays for the life of the process: gateways without topics
// neither need nor load it.

internal import CShims

/// The Kafka client library.
package enum KafkaLibrary {
    /// Opens it; throws why it cannot be had, and what to install.
    ///
    /// From any thread, any number of times.
    package static func open() throws(SystemError) {
        guard let reason = fault else { return }
        throw SystemError(
            "open librdkafka.so.1, which topics need", because: "\(reason); \(remedy)")
    }

    /// Why it cannot be had; nil where it is open.
    package static var fault: String? {
        // A text that lives until the next call on this thread; copied at once.
        unsafe penstock_kafka_load().map { unsafe String(cString: $0) }
    }

    /// What to do where it cannot be had.
    package static let remedy =
        "install version 2.0 or later (Debian: apt-get install librdkafka1)"

    /// Its version; empty before it was opened.
    package static var version: String {
        guard unsafe penstock_kafka_load() == nil else { return "" }
        // A constant of the library's.
        return unsafe String(cString: penstock_kafka_version())
    }

    /// What a code of the library's means.
    static func text(_ code: Int32) -> String {
        // A constant of the library's.
        unsafe String(cString: penstock_kafka_text(code))
    }

    /// The text that C left in `bytes`.
    static func text(_ bytes: [CChar]) -> String {
        String(
            decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
