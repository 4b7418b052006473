// Two processes that look what lies at a path, and then change it, could each undo what the other has
// done. Whoever does so holds a lock of the directory meanwhile, which the kernel takes back from a
// process that dies.

internal import CShims
internal import Glibc

/// The lock of a directory, held while the value lives.
struct DirectoryLock: ~Copyable {
    private let directory: Descriptor

    /// How long others may take for what is done in a moment.
    private static let patienceMilliseconds: Int32 = 1_000
    /// Between two attempts.
    private static let pauseMilliseconds: Int32 = 5

    private init(directory: consuming Descriptor) { self.directory = directory }

    /// Locks the directory that the file at `path` is in; nil where it may not be read, or where
    /// somebody else holds its lock for longer than a second.
    static func held(aroundFile path: String) -> DirectoryLock? {
        let end = path.lastIndex(of: "/").map { path[...$0] } ?? "./"
        // The path is lent for the call.
        let number = unsafe penstock_open(String(end), O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0)
        guard number >= 0 else { return nil }
        let directory = Descriptor(owning: number)
        var waited: Int32 = 0
        while flock(number, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK, waited < DirectoryLock.patienceMilliseconds else {
                return nil
            }
            // No descriptor is waited for: it only takes time.
            _ = poll(nil, 0, DirectoryLock.pauseMilliseconds)
            waited += DirectoryLock.pauseMilliseconds
        }
        return DirectoryLock(directory: directory)
    }
}
