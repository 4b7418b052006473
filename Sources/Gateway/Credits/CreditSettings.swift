// What a worker is told: which gateways it serves, as what, and for how many requests at once.

package import Policy
package import Reactor

/// The credits that a gateway gives to others, as their worker.
package struct CreditSettings: Sendable {
    /// A gateway that is served.
    package struct Place: Sendable {
        /// Its workers' listener.
        package var address: BackendAddress
        /// What connections to it trust and show, for `https`.
        package var credentials: TLSCredentials?

        /// The gateway at `address`.
        package init(_ address: BackendAddress, credentials: TLSCredentials?) {
            self.address = address
            self.credentials = credentials
        }
    }

    /// The gateways, one at least, 16 at most.
    package var places: [Place]
    /// The pool of theirs whose requests are served.
    package var pool: String
    /// The key that they know: printable ASCII without spaces.
    package var key: [UInt8]
    /// What the worker calls itself, 1 to 64 letters, digits and `.:_-`; another one in each process.
    package var name: String
    /// The most requests at once that it ever takes, 1..10,000.
    package var most: Int

    /// All of it.
    package init(places: [Place], pool: String, key: [UInt8], name: String, most: Int) {
        self.places = places
        self.pool = pool
        self.key = key
        self.name = name
        self.most = most
    }

    /// Gateways that one worker may serve, and requests that it may take at once.
    package static let mostPlaces = 16
    package static let mostCredits = 10_000
    /// Bytes of a worker's name.
    package static let mostNameBytes = 64

    /// Whether a worker's name may have that byte.
    package static func isNamePart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: ":"),
            UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
