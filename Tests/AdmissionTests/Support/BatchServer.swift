// A continuously batched server in front of which more arrives than it can do: a step of n requests
// takes a + b n for one unit of each. The offered load never ends, so that the limit always binds.

@testable import Admission

/// One backend under constant overload, and the controller before it.
final class BatchServer {
    /// Seconds of a step, without and for each request in it.
    var stepSeconds: (base: Double, each: Double)
    /// Requests past which every step is 2 % slower for each one more; nil for never.
    var cliff: Int?
    /// Requests up to which all of them together get as many units a second, whatever their number; nil where
    /// there is no such plateau.
    var plateau: (until: Int, unitsPerSecond: Double)?
    /// Whether it answers at all.
    var isSilent = false
    /// Whether its answers are streamed.
    var streams: Bool
    /// Units of an answer, on average.
    var meanUnits: Double
    /// Units done.
    private(set) var unitsDone = 0.0
    private(set) var now = Instant(nanoseconds: 0)

    private var controller: ControllerBox
    private var random: SplitMix64
    private var running: [(permit: PermitBox, left: Double, units: Double)] = []
    private var unreported = 0.0
    private var nextID: UInt64 = 0

    init(
        _ limit: LimitSettings, base: Double, each: Double, meanUnits: Double, streams: Bool,
        seed: UInt64
    ) {
        stepSeconds = (base, each)
        self.meanUnits = meanUnits
        self.streams = streams
        random = SplitMix64(seed: seed)
        var settings = AdmissionSettings()
        settings.limit = limit
        settings.queue.maxRequests = 0
        controller = ControllerBox(
            AdmissionController(settings: settings, backends: ["batch"], seed: seed))
    }

    /// The limit in force.
    var limit: Int { controller.value.limit }

    /// How often the limit was moved for that reason.
    func moves(_ reason: LimitMoveReason) -> Int { controller.value.limitMoves(reason) }

    /// How often the backend was suspected for that cause.
    func suspicions(_ cause: SuspicionCause) -> Int {
        controller.value.suspicions(of: BackendID(index: 0), cause)
    }

    /// Lets `seconds` pass, with at most `demand` requests wanted at a time; throughput in units a
    /// second.
    @discardableResult
    func run(
        seconds: Double, demand: Int = .max, sample: (Int) -> Void = { _ in }
    ) -> Double {
        let end = now.advanced(byNanoseconds: Int64(seconds * 1e9))
        let before = unitsDone
        while now < end {
            admit(demand: demand)
            step()
            sample(limit)
        }
        return (unitsDone - before) / seconds
    }

    private func admit(demand: Int) {
        while running.count < demand {
            nextID += 1
            switch controller.value.offer(RequestID(rawValue: nextID), Ticket(), now: now) {
            case .forward(let permit):
                // Between half and one and a half of the mean.
                let units = meanUnits * (0.5 + random.nextUnit())
                running.append((PermitBox(permit), units, units))
            case .reject: return
            case .parked: return
            }
        }
    }

    /// One step of the batch; ends what is done.
    private func step() {
        var seconds = stepSeconds.base + stepSeconds.each * Double(running.count)
        if let plateau, running.count <= plateau.until {
            seconds = Double(running.count) / plateau.unitsPerSecond
        }
        if let cliff, running.count > cliff {
            seconds *= 1 + 0.02 * Double(running.count - cliff)
        }
        now = now.advanced(byNanoseconds: Int64(max(seconds, 1e-6) * 1e9))
        if !isSilent {
            unitsDone += Double(running.count)
            if streams, !running.isEmpty {
                _ = controller.value.progress(
                    at: BackendID(index: 0), units: running.count, now: now)
            }
            for index in running.indices.reversed() {
                running[index].left -= 1
                guard running[index].left <= 0 else { continue }
                let units = streams ? Int(running[index].units) : 1
                controller.value.complete(
                    running[index].permit.take(), .success, ServedWork(units: units), now: now)
                running.swapAt(index, running.count - 1)
                running.removeLast()
            }
        }
        while controller.value.poll(now: now) != nil {}
    }

    /// Ends everything that runs, as overload.
    func dropAll() {
        for request in running {
            controller.value.complete(request.permit.take(), .overload, now: now)
        }
        running = []
    }

    /// Ends everything that runs, as nothing.
    func stop() {
        for request in running {
            controller.value.complete(request.permit.take(), .failed(.request), now: now)
        }
        running = []
    }
}

/// A controller that a class may hold.
private final class ControllerBox {
    var value: AdmissionController
    init(_ value: consuming AdmissionController) { self.value = value }
}
