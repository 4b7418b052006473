// What the cost gates count that cannot be seen from outside the gateway: one step of a module, done a
// given number of times. The gates count instructions for two numbers and divide the difference, so
// that what comes before and after drops out.
//
//   cost-probe STEP COUNT

import Admission
import Bytes
import HTTP1

@main
enum CostProbe {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let count = Int(arguments[2]), count > 0 else { return fail() }
        switch arguments[1] {
        case "parse-head": parseHeads(count)
        case "complete-fixed": completeRequests(count, .fixed(FixedLimitSettings(limit: 64)))
        case "complete-knee": completeRequests(count, .knee(KneeLimitSettings()))
        case "start-parked": startParked(count)
        case "read-event": InferenceProbe.readEvents(count)
        case "read-prompt": InferenceProbe.readPrompts(count)
        default: fail()
        }
    }

    private static func fail() {
        print(
            "usage: cost-probe parse-head|complete-fixed|complete-knee|start-parked|read-event"
                + "|read-prompt COUNT")
    }

    /// Such as the OpenAI library sends.
    private static let head = """
        POST /v1/chat/completions HTTP/1.1\r
        Host: models.example.com:8080\r
        Accept: application/json\r
        Content-Type: application/json\r
        User-Agent: OpenAI/Python 1.54.0\r
        X-Stainless-Lang: python\r
        Authorization: Bearer sk-0123456789abcdef0123456789abcdef\r
        Content-Length: 0\r
        \r\n
        """

    private static func parseHeads(_ count: Int) {
        var buffer = ByteBuffer()
        var parser = RequestParser(limits: HeadLimits())
        for _ in 0..<count {
            buffer.append(head)
            do throws(ParseError) {
                while !buffer.isEmpty {
                    switch try parser.next(in: buffer) {
                    case .head(let consumed), .end(let consumed): buffer.drop(consumed)
                    case .needMoreData, .body: preconditionFailure("the head is complete")
                    }
                }
            } catch {
                preconditionFailure("the head is valid")
            }
            parser.reset()
        }
    }

    /// A hundred thousand requests of ten thousand tenants wait: one ends, the next starts, and another
    /// one comes.
    private static func startParked(_ count: Int) {
        var limit = KneeLimitSettings()
        limit.max = 1
        var settings = AdmissionSettings()
        settings.limit = .knee(limit)
        settings.tenants = (0..<10_000).map { TenantSettings(name: "t\($0)") }
        let keys = settings.tenants.map { TenantKey($0.name) }
        settings.queue.maxRequests = 200_000
        settings.queue.maxWait = .seconds(3_600)
        var controller = AdmissionController(settings: settings, backends: ["a"], seed: 1)
        var now = Instant(nanoseconds: 1_000_000_000)
        var random = SplitMix64(seed: 1)
        var running: Permit?
        for number in 0..<(100_000 + count) {
            if number > 100_000 {
                guard let permit = running.take() else { preconditionFailure("one is in flight") }
                now = now.advanced(byNanoseconds: 100_000)
                controller.complete(permit, .success, now: now)
                while let decision = controller.poll(now: now) {
                    guard case .forward(_, let next) = consume decision else {
                        preconditionFailure("nobody's time is up")
                    }
                    running = consume next
                }
            }
            var ticket = Ticket()
            ticket.tenant = .named(keys[Int(random.next() % 10_000)])
            switch controller.offer(RequestID(rawValue: UInt64(number)), ticket, now: now) {
            case .forward(let permit): running = consume permit
            case .parked: break
            case .reject: preconditionFailure("there is room to wait")
            }
        }
        if let permit = running.take() { controller.complete(permit, .success, now: now) }
    }

    /// One request after the other, each of a millisecond.
    private static func completeRequests(_ count: Int, _ limit: LimitSettings) {
        var settings = AdmissionSettings()
        settings.limit = limit
        var controller = AdmissionController(settings: settings, backends: ["a"], seed: 1)
        var now = Instant(nanoseconds: 1_000_000_000)
        for number in 0..<count {
            let id = RequestID(rawValue: UInt64(number))
            switch controller.offer(id, Ticket(), now: now) {
            case .forward(let permit):
                now = now.advanced(byNanoseconds: 1_000_000)
                controller.complete(permit, .success, now: now)
            case .reject:
                preconditionFailure("nothing else is in flight")
            case .parked:
                preconditionFailure("nothing else is in flight")
            }
        }
    }
}
