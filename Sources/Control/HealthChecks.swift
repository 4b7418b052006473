// Active checks: each backend of a pool with `health` is asked for a path now and then. What that says of it is worked
// out by its admission controller.

internal import Admission
internal import Gateway
internal import Policy
internal import Reactor

/// Checks backends, on the controlling thread.
typealias HealthChecks = BackendPolls<CheckedBackend>

extension CheckedBackend: PolledBackend {
    static func all(of gateway: Gateway) -> [CheckedBackend] { gateway.checkedBackends }

    var interval: Duration { health.rules.interval }

    func isWanted(by gateway: Gateway) -> Bool { !gateway.isInMaintenance(self) }

    func ended(_ outcome: Result<FetchResponse, FetchFailure>, in gateway: Gateway) {
        guard let result = CheckResult(outcome) else { return }
        gateway.checked(self, result, try? outcome.get())
    }

    func forgotten(by gateway: Gateway) { gateway.endChecks(of: self) }
}

extension CheckResult {
    /// How a check ended; nil where it says nothing of the backend.
    init?(_ outcome: Result<FetchResponse, FetchFailure>) {
        switch outcome {
        case .success(let response):
            self = (200..<300).contains(response.status) ? .passed : .failed
        case .failure(.timeout), .failure(.connect(.timeout)),
            .failure(.connect(.handshakeTimeout)):
            self = .timedOut
        case .failure(.exhausted), .failure(.connect(.exhausted)),
            .failure(.connect(.waitedInLine)):
            return nil
        case .failure: self = .failed
        }
    }
}
