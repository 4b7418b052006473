// Backends that join the pool and leave it during a run, as `serve` looks them up. A controller's places are not the
// scenario's order then: who leaves gives up the place, and who comes takes any.

import Admission
import BasicContainers

/// Which backend of the scenario stands at which of a controller's places.
struct BackendPlaces {
    /// The scenario's backends by the controller's places, -1 where none has stood yet.
    private var backends: [Int] = []
    /// The controller's places by the scenario's backends: the last one that each had.
    private var places: [Int]

    init(count: Int) { places = Array(repeating: -1, count: count) }

    /// The backend at a place.
    func backend(at id: BackendID) -> Int { backends[id.index] }

    /// The place of a backend, while it has one or still has something running there; nil else.
    func id(of backend: Int) -> BackendID? {
        let place = places[backend]
        return place >= 0 && backends[place] == backend ? BackendID(index: place) : nil
    }

    /// Notes where backends stand that are present.
    mutating func note(_ ids: [BackendID?]) {
        for (backend, id) in ids.enumerated() {
            guard let place = id?.index else { continue }
            while backends.count <= place { backends.append(-1) }
            backends[place] = backend
            places[backend] = place
        }
    }
}

extension Simulation {
    /// Names of the backends that a pool has at the start.
    static func present(in scenario: Scenario) -> [String] {
        let first = scenario.autoscale.map { scenario.backends.prefix($0.least) }
        return (first ?? scenario.backends[...]).filter {
            $0.phases[0].availability != .absent && !$0.isWorker
        }.map(\.name)
    }

    /// What an earlier process is said to have found.
    static func remembered(in scenario: Scenario) -> [String: Double] {
        var limits: [String: Double] = [:]
        for backend in scenario.backends { limits[backend.name] = backend.rememberedLimit }
        return limits
    }

    /// Tells all gateways which backends there are now.
    mutating func followMembership() {
        let all = names
        let present = backends.indices.filter { !backends[$0].isAbsent }
        let names = present.filter { !scenario.backends[$0].isWorker }.map { all[$0] }
        let workers = present.filter { scenario.backends[$0].isWorker }
        for gateway in controllers.indices {
            controllers[gateway].replaceBackends(
                names, workers: workers.map { all[$0] }, now: Instant(nanoseconds: now))
            notePlaces(gateway)
            for worker in workers { giveCredits(of: worker, to: gateway) }
            pump(gateway)
        }
        settleLimit()
    }

    /// Tells a gateway its part of what a worker takes now.
    private mutating func giveCredits(of worker: Int, to gateway: Int) {
        guard let id = places[gateway].id(of: worker) else { return }
        let all = backends[worker].phase.credits ?? 0
        let count = controllers.count
        let part = all / count + (gateway < all % count ? 1 : 0)
        controllers[gateway].setCredits(part, of: id, now: Instant(nanoseconds: now))
    }

    /// What the backends are called now.
    private var names: [String] {
        var names = scenario.backends.map(\.name)
        guard let replicas else { return names }
        for index in names.indices { names[index] += replicas.suffix(of: index) }
        return names
    }

    /// Notes where a gateway's controller has its backends.
    mutating func notePlaces(_ gateway: Int) {
        places[gateway].note(controllers[gateway].backendIDs(forKeys: names))
    }
}
