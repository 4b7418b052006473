// The file of a unix socket that this process has bound, and whatever else may lie at its path by then.
//
// A path says nothing of whose file lies there. What this process made is known by its device and
// inode: the kernel gives their numbers to no other file as long as the socket is open, even if the
// file was removed.

internal import CShims
internal import Glibc
package import Policy
internal import Synchronization

/// The file of a bound unix socket.
package struct SocketFile: Sendable {
    /// Where it was made.
    package let path: String
    private let identity: Identity
    /// Whose file it was when it was made.
    private let owner: uid_t
    private let group: gid_t
    /// Whether another process has the socket from now on.
    private let isGivenAway = Shared()

    /// What copies of a file have in common.
    private final class Shared: Sendable {
        let value = Atomic<Bool>(false)
    }

    /// What tells a file from all others.
    private struct Identity: Equatable {
        let device: dev_t
        let inode: ino_t

        init(_ status: stat) {
            device = status.st_dev
            inode = status.st_ino
        }
    }

    /// The file at `path`, which was just bound by this process; nil where it has gone already.
    init?(boundAt path: String) {
        guard let status = SocketFile.status(of: path), SocketFile.isSocket(status) else {
            return nil
        }
        self.path = path
        identity = Identity(status)
        owner = status.st_uid
        group = status.st_gid
    }

    /// Leaves the file to another process, which has the socket too.
    package func giveAway() { isGivenAway.value.store(true, ordering: .relaxed) }

    /// Removes the file; where another one lies at its path by now, that one stays.
    ///
    /// To be called while the socket is open. A file that cannot be told from others, because its
    /// directory cannot be locked, stays as well: nobody listens there, and a start replaces it.
    package func remove() {
        // Mostly it was removed before, and nobody has to be waited for.
        guard !isGivenAway.value.load(ordering: .relaxed), isAtItsPath,
            let lock = DirectoryLock.held(aroundFile: path)
        else { return }
        discard()
        // Until here, and not only until its last use.
        extendLifetime(lock)
    }

    /// Removes the file for who holds the directory's lock.
    func discard() {
        // The path is lent for the call.
        if isAtItsPath { _ = unsafe unlink(path) }
    }

    /// Whether the file still lies where it was made.
    private var isAtItsPath: Bool {
        SocketFile.status(of: path).map { Identity($0) == identity } ?? false
    }

    /// Gives the file the permissions, owner and group of `access`; throws when it may not.
    package func change(to access: SocketAccess) throws(SystemError) {
        let attempt = "set who may connect to \(ListenAddress.unix(path: path).text)"
        // Paths are lent for their calls.
        let number = unsafe penstock_find_file(path)
        guard number >= 0 else { throw SystemError(attempt) }
        let file = Descriptor(owning: number)
        var status = stat()
        // The structure is written whole, by a descriptor that is open.
        guard unsafe fstat(file.rawValue, &status) == 0 else { throw SystemError(attempt) }
        guard Identity(status) == identity else {
            throw SystemError(
                attempt,
                because: "another file lies there by now; start penstock again to listen there")
        }
        guard unsafe penstock_change_mode(file.rawValue, path, access.mode) == 0 else {
            throw SystemError(attempt)
        }
        let owner = access.owner?.number ?? self.owner
        let group = access.group?.number ?? self.group
        guard owner != status.st_uid || group != status.st_gid else { return }
        guard penstock_change_owner(file.rawValue, owner, group) != 0 else { return }
        let code = errno
        guard code == EPERM else { throw SystemError(attempt, code: code) }
        throw SystemError(
            attempt,
            because: "the process may not give it to user \(owner) and group \(group); "
                + "name a group that the process is in, or grant CAP_CHOWN")
    }

    // MARK: What lies at a path

    /// Makes room for a socket at `path`: a socket that nobody accepts from is removed, for which the
    /// directory has to be locked; everything else stays, and is an error.
    static func makeRoom(
        at path: String, isLocked: Bool, for attempt: String
    ) throws(SystemError) {
        guard let found = status(of: path) else { return }
        try refuseOthers(at: path, for: attempt)
        switch probe(path) {
        case ECONNREFUSED: break
        case ENOENT: return
        case 0, EAGAIN:
            throw SystemError(
                attempt,
                because: "another process accepts connections there; stop it, "
                    + "or choose another path")
        case let code:
            // The C library returns a text for every number, which lasts until this thread asks
            // again.
            let reason = unsafe String(cString: strerror(code))
            throw SystemError(
                attempt,
                because: "whether the socket there is in use cannot be told (\(reason)); "
                    + leftAlone)
        }
        guard isLocked else {
            throw SystemError(
                attempt,
                because: "a socket was left behind there, and its directory cannot be locked; "
                    + "remove the socket, or let the process read the directory")
        }
        // Whoever knows of no lock may have put his own there in the meantime.
        guard let now = status(of: path), Identity(now) == Identity(found) else { return }
        _ = unsafe unlink(path)
    }

    private static let leftAlone = "it is left alone: remove it, or choose another path"

    /// Throws where something lies at `path` that is no socket.
    static func refuseOthers(at path: String, for attempt: String) throws(SystemError) {
        guard let found = status(of: path), !isSocket(found) else { return }
        throw SystemError(attempt, because: "\(kind(found)) lies there; \(leftAlone)")
    }

    /// What it says to somebody who connects to the socket at `path`: 0 or an errno; it never waits.
    private static func probe(_ path: String) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let number = socket(AF_UNIX, kind, 0)
        guard number >= 0 else { return errno }
        let descriptor = Descriptor(owning: number)
        var storage = sockaddr_storage()
        guard let length = ListeningSocket.fill(&storage, path: path) else { return ENAMETOOLONG }
        // `length` is what was filled in, at most the storage's size.
        return unsafe penstock_connect(descriptor.rawValue, &storage, length) == 0 ? 0 : errno
    }

    private static func status(of path: String) -> stat? {
        var status = stat()
        // The path is lent for the call, which writes the structure whole.
        return unsafe lstat(path, &status) == 0 ? status : nil
    }

    private static func isSocket(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFSOCK }

    private static func kind(_ status: stat) -> String {
        switch status.st_mode & S_IFMT {
        case S_IFREG: "a regular file"
        case S_IFDIR: "a directory"
        case S_IFIFO: "a FIFO"
        case S_IFLNK: "a symbolic link"
        default: "a device"
        }
    }
}
