// How many processors the process may use: those that it is bound to, and of them no more than its
// control group pays for.

internal import CShims
internal import Glibc

/// The processors at hand.
package enum ProcessorCount {
    /// Processors that this process may use at once, from 1.
    package static func usable() -> Int {
        var count = max(1, Int(penstock_bound_processors()))
        for line in lines(of: "/proc/self/cgroup") {
            if let quota = quota(ofGroup: line) { count = min(count, max(1, quota)) }
        }
        return count
    }

    /// Processors that a quota of `quota` in each `period` comes to, rounded up; nil for none.
    static func processors(quota: Int?, period: Int?) -> Int? {
        guard let quota, let period, quota > 0, period > 0 else { return nil }
        return (quota + period - 1) / period
    }

    /// The smallest quota of a group and those around it; `line` is one of /proc/self/cgroup:
    /// `0::/path` for version 2, `4:cpu,cpuacct:/path` for version 1 (cgroups(7)).
    private static func quota(ofGroup line: Substring) -> Int? {
        let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        let isUnified = parts[0] == "0" && parts[1].isEmpty
        guard isUnified || parts[1].split(separator: ",").contains("cpu") else { return nil }
        let root = isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/\(parts[1])"
        var path = parts[2]
        var smallest: Int?
        while true {
            let folder = root + (path == "/" ? "" : String(path))
            if let quota = isUnified ? unified(folder) : divided(folder) {
                smallest = min(smallest ?? quota, quota)
            }
            guard let slash = path.lastIndex(of: "/"), path.count > 1 else { return smallest }
            path = slash == path.startIndex ? "/" : path[..<slash]
        }
    }

    /// `cpu.max` of version 2: `max 100000` or `150000 100000`.
    private static func unified(_ folder: String) -> Int? {
        let words = lines(of: "\(folder)/cpu.max").first?.split(separator: " ") ?? []
        guard words.count == 2 else { return nil }
        return processors(quota: Int(words[0]), period: Int(words[1]))
    }

    /// The two files of version 1; a quota of -1 is none.
    private static func divided(_ folder: String) -> Int? {
        processors(
            quota: lines(of: "\(folder)/cpu.cfs_quota_us").first.flatMap { Int($0) },
            period: lines(of: "\(folder)/cpu.cfs_period_us").first.flatMap { Int($0) })
    }

    private static func lines(of path: String) -> [Substring] {
        let bytes = KernelFile.contents(of: path)
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
}
