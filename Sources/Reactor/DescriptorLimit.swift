// How many descriptors the process may have, checked before anything is served.

internal import CShims
internal import Glibc

/// The process's limit of open files.
package enum DescriptorLimit {
    /// Raises the soft limit as far as the hard one allows and returns what it is then.
    package static func raise() -> Int {
        var limit = rlimit()
        // The structure lives through both calls.
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return 1024
        }
        if limit.rlim_cur < limit.rlim_max {
            let before = limit.rlim_cur
            limit.rlim_cur = limit.rlim_max
            if unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 {
                limit.rlim_cur = before
            }
        }
        return Int(clamping: limit.rlim_cur)
    }
}
