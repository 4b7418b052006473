// Where this process listens already, while it opens what another policy adds. What overlaps it is no other
// process's, and is had all the same: the former socket is closed when the policy is in force.

package import Policy

/// Addresses of one process.
package struct OwnAddresses: Sendable {
    private let all: [ListenAddress]

    /// The addresses with the ports that the kernel chose.
    package init(_ all: [ListenAddress] = []) { self.all = all }

    /// Binds and listens as `settings` say, also where that overlaps an address of these; throws when it cannot
    /// be had, as a unix socket that is one of them.
    package func listen(_ settings: ListenSettings) throws(SystemError) -> ListeningSocket {
        let own = all.first {
            $0.conflicts(with: settings.address, resolve: FilePlace.resolved)
        }
        if own != nil, case .unix = settings.address {
            throw SystemError(
                "listen on \(settings.address.text)",
                because:
                    "the gateway that runs has this socket for another of its listeners until the reload; "
                    + "take the socket away from that one, reload, and give it to this one then, "
                    + "or start penstock again")
        }
        return try ListeningSocket(
            settings.address, access: settings.access, isBesideOwn: own != nil)
    }
}

extension ListenAddress {
    /// Whether both are one: the same socket, by whatever links.
    package func isSame(as other: ListenAddress) -> Bool {
        isSame(as: other, resolve: FilePlace.resolved)
    }
}
