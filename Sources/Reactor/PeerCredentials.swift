// Who is at the other end of a unix socket, as the kernel noted when that end connected (unix(7), SO_PEERCRED).

internal import CShims

/// The process that connected to a unix socket.
package struct PeerCredentials: Equatable, Sendable {
    /// Its number.
    package var process: Int32
    /// The number of the user that it ran as.
    package var user: UInt32

    /// The process `process` of the user `user`.
    package init(process: Int32, user: UInt32) {
        self.process = process
        self.user = user
    }

    /// Who is connected to `socket`; nil where that is no unix socket.
    init?(ofSocket socket: Int32) {
        var process: Int32 = 0
        var user: UInt32 = 0
        // Both are written before the call returns.
        guard unsafe penstock_peer_credentials(socket, &process, &user) == 0 else { return nil }
        self.init(process: process, user: user)
    }
}
