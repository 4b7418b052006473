// What it costs one thread to admit a request and to release it, without a lock around: with nobody
// waiting, and with a hundred thousand requests of ten thousand tenants parked, where each release
// starts one of them and another takes its place. Times are means of batches, so that the clock's
// own share is small, and quantiles over the batches.

import Admission
import Gateway

@testable import Reactor

/// The cost of a request at a controller that nobody else uses.
enum AdmissionCost {
    private static let operationsInBatch = 32
    private static let batches = 20_000

    /// Prints the table.
    static func tell() {
        print("| limit | backends | parked | a request, median | 99 % |")
        print("|---|---:|---:|---:|---:|")
        let limits: [(String, LimitSettings)] = [
            ("fixed", .fixed(FixedLimitSettings(limit: 64))), ("knee", .knee(knee)),
        ]
        for (name, limit) in limits {
            for backends in [1, 4] {
                tell("\(name) | \(backends) | 0", uncontended(limit, backends: backends))
            }
            tell("\(name) | 1 | 100,000 of 10,000 tenants", contended(narrow(limit)))
        }
        print("")
    }

    /// Held where it is, as after it has found the knee: what moves is counted, the limit stays.
    private static var knee: KneeLimitSettings {
        var settings = KneeLimitSettings()
        settings.min = 64
        settings.max = 64
        return settings
    }

    /// The same algorithm with one slot.
    private static func narrow(_ limit: LimitSettings) -> LimitSettings {
        guard case .knee(var settings) = limit else { return .fixed(FixedLimitSettings(limit: 1)) }
        settings.min = 1
        settings.max = 1
        return .knee(settings)
    }

    private static func tell(_ row: String, _ nanoseconds: [Double]) {
        let sorted = nanoseconds.sorted()
        let median = Int(sorted[sorted.count / 2].rounded())
        let late = Int(sorted[sorted.count * 99 / 100].rounded())
        print("| \(row) | \(median) ns | \(late) ns |")
    }

    /// Nanoseconds a request, one number for each batch.
    private static func measure(_ operation: (Int) -> Void) -> [Double] {
        var result: [Double] = []
        result.reserveCapacity(batches)
        var number = 0
        for _ in 0..<batches {
            let began = MonotonicClock.now
            for _ in 0..<operationsInBatch {
                operation(number)
                number += 1
            }
            let took = MonotonicClock.now.nanoseconds(since: began)
            result.append(Double(took) / Double(operationsInBatch))
        }
        return result
    }

    private static func uncontended(_ limit: LimitSettings, backends: Int) -> [Double] {
        var settings = AdmissionSettings()
        settings.limit = limit
        var controller = AdmissionController(
            settings: settings, backends: (0..<backends).map { "b\($0)" }, seed: 1)
        var now = Instant(nanoseconds: 1_000_000_000)
        return measure { number in
            let id = RequestID(rawValue: UInt64(number))
            guard case .forward(let permit) = controller.offer(id, Ticket(), now: now) else {
                preconditionFailure("nothing else is in flight")
            }
            now = now.advanced(byNanoseconds: 1_000_000)
            controller.complete(permit, .success, now: now)
        }
    }

    /// One slot for all, so that each request that ends starts one that waits.
    private static func contended(_ limit: LimitSettings) -> [Double] {
        let tenants = 10_000
        var settings = AdmissionSettings()
        settings.limit = limit
        settings.tenants = (0..<tenants).map { TenantSettings(name: "t\($0)") }
        let keys = settings.tenants.map { TenantKey($0.name) }
        settings.queue.maxRequests = 2 * parked
        settings.queue.maxWait = .seconds(3_600)
        var controller = AdmissionController(settings: settings, backends: ["b"], seed: 1)
        var now = Instant(nanoseconds: 1_000_000_000)
        var random = SplitMix64(seed: 1)
        var running: Permit?
        func offer(_ number: Int) {
            var ticket = Ticket()
            ticket.tenant = .named(keys[Int(random.next() % UInt64(tenants))])
            switch controller.offer(RequestID(rawValue: UInt64(number)), ticket, now: now) {
            case .forward(let permit): running = consume permit
            case .parked: break
            case .reject: preconditionFailure("there is room to wait")
            }
        }
        for number in 0...parked { offer(number) }
        let result = measure { number in
            guard let permit = running.take() else { preconditionFailure("one is in flight") }
            now = now.advanced(byNanoseconds: 100_000)
            controller.complete(permit, .success, now: now)
            while let decision = controller.poll(now: now) {
                guard case .forward(_, let next) = consume decision else {
                    preconditionFailure("nobody's time is up")
                }
                running = consume next
            }
            offer(number)
        }
        if let permit = running.take() { controller.complete(permit, .success, now: now) }
        return result
    }

    private static let parked = 100_000
}
