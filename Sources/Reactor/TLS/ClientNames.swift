// What a client's certificate says of who it is.

/// Names of a client, which an authority of the listener's has vouched for; the first of each kind.
package final class ClientNames: Sendable {
    /// A URI, such as `spiffe://cluster/ns/team/sa/app`; empty for none.
    package let uri: [UInt8]
    /// A DNS name; empty for none.
    package let dns: [UInt8]
    /// The last common name of its subject; empty for none.
    package let commonName: [UInt8]

    /// Bytes of a name at most: a longer one is none.
    private static let mostBytes = 1_024

    init(_ names: CertificateNames) {
        uri = ClientNames.bytes(names.uris.first)
        dns = ClientNames.bytes(names.dns.first)
        commonName = ClientNames.bytes(names.commonName)
    }

    private static func bytes(_ text: String?) -> [UInt8] {
        guard let text, text.utf8.count <= mostBytes else { return [] }
        return Array(text.utf8)
    }
}
