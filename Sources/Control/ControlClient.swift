// The other end of the control socket: one question, one answer.

internal import Gateway
internal import Policy
internal import Reactor

/// Asks a running gateway.
package struct ControlClient {
    /// The socket's path.
    private let path: String

    /// Where packages have the socket.
    package static let usualPath = "/run/penstock/ctl.sock"
    /// How large an answer may be: the state of a thousand backends has a few hundred bytes for each.
    private static let mostBytes = 32 << 20

    /// Why there is no answer, or none that one would want.
    package struct Failure: Error {
        /// A line or more for the operator.
        package var text: String
        /// Whether the gateway was not reached at all.
        package var isUnreached = false
    }

    /// What answers are to be.
    package enum Form: String {
        case tables = "text/tab-separated-values"
        case json = "application/json"
    }

    /// Asks the gateway with its control socket at `path`.
    package init(path: String) { self.path = path }

    /// What stands at `page`, with its query.
    package func get(_ page: String, as form: Form = .tables) throws(Failure) -> String {
        try ask("GET", page, [], ["Accept: \(form.rawValue)"], seconds: 10)
    }

    /// Has `name` done with `values`; what is answered.
    ///
    /// It may take up to `seconds`.
    package func post(
        _ name: String, _ values: [String: String] = [:], seconds: Int = 10
    ) throws(Failure) -> String {
        try ask(
            "POST", "/\(name)", Array(ControlClient.query(values).utf8),
            ["Content-Type: application/x-www-form-urlencoded"], seconds: seconds)
    }

    /// Names and values as a query, and as a body.
    package static func query(_ values: [String: String]) -> String {
        var form = Control.Form()
        for (name, value) in values { form[name] = value }
        return form.text
    }

    private func ask(
        _ method: String, _ page: String, _ body: [UInt8], _ fields: [String], seconds: Int
    ) throws(Failure) -> String {
        let address = BackendAddress(
            scheme: .unix, host: "", port: 0, socketPath: path, label: path)
        var request = FetchRequest(
            DialTarget(address), path: page, timeoutMilliseconds: seconds * 1000)
        request.method = method
        request.fields = fields
        request.mostBytes = ControlClient.mostBytes
        if method == "POST" { request.body = body }
        let answer: Result<FetchResponse, FetchFailure>?
        do throws(SystemError) {
            answer = try ControlClient.fetch(request)
        } catch {
            throw Failure(text: "error: \(error.description)", isUnreached: true)
        }
        switch answer {
        case .success(let response):
            let text = String(decoding: response.body, as: UTF8.self)
            guard (200..<300).contains(response.status) else {
                // Faults of a policy say so themselves, each behind its place.
                let isTold = text.contains(": error: ")
                let told = text.isEmpty ? "status \(response.status)" : text
                throw Failure(text: isTold ? told : "error: \(told)")
            }
            return text
        case .failure(.connect):
            throw Failure(
                text:
                    "error: no gateway answers at \(path); it has to run with `control: unix:\(path)` in its "
                    + "policy, and you need the right to write to that socket (or name another one with --socket)",
                isUnreached: true)
        case .failure(let failure):
            throw Failure(text: "error: the gateway at \(path): \(failure.text)", isUnreached: true)
        case nil: throw Failure(text: "error: no memory is left", isUnreached: true)
        }
    }

    private static func fetch(
        _ request: FetchRequest
    ) throws(SystemError) -> Result<FetchResponse, FetchFailure>? {
        let reactor = try Reactor()
        let fetcher = Fetcher(askingBackendsIn: reactor)
        var answer: Result<FetchResponse, FetchFailure>?
        let fetch = fetcher.begin(request) { result in
            answer = result
            reactor.stop()
        }
        guard fetch != nil else { return nil }
        reactor.run()
        return answer
    }
}
