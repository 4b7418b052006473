// What changes in a folder, as the kernel tells it (inotify). A folder is watched and not a file in it: files are
// replaced by renames, and a watch would go with the former one. Kubernetes changes the files of a ConfigMap by
// renaming one link, `..data`, through which all of them lead.
//
// The kernel's descriptor is this object's own, and bytes are read into storage that lives through the call.

internal import Glibc

/// Watches a folder for changes of some of its entries.
package final class DirectoryWatch: EventHandler {
    private let descriptor: Descriptor
    private let reactor: Reactor
    /// The entries of interest; nil for all.
    private let names: [[UInt8]]?
    private let changed: () -> Void
    /// Whether the folder is still the one that is watched.
    package private(set) var isWatching = true

    /// What a file does that is written or replaced, and what becomes of the folder.
    private static let interest = UInt32(
        IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB
            | IN_DELETE_SELF | IN_MOVE_SELF)
    /// An event without its name (inotify(7)): `wd`, `mask`, `cookie`, `len`.
    private static let headBytes = 16
    private static let bufferBytes = 16 << 10

    /// Watches the folder at `path` for whatever becomes of entries called one of `names`, or of any entry where there
    /// are none; calls `changed` once for however much has come together.
    ///
    /// Throws when there is no such folder, or the kernel watches no more.
    package init(
        _ path: String, names: [String]?, in reactor: Reactor, changed: @escaping () -> Void
    ) throws(SystemError) {
        let number = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard number >= 0 else { throw SystemError("watch \(path)") }
        descriptor = Descriptor(owning: number)
        self.reactor = reactor
        self.names = names.map { $0.map { Array($0.utf8) } }
        self.changed = changed
        super.init()
        // The path is borrowed as a C string.
        let mask = DirectoryWatch.interest | UInt32(IN_ONLYDIR)
        guard unsafe inotify_add_watch(number, path, mask) >= 0,
            reactor.register(self, descriptor: number, interest: .readable)
        else { throw SystemError("watch \(path)") }
    }

    /// Watches no more.
    package func stop() { reactor.deregister(self, keepingOpen: descriptor.rawValue) }

    /// Something has changed.
    package override func ready(_ readiness: Readiness) {
        var isOfInterest = false
        var bytes = [UInt8](repeating: 0, count: DirectoryWatch.bufferBytes)
        while true {
            // The kernel writes whole events, no more bytes than there are, and says how many.
            let count = unsafe bytes.withUnsafeMutableBytes { storage in
                unsafe read(descriptor.rawValue, storage.baseAddress, storage.count)
            }
            guard count > 0 else { break }
            if note(bytes[..<count]) { isOfInterest = true }
        }
        if isOfInterest { changed() }
    }

    /// Looks through events; whether one is of interest.
    private func note(_ events: ArraySlice<UInt8>) -> Bool {
        var isOfInterest = false
        var rest = events
        while rest.count >= DirectoryWatch.headBytes {
            let mask = rest.word(at: 4)
            let length = Int(rest.word(at: 12))
            let name = rest.dropFirst(DirectoryWatch.headBytes).prefix(length)
            if mask & UInt32(IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF) != 0 { isWatching = false }
            let isNamed = names.map { $0.contains { name.isPadded($0) } } ?? true
            if length == 0 || isNamed { isOfInterest = true }
            rest = rest.dropFirst(DirectoryWatch.headBytes + length)
        }
        return isOfInterest
    }
}

extension ArraySlice<UInt8> {
    /// Four bytes in the machine's order.
    fileprivate func word(at offset: Int) -> UInt32 {
        dropFirst(offset).prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Whether this is `name` and zeros behind it.
    fileprivate func isPadded(_ name: [UInt8]) -> Bool {
        starts(with: name) && dropFirst(name.count).allSatisfy { $0 == 0 }
    }
}
