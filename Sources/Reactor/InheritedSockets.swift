// Listening sockets that this process was born with: systemd's (sd_listen_fds(3)), or those of the process that it takes
// over from. Who takes none of them at an address, though it was given some, has been set up for another policy.

internal import CShims
internal import Glibc
package import Policy

/// Listening sockets that were open when the process began.
package final class InheritedSockets {
    /// One of them.
    package struct Socket: ~Copyable {
        /// Its number, which the one who gave it knows it by.
        package let number: Int32
        let descriptor: Descriptor
        /// Where it listens.
        package let address: ListenAddress

        init(_ number: Int32, _ address: ListenAddress) {
            self.number = number
            descriptor = Descriptor(owning: number)
            self.address = address
        }
    }

    /// What is known of one that was not taken yet.
    private struct Place {
        let number: Int32
        let address: ListenAddress
        /// As the policy of whoever gave it has the address; nil where nobody said.
        var configured: ListenAddress?

        /// Whether it is the socket of a listener at that address.
        func isFor(_ wanted: ListenAddress) -> Bool {
            (configured ?? address).isSame(as: wanted)
        }
    }

    private var places: [Place] = []
    /// The numbers of those that were taken.
    package private(set) var taken: [Int32] = []

    private static let first: Int32 = 3
    private static let most: Int32 = 4_000

    /// None.
    package init() {}

    /// Those that the environment tells of; throws where it tells of what is none.
    package init(fromEnvironment: Void) throws(SystemError) {
        guard let pid = ProcessEnvironment.variable("LISTEN_PID"), pid == "\(getpid())",
            let count = ProcessEnvironment.variable("LISTEN_FDS").flatMap({ Int32($0) }), count > 0
        else { return }
        let attempt = "take over sockets (LISTEN_FDS=\(count))"
        guard count <= InheritedSockets.most else {
            throw SystemError(attempt, because: "there are more than \(InheritedSockets.most)")
        }
        for number in InheritedSockets.first..<InheritedSockets.first + count {
            guard penstock_adopt(number) == 0 else { throw SystemError(attempt) }
            guard penstock_accepts(number) != 0, let address = ListeningSocket.address(of: number)
            else {
                throw SystemError(
                    attempt,
                    because: "descriptor \(number) accepts no connections over TCP or a unix socket"
                )
            }
            places.append(Place(number: number, address: address))
        }
    }

    /// Notes how the policy of who gave a socket has its address.
    package func note(_ number: Int32, configured address: ListenAddress) {
        for index in places.indices where places[index].number == number {
            places[index].configured = address
        }
    }

    /// Takes those that are for a listener at `address`.
    package func take(_ address: ListenAddress) -> [Transfer<ListeningSocket>] {
        let found = places.filter { $0.isFor(address) }
        // With port 0 another listener may have the same address: its sockets have another port.
        let chosen = found.filter { $0.address == found.first?.address }
        places.removeAll { place in chosen.contains { $0.number == place.number } }
        taken += chosen.map(\.number)
        return chosen.map { place in
            Transfer(
                ListeningSocket(inheriting: InheritedSockets.Socket(place.number, place.address)))
        }
    }

    /// Those that nobody took.
    package var left: [ListenAddress] { places.map(\.address) }

    /// Closes those that nobody took.
    package func closeOthers() {
        for place in places { _ = Descriptor(owning: place.number) }
        places = []
    }
}
