// What the kernel knows of this process, under the names that Prometheus' client libraries agree
// on. Read at a scrape, on the reactor's thread, so every read is small.

import CShims
import Glibc
internal import Reactor

/// Resources that this process uses.
package struct ProcessStatistics: Equatable, Sendable {
    /// User and system CPU time, in nanoseconds.
    package var cpuNanoseconds: Int64 = 0
    /// Resident memory in bytes.
    package var residentBytes: UInt64 = 0
    /// Virtual memory in bytes.
    package var virtualBytes: UInt64 = 0
    /// Open file descriptors.
    package var openDescriptors: UInt64 = 0
    /// The limit of open file descriptors.
    package var maxDescriptors: UInt64 = 0
    /// Wall-clock time at which the process started, in nanoseconds since 1970; 0 where it is not
    /// known.
    package var startNanoseconds: Int64 = 0

    /// Statistics of nothing.
    package init() {}

    /// Resident memory of this process in bytes; 0 where that cannot be read.
    package static var residentBytesNow: Int { Int(memory.resident) }

    /// Virtual and resident memory of this process in bytes; 0 where they cannot be read.
    private static var memory: (virtual: UInt64, resident: UInt64) {
        let pages = numbers(in: KernelFile.contents(of: "/proc/self/statm"), from: 0)
        guard pages.count >= 2 else { return (0, 0) }
        let pageBytes = UInt64(sysconf(Int32(_SC_PAGESIZE)))
        return (pages[0] &* pageBytes, pages[1] &* pageBytes)
    }

    /// Reads this process's statistics; what cannot be read stays 0.
    package static func read() -> ProcessStatistics {
        var statistics = ProcessStatistics()
        statistics.cpuNanoseconds = ProcessClock.nanoseconds(of: CLOCK_PROCESS_CPUTIME_ID)
        (statistics.virtualBytes, statistics.residentBytes) = memory
        statistics.openDescriptors = countDescriptors()
        var limit = rlimit()
        // The kernel writes one rlimit, a local that outlives the call.
        if unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            statistics.maxDescriptors = UInt64(limit.rlim_cur)
        }
        statistics.startNanoseconds = startOfProcess
        return statistics
    }

    /// Found once: the two clocks are read one after the other, and the result must not tremble.
    private static let startOfProcess: Int64 = {
        let text = KernelFile.contents(of: "/proc/self/stat")
        // The command's name, in parentheses, may hold anything; field 3, the state, follows its
        // last one.
        guard let end = text.lastIndex(of: 0x29) else { return 0 }
        let fields = numbers(in: text, from: end + 4)
        // Field 22 of proc(5), in ticks after boot; the first number read is field 4.
        guard fields.count > 18 else { return 0 }
        let ticksPerSecond = Int64(sysconf(Int32(_SC_CLK_TCK)))
        let afterBoot = Int64(fields[18]) * (1_000_000_000 / max(1, ticksPerSecond))
        let age = ProcessClock.nanoseconds(of: CLOCK_BOOTTIME) - afterBoot
        return ProcessClock.wallNanoseconds() - age
    }()
}

extension ProcessStatistics {
    /// Open descriptors: the kernel counts them since Linux 6.2; listing them, as older ones need
    /// it, would stall the reactor for milliseconds, so there each number in use is asked for.
    private static func countDescriptors() -> UInt64 {
        var status = stat()
        // The kernel writes one stat, a local that outlives the call; the path is borrowed as a C
        // string.
        if unsafe stat("/proc/self/fd", &status) == 0 && status.st_size > 0 {
            return UInt64(status.st_size)
        }
        return countDescriptorsOneByOne()
    }

    /// Counts open descriptors by asking for each number that the process's table has room for.
    package static func countDescriptorsOneByOne() -> UInt64 {
        var count: UInt64 = 0
        for descriptor in 0..<descriptorTableSize() where fcntl(descriptor, F_GETFD) >= 0 {
            count += 1
        }
        return count
    }

    private static func descriptorTableSize() -> Int32 {
        let text = KernelFile.contents(of: "/proc/self/status")
        let key = Array("\nFDSize:\t".utf8)
        var index = 0
        while index + key.count < text.count {
            if text[index..<(index + key.count)].elementsEqual(key) {
                let size = numbers(in: text, from: index + key.count).first ?? 0
                return Int32(clamping: size)
            }
            index += 1
        }
        return 0
    }

    /// The numbers of `text` from `start` on, up to the first word that is not a whole, unsigned
    /// number or 32.
    private static func numbers(in text: [UInt8], from start: Int) -> [UInt64] {
        var numbers: [UInt64] = []
        var index = start
        while index < text.count && numbers.count < 32 {
            while index < text.count && (text[index] == 0x20 || text[index] == 0x09) { index += 1 }
            // Some fields of /proc/self/stat are -1.
            if index < text.count && text[index] == 0x2d { index += 1 }
            var value: UInt64 = 0
            let first = index
            while index < text.count && text[index] >= 0x30 && text[index] <= 0x39 {
                value = value &* 10 &+ UInt64(text[index] - 0x30)
                index += 1
            }
            if index == first { break }
            numbers.append(value)
        }
        return numbers
    }
}
