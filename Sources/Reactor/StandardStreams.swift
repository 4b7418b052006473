// Standard error for the command line.

internal import Glibc

/// Writes text to standard error, whole, ignoring failures: there is nobody left to tell.
package func writeToStandardError(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        // The slice's own storage is borrowed for the call.
        let count = unsafe bytes.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
        guard count > 0 else { return }
        bytes = bytes.dropFirst(count)
    }
}
