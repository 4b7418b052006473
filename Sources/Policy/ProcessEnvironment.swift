// What whoever started the process has put into its environment. Nothing in this process changes it, and nobody else can.

import CShims
import Glibc

/// The process's environment.
package enum ProcessEnvironment {
    /// All variables, each as `NAME=value`.
    package static var all: [String] {
        var found: [String] = []
        // The list ends with a null; its texts are copied at once, and nothing in this process changes it.
        while let text = unsafe penstock_variable(Int32(found.count)) {
            found.append(unsafe String(cString: text))
        }
        return found
    }

    /// What the variable called `name` has; nil where it is not set.
    package static func variable(_ name: String) -> String? {
        // The text is copied at once; nothing in this process changes the environment.
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
