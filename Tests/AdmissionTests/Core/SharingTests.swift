// What tenants share: the time for which their requests take slots, or the number of requests.

import Testing

@testable import Admission

/// Keeps a permit, which arrays cannot.
private final class Running {
    let tenant: Int
    private var permit: Permit?

    init(_ permit: consuming Permit, tenant: Int) {
        self.permit = consume permit
        self.tenant = tenant
    }

    func take() -> Permit? { permit.take() }
}

@Suite struct SharingTests {
    /// What two tenants that always want more get done in ten minutes: requests, and seconds.
    ///
    /// The requests of the first take 3 s, those of the second 1 s.
    /// Those of the first have 6,000 tokens and those of the second 500, and are expected to have
    /// half of that.
    private func contend(
        _ sharing: SharingMeasure
    ) -> (requests: [Int], seconds: [Double], tokens: [Double]) {
        let tokensOf = [6_000, 500]
        var settings = AdmissionSettings()
        settings.limit = .fixed(FixedLimitSettings(limit: 8))
        settings.queue.maxWait = .seconds(3600)
        settings.sharing = sharing
        settings.tenants = [TenantSettings(name: "long"), TenantSettings(name: "short")]
        var controller = AdmissionController(settings: settings, backends: ["x"], seed: 3)
        let service: [Int64] = [3_000_000_000, 1_000_000_000]
        var running: [Instant: [Running]] = [:]
        var tenantOf: [UInt64: Int] = [:]
        var next: UInt64 = 0
        var requests = [0, 0]
        var now = Instant(nanoseconds: 0)
        func start(_ permit: consuming Permit, _ tenant: Int) {
            running[now.advanced(byNanoseconds: service[tenant]), default: []]
                .append(Running(permit, tenant: tenant))
        }
        func offer(_ tenant: Int) {
            next += 1
            var ticket = Ticket()
            ticket.tenant = .named(tenant == 0 ? "long" : "short")
            ticket.tokens = tokensOf[tenant] / 2
            tenantOf[next] = tenant
            switch controller.offer(RequestID(rawValue: next), ticket, now: now) {
            case .forward(let permit): start(permit, tenant)
            case .parked: break
            case .reject(let rejection): Issue.record("refused: \(rejection)")
            }
        }
        for _ in 0..<20 {
            offer(0)
            offer(1)
        }
        while now < Instant(nanoseconds: 600_000_000_000) {
            guard let first = running.keys.min() else { break }
            now = first
            for ended in running.removeValue(forKey: first) ?? [] {
                guard let permit = ended.take() else { continue }
                var work = ServedWork()
                work.charge = .tokens(tokensOf[ended.tenant])
                controller.complete(permit, .success, work, now: now)
                requests[ended.tenant] += 1
                offer(ended.tenant)
            }
            while let decision = controller.poll(now: now) {
                switch consume decision {
                case .forward(let id, let permit): start(permit, tenantOf[id.rawValue] ?? 0)
                case .reject(_, let rejection): Issue.record("refused: \(rejection)")
                }
            }
        }
        for left in running.values.joined() {
            if let permit = left.take() { controller.complete(permit, .failed(.request), now: now) }
        }
        return (
            requests, [Double(requests[0]) * 3, Double(requests[1])],
            [Double(requests[0] * tokensOf[0]), Double(requests[1] * tokensOf[1])]
        )
    }

    @Test func byTokensLongPromptsCountForMore() {
        let done = contend(.tokens)
        #expect(abs(done.tokens[0] / done.tokens[1] - 1) < 0.05, "\(done)")
    }

    @Test func byTimeLongRequestsCountForMore() {
        let done = contend(.time)
        #expect(abs(done.seconds[0] / done.seconds[1] - 1) < 0.08, "\(done)")
    }

    @Test func byNumberTheyDoNot() {
        let done = contend(.requests)
        #expect(abs(Double(done.requests[0]) / Double(done.requests[1]) - 1) < 0.05, "\(done)")
    }
}
