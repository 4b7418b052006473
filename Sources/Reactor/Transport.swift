// What bytes travel over: a socket of our own, a TLS session over one that a client has opened, or one of libcurl's
// towards a backend.

package import Bytes
internal import CShims
internal import Glibc

/// An open connection's way to move bytes.
package enum Transport: ~Copyable {
    /// A plain socket.
    case plain(Descriptor)
    /// A TLS session with a backend.
    case secure(TLSSession)
    /// A TLS session with a client.
    case secured(ServerSession)
    /// A connection in memory: of the gateway with itself, or for tests.
    case memory(MemoryStream)
    /// Closed.
    case closed

    /// The socket that readiness is watched on; -1 where there is none.
    package borrowing func socket() -> Int32 {
        switch self {
        case .plain(let descriptor): descriptor.rawValue
        case .secure(let session): session.socket
        case .secured(let session): session.socket
        case .memory: -1
        case .closed: -1
        }
    }

    /// Reads once into the buffer's reserved storage.
    package borrowing func read(into buffer: inout ByteBuffer, atMost limit: Int) -> TransferResult
    {
        switch self {
        case .plain(let descriptor): descriptor.read(into: &buffer, atMost: limit)
        case .secure(let session): session.read(into: &buffer, atMost: limit)
        case .secured(let session): session.read(into: &buffer, atMost: limit)
        case .memory(let stream): stream.read(into: &buffer, atMost: limit)
        case .closed: .ended
        }
    }

    /// Writes once from the front of the buffer.
    package borrowing func write(from buffer: inout ByteBuffer) -> TransferResult {
        switch self {
        case .plain(let descriptor): descriptor.write(from: &buffer)
        case .secure(let session): session.write(from: &buffer)
        case .secured(let session): session.write(from: &buffer)
        case .memory(let stream): stream.write(from: &buffer)
        case .closed: .failed(0)
        }
    }

    /// Whether a read that filled less than it was offered shows that nothing is left.
    ///
    /// TLS may hold decrypted bytes that the socket's readiness does not know of, and of a record that has come in part
    /// it asks for no more than the rest, so there only `wouldBlock` shows it.
    package borrowing func shortReadMeansDrained() -> Bool {
        switch self {
        case .plain: true
        case .secure: false
        case .secured: false
        case .memory: true
        case .closed: false
        }
    }

    /// Whether a read that found nothing gave up although more may be there, for others' sake.
    package borrowing func holdsBack() -> Bool {
        switch self {
        case .secured(let session): session.holdsBack
        case .plain: false
        case .secure: false
        case .memory: false
        case .closed: false
        }
    }

    /// Whether a client may make many small things of what it sends, each of which takes a while.
    package borrowing func countsReads() -> Bool {
        switch self {
        case .secured: true
        case .plain: false
        case .secure: false
        case .memory: false
        case .closed: false
        }
    }

    /// Whether a read that found nothing waits until something can be written.
    package borrowing func readsAfterWriting() -> Bool {
        switch self {
        case .secured(let session): session.readsAfterWriting
        case .plain: false
        case .secure: false
        case .memory: false
        case .closed: false
        }
    }

    /// Whether a client speaks TLS over it.
    package borrowing func isSecured() -> Bool {
        switch self {
        case .secured: true
        case .plain: false
        case .secure: false
        case .memory: false
        case .closed: false
        }
    }

    /// Has the kernel find out within fifteen seconds that the peer's machine is gone, while nothing is on its way to it.
    ///
    /// What is on its way is sent again for a quarter of an hour; `TCP_USER_TIMEOUT` would shorten that, and would also end
    /// connections whose peers live and take nothing for a while (Linux from 5.11 on counts probes of a closed window).
    package borrowing func watchForDeath() {
        let number = socket()
        guard number >= 0 else { return }
        setOption(number, SOL_SOCKET, SO_KEEPALIVE, 1)
        setOption(number, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 5)
        setOption(number, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 5)
        setOption(number, Int32(IPPROTO_TCP), TCP_KEEPCNT, 2)
    }

    /// Whether an idle connection has anything to read, its end included; not told of libcurl's.
    package borrowing func hasPendingInput() -> Bool {
        switch self {
        case .plain(let descriptor): descriptor.hasPendingInput()
        case .secure: false
        case .secured(let session): session.hasPendingInput()
        case .memory(let stream): stream.hasPendingInput
        case .closed: false
        }
    }

    /// Bytes that were written and that the peer has not taken yet; nil where nobody knows.
    package borrowing func unsentBytes() -> Int? {
        switch self {
        case .plain(let descriptor): descriptor.unsentBytes()
        case .secure: nil
        case .secured(let session): session.unsentBytes()
        case .memory: nil
        case .closed: nil
        }
    }

    /// For how many milliseconds nothing was acknowledged although something is on its way; 0 where nothing is.
    package borrowing func unansweredMilliseconds() -> Int {
        let number = socket()
        return number < 0 ? 0 : Int(penstock_unanswered_milliseconds(number))
    }

    /// Tells a peer that nothing follows, where the connection can say so and go on.
    package borrowing func shutdownWriting() {
        switch self {
        case .plain(let descriptor): descriptor.shutdownWriting()
        case .secure: break
        case .secured(let session): session.shutdownWriting()
        case .memory(let stream): stream.shutdownWriting()
        case .closed: break
        }
    }

    /// Makes closing reset the connection, but for one of libcurl's.
    package borrowing func resetOnClose() {
        switch self {
        case .plain(let descriptor): descriptor.resetOnClose()
        case .secure: break
        case .secured(let session): session.resetOnClose()
        case .memory(let stream): stream.resetOnClose()
        case .closed: break
        }
    }

    /// Whether there is no socket to watch: somebody else tells of readiness.
    package borrowing func isInMemory() -> Bool {
        switch self {
        case .memory: true
        case .plain: false
        case .secure: false
        case .secured: false
        case .closed: false
        }
    }

    /// Whether the end of this value ends the watch on its socket, as closing does with the last
    /// descriptor; libcurl closes its own in its time.
    package borrowing func isForgottenWhenClosed() -> Bool {
        switch self {
        case .plain: true
        case .secure: false
        case .secured: true
        case .memory: true
        case .closed: true
        }
    }

    /// Whether this is the connection over `stream`.
    package borrowing func isOver(_ stream: MemoryStream) -> Bool {
        switch self {
        case .memory(let own): own === stream
        case .plain: false
        case .secure: false
        case .secured: false
        case .closed: false
        }
    }

    /// Tells a peer in memory, or a client behind TLS; other peers are told when the value ends.
    package borrowing func sayGoodbye() {
        switch self {
        case .memory(let stream): stream.close()
        case .plain: break
        case .secure: break
        case .secured(let session): session.sayGoodbye()
        case .closed: break
        }
    }
}
