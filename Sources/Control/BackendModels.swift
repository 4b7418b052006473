// What backends say of their models. They are asked now and then, whoever wants to know it, so that no client
// waits for a backend that does not answer, and a list costs backends the same however often it is asked for.

internal import Admission
internal import Gateway
internal import Inference
internal import Policy
internal import Reactor

/// Asks backends which models they have, and tells the gateway.
final class BackendModels: EventHandler {
    /// What a backend said, and when.
    private struct Answer {
        var models: [ListedModel]
        var at: Instant
    }

    /// A backend, as it is asked: pools that have it in the same way ask once, and may get other names.
    private struct Source: Hashable {
        let address: BackendAddress
        let tls: TLSSettings
        let path: String
        let fields: [String]

        init(_ address: BackendAddress, of pool: PoolSettings) {
            self.address = address
            tls = pool.tls
            path = pool.path(of: address, for: "/v1/models")
            fields = pool.requestLines
        }
    }

    private let gateway: Gateway
    /// Made for the first question: most policies have none.
    private lazy var fetcher = Fetcher(askingBackendsIn: gateway.reactor)
    private var answers: [Source: Answer] = [:]
    private var fetches: [Source: Fetch] = [:]
    private var told: [[ListedModel]] = []

    /// How long a backend has to answer, in milliseconds.
    static let timeoutMilliseconds = 5_000
    /// Bytes of an answer; one that is longer is none.
    static let mostBytes = 1 << 20
    /// How many rounds an answer holds for, when no other comes.
    static let rounds: Int64 = 4

    init(_ gateway: Gateway) {
        self.gateway = gateway
        super.init()
        gateway.reactor.register(self)
        follow()
    }

    /// Follows the policy in force, whose backends may be others: asks them at once.
    func follow() {
        forgetFetches()
        // The reload was handed them.
        told = known(under: gateway.policy)
        let sources = Set(gateway.modelSources.map(source))
        let isAsking = gateway.policy.models.refresh != nil
        answers = isAsking ? answers.filter { sources.contains($0.key) } : [:]
        tell()
        deadlineReached()
    }

    /// Asks no more.
    func stop() {
        forgetFetches()
        gateway.reactor.deregister(self)
    }

    private func forgetFetches() {
        for fetch in fetches.values { fetcher.cancel(fetch) }
        fetches = [:]
    }

    /// Another round.
    override func deadlineReached() {
        guard let interval = gateway.policy.models.refresh, !gateway.isDraining else { return }
        let sources = gateway.modelSources
        guard !sources.isEmpty else { return }
        let now = gateway.reactor.now
        let nanoseconds = interval.wholeNanoseconds
        for (key, answer) in answers
        where now.nanoseconds(since: answer.at) > BackendModels.rounds * nanoseconds {
            answers[key] = nil
        }
        tell()
        for one in sources where fetches[source(one)] == nil { ask(one) }
        gateway.reactor.setDeadline(of: self, to: now.advanced(byNanoseconds: nanoseconds))
    }

    private func source(_ one: ModelSource) -> Source {
        Source(one.address, of: gateway.policy.pools[one.pool])
    }

    private func ask(_ one: ModelSource) {
        let key = source(one)
        var request = FetchRequest(
            one.target, path: key.path, timeoutMilliseconds: BackendModels.timeoutMilliseconds)
        request.fields = key.fields
        request.mostBytes = BackendModels.mostBytes
        fetches[key] = fetcher.begin(request) { [unowned self] outcome in
            fetches[key] = nil
            // One that cannot be reached, or does not tell, may do so in the next round.
            guard case .success(let response) = outcome, response.status == 200,
                let models = ModelListReader.models(in: response.body.span)
            else { return }
            answers[key] = Answer(models: models, at: gateway.reactor.now)
            tell()
        }
    }

    /// What backends have said, by the pools of `policy` that they are in.
    func known(under policy: Policy) -> [[ListedModel]] {
        policy.pools.map { pool in
            guard policy.models.refresh != nil else { return [] }
            return pool.backends.flatMap { address in
                answers[Source(address, of: pool)]?.models ?? []
            }
        }
    }

    /// Tells the gateway where there is something new.
    private func tell() {
        let listed = known(under: gateway.policy)
        guard listed != told else { return }
        told = listed
        gateway.list(listed)
    }
}
