// Whether a client wants its response compressed.

internal import Bytes

/// What the values of a request's `Accept-Encoding` fields say about gzip (RFC 9110 section
/// 12.5.3).
package struct AcceptEncoding {
    private var gzip: Int?
    private var identity: Int?
    private var others: Int?

    /// What a request without the field says.
    package init() {}

    /// Takes in the value of one field; there may be several.
    package mutating func consider(_ value: Span<UInt8>) {
        var gzip = self.gzip
        var identity = self.identity
        var others = self.others
        WeightedList.forEach(in: value) { name, weight in
            let name = value.extracting(name)
            if name.equals(lowercase: "gzip") || name.equals(lowercase: "x-gzip") {
                gzip = max(gzip ?? 0, weight)
            } else if name.equals(lowercase: "identity") {
                identity = weight
            } else if name.equals(lowercase: "*") {
                others = weight
            }
        }
        self.gzip = gzip
        self.identity = identity
        self.others = others
    }

    /// Whether gzip is acceptable and the plain form is not preferred to it.
    package var wantsGzip: Bool {
        let weight = gzip ?? others ?? 0
        return weight > 0 && weight >= identity ?? 0
    }
}
