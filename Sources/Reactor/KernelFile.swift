// What the kernel tells in files of /proc and /sys, which are short and made when they are read.

internal import Glibc

/// Files that the kernel writes.
package enum KernelFile {
    /// The first 4 KiB of a file of /proc or /sys; empty where it cannot be read.
    package static func contents(of path: String) -> [UInt8] {
        // The path is borrowed as a C string.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        return unsafe [UInt8](unsafeUninitializedCapacity: 4096) { bytes, count in
            // The kernel writes at most as many bytes as the array has room for, and says how many.
            count = unsafe max(0, Glibc.read(descriptor, bytes.baseAddress, bytes.count))
        }
    }
}
