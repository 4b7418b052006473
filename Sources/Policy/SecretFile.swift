// Secrets of one word or line, each in a file of its own: read when the policy is, closed to everybody, and no part of what
// the policy says. Nothing writes them down: neither dumps nor faults nor logs.

internal import Admission

/// Reads secrets.
enum SecretFile {
    /// What a secret may be.
    struct Form: Sendable {
        /// What the secret is called, such as `admin token`.
        var subject: String
        /// Its bytes, at least and at most.
        var lengths: ClosedRange<Int>
        /// Whether spaces and tabs may stand within it.
        var hasSpaces = false
        /// What is wrong with another one, and what would be right.
        var fault: Fault
    }

    /// The secret in the file at `path`, without the white space around it; throws what is wrong with it.
    static func read(path: String, _ form: Form) throws(PolicyError) -> [UInt8] {
        let text = try PolicyLoader.contents(
            of: path, maxBytes: 2 * form.lengths.upperBound, subject: form.subject, being: .secret)
        return try read(text: text, file: path, form)
    }

    /// The secret in `text`; `file` is the name for diagnostics, which never show what it says.
    static func read(
        text: String, file: String, _ form: Form
    ) throws(PolicyError) -> [UInt8] {
        let bytes = trimmed(text.utf8)
        let isGood = bytes.allSatisfy { byte in
            (0x21...0x7e).contains(byte) || form.hasSpaces && (byte == 0x20 || byte == 0x09)
        }
        guard form.lengths.contains(bytes.count), isGood else {
            var reading = Reading(file: file)
            reading.subject = form.subject
            reading.report(form.fault, path: "", at: .start)
            throw PolicyError(reading.diagnostics)
        }
        return bytes
    }

    /// `bytes` without the white space around them.
    static func trimmed(_ bytes: some BidirectionalCollection<UInt8>) -> [UInt8] {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0a || $0 == 0x0d }
        var rest = Array(bytes.drop(while: isSpace))
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return rest
    }
}
