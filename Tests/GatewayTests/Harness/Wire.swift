// A blocking socket with a deadline on everything, for both ends of the gateway: the raw client and
// the scripted backend. It knows nothing of the code under test.

import CShims
import Foundation
import Synchronization

@testable import TestSupport

/// A connected stream socket.
final class Wire: Duplex, Sendable {
    let descriptor: Int32
    private let pending = Mutex(Inbox())
    private let isClosed = Mutex(false)

    init(owning descriptor: Int32) {
        self.descriptor = descriptor
        _ = penstock_set_nonblocking(descriptor)
    }

    deinit { close() }

    // MARK: Ends

    /// Closes: the peer sees an end, or a reset where bytes are left unread here.
    func close() {
        isClosed.withLock { isClosed in
            if !isClosed { _ = Glibc.close(descriptor) }
            isClosed = true
        }
    }

    /// Closes so that the peer sees a reset.
    func reset() {
        isClosed.withLock { isClosed in
            guard !isClosed else { return }
            var option = linger(l_onoff: 1, l_linger: 0)
            _ = unsafe setsockopt(
                descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
            _ = Glibc.close(descriptor)
            isClosed = true
        }
    }

    /// Says that nothing more will be sent; reading goes on.
    func finishSending() { _ = shutdown(descriptor, Int32(SHUT_WR)) }

    // MARK: Sending

    func send(_ bytes: [UInt8]) throws { try send(bytes, within: patience) }

    /// Sends all of `bytes`.
    func send(_ bytes: [UInt8], within seconds: Double) throws {
        var rest = bytes[...]
        let end = Date().addingTimeInterval(seconds)
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN || errno == EINTR {
                guard wait(for: POLLOUT, until: end) else { throw WireError.timedOut("") }
            } else {
                throw WireError.broken(errno, "")
            }
        }
    }

    /// Sends as much of `bytes` as is taken without waiting longer than `seconds` for any progress.
    func sendWhatFits(_ bytes: [UInt8], quietSeconds: Double) -> Int {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
            } else if errno == EAGAIN {
                let end = Date().addingTimeInterval(quietSeconds)
                guard wait(for: POLLOUT, until: end) else { return sent }
            } else {
                return sent
            }
        }
        return sent
    }

    // MARK: Receiving

    /// The next bytes, as they come; empty at the peer's end.
    func receive(within seconds: Double = patience) throws -> [UInt8] {
        let kept = pending.withLock { $0.takeAll() }
        if !kept.isEmpty { return kept }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let end = Date().addingTimeInterval(seconds)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
            }
            if count >= 0 { return Array(buffer.prefix(count)) }
            guard errno == EAGAIN || errno == EINTR else { throw WireError.broken(errno, "") }
            guard wait(for: POLLIN, until: end) else { throw WireError.timedOut("") }
        }
    }

    /// Everything up to and including `mark`.
    func read(until mark: String, within seconds: Double) throws -> String {
        let mark = Array(mark.utf8)
        let end = Date().addingTimeInterval(seconds)
        var looked = 0
        while true {
            let found = pending.withLock { pending -> [UInt8]? in
                let end = pending.end(of: mark, from: looked)
                looked = pending.count
                return end.map { pending.take($0) }
            }
            if let found { return String(decoding: found, as: UTF8.self) }
            try receiveMore(end)
        }
    }

    /// Exactly `count` bytes.
    func read(count: Int, within seconds: Double) throws -> [UInt8] {
        let end = Date().addingTimeInterval(seconds)
        while true {
            let found = pending.withLock { pending in
                pending.count >= count ? pending.take(count) : nil
            }
            if let found { return found }
            try receiveMore(end)
        }
    }

    /// Everything up to the peer's end.
    func readToEnd(within seconds: Double) throws -> String {
        var got: [UInt8] = []
        let end = Date().addingTimeInterval(seconds)
        while true {
            do {
                let more = try receive(within: max(0, end.timeIntervalSinceNow))
                if more.isEmpty { return String(decoding: got, as: UTF8.self) }
                got += more
            } catch let error as WireError {
                throw error.after(got)
            }
        }
    }

    /// Whether the peer ends or resets the connection, without another byte, within `seconds`.
    func ends(within seconds: Double) -> Bool {
        do {
            return try receive(within: seconds).isEmpty
        } catch let error as WireError {
            return error.isReset
        } catch {
            return false
        }
    }

    /// Whether nothing comes, not even an end, for `seconds`.
    func isSilent(for seconds: Double) -> Bool {
        do {
            _ = try receive(within: seconds)
        } catch WireError.timedOut {
            return true
        } catch {}
        return false
    }

    /// Puts bytes back that were received and belong to what is read next.
    func putBack(_ bytes: [UInt8]) {
        pending.withLock { $0.putBack(bytes) }
    }

    /// Adds to the pending bytes; throws with them when there are no more.
    private func receiveMore(_ end: Date) throws {
        let kept = pending.withLock { $0.takeAll() }
        do {
            let more = try receive(within: max(0, end.timeIntervalSinceNow))
            if more.isEmpty { throw WireError.ended(String(decoding: kept, as: UTF8.self)) }
            pending.withLock { $0.append(kept + more) }
        } catch let error as WireError {
            throw error.after(kept)
        }
    }

    private func wait(for events: Int32, until end: Date) -> Bool {
        let milliseconds = Int32(max(0, min(end.timeIntervalSinceNow, 60)) * 1000)
        var waiting = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return unsafe poll(&waiting, 1, milliseconds) > 0
    }
}

extension WireError {
    /// The same error, telling also what had come before.
    fileprivate func after(_ got: [UInt8]) -> WireError {
        let got = String(decoding: got, as: UTF8.self)
        return switch self {
        case .timedOut(let rest): .timedOut(got + rest)
        case .ended(let rest): .ended(rest.isEmpty ? got : rest)
        case .broken(let code, let rest): .broken(code, got + rest)
        }
    }
}
