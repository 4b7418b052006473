// What a request asks of its pool, and in whose name: the dialect that its errors are written in, the model,
// the tenant, the class, until when its response is wanted, and the ticket that says so to admission.
//
// Life: its exchange's, for one request after another: `reset` forgets all. The tenant and the class are
// looked up anew each time that the request is offered, by the policy that its pool then has.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy
internal import Reactor
internal import Telemetry

/// A request's claim on a pool.
final class Claim {
    /// How errors are written for this client.
    private(set) var dialect = Dialect.plain
    /// Whose request it is.
    private(set) var tenant = TenantID.anonymous
    /// Whose request it was in the pool that it fell back from, which pays where it has a quota.
    private(set) var payer: Payer?
    /// Whether that pool keeps fields with API keys: whoever stands in for it does not get them.
    private(set) var keepsKeys = false
    /// The name that the policy has for it; empty where it has none.
    private(set) var tenantName: [UInt8] = []
    /// The counters of the priority class that the request was offered in.
    private(set) var classMetrics: ClassMetrics?
    /// The counters of the request's model, and those of its model, class and tenant.
    private(set) var modelMetrics: ModelMetrics?
    private(set) var traffic: TrafficMetrics?
    /// The model's own name; empty where none was read.
    private(set) var model: [UInt8] = []
    /// Whether the backend is told another name than the client said.
    private(set) var isModelReplaced = false
    /// Where the path names the model, in the head's bytes.
    private(set) var modelPathRange: Range<Int>?
    /// The path that backends are asked for where the route changes it, before what pools do; else empty.
    private(set) var forwardedPath: [UInt8] = []
    /// Where that names the model.
    private var forwardedModelRange: Range<Int>?
    /// Whether the backend is asked for the usage of the stream.
    private(set) var asksForUsage = false
    /// Whether the client did not do so, and does not get it.
    private(set) var keepsUsage = false
    /// Until when its client wants the response to begin, and to end.
    private(set) var deadline = Instant.distantFuture
    private(set) var responseDeadline = Instant.distantFuture

    /// Bytes of English text that make a token, about: OpenAI, "What are tokens and how to count
    /// them?".
    static let bytesPerToken = 4

    /// Forgets everything.
    func reset() {
        dialect = .plain
        tenant = .anonymous
        payer = nil
        keepsKeys = false
        tenantName = []
        classMetrics = nil
        modelMetrics = nil
        traffic = nil
        model = []
        isModelReplaced = false
        modelPathRange = nil
        if !forwardedPath.isEmpty { forwardedPath.removeAll(keepingCapacity: true) }
        forwardedModelRange = nil
        asksForUsage = false
        keepsUsage = false
        deadline = .distantFuture
        responseDeadline = .distantFuture
    }

    /// Begins with a request's head.
    func begin(_ head: borrowing RequestHead) {
        dialect = Dialect(
            path: head.span(head.path), hasAnthropicVersion: Claim.hasAnthropicVersion(head))
    }

    private static func hasAnthropicVersion(_ head: borrowing RequestHead) -> Bool {
        var hasVersion = false
        for field in head.fields where field.name.count == Claim.anthropicVersion.count {
            if head.name(of: field).equals(lowercase: Claim.anthropicVersion) { hasVersion = true }
        }
        return hasVersion
    }

    /// The route has backends asked for another path, whose dialect it is then.
    func rewritePath(_ rewrite: PathRewrite, _ head: borrowing RequestHead) {
        let start = head.path.lowerBound
        let name = modelPathRange.map { ($0.lowerBound - start)..<($0.upperBound - start) }
        var path = forwardedPath
        forwardedPath = []
        if head.path.isEmpty {
            let root = [UInt8(ascii: "/")]
            forwardedModelRange = rewrite.apply(to: root.span, name: nil, into: &path)
        } else {
            forwardedModelRange = rewrite.apply(to: head.span(head.path), name: name, into: &path)
        }
        forwardedPath = path
        let hasVersion = Claim.hasAnthropicVersion(head)
        dialect = Dialect(path: path.span, hasAnthropicVersion: hasVersion)
    }

    private static let anthropicVersion = Array("anthropic-version".utf8)

    /// Whether responses of the request's dialect are read.
    var readsResponse: Bool { if case .plain = dialect { false } else { true } }

    /// Whether the request may be begun twice.
    ///
    /// RFC 9110 section 9.2.2 lets only idempotent requests be repeated once they may have been begun, and
    /// those of which is known that they do no harm. In the dialects of inference servers a request
    /// computes and changes nothing.
    func doesNoHarmTwice(_ head: borrowing RequestHead) -> Bool {
        if head.method.isIdempotent { return true }
        if forwardedPath.isEmpty { return dialect.isRepeatable(path: head.span(head.path)) }
        let path = forwardedPath
        return dialect.isRepeatable(path: path.span)
    }

    /// Whether the request may ask for the usage of a stream.
    func takesStreamOptions(_ head: borrowing RequestHead) -> Bool {
        if forwardedPath.isEmpty { return dialect.takesStreamOptions(path: head.span(head.path)) }
        let path = forwardedPath
        return dialect.takesStreamOptions(path: path.span)
    }

    // MARK: The model

    /// The path names the model in that range of the head's bytes.
    func noteModelPath(_ range: Range<Int>) { modelPathRange = range }

    /// The request is for `model`, as its pool knows it.
    func setModel(_ model: [UInt8]) { self.model = model }

    /// The backend is told `model` instead of what the client said.
    func replaceModel(by model: [UInt8]) {
        self.model = model
        isModelReplaced = true
    }

    /// Where the path has a name that is replaced.
    var replacedPathRange: Range<Int>? { isModelReplaced ? modelPathRange : nil }

    /// The same in `forwardedPath`.
    var replacedForwardedRange: Range<Int>? { isModelReplaced ? forwardedModelRange : nil }

    /// The name that stands for the model in the body that is forwarded; nil where the body stays as it
    /// is.
    var modelForBody: [UInt8]? { isModelReplaced && modelPathRange == nil ? model : nil }

    /// The backend is asked for the usage of the stream, in the client's stead or in plainer words than its
    /// own.
    func askForUsage(inStead: Bool) {
        asksForUsage = true
        keepsUsage = inStead
    }

    /// Whether the backend gets another body than the client sent.
    var changesBody: Bool { isModelReplaced || asksForUsage }

    /// What is different in it.
    var bodyChange: RequestBody.Change {
        RequestBody.Change(model: modelForBody, asksForUsage: asksForUsage)
    }

    // MARK: Whose it is

    /// Looks up whose the request is, by the pool's present policy.
    func identify(
        in pool: Pool, _ head: borrowing RequestHead, from client: ClientConnection
    ) -> Identity {
        let identity = Claim.identity(in: pool, head, from: client)
        let priorityClass = pool.classes[identity.priorityClass]
        classMetrics = priorityClass
        tenant = identity.tenant
        tenantName = pool.classifier.tenantName(identity.tenantIndex)
        if readsResponse {
            let found = pool.metrics.model(model)
            modelMetrics = found
            traffic = pool.metrics.traffic(
                found, priorityClass, tenant: pool.tenantSlot(of: identity.tenantIndex))
        }
        return identity
    }

    /// The request leaves `pool` for another one: it is paid for as before, and its key stays here as before.
    func leave(_ pool: Pool) {
        payer = Payer(tenant, in: pool.settings.admission)
        keepsKeys = pool.keepsKeys
    }

    /// Why the request may not be served in `pool` for want of a key; nil where it may.
    static func keyFault(
        in pool: Pool, _ head: borrowing RequestHead, from client: ClientConnection
    ) -> Reason? {
        guard pool.classifier.isKeyRequired else { return nil }
        let fault = identity(in: pool, head, from: client).fault
        return fault == .none ? nil : fault
    }

    @inline(__always)
    private static func identity(
        in pool: Pool, _ head: borrowing RequestHead, from client: ClientConnection
    ) -> Identity {
        if let lane = client.lane { return identity(of: lane, in: pool, head, from: client) }
        let classifier = pool.classifier
        return classifier.identity(
            of: head, key: key(for: classifier, head, from: client),
            names: names(for: classifier, of: client),
            address: client.peer.bits)
    }

    /// The same of a request that a lane makes; apart, because most come from clients.
    @inline(never)
    private static func identity(
        of lane: LaneConnection, in pool: Pool, _ head: borrowing RequestHead,
        from client: ClientConnection
    ) -> Identity {
        let terms = lane.identity
        let classifier = pool.classifier
        let key = key(for: classifier, head, from: client)
        let names = names(for: classifier, of: client)
        var identity = classifier.identity(
            of: head, key: key, names: names, address: client.peer.bits)
        if let tenant = terms.tenant { classifier.give(tenant, to: &identity) }
        classifier.place(&identity, in: terms.priorityClass)
        return identity
    }

    /// What the client's certificate says, where the pool wants to know.
    @inline(__always)
    private static func names(
        for classifier: Classifier, of client: ClientConnection
    ) -> ClientNames? {
        classifier.readsCertificates ? client.security?.names : nil
    }

    @inline(__always)
    private static func key(
        for classifier: Classifier, _ head: borrowing RequestHead, from client: ClientConnection
    ) -> Classifier.Key {
        guard classifier.hasKeys, let place = APIKey.place(in: head) else { return .missing }
        let key = Classifier.Key.digest(client.lastKey.digest(of: head.span(place.range)))
        return classifier.knows(key) ? key : furtherKey(behind: place, in: head, classifier) ?? key
    }

    /// A number for the tenant that the request is of by the terms of `pool`, the same in every process; nil for
    /// nobody.
    ///
    /// It is that of the tenant's name, or of an API key where the policy does not name its tenant.
    static func tenantHash(
        in pool: Pool, _ head: borrowing RequestHead, from client: ClientConnection,
        _ hashKey: HashKey
    ) -> UInt64? {
        let classifier = pool.classifier
        let key = key(for: classifier, head, from: client)
        let identity = classifier.identity(
            of: head, key: key, names: names(for: classifier, of: client),
            address: client.peer.bits)
        switch identity.tenant {
        case .anonymous: return nil
        case .named: return hashKey.hash(classifier.tenantName(identity.tenantIndex).span)
        case .hashed: break
        }
        if case .digest(let digest?) = key, classifier.knows(key) {
            return UInt64(bitPattern: Int64(digest.hash))
        }
        if let name = classifier.name(among: client.security?.names) {
            return hashKey.hash(name.span)
        }
        guard let name = classifier.tenantHeader, let field = Classifier.field(name, of: head)
        else { return nil }
        return hashKey.hash(head.value(of: field))
    }

    /// A key that is known in a place behind one where none is: what stands there may be meant for the
    /// backend, or for what stands in front.
    @inline(never)
    private static func furtherKey(
        behind first: APIKey.Place, in head: borrowing RequestHead, _ classifier: Classifier
    ) -> Classifier.Key? {
        var rank = first.rank
        while let place = APIKey.place(in: head, from: rank + 1) {
            let key = Classifier.Key.digest(KeyDigest(of: head.span(place.range)))
            if classifier.knows(key) { return key }
            rank = place.rank
        }
        return nil
    }

    /// A number for the tenant, 0 for nobody.
    private var tenantKey: UInt64 {
        switch tenant {
        case .anonymous: 0
        case .named(let key): key.rawValue | 1
        case .hashed(let hash): hash | 1 << 63
        }
    }

    // MARK: How long

    /// Notes until when the response to a request that began at `start` is wanted, by its hints and by the
    /// policy, from the first byte on; `keepAliveNanoseconds` is the time in which its client always
    /// gets a byte, `max` for none.
    func setDeadline(
        _ pool: Pool, _ hints: RequestHints, startedAt start: Instant,
        keepAliveNanoseconds: Int64
    ) {
        var shortest = pool.longestNanoseconds ?? .max
        if pool.deadlines.readsFields {
            shortest = min(shortest, hints.answerNanoseconds ?? .max)
        }
        responseDeadline = start.advanced(byNanoseconds: shortest)
        if pool.deadlines.readsFields {
            // A client that waits for a byte has one in every comment.
            if let time = hints.byteNanoseconds, keepAliveNanoseconds >= time {
                shortest = min(shortest, time)
            }
        }
        deadline = start.advanced(byNanoseconds: shortest)
    }

    // MARK: How much

    /// What admission is told of the request, which has held `heldBytes` and came at `arrival`.
    func ticket(
        _ identity: Identity, in pool: Pool, _ head: borrowing RequestHead,
        of intake: RequestIntake, from client: ClientConnection, arrivedAt arrival: Instant
    ) -> Ticket {
        let inputBytes = client.hasInput ? client.input.count : 0
        var ticket = Ticket(
            bodyBytes: inputBytes + (intake.body?.held.count ?? 0),
            respondBy: deadline == .distantFuture ? nil : deadline)
        ticket.arrivedAt = arrival
        ticket.isPatient = client.lane != nil
        ticket.tenant = identity.tenant
        ticket.priorityClass = identity.priorityClass
        setTokens(of: &ticket, in: pool, head, of: intake, inputBytes: inputBytes)
        return ticket
    }

    /// Says what the request is expected to come to, and how many units of the limit it takes.
    private func setTokens(
        of ticket: inout Ticket, in pool: Pool, _ head: borrowing RequestHead,
        of intake: RequestIntake, inputBytes: Int
    ) {
        guard readsResponse else {
            ticket.tokens = promptTokens(intake, inputBytes: inputBytes)
            return
        }
        switch head.framing {
        // Nothing is asked of a model.
        case .none, .length(0): return
        case .length, .chunked, .untilClose: break
        }
        let expected = pool.admission.tokens.expected(of: model, size(intake))
        ticket.tokens = expected.input + expected.output
        ticket.outputTokens = expected.output
        if let seats = pool.seats { ticket.seats = seats.seats(forTokens: ticket.tokens) }
    }

    /// What is known of the request's size, from which something is to be learnt.
    private func knownSize(_ intake: RequestIntake) -> TokenEstimates.Request {
        var size = size(intake)
        if !intake.isContentKnown { size.bodyBytes = 0 }
        return size
    }

    /// What is known of the request's size.
    private func size(_ intake: RequestIntake) -> TokenEstimates.Request {
        TokenEstimates.Request(
            bodyBytes: intake.contentBytes, maxTokens: intake.body?.maxTokens,
            choices: intake.body?.choices ?? 1, tenant: tenantKey)
    }

    /// Tokens of the prompt, from its length, where nothing better is known.
    private func promptTokens(_ intake: RequestIntake, inputBytes: Int) -> Int {
        let bytes =
            switch intake.head.framing {
            case .length: intake.contentBytes
            case .none: 0
            case .chunked, .untilClose: max(inputBytes, intake.contentBytes)
            }
        return (bytes + Claim.bytesPerToken - 1) / Claim.bytesPerToken
    }

    // MARK: What it came to

    /// What the request is charged that ends now: an estimate was taken when it came, nothing is when it
    /// was not served.
    func charge(_ attempt: Attempt, _ intake: RequestIntake, inputBytes: Int) -> Charge {
        switch attempt.response.status {
        case 0, 429, 500...: return .nothing
        case 400...: return .tokens(0)
        default: return served(attempt, intake, inputBytes)
        }
    }

    /// What has been served so far, as the response reports it; else each event that carries tokens is
    /// one, each event where none is known to, and the prompt and other responses count by their length,
    /// which is a guess.
    private func served(
        _ attempt: Attempt, _ intake: RequestIntake, _ inputBytes: Int
    ) -> Charge {
        let usage = usage(attempt)
        if let input = usage.input { return .tokens(input + (usage.output ?? 0)) }
        let prompt = promptTokens(intake, inputBytes: inputBytes)
        let response = attempt.response
        let events = response.tokens > 0 ? response.tokens : response.pieces
        if events > 0 { return .estimated(guessed: prompt, counted: events) }
        return .estimated(guessed: prompt + response.bodyBytes / Claim.bytesPerToken, counted: 0)
    }

    /// What the response came to: what it reports, else its events that carry tokens; of a stream of
    /// Anthropic's that did not come to its end, no less than these, because such a stream begins with
    /// a count that it corrects at the end.
    private func usage(_ attempt: Attempt) -> TokenUsage {
        guard readsResponse else { return TokenUsage() }
        var usage = attempt.reportedUsage
        guard attempt.isStream else { return usage }
        let isPreliminary = dialect == .anthropic && !attempt.response.hasEnded
        let tokens = attempt.response.tokens
        if tokens > 0, usage.output == nil || isPreliminary {
            usage.output = max(usage.output ?? 0, tokens)
        }
        return usage
    }

    /// Whether the backend has begun to answer with success, in a form that is read.
    private func isServed(_ attempt: Attempt) -> Bool {
        readsResponse && attempt.response.status / 100 == 2
    }

    /// What the response came to; nothing where it was no success, or of a form that is not read.
    func tokens(_ attempt: Attempt) -> TokenUsage {
        isServed(attempt) ? usage(attempt) : TokenUsage()
    }

    /// Counts the tokens of a response that goes no further, whole or not: a client may have all it
    /// wants before the stream's end, and leave.
    func countTokens(_ attempt: Attempt) {
        if isServed(attempt) { traffic?.countTokens(usage(attempt)) }
    }

    /// Counts a whole response and learns from it.
    func learn(_ attempt: Attempt, _ intake: RequestIntake, in pool: Pool, now: Instant) {
        guard isServed(attempt) else { return }
        if let row = modelMetrics, !row.hasAnswered || row.name != model { takeRow(row, in: pool) }
        traffic?.countResponse(isInTime: now <= responseDeadline)
        var usage = usage(attempt)
        let response = attempt.response
        if attempt.isStream, let tokens = usage.output {
            traffic?.streams.observeStream(
                tokens: tokens,
                nanoseconds: response.lastTokenAt.nanoseconds(since: response.firstTokenAt))
        }
        // What reports a prompt and no response has made none: embeddings, reranking.
        if usage.input != nil, attempt.isReadWhole { usage.output = usage.output ?? 0 }
        pool.admission.tokens.learn(of: model, knownSize(intake), usage)
    }

    /// Takes the row of the request's model, which a backend has answered for: its traffic is counted
    /// there.
    private func takeRow(_ counted: ModelMetrics, in pool: Pool) {
        let row = pool.metrics.answered(counted, model)
        guard row !== counted, let former = traffic else { return }
        modelMetrics = row
        traffic = pool.metrics.traffic(
            row, former.streams.priorityClass, tenant: former.tenant)
    }
}
