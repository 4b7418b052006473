// Backends that are the endpoints of a Service of Kubernetes. Its slices are listed once, and from then on watched: each
// watch takes some minutes and the next one goes on behind it. Only where the API server has forgotten what lies between,
// or has said what cannot be understood, are they listed again. What is known stays known meanwhile.
//
// Whatever is asked is asked by the account's files of that moment, which another thread reads.

internal import Admission
internal import Gateway
internal import Policy
internal import Reactor

/// Watches the slices of a pool's Service.
final class KubernetesSource: EventHandler, DiscoverySource {
    private let settings: KubernetesDiscovery
    private let reactor: Reactor
    private let mailbox: Mailbox<KubernetesSource>
    private let found: (DiscoveryFinding) -> Void
    private lazy var fetcher = Fetcher(askingBackendsIn: reactor)
    private let server: APIServer?
    private var random: SplitMix64
    private var backoff = Backoff()

    /// The slices, as far as they are known, and what a watch has to begin at; nil where they have to be listed.
    private var slices = EndpointSliceSet()
    private var version: String?
    private var namespace = ""
    /// Those of a list that has not ended.
    private var listed = EndpointSliceSet()
    private var listedVersion: String?

    private var fetch: Fetch?
    private var reader = EndpointSliceReader(.list)
    /// When the question was asked, whether it has had a part of an answer, and what ended that.
    private var askedAt = Instant(nanoseconds: 0)
    private var hasHeard = false
    private var stopped: Stop?
    /// Whom the last question trusted.
    private var credentials: TLSCredentials?
    /// Whether a token was refused, and is read anew once before that is told.
    private var isTokenDoubted = false
    /// When what is known is told, and when the next question is asked.
    private var tellAt = Instant.distantFuture
    private var askAt = Instant.distantFuture
    private var isStopped = false

    /// Why an answer is not read to its end.
    private enum Stop {
        /// What a watch has to begin at is forgotten.
        case gone
        /// It says what cannot be used.
        case unreadable(String)
        /// It says that it has failed.
        case failed(String)
    }

    /// How long changes are gathered.
    private static let gatherNanoseconds: Int64 = 100_000_000
    /// The least and the most time from one question to the next where all is well.
    private static let pauses: ClosedRange<Double> = 0.5e9...1e9
    /// How long a watch may take, in seconds; chance tells how long, so that those of many gateways end apart.
    private static let watchSeconds = 240...360
    /// For how long a server that is busy may have itself left alone, in seconds.
    private static let mostRetryAfterSeconds = 60
    /// A watch that breaks off sooner, or has said nothing, has failed.
    private static let briefNanoseconds: Int64 = 1_000_000_000

    /// Asks at once and from then on; throws when the process is out of descriptors.
    init(
        _ settings: KubernetesDiscovery, in reactor: Reactor, seed: UInt64,
        found: @escaping (DiscoveryFinding) -> Void
    ) throws(SystemError) {
        self.settings = settings
        self.reactor = reactor
        self.found = found
        server = APIServer(settings)
        random = SplitMix64(seed: seed)
        mailbox = try Mailbox()
        super.init()
        try mailbox.deliver(to: self, in: reactor)
        reactor.register(self)
        // Not at once: who begins this has not kept it yet.
        askAt = reactor.now
        setDeadline()
    }

    func stop() {
        isStopped = true
        if let fetch { fetcher.cancel(fetch) }
        fetch = nil
        reactor.deregister(self)
        mailbox.close(for: self)
    }

    override func deadlineReached() {
        if tellAt <= reactor.now { tell() }
        guard !isStopped else { return }
        if askAt <= reactor.now {
            askAt = .distantFuture
            begin()
        }
        guard !isStopped else { return }
        setDeadline()
    }

    private func setDeadline() { reactor.setDeadline(of: self, to: min(tellAt, askAt)) }

    // MARK: Questions

    /// Reads the account, on another thread.
    private func begin() {
        guard let server else {
            return fail(
                "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; write api: URL")
        }
        do throws(SystemError) {
            try SystemThread(name: "account") { [settings, credentials, mailbox] in
                let account = Result { () throws(ServiceAccount.Fault) in
                    try ServiceAccount.read(
                        settings, isSecure: server.isSecure, known: credentials)
                }
                mailbox.send { $0.ask(server, account) }
            }.detach()
        } catch {
            fail(error.description)
        }
    }

    private func ask(_ server: APIServer, _ account: Result<ServiceAccount, ServiceAccount.Fault>) {
        guard !isStopped else { return }
        switch account {
        case .failure(let fault): fail(fault.text)
        case .success(let account):
            namespace = account.namespace
            credentials = account.credentials
            if let version {
                let seconds = KubernetesSource.watchSeconds
                let chosen = seconds.lowerBound + Int(random.nextUnit() * Double(seconds.count))
                reader = EndpointSliceReader(.watch)
                send(server.watch(account, after: version, seconds: chosen))
            } else {
                reader = EndpointSliceReader(.list)
                listed = EndpointSliceSet()
                listedVersion = nil
                send(server.list(account))
            }
        }
    }

    private func send(_ request: FetchRequest) {
        askedAt = reactor.now
        hasHeard = false
        stopped = nil
        let receiving: ([UInt8]) -> Bool = { [unowned self] in receive($0) }
        fetch = fetcher.begin(request, receiving: receiving) { [unowned self] outcome in
            fetch = nil
            end(outcome)
        }
        if fetch == nil { fail("no memory is left to ask") }
    }

    // MARK: Answers

    /// A part of an answer has come; whether more is wanted.
    private func receive(_ bytes: [UInt8]) -> Bool {
        hasHeard = true
        do throws(EndpointSliceReader.Fault) {
            for piece in try reader.take(bytes) { try take(piece) }
        } catch {
            stopped = .unreadable(error.text)
        }
        return stopped == nil
    }

    private func take(_ piece: EndpointSliceReader.Piece) throws(EndpointSliceReader.Fault) {
        switch piece {
        case .slice(let slice): try listed.put(slice)
        case .listed(let version): listedVersion = version
        case .event(let event, let version):
            guard stopped == nil else { return }
            try take(event)
            if stopped == nil, !version.isEmpty { self.version = version }
        case .status: break
        }
    }

    private func take(_ event: WatchEvent) throws(EndpointSliceReader.Fault) {
        switch event {
        case .put(let slice): try slices.put(slice)
        case .removed(let name): slices.remove(name)
        case .bookmark: break
        case .failed(code: 410, message: _): stopped = .gone
        case .failed(let code, let message):
            stopped = .failed("the watch ends with \(code): \(message)")
        case .unknown: return
        }
        if stopped == nil { gather() }
    }

    private func gather() {
        backoff.reset()
        isTokenDoubted = false
        guard tellAt == .distantFuture else { return }
        tellAt = reactor.now.advanced(byNanoseconds: KubernetesSource.gatherNanoseconds)
        setDeadline()
    }

    /// An answer has ended.
    private func end(_ outcome: Result<FetchResponse, FetchFailure>) {
        let isWatch = version != nil
        switch (stopped, outcome) {
        case (.gone, _): forget()
        case (.unreadable(let text), _):
            version = nil
            fail("the answer of \(place) \(text)")
        case (.failed(let text), _): fail(text)
        case (nil, .success(let response)) where (200..<300).contains(response.status):
            if isWatch { endWatch() } else { endList() }
        case (nil, .success(let response)): refused(response)
        case (nil, .failure(let failure)):
            // What has said something is asked to go on: servers are started anew.
            if isWatch, hasHeard, !isBrief { rest() } else { fail("\(place): \(failure.text)") }
        }
    }

    private var place: String { server?.url ?? "the API server" }

    private var isBrief: Bool {
        reactor.now.nanoseconds(since: askedAt) < KubernetesSource.briefNanoseconds
    }

    private func endList() {
        guard let listedVersion, reader.isComplete else {
            return fail("the answer of \(place) ends in its middle")
        }
        slices = listed
        version = listedVersion
        listed = EndpointSliceSet()
        isTokenDoubted = false
        // A list alone does not show that all is well: who says that what it has just said is gone is asked less
        // and less often.
        tell()
        guard !isStopped else { return }
        askAt = reactor.now
        setDeadline()
    }

    private func endWatch() {
        guard reader.isBetween else {
            if isBrief { return fail("the answer of \(place) ends in its middle") }
            return rest()
        }
        guard hasHeard || !isBrief else { return fail("\(place) ends the watch at once") }
        backoff.reset()
        isTokenDoubted = false
        // Nothing has changed, and that is known.
        tell()
        if !isStopped { rest() }
    }

    /// What lies between what is known and now is not to be had any more.
    private func forget() {
        version = nil
        wait(backoff.pause(&random))
    }

    private func refused(_ response: FetchResponse) {
        switch response.status {
        case 410: return forget()
        case 401 where !isTokenDoubted:
            // It may have been replaced while the question was on its way.
            isTokenDoubted = true
            return rest()
        default: break
        }
        var reader = EndpointSliceReader(.status)
        var text = "\(place) answers \(response.status)"
        if let pieces = try? reader.take(response.body),
            case .status(_, let message)? = pieces.first, !message.isEmpty
        {
            text += ": \(message)"
        }
        switch response.status {
        case 401: text += "; the token in \(settings.account) is not taken"
        case 403:
            text +=
                "; give the service account a role that may list and watch endpointslices in \(namespace)"
        case 404: text += "; it has no endpointslices, or is no API server"
        default: break
        }
        // Who is busy says when to come again: 429 of its priority and fairness.
        let asked = Int64(min(response.retryAfterSeconds, KubernetesSource.mostRetryAfterSeconds))
        fail(text, atLeast: asked * 1_000_000_000)
    }

    // MARK: What follows

    private func tell() {
        tellAt = .distantFuture
        found(slices.finding(settings, namespace: namespace))
    }

    /// `nanoseconds` is how long it waits at least.
    private func fail(_ text: String, atLeast nanoseconds: Int64 = 0) {
        wait(max(nanoseconds, backoff.pause(&random)))
        found(.failed([text]))
    }

    /// Goes on in a moment.
    private func rest() {
        let pauses = KubernetesSource.pauses
        wait(Int64(pauses.lowerBound + random.nextUnit() * (pauses.upperBound - pauses.lowerBound)))
    }

    private func wait(_ nanoseconds: Int64) {
        askAt = reactor.now.advanced(byNanoseconds: nanoseconds)
        setDeadline()
    }
}
