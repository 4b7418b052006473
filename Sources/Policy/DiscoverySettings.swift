// Where the backends of a pool are looked up that the policy does not name.

/// Where a pool's backends come from, and go to, while the gateway serves.
package enum DiscoverySettings: Equatable, Sendable {
    /// The file at an absolute path lists them, as Prometheus' file-based service discovery has it.
    case file(path: String)

    /// What kind of source it is: a word for the log, for metrics and for pages.
    package var kind: String {
        switch self {
        case .file: "file"
        }
    }

    /// The file that is read; nil where none is.
    package var file: String? {
        switch self {
        case .file(let path): path
        }
    }

    /// What is looked at, for people.
    package var text: String {
        switch self {
        case .file(let path): "file \(path)"
        }
    }
}
