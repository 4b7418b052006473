// Why certificates cannot be used: all that is wrong, so that nobody mends one file after the other.

/// What is wrong with the files of a pool's `tls`.
package struct TLSFaults: Error, Equatable, Sendable {
    /// A setting that names a file.
    package enum Setting: String, Sendable {
        case authorities = "ca_file"
        case certificate = "certificate_file"
        case key = "key_file"
    }

    /// One fault.
    package struct Fault: Equatable, Sendable {
        /// The setting; nil where none is to blame.
        package let setting: Setting?
        /// What is wrong.
        package let error: SystemError
    }

    /// The faults; at least one where it is thrown.
    package private(set) var all: [Fault] = []

    mutating func note(_ setting: Setting?, _ error: SystemError) {
        all.append(Fault(setting: setting, error: error))
    }

    func isFaulty(_ setting: Setting) -> Bool { all.contains { $0.setting == setting } }
}
