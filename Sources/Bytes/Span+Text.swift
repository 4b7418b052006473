// Bytes as text, for what is compared, looked up or told as such, away from the data path.

extension Span<UInt8> {
    /// The bytes as UTF-8; those that are none become U+FFFD.
    package var text: String {
        var copy: [UInt8] = []
        copy.reserveCapacity(count)
        for index in indices { copy.append(self[index]) }
        return String(decoding: copy, as: UTF8.self)
    }
}
