// The number that the kernel knows this process by.

internal import Glibc

/// Numbers of processes.
package enum ProcessNumber {
    /// This one's.
    package static var own: Int32 { getpid() }
}
