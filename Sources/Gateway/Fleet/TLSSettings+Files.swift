// Files that the policy names, looked at before anything depends on them.

internal import CShims
internal import Glibc
internal import Policy
internal import Reactor

extension TLSSettings {
    /// Throws for the first file that cannot be read, so that a wrong path is a line at start and
    /// not a failed handshake at the first request.
    func checkFiles() throws(SystemError) {
        for file in [authorityFile, certificateFile, keyFile] {
            guard let file else { continue }
            // The string's bytes are lent for the call.
            if unsafe access(file, R_OK) != 0 { throw SystemError("read \(file)") }
        }
    }
}
