// Pages of metrics: each backend of a pool whose `signals` name one is asked for it now and then, unless its responses
// say the same sooner.

internal import Admission
internal import Gateway
internal import Policy
internal import Reactor

/// Asks backends for their pages of metrics, on the controlling thread.
typealias MetricsPages = BackendPolls<MeasuredBackend>

extension MeasuredBackend: PolledBackend {
    static func all(of gateway: Gateway) -> [MeasuredBackend] { gateway.measuredBackends }

    /// A third of the time for which a page counts.
    var interval: Duration { .seconds(5) }

    func isWanted(by gateway: Gateway) -> Bool { gateway.wantsPage(of: self) }

    func ended(_ outcome: Result<FetchResponse, FetchFailure>, in gateway: Gateway) {
        guard case .success(let response) = outcome, (200..<300).contains(response.status) else {
            return gateway.heard(page: nil, of: self)
        }
        gateway.heard(page: response.body, of: self)
    }

    /// What it has said ages by itself.
    func forgotten(by gateway: Gateway) {}
}
