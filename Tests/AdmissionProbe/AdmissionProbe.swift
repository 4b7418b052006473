// What a request costs at a pool's admission: for one thread without the lock (`AdmissionCost`), and
// when several want it at once. There each thread does what a reactor does for a request (offer,
// complete, poll), for a while and as fast as it can, which no gateway does.
// Tests/Benchmarks/admission runs it.
//
//   admission-probe [MILLISECONDS]

import Admission
import Gateway
import Glibc
import Policy
import Synchronization

@testable import Reactor

@main
enum AdmissionProbe {
    /// What one thread did.
    struct Share: Sendable {
        var requests = 0
        var processorNanoseconds: Int64 = 0
        /// Of single calls that were timed, in nanoseconds.
        var waits: [Int64] = []
    }

    static func main() throws {
        let milliseconds = CommandLine.arguments.dropFirst().first.flatMap { Int64($0) } ?? 500
        AdmissionCost.tell()
        print("| threads | requests a second | CPU a request | an offer, median | 99 % | 99.9 % |")
        print("|---:|---:|---:|---:|---:|---:|")
        for threads in [1, 2, 4, 8, 16] { try measure(threads, milliseconds) }
    }

    private static func measure(_ threads: Int, _ milliseconds: Int64) throws {
        let admission = SharedAdmission(pool(), hashKey: .random(), seed: 1)
        let shares = Mutex<[Share]>([])
        let start = Atomic<Bool>(false)
        let end = Atomic<Bool>(false)
        var running: [SystemThread] = []
        for number in 0..<threads {
            running.append(
                try SystemThread(name: "probe-\(number)") {
                    while !start.load(ordering: .acquiring) { sched_yield() }
                    let share = work(at: admission, as: number) { !end.load(ordering: .relaxed) }
                    shares.withLock { $0.append(share) }
                })
        }
        let began = MonotonicClock.now
        start.store(true, ordering: .releasing)
        usleep(UInt32(milliseconds * 1000))
        end.store(true, ordering: .relaxed)
        let seconds = MonotonicClock.now.seconds(since: began)
        for thread in running { thread.join() }
        tell(threads, shares.withLock { $0 }, seconds)
    }

    /// Four backends with room for everything: the usual case.
    private static func pool() -> PoolSettings {
        let backends = (1...4).map { number in
            BackendAddress(scheme: .http, host: "b", port: UInt16(number), label: "b\(number)")
        }
        var settings = PoolSettings(name: "probe", backends: backends)
        var limit = KneeLimitSettings()
        limit.min = 1000
        limit.max = 1000
        settings.admission.limit = .knee(limit)
        return settings
    }

    private static func work(
        at admission: SharedAdmission, as number: Int, while goesOn: () -> Bool
    ) -> Share {
        var share = Share()
        let began = processorNanoseconds()
        var deadline = Instant.distantFuture
        let id = RequestID(rawValue: UInt64(number))
        while goesOn() {
            let now = MonotonicClock.now
            guard let verdict = admission.offer(id, Ticket(), version: 0, now: now),
                case .forward(let permit) = consume verdict
            else { preconditionFailure("there is room for all") }
            if share.requests & 63 == 0 {
                share.waits.append(MonotonicClock.now.nanoseconds(since: now))
            }
            admission.complete(permit, .success, ServedWork(), now: now)
            let decision = admission.poll(by: number, now: now, deadline: &deadline)
            precondition(decision == nil, "nobody waits")
            share.requests += 1
        }
        share.processorNanoseconds = processorNanoseconds() - began
        return share
    }

    private static func processorNanoseconds() -> Int64 {
        var time = timespec()
        // The kernel writes one timespec, a local that outlives the call.
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func tell(_ threads: Int, _ shares: [Share], _ seconds: Double) {
        let requests = shares.reduce(0) { $0 + $1.requests }
        let processor = shares.reduce(0) { $0 + $1.processorNanoseconds }
        let waits = shares.flatMap(\.waits).sorted()
        func quantile(_ part: Double) -> String {
            let index = min(waits.count - 1, Int(Double(waits.count) * part))
            return "\(waits[index]) ns"
        }
        print(
            "| \(threads) | \(Int(Double(requests) / seconds)) "
                + "| \(processor / Int64(max(1, requests))) ns "
                + "| \(quantile(0.5)) | \(quantile(0.99)) | \(quantile(0.999)) |")
    }
}
