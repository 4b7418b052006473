// Backends' own pages of metrics: who is to be asked, and what becomes of the answer. Who asks when stands in
// `Control`.

internal import Admission
internal import Inference
package import Policy
package import Reactor

/// A backend whose pool has its page of metrics asked for.
package struct MeasuredBackend {
    /// Its pool's name.
    package let pool: String
    /// The backend.
    package let address: BackendAddress
    private let path: String
    private let settings: PoolSettings
    fileprivate let admission: SharedAdmission
    fileprivate let id: BackendID

    /// What it is asked; with the certificates that are in force now.
    package var request: FetchRequest {
        FetchRequest(measuring: address, of: settings, path: path, admission.credentials)
    }

    fileprivate init(
        _ path: String, _ address: BackendAddress, _ id: BackendID, of member: Gateway.Member
    ) {
        pool = member.settings.name
        self.address = address
        self.path = path
        settings = member.settings
        admission = member.admission
        self.id = id
    }
}

extension Gateway {
    /// The backends whose pages of metrics are to be asked for under the policy in force.
    package var measuredBackends: [MeasuredBackend] {
        backends { settings in
            settings.signals.metrics
        } make: { path, address, id, member in
            MeasuredBackend(path, address, id, of: member)
        }
    }

    /// Whether a backend is to be asked for its page: it is not to be left alone, and its responses have said nothing
    /// since its last page.
    package func wantsPage(of backend: MeasuredBackend) -> Bool {
        let now = reactor.now
        return !backend.admission.isInMaintenance(backend.id, now: now)
            && !backend.admission.reportsByField(backend.id, now: now)
    }

    /// A backend has shown `page`, or none came.
    package func heard(page: [UInt8]?, of backend: MeasuredBackend) {
        let admission = backend.admission
        let id = backend.id
        let report = page.flatMap { MetricsPageReader.read($0.span) }
        let reading = report.map {
            ReportField.Reading.said(
                ReportedLoad(queued: $0.queued, cacheUse: $0.cacheUse, isByPage: true))
        }
        group.send(to: 0) { $0.heed(reading ?? .unreadable, of: id, admission) }
    }
}
