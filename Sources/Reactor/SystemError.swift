// A failed system call, as a value that an operator can act on.

internal import Glibc

/// A system call that failed: what was attempted and why it did not work.
package struct SystemError: Error, Equatable, CustomStringConvertible, Sendable {
    /// What was attempted, for a person: "listen on 127.0.0.1:80".
    package var attempt: String
    /// The call's errno; 0 where the fault is not the system's.
    package var code: Int32
    /// What is wrong, and what would be right, where the fault is not the system's.
    private var reason: String?

    /// Makes an error; `code` is errno by default.
    package init(_ attempt: String, code: Int32 = errno) {
        self.attempt = attempt
        self.code = code
    }

    /// Makes an error that is not the system's: `reason` says what is wrong, and what would be right.
    package init(_ attempt: String, because reason: String) {
        self.attempt = attempt
        code = 0
        self.reason = reason
    }

    /// One line: the attempt, the reason and, where there is one, the remedy.
    package var description: String {
        if let reason { return "cannot \(attempt): \(reason)" }
        // strerror answers a string that lives until the thread's next call of it; it is copied at
        // once.
        let reason = unsafe String(cString: strerror(code))
        let remedy =
            switch code {
            case EADDRINUSE: "; another process uses this address: stop it or choose another"
            case EACCES:
                "; ports below 1024 and others' files need a privilege: choose another or grant it"
            case EADDRNOTAVAIL: "; this machine has no such address"
            case EMFILE, ENFILE: "; raise the limit of open files (ulimit -n, LimitNOFILE)"
            default: ""
            }
        return "cannot \(attempt): \(reason)\(remedy)"
    }
}
