// Who may connect to a unix socket. What its file says holds, and not the umask, which whoever starts
// the process may have set for the files that it writes.

/// The owner and the mode of a unix socket's file.
package struct SocketAccess: Hashable, Sendable {
    /// The file's permissions, 0..0777 (octal); who may write to it may connect (unix(7)).
    package var mode: UInt32
    /// The file's owner; `nil` for the process's user.
    package var owner: Account?
    /// The file's group; `nil` for the process's group.
    package var group: Account?

    /// Access by `mode` for the process's own user and group.
    package init(mode: UInt32) { self.mode = mode }

    /// For clients: whoever can reach the socket's path, as anybody could reach a port.
    package static let clients = SocketAccess(mode: 0o666)
    /// For whoever may change the gateway: the process's user, and root.
    package static let own = SocketAccess(mode: 0o600)
    /// For operators: the socket's owner and group, as admin pages ask nobody who he is.
    package static let operators = SocketAccess(mode: 0o660)
}

/// An address to listen on, with what it needs beside.
package struct ListenSettings: Hashable, Sendable {
    /// The address.
    package var address: ListenAddress
    /// Who may connect to a unix socket; of no account for TCP.
    package var access: SocketAccess
    /// How TLS is spoken there; nil for connections in the clear.
    package var tls: ListenerTLS?

    /// Settings to listen on `address`.
    package init(
        _ address: ListenAddress, access: SocketAccess = .clients, tls: ListenerTLS? = nil
    ) {
        self.address = address
        self.access = access
        self.tls = tls
    }
}

extension Kind<UInt32> {
    /// Permissions of a file.
    static let fileMode = Kind.text(
        "permissions as octal digits in quotes, such as \"0660\"", pattern: "^0?[0-7]{3}$",
        parse: { (text) throws(Fault) in
            guard (3...4).contains(text.utf8.count), text.count == 3 || text.hasPrefix("0"),
                text.utf8.allSatisfy({ (0x30...0x37).contains($0) }),
                let mode = UInt32(text, radix: 8)
            else {
                throw Fault(
                    "\(text.quoted) is not a file's permissions",
                    "write three octal digits such as \"0660\"")
            }
            return mode
        },
        write: { mode in
            let digits = String(mode, radix: 8)
            return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        })
}
