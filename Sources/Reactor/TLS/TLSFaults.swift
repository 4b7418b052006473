// Why certificates cannot be used: all that is wrong, so that nobody mends one file after the other.

/// What is wrong with the files of a pool's or a listener's `tls`.
package struct TLSFaults: Error, Equatable, Sendable {
    /// A setting that names a file, by its path below `tls`.
    package struct Setting: Hashable, Sendable {
        /// The path, such as `ca_file` or `certificates[0].key_file`.
        package let path: String
        /// Whether the file holds a secret.
        var isSecret: Bool { path.hasSuffix("key_file") }

        /// A pool's `ca_file`.
        static let authorities = Setting(path: "ca_file")
        /// A pool's `certificate_file`.
        static let certificate = Setting(path: "certificate_file")
        /// A pool's `key_file`.
        static let key = Setting(path: "key_file")
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
