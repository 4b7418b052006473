// What the control socket answers: the state as tables or JSON, and changes. Whoever can connect may ask for all of it; the
// permissions of the socket's file say who that is. `penstock ctl` speaks this, and `curl --unix-socket` can.
//
//     GET  /status  /explain?pool=NAME  /backend?pool=NAME&backend=URL  /overrides  /dump
//     POST /drain /undrain /limit /mode /weight /log /clear /reload /upgrade, with a form as body

internal import Bytes
internal import Gateway
internal import HTTP1
internal import Policy
internal import Reactor
internal import Telemetry

/// What only the process as a whole can do.
struct ProcessCommands {
    /// Reads the policy again, and says what came of it: what has changed, or what is wrong.
    var reload: (@escaping (Result<[String], ControlFailure>) -> Void) -> Void
    /// Has the program on disk take over, and says what came of it.
    var upgrade: (@escaping (Result<[String], ControlFailure>) -> Void) -> Void
}

/// Why something was not done, a line each.
struct ControlFailure: Error {
    var lines: [String]
}

/// Makes what the control socket answers.
struct ControlPages {
    let pages: AdminPages
    let keeper: OverrideKeeper
    /// Nil where there are none.
    let commands: () -> ProcessCommands?

    private var gateway: Gateway { pages.gateway }

    /// Calls `then` with the answer to a request with `head` and `body` of `author`.
    func make(
        for head: borrowing RequestHead, _ body: [UInt8], by author: PeerCredentials,
        _ then: @escaping (consuming AdminPage) -> Void
    ) {
        let path = head.span(head.path).text
        switch head.method {
        case .get, .head: show(path, head, then)
        case .post: change(path, body, author, then)
        default:
            var page = AdminPage(status: 405, "only GET, HEAD and POST are answered here\n")
            page.allowed = "GET, HEAD, POST"
            then(page)
        }
    }

    // MARK: What is shown

    private func show(
        _ path: String, _ head: borrowing RequestHead,
        _ then: @escaping (consuming AdminPage) -> Void
    ) {
        let query = head.span(head.query).text
        guard let form = Form(query.hasPrefix("?") ? String(query.dropFirst()) : query) else {
            return then(
                AdminPage(status: 400, "the query cannot be read; write NAME=VALUE&NAME=VALUE\n"))
        }
        let wantsTables = ControlPages.wantsTables(head)
        switch path {
        case "/overrides":
            then(
                ControlPages.page(wantsTables) { page, isTable in
                    if isTable { return StatusTables.render(keeper.shown, into: &page) }
                    StatusRenderer.append(keeper.shown, to: &page)
                    page.append(text: "\n")
                })
        case "/backend": then(backend(form))
        case "/status", "/explain", "/dump":
            if path == "/explain", form["pool"].flatMap({ gateway.configured(pool: $0) }) == nil {
                return then(AdminPage(status: 404, "\(unknownPool)\n"))
            }
            pages.observe { observed in
                guard let observed else {
                    return then(AdminPage(status: 503, "a thread does not answer\n"))
                }
                then(page(path, form, observed, wantsTables))
            }
        default:
            then(
                AdminPage(
                    status: 404,
                    "GET /status /explain?pool=NAME /backend?pool=NAME&backend=URL /overrides /dump, or POST "
                        + ControlRequest.names.map { "/\($0)" }.joined(separator: " ") + "\n"))
        }
    }

    private var unknownPool: String {
        let names = gateway.policy.pools.prefix(10).map(\.name).joined(separator: ", ")
        return "no such pool; the policy has \(names)"
    }

    private func page(
        _ path: String, _ form: Form, _ observed: GatewaySnapshot, _ wantsTables: Bool
    ) -> AdminPage {
        ControlPages.page(wantsTables && path != "/dump") { buffer, isTable in
            if path == "/dump" { return dump(observed, into: &buffer) }
            guard path == "/explain" else {
                return isTable
                    ? StatusTables.render(observed, into: &buffer)
                    : StatusRenderer.render(observed, into: &buffer)
            }
            guard let pool = observed.pools.first(where: { $0.metrics.name == form["pool"] }) else {
                return
            }
            if isTable { return StatusTables.render(pool, of: observed, into: &buffer) }
            StatusRenderer.render(pool, of: observed, into: &buffer)
        }
    }

    /// All that is known, as one object: the state, the limits that were found, and the policy in force.
    private func dump(_ observed: GatewaySnapshot, into buffer: inout ByteBuffer) {
        buffer.append(text: "{\"status\":")
        StatusRenderer.render(observed, into: &buffer)
        buffer.append(text: ",\"found_limits\":{")
        for (index, found) in gateway.foundLimits.enumerated() {
            if index > 0 { buffer.append(text: ",") }
            buffer.append(jsonString: found.pool)
            buffer.append(text: ":{")
            let limits = found.limits.sorted { $0.key < $1.key }
            for (index, limit) in limits.enumerated() {
                if index > 0 { buffer.append(text: ",") }
                buffer.append(jsonString: limit.key)
                buffer.append(text: ":\(limit.value)")
            }
            buffer.append(text: "}")
        }
        buffer.append(text: "},\"policy\":")
        buffer.append(jsonString: PolicyDump.yaml(gateway.policy))
        buffer.append(text: "}\n")
    }

    /// What is in flight at one backend, for who waits until it is drained.
    private func backend(_ form: Form) -> AdminPage {
        guard let pool = form["pool"], let name = form["backend"],
            let backend = gateway.backend(named: name, of: pool),
            let count = gateway.shown(backend)?.inFlight
        else { return AdminPage(status: 404, "no such backend\n") }
        return AdminPage("\(count)\n")
    }

    private static func page(
        _ wantsTables: Bool, _ render: (inout ByteBuffer, Bool) -> Void
    ) -> AdminPage {
        var page = AdminPage()
        page.contentType = wantsTables ? TextTable.contentType : StatusRenderer.contentType
        render(&page.body, wantsTables)
        return page
    }

    private static func wantsTables(_ head: borrowing RequestHead) -> Bool {
        guard let field = head.firstField(.accept) else { return false }
        return head.value(of: field).text.hasPrefix("text/")
    }

    // MARK: What is changed

    private func change(
        _ path: String, _ body: [UInt8], _ author: PeerCredentials,
        _ then: @escaping (consuming AdminPage) -> Void
    ) {
        guard let text = String(validating: body, as: UTF8.self), let form = Form(text) else {
            return then(
                AdminPage(status: 400, "the body cannot be read; write NAME=VALUE&NAME=VALUE\n"))
        }
        do throws(ControlRequest.Fault) {
            carryOut(try ControlRequest(String(path.dropFirst()), form), author, then)
        } catch {
            let isKnown = ControlRequest.names.contains(String(path.dropFirst()))
            then(AdminPage(status: isKnown ? 400 : 404, "\(error.text)\n"))
        }
    }

    private func carryOut(
        _ request: ControlRequest, _ author: PeerCredentials,
        _ then: @escaping (consuming AdminPage) -> Void
    ) {
        do throws(OverrideKeeper.Refusal) {
            switch request {
            case .make(let wanted, let duration):
                let change = try known(wanted)
                try keeper.make(change, for: duration, by: author)
                then(AdminPage("\(ControlPages.sentence(change, duration))\n"))
            case .takeBack(let wanted):
                let change = try known(wanted)
                try keeper.takeBack(change, by: author)
                let value = change.configuredName(in: gateway.policy) ?? "gone"
                then(AdminPage("as the policy says again: \(value)\n"))
            case .takeAllBack:
                let count = keeper.takeAllBack(by: author)
                then(AdminPage("\(count) taken back\n"))
            case .reload: run(commands()?.reload, then)
            case .upgrade: run(commands()?.upgrade, then)
            }
        } catch {
            then(AdminPage(status: error.isUnknown ? 404 : 409, "\(error.text)\n"))
        }
    }

    private func run(
        _ command: ((@escaping (Result<[String], ControlFailure>) -> Void) -> Void)?,
        _ then: @escaping (consuming AdminPage) -> Void
    ) {
        guard let command else {
            return then(AdminPage(status: 503, "this process cannot do that\n"))
        }
        command { result in
            switch result {
            case .success(let lines):
                then(AdminPage(lines.map { "\($0)\n" }.joined()))
            case .failure(let failure):
                then(AdminPage(status: 409, failure.lines.map { "\($0)\n" }.joined()))
            }
        }
    }

    /// The change that is meant; throws where a name means nothing.
    private func known(_ wanted: ControlRequest.Wanted) throws(OverrideKeeper.Refusal) -> Change {
        switch wanted {
        case .drain(let pool, let backend):
            .drain(pool: pool, try named(backend, of: pool))
        case .limit(let pool, let backend?, let limit):
            .limit(pool: pool, try named(backend, of: pool), limit)
        case .limit(let pool, nil, let limit): .limit(pool: pool, nil, limit)
        case .mode(let pool, let mode): .mode(pool: pool, mode)
        case .weight(let pool, let tenant, let weight):
            .weight(pool: pool, tenant: tenant, weight)
        case .logLevel(let level): .logLevel(level)
        }
    }

    private func named(
        _ backend: String, of pool: String
    ) throws(OverrideKeeper.Refusal) -> Change.BackendName {
        if let found = gateway.backend(named: backend, of: pool) {
            return Change.BackendName(label: found.label, key: found.key)
        }
        // One that is changed may have gone for a while.
        for override in keeper.overrides.all where override.change.pool == pool {
            if let known = override.change.backend, known.label == backend { return known }
        }
        let names = gateway.configured(pool: pool)?.backends.prefix(10).map(\.label) ?? []
        throw OverrideKeeper.Refusal(
            isUnknown: true,
            text: gateway.configured(pool: pool) == nil
                ? unknownPool
                : "no such backend in pool \(pool); there are \(names.joined(separator: ", "))")
    }

    private static func sentence(_ change: Change, _ duration: Duration?) -> String {
        let about = [change.pool, change.backend?.label, change.tenant].compactMap(\.self)
        let what = (about + [change.value]).joined(separator: " ")
        let end = duration.map { "for \($0.written)" } ?? "until it is taken back"
        return "\(change.verb.rawValue) \(what), \(end)"
    }
}
