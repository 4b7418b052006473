// What whoever started the process has put into its environment.

internal import Glibc

/// The process's environment.
package enum ProcessEnvironment {
    /// What the variable called `name` has; nil where it is not set.
    package static func variable(_ name: String) -> String? {
        // The text is copied at once; nothing in this process changes the environment.
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
