// The half of a log writer that its thread shares with those who log. It is a class of its own so
// that the thread keeps only this half alive: when the last `LogWriter` handle goes, the thread is
// told to end.

import Admission
import CShims
import Glibc
import Policy
internal import Reactor
import Synchronization

/// The pending lines of one destination, and the thread that writes them.
final class LogSink: Sendable {
    /// What the two sides share.
    private struct State {
        /// Where the file is opened the next time; nil for a standard stream.
        var path: String?
        /// Lines that the thread has not taken yet, each ended by a line feed.
        var pending: [UInt8] = []
        /// Bytes accepted since the start, and those of them that are written or lost.
        var accepted: UInt64 = 0
        var settled: UInt64 = 0
        /// Whether the thread has been signalled since it last took lines.
        var isSignalled = false
        /// Whether the thread is to take what there is at once instead of waiting for more.
        var isUrgent = false
        var wantsReopen = false
        var isStopping = false
        var statistics = LogWriter.Statistics()
    }

    /// What the thread takes along in one go, besides the bytes.
    private struct Orders {
        var reopen: Bool
        var stop: Bool
    }

    private let capacityBytes: Int
    private let wake: Int32
    private let firstDescriptor: Int32
    /// The file, where it was made for this log.
    private let made: MadeFile?
    private let state: Mutex<State>

    /// How long the thread waits for more lines after the first, so that a busy gateway wakes it
    /// a hundred times a second and not once a request.
    private static let lingerMilliseconds: Int32 = 10
    /// A buffer that a burst has grown above this is released.
    private static let keptBytes = 256 << 10

    init(
        destination: LogSettings.Destination, capacityBytes: Int
    ) throws(LogWriter.Failure) {
        let path: String? = if case .file(let path) = destination { path } else { nil }
        state = Mutex(State(path: path))
        self.capacityBytes = capacityBytes
        switch destination {
        case .standardOutput:
            firstDescriptor = LogSink.ifOpen(STDOUT_FILENO)
            made = nil
        case .standardError:
            firstDescriptor = LogSink.ifOpen(STDERR_FILENO)
            made = nil
        case .file(let path):
            let wasThere = LogSink.isThere(path)
            firstDescriptor = LogSink.open(path)
            guard firstDescriptor >= 0 else { throw .cannotOpen(path: path, code: errno) }
            made = wasThere ? nil : MadeFile(path: path, descriptor: firstDescriptor)
        }
        wake = penstock_event_make()
        guard wake >= 0 else {
            let code = errno
            made?.remove()
            LogSink.close(firstDescriptor)
            throw .exhausted(code: code)
        }
    }

    deinit { _ = Glibc.close(wake) }

    /// Starts the thread, which keeps this object alive until it ends.
    func start() throws(LogWriter.Failure) {
        do throws(SystemError) {
            try SystemThread(name: "log") { self.run() }.detach()
        } catch {
            made?.remove()
            LogSink.close(firstDescriptor)
            throw .exhausted(code: error.code)
        }
    }

    /// Ends the thread, and removes the file if it was made for this log and nothing is in it.
    func discard() {
        // While it is open, no other file is taken for it.
        made?.remove()
        stop()
    }
}

// MARK: For those who log

extension LogSink {
    var statistics: LogWriter.Statistics { state.withLock { $0.statistics } }

    func append(_ line: Span<UInt8>) {
        let mustSignal = state.withLock { state in
            let bytes = line.count + 1
            guard !state.isStopping, state.pending.count + bytes <= capacityBytes else {
                state.statistics.linesDropped &+= 1
                return false
            }
            // The pointer is used within the closure only, while `line` is borrowed.
            unsafe line.withUnsafeBufferPointer { unsafe state.pending.append(contentsOf: $0) }
            state.pending.append(0x0a)
            state.accepted &+= UInt64(bytes)
            defer { state.isSignalled = true }
            return !state.isSignalled
        }
        if mustSignal { penstock_event_signal(wake) }
    }

    func reopen() {
        urge { $0.wantsReopen = true }
    }

    func follow(_ path: String) {
        state.withLock { if $0.path != nil { $0.path = path } }
    }

    func stop() {
        urge { $0.isStopping = true }
    }

    func flush(within limit: Duration) -> Bool {
        let target = state.withLock { $0.accepted }
        let deadline = MonotonicClock.now.advanced(byNanoseconds: limit.wholeNanoseconds)
        while true {
            if state.withLock({ $0.settled }) >= target { return true }
            if MonotonicClock.now >= deadline { return false }
            urge { _ in }
            usleep(1_000)
        }
    }

    private func urge(_ change: (inout sending State) -> Void) {
        state.withLock { state in
            change(&state)
            state.isUrgent = true
            state.isSignalled = true
        }
        penstock_event_signal(wake)
    }
}

// MARK: The thread

extension LogSink {
    private func run() {
        var descriptor = firstDescriptor
        var batch: [UInt8] = []
        var endsInsideLine = false
        while true {
            _ = penstock_event_wait(wake, -1)
            if !state.withLock({ $0.isUrgent }) {
                _ = penstock_event_wait(wake, LogSink.lingerMilliseconds)
            }
            let orders = take(&batch)
            if !batch.isEmpty {
                if endsInsideLine { batch.insert(0x0a, at: 0) }
                let written = write(batch, to: descriptor)
                settle(batch, written: written, repaired: endsInsideLine)
                if written > 0 { endsInsideLine = batch[written - 1] != 0x0a }
                batch.removeAll(keepingCapacity: batch.capacity <= LogSink.keptBytes)
            }
            if orders.reopen { reopen(&descriptor) }
            if orders.stop { break }
        }
        LogSink.close(descriptor)
    }

    /// Swaps the pending lines with `batch`, which is empty.
    private func take(_ batch: inout [UInt8]) -> Orders {
        var taken: [UInt8] = []
        swap(&taken, &batch)
        let orders = state.withLock { state in
            swap(&state.pending, &taken)
            let orders = Orders(reopen: state.wantsReopen, stop: state.isStopping)
            state.isSignalled = false
            state.isUrgent = false
            state.wantsReopen = false
            return orders
        }
        swap(&taken, &batch)
        return orders
    }

    /// Writes `bytes`; how many of them the destination took before it refused.
    private func write(_ bytes: [UInt8], to descriptor: Int32) -> Int {
        var written = 0
        while written < bytes.count {
            // The pointer is used within the closure only, and `written` is below the array's
            // count.
            let result = unsafe bytes.withUnsafeBytes { all in
                unsafe Glibc.write(
                    descriptor, all.baseAddress?.advanced(by: written), all.count - written)
            }
            if result >= 0 {
                written += result
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                // A FIFO whose reader is slow or not there, or somebody who shares the terminal or pipe
                // has made it non-blocking.
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                // The kernel reads and writes this one element, a local that outlives the call.
                let found = unsafe poll(&waiting, 1, 1_000)
                // Nobody reads there, and nobody waits for this log any more.
                if found == 0, state.withLock({ $0.isStopping }) { return written }
            default: return written
            }
        }
        return written
    }

    private func settle(_ batch: [UInt8], written: Int, repaired: Bool) {
        var lost: UInt64 = 0
        for byte in batch[written...] where byte == 0x0a { lost += 1 }
        // The line feed that ends an earlier, broken line is no line of its own.
        if repaired && written == 0 { lost -= 1 }
        let failed = written < batch.count
        let count = UInt64(batch.count) - (repaired ? 1 : 0)
        state.withLock { state in
            state.settled &+= count
            state.statistics.linesDropped &+= lost
            if failed { state.statistics.errors &+= 1 }
        }
    }

    private func reopen(_ descriptor: inout Int32) {
        guard let path = state.withLock({ $0.path }) else { return }
        let opened = LogSink.open(path)
        guard opened >= 0 else {
            state.withLock { $0.statistics.errors &+= 1 }
            return
        }
        LogSink.close(descriptor)
        descriptor = opened
    }

    /// `descriptor`, or -1 where it is closed: its number may soon be that of a client's
    /// connection.
    private static func ifOpen(_ descriptor: Int32) -> Int32 {
        fcntl(descriptor, F_GETFD) >= 0 ? descriptor : -1
    }

    /// Whether a file is at `path`, or where a link there leads.
    private static func isThere(_ path: String) -> Bool {
        // The path is lent for the call.
        unsafe access(path, F_OK) == 0 || errno != ENOENT
    }

    /// Opens the file at `path`, made if missing, without waiting for anybody; -1 with errno where that
    /// cannot be.
    private static func open(_ path: String) -> Int32 {
        let flags = O_APPEND | O_CLOEXEC | O_NONBLOCK
        // The string is borrowed by the calls as a C string.
        let opened = unsafe Glibc.open(path, O_WRONLY | O_CREAT | flags, 0o640)
        // A FIFO that nobody reads yet: whoever may read it himself can open it, and lines wait in it.
        return opened < 0 && errno == ENXIO ? unsafe Glibc.open(path, O_RDWR | flags) : opened
    }

    /// Why the file at `path` could not be opened, as an error number; nil where it could.
    static func fault(_ path: String) -> Int32? {
        var found = stat()
        // The path is lent to each call as a C string, and the structure is written whole.
        if unsafe stat(path, &found) == 0 {
            switch found.st_mode & S_IFMT {
            case S_IFDIR: return EISDIR
            case S_IFSOCK: return ENXIO
            default: return unsafe access(path, W_OK) == 0 ? nil : errno
            }
        }
        guard errno == ENOENT else { return errno }
        // A link to what is not there is followed: the file would be made where it leads.
        if let target = FilePlace.target(ofLink: path) { return fault(target) }
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        return unsafe access(folder, W_OK | X_OK) == 0 ? nil : errno
    }

    /// Closes `descriptor` unless it is one of the process's standard streams.
    private static func close(_ descriptor: Int32) {
        if descriptor > STDERR_FILENO { _ = Glibc.close(descriptor) }
    }
}
