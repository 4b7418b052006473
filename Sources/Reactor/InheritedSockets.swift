// Listening sockets that this process was born with: systemd's (sd_listen_fds(3)), or those of the process that it takes
// over from. Who takes none of them at an address, though it was given some, has been set up for another policy.
//
// A service manager keeps its sockets: what lies at a unix socket's path, and who may connect to it, stays its own matter.

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
        /// Whether the file of a unix socket is this process's; else it is the service manager's.
        let isOwn: Bool

        init(_ number: Int32, _ address: ListenAddress, isOwn: Bool) {
            self.number = number
            descriptor = Descriptor(owning: number)
            self.address = address
            self.isOwn = isOwn
        }
    }

    /// What is known of one that was not taken yet.
    private struct Place {
        let number: Int32
        let address: ListenAddress
        /// What whoever gave it calls it; empty where it has no name.
        var name = ""
        /// As the policy has the address of the listener that it is for; nil where its own address says that.
        var configured: ListenAddress?
        /// Whether it was made by a process of this gateway.
        var isOwn = false

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
        let names = InheritedSockets.names(ProcessEnvironment.variable("LISTEN_FDNAMES") ?? "")
        for number in InheritedSockets.first..<InheritedSockets.first + count {
            guard penstock_adopt(number) == 0 else { throw SystemError(attempt) }
            guard penstock_accepts(number) != 0, let address = ListeningSocket.address(of: number)
            else {
                throw SystemError(
                    attempt,
                    because: "descriptor \(number) accepts no connections over TCP or a unix socket"
                )
            }
            var place = Place(number: number, address: address)
            let index = Int(number - InheritedSockets.first)
            if index < names.count { place.name = names[index] }
            places.append(place)
        }
    }

    /// What `LISTEN_FDNAMES` says: a name for each socket, which may be empty.
    private static func names(_ text: String) -> [String] {
        text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    }

    /// Notes how the policy of the process that gave a socket has its address, and whether that one, or one before it,
    /// has made it.
    package func note(_ number: Int32, configured address: ListenAddress, isOwn: Bool) {
        for index in places.indices where places[index].number == number {
            places[index].configured = address
            places[index].isOwn = isOwn
        }
    }

    /// Has sockets whose addresses are no listener's go by their names: `listen` is the next one of `listeners` that has
    /// none at its address, `admin` is `admin`.
    ///
    /// A socket that other machines reach is not the admin listener's where the policy's address is one that they do not.
    package func assign(
        listeners: [ListenAddress], admin: ListenAddress?, control: ListenAddress?
    ) {
        var free = listeners.filter { wanted in !places.contains { $0.isFor(wanted) } }
        let all = listeners + [admin, control].compactMap(\.self)
        for index in places.indices where !all.contains(where: places[index].isFor) {
            switch (places[index].name, admin) {
            case ("listen", _) where !free.isEmpty:
                places[index].configured = free.removeFirst()
            case ("admin", let admin?) where places[index].address.isLocal || !admin.isLocal:
                places[index].configured = admin
            default: break
            }
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
                ListeningSocket(
                    inheriting: InheritedSockets.Socket(
                        place.number, place.address, isOwn: place.isOwn)))
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
