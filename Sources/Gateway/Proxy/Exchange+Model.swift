// Routing by model: the body is read until it names its model, and forwarded from what is held
// meanwhile (`Exchange+BodyBeforeQueue.swift`); a name that stands for another one is replaced on the way.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy
internal import Reactor
internal import Telemetry

extension Exchange {
    /// Finds the route, or begins to read the body for it.
    func route(_ head: borrowing RequestHead, from client: ClientConnection) {
        if snapshot.hasBulk, answersBulk(head, client) { return }
        if case .length(let length) = head.framing, length > snapshot.maxBodyBytes {
            reply(.bodyTooLarge)
            return
        }
        if snapshot.refusesAmbiguousPaths, isAmbiguous(head) {
            reply(.pathAmbiguous)
            return
        }
        let routes = snapshot.routes
        if routes.hasCrossOrigin, answerPreflight(head) { return }
        if routes.hasPages, answerPage(head, client) { return }
        switch routes.match(head, model: nil) {
        case .none: reply(.noRoute)
        case .route(let index):
            if routes.hasRules, !takeRules(ofRoute: index, head) { return }
            if isBodyWanted(onRoute: index), !intake.isComplete {
                if !refusesKey(onRoutes: [index], head, client) { lookAtBody(onRoute: index) }
            } else {
                take(index, head, from: client)
            }
        case .needsModel:
            if isPreflight(head), let first = routes.candidates(head).first {
                take(first, head, from: client)
            } else if !refusesKey(onRoutes: routes.candidates(head), head, client) {
                readModel(head)
            }
        }
    }

    /// Refuses a request whose key none of these routes takes: before its body is asked for and held, and
    /// before it is told what is served here.
    func refusesKey(
        onRoutes indices: @autoclosure () -> [Int], _ head: borrowing RequestHead,
        _ client: ClientConnection
    ) -> Bool {
        guard snapshot.requiresKeys else { return false }
        var refusal: Reason?
        for index in indices() {
            let pool = snapshot.pools[snapshot.policy.routes[index].pool]
            guard let fault = Claim.keyFault(in: pool, head, from: client) else { return false }
            refusal = refusal ?? fault
        }
        guard let refusal else { return false }
        reply(refusal)
        return true
    }

    /// Whether a browser asks, without a key and a body, what it may send (Fetch, section 3.3.2).
    func isPreflight(_ head: borrowing RequestHead) -> Bool {
        guard case .options = head.method else { return false }
        var hasOrigin = false
        var hasMethod = false
        for field in head.fields where field.known == .other {
            let name = head.name(of: field)
            if name.equals(lowercase: "origin") { hasOrigin = true }
            if name.equals(lowercase: "access-control-request-method") {
                // Browsers send one.
                if hasMethod { return false }
                hasMethod = true
            }
        }
        return hasOrigin && hasMethod
    }

    /// Whether the path means another one to some servers; models' names may have slashes.
    func isAmbiguous(_ head: borrowing RequestHead) -> Bool {
        let path = head.span(head.path)
        guard PathSegments.areAmbiguous(in: path) else { return false }
        return PathSegments.areAmbiguous(
            in: path, names: ModelPath.range(in: path) ?? ModelList.nameRange(in: path))
    }

    /// Finds the model in the path, or begins to read the body.
    private func readModel(_ head: borrowing RequestHead) {
        if let range = Exchange.modelRange(in: head) {
            claim.noteModelPath(range)
            var name: [UInt8] = []
            guard Exchange.decode(range, of: head, into: &name) else {
                reply(.modelUnknown)
                return
            }
            let routes = snapshot.routes
            if !intake.isComplete, routes.looksForStreams,
                case .route(let index) = routes.match(head, named: name),
                isBodyWanted(onRoute: index)
            {
                lookAtBody(onRoute: index)
            } else {
                takeModel(name)
            }
            return
        }
        if intake.isComplete {
            // Without a body no model is named, and routes for some are not meant.
            takeModel([], orElse: .noRoute)
            return
        }
        readBodyFirst(head)
    }

    /// Begins to read the body for what decides about the request.
    private func readBodyFirst(_ head: borrowing RequestHead) {
        switch intake.makeBody().begin(head) {
        case .encoding?:
            reply(.bodyEncoding)
            return
        case .memory?:
            reply(.exhausted)
            return
        case nil: break
        }
        beginReadingBody()
        if let client { askForBody(client) }
    }

    /// Begins to look at the body for what the gateway would like to know of a request for the route with
    /// that index.
    private func lookAtBody(onRoute index: Int) {
        let pool = snapshot.pools[snapshot.policy.routes[index].pool]
        let coding = ContentCoding(of: intake.head)
        intake.makeBody().begin(
            looking: RequestBody.Look(
                mayBeGzip: coding == .gzip,
                expands: pool.chargesLengths || isStreamWanted(onRoute: index),
                decidesWithin: isUsageWanted(onRoute: index) ? halfOfHeldBytes : 0))
        beginReadingBody()
        if let client { askForBody(client) }
    }

    /// Whether the body is expanded so that its length is known, which is charged for, and was not begun to
    /// be read.
    private func expandsBody(in pool: Pool) -> Bool {
        guard pool.chargesLengths else { return false }
        intake.noteCoding()
        guard intake.coding == .gzip, !intake.isComplete, intake.body?.isBegun != true else {
            return false
        }
        intake.makeBody().begin(looking: RequestBody.Look(mayBeGzip: true, expands: true))
        return true
    }

    /// Asks a client for its body that waits for that.
    private func askForBody(_ client: ClientConnection) {
        if intake.head.expectsContinue, !intake.hasAskedForBody { intake.askForBody(client) }
    }

    /// Where the path names a model, in the head's bytes.
    private static func modelRange(in head: borrowing RequestHead) -> Range<Int>? {
        guard let range = ModelPath.range(in: head.span(head.path)) else { return nil }
        let start = head.path.lowerBound
        return (start + range.lowerBound)..<(start + range.upperBound)
    }

    private static func decode(
        _ range: Range<Int>, of head: borrowing RequestHead, into name: inout [UInt8]
    ) -> Bool {
        ModelPath.decode(head.span(range), into: &name)
    }

    /// The model that the path names, else the body; empty where neither has.
    func modelName(_ body: RequestBody) -> [UInt8] {
        guard let range = claim.modelPathRange else { return body.model }
        var name: [UInt8] = []
        return Exchange.decode(range, of: intake.head, into: &name) ? name : []
    }

    /// Whether the body has told all that decides about the request.
    func isRead(_ body: RequestBody) -> Bool {
        if body.isUnread { return true }
        let routes = snapshot.routes
        guard routes.looksForStreams else { return body.hasModel }
        switch routes.match(intake.head, named: modelName(body)) {
        case .needsModel: return false
        case .none: return true
        case .route(let index):
            if isUsageWanted(onRoute: index) {
                // Where it may be said once more, the last counts.
                return body.isNeeded && body.streams == false || isHalfHeld(body)
            }
            return !isStreamWanted(onRoute: index) || tellsOfStream(body)
        }
    }

    /// The model is known, or known not to be named: finds the route and goes on.
    func takeModel(_ name: [UInt8], orElse missing: Reason = .modelMissing) {
        let routes = snapshot.routes
        intake.body?.endLook()
        let isFixed = name.isEmpty || isModelOnlySeen
        let alias = isFixed ? nil : routes.modelBehind(name)
        claim.setModel(alias ?? name)
        switch routes.match(intake.head, model: claim.model) {
        case .route(let index):
            if let alias, !replaceModel(alias) { return }
            if let client { take(index, intake.head, from: client) }
        case .none, .needsModel:
            reply(name.isEmpty ? missing : .modelUnknown)
        }
    }

    /// Whether the model has no part in finding the route, and stands in a body that is only looked at.
    private var isModelOnlySeen: Bool {
        intake.body?.isOnlyLookedAt == true && claim.modelPathRange == nil
    }

    /// Whether the name in the body cannot be replaced.
    var isModelFixed: Bool { intake.body?.isCompressed == true && claim.modelPathRange == nil }

    /// What the backend's Content-Length differs by from the client's.
    var lengthDifference: Int {
        claim.changesBody ? intake.lengthDifference(claim.bodyChange) : 0
    }

    /// Has the request say `name` when it is forwarded; false where that cannot be done, which has
    /// been answered then.
    func replaceModel(_ name: [UInt8]) -> Bool {
        if isModelFixed {
            reply(.bodyEncoding)
            return false
        }
        claim.replaceModel(by: name)
        return true
    }

    /// Takes the route with that index: its pool is asked for a permit.
    private func take(
        _ index: Int, _ head: borrowing RequestHead, from client: ClientConnection
    ) {
        routeIndex = index
        if snapshot.routes.hasRules, rules == nil, !takeRules(ofRoute: index, head) { return }
        let found =
            snapshot.spreads
            ? choosePool(ofRoute: index, head, client)
            : snapshot.pools[snapshot.policy.routes[index].pool]
        pool = found
        if case .options = head.method {
            switch MaxForwards(head) {
            case .unlimited: break
            case .hops(let hops):
                if hops == 0 {
                    answerOptions()
                    return
                }
            case .invalid:
                reply(.badRequest)
                return
            }
        }
        if head.asksForWebSocket {
            guard found.settings.webSocket == .allow else {
                reply(.upgradeRefused)
                return
            }
            asksForTunnel = true
        }
        let expands = expandsBody(in: found)
        if !intake.isComplete, expands || readsBodyBefore(head, client) {
            if Claim.keyFault(in: found, head, from: client) != nil {
                // Told at once, and nothing is held for it.
                offer(to: found, head, from: client)
                return
            }
            beginReadingBody()
            if expands { askForBody(client) }
        } else {
            offer(to: found, head, from: client)
        }
    }
}
