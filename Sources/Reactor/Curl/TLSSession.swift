// A TLS connection that libcurl dialled and keeps: bytes go through curl_easy_send and
// curl_easy_recv.
//
// The easy handle must stay in the multi handle that dialled it for as long as the connection
// lives: taking it out closes the connection, and that is how this one is closed.

internal import Bytes
internal import CShims

/// One established TLS connection.
@safe package final class TLSSession {
    private let easy: EasyHandle
    /// Where `easy` was added.
    private let multi: CurlMulti
    /// The connection's socket, which libcurl owns; for readiness only.
    let socket: Int32

    /// Takes ownership of a connected easy handle.
    init(owning easy: EasyHandle, in multi: CurlMulti, socket: Int32) {
        self.easy = easy
        self.multi = multi
        self.socket = socket
    }

    deinit { multi.remove(easy) }

    /// Reads decrypted bytes once.
    ///
    /// There may be more than the socket's readiness tells: read until `wouldBlock`.
    func read(into buffer: inout ByteBuffer, atMost limit: Int) -> TransferResult {
        var result = TransferResult.wouldBlock
        buffer.withFreeStorage(atMost: limit) { bytes, free in
            var count = 0
            let code = unsafe bytes.withUnsafeMutableBytes { storage in
                // The range lies within the storage: ByteBuffer computed it from the storage's own
                // count.
                unsafe curl_easy_recv(
                    easy.pointer, storage.baseAddress?.advanced(by: free.lowerBound), free.count,
                    &count)
            }
            switch code {
            case CURLE_OK: result = count > 0 ? .moved(count) : .ended
            case CURLE_AGAIN: result = .wouldBlock
            default: result = .failed(0)
            }
            return code == CURLE_OK ? count : 0
        }
        return result
    }

    /// Writes once from the front of the buffer and drops what was taken.
    func write(from buffer: inout ByteBuffer) -> TransferResult {
        var count = 0
        let code: CURLcode
        do {
            let bytes = buffer.bytes
            code = unsafe bytes.withUnsafeBytes { storage in
                // The pointer and the count are those of one live span.
                unsafe curl_easy_send(easy.pointer, storage.baseAddress, storage.count, &count)
            }
        }
        if code == CURLE_OK && count > 0 {
            buffer.drop(count)
            return .moved(count)
        }
        return code == CURLE_OK || code == CURLE_AGAIN ? .wouldBlock : .failed(0)
    }
}
