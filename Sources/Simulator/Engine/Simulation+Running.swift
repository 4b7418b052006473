// What the gateway tells the controller of requests in flight: whom they wait for, whose client has
// left, and which are tried elsewhere; as `serve` does.

import Admission
import BasicContainers

extension Simulation {
    /// How often one request is tried again at most.
    private static var mostRetries: UInt8 { 2 }

    /// The gateway waits for the client of a request that is in flight.
    mutating func waitOnClient(_ slot: Int32) { wait(slot, on: .client) }

    /// The gateway waits for the backend again.
    mutating func waitOnBackend(_ slot: Int32) { wait(slot, on: .backend) }

    private mutating func wait(_ slot: Int32, on awaited: Awaited) {
        guard var permit = permits[Int(slot)].take() else { return }
        let gateway = Int(requests[Int(slot)].gateway)
        controllers[gateway].wait(on: awaited, &permit, now: Instant(nanoseconds: now))
        permits[Int(slot)] = consume permit
        pump(gateway)
    }

    /// A client has left a request in flight; when the gateway closes the backend's connection, nil for
    /// at once.
    mutating func leave(_ slot: Int32) -> Int64? {
        let index = Int(slot)
        let request = requests[index]
        if request.isRouted { spend(slot, .cancelled(by: .client, in: .waiting)) }
        guard var permit = permits[index].take() else { return nil }
        let phase: Outcome.Phase =
            switch request.state {
            case .sending: .sending
            case .delivering: .answering
            default: hasFirstByte(index) ? .answering : .waiting
            }
        let kind: RequestKind = streams[Int(request.group)] ? .streamed : .whole
        let departure = controllers[Int(request.gateway)].leave(
            &permit, kind, phase, now: Instant(nanoseconds: now))
        permits[index] = consume permit
        // What the engine is done with already goes on nowhere.
        let isAtWork = request.state == .waiting || request.state == .running
        guard case .keep(let end) = departure, isAtWork else {
            spend(slot, .cancelled(by: .client, in: phase))
            return nil
        }
        return end.nanoseconds
    }

    /// The gateway does not wait any longer for the end of a request whose client has left.
    mutating func spendKept(_ slot: Int32) {
        spend(slot, .cancelled(by: .gateway, in: .waiting))
    }

    /// The engine is done with a request whose client has left.
    mutating func spendAbandoned(_ slot: Int32) {
        spend(slot, .cancelled(by: .client, in: .finished))
    }

    /// Sends a request to another backend after its own has failed; false where it cannot.
    mutating func isTriedElsewhere(
        _ slot: Int32, after outcome: Outcome, _ failure: BackendFailure
    ) -> Bool {
        let index = Int(slot)
        let request = requests[index]
        let gateway = Int(request.gateway)
        let instant = Instant(nanoseconds: now)
        guard mayBeRepeated(request, after: outcome, failure),
            let place = places[gateway].id(of: Int(request.backend)),
            controllers[gateway].mayRetry(at: place, after: outcome, now: instant),
            let permit = permits[index].take()
        else { return false }
        requests[index].generation &+= 1
        requests[index].retries += 1
        if isMeasured { result.cells[cell].retries += 1 }
        // The new generation voids the end of the client's patience, which stays what it was.
        if request.patience != .max {
            heap.schedule(
                .patience, at: max(now, request.offeredAt + request.patience), slot: slot,
                generation: requests[index].generation)
        }
        var work = ServedWork()
        work.retryAfterNanoseconds = failure.retryAfterNanoseconds
        let id = RequestID(rawValue: UInt64(slot))
        preparePrompt(slot)
        receive(
            controllers[gateway].retry(
                permit, after: outcome, work, id, ticket(slot), now: instant),
            slot)
        settleTimeout()
        pump(gateway)
        return true
    }

    /// Whether the client had nothing of a response, and the request is worth another try.
    private func mayBeRepeated(
        _ request: RequestRecord, after outcome: Outcome, _ failure: BackendFailure
    ) -> Bool {
        guard request.retries < Self.mostRetries, !request.isAbandoned else { return false }
        switch failure.kind {
        case .cut, .timeout: return false
        case .status, .garbage, .close: return outcome != .overload || request.retries == 0
        }
    }
}
