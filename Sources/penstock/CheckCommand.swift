// `penstock check`: what `serve` would say about policy files, without serving.

import Control
internal import Gateway
import Policy
internal import Reactor

/// Checks policy files with the code that `serve` runs.
struct CheckCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check policy files and report every fault with its line and column.",
        discussion: """
            Exits with 0 when all files are valid, else with 1 after one line for each fault:

              policy.yaml:7:17: error: pools.chat.queue.max_wait: `2` has no unit; write a duration such as 10s

            What this machine would have to give is looked at too: certificates, keys, secrets, folders of logs, addresses, \
            descriptors. An address that is in use counts as there. Leave that out with --policy-only, where the \
            policy is for another machine.

            --explain says what becomes of a request, by the code that serves:

              penstock check --explain 'POST /v1/chat/completions key=sk-1 model=llama' policy.yaml

            \(RequestSketch.form.prefix(1).uppercased())\(RequestSketch.form.dropFirst()). No backend is asked.
            """)

    /// How the findings are written.
    enum Format: String, CaseIterable, LosslessStringConvertible {
        case text, json, github

        var description: String { rawValue }

        init?(_ description: String) { self.init(rawValue: description) }
    }

    static var parameters: [Parameter<Self>] {
        [
            .arguments("file", \.files, "The policy files.", kind: .file),
            .flag("--dump", \.dump, "Print each valid policy whole, with every default filled in."),
            .flag(
                "--policy-only", \.isPolicyOnly,
                "Look at the policy and its keys files alone, and at nothing of this machine."),
            .option(
                "--explain", value: "request", \.explain,
                "Say which route, pool, tenant, class, quota and backends a request gets."),
            .flag(
                "--connect", \.connects,
                "Dial each backend, with its TLS settings, and ask it for HEAD /; one that does not answer is "
                    + "a fault."),
            .option(
                "--format", value: "format", \.format,
                "text for people, json for programs, github for annotations of a workflow.",
                values: Format.allCases.map(\.rawValue)),
        ]
    }

    var files: [String] = []
    var dump = false
    var isPolicyOnly = false
    var explain: String?
    var connects = false
    var format = Format.text

    func validate() throws {
        if dump, format != .text { throw ValidationError("--dump is text; leave --format out") }
        if let explain { _ = try RequestSketch(explain) }
    }

    func run() throws {
        var reports: [CheckReport] = []
        for file in files {
            let report = report(on: file)
            reports.append(report)
            switch format {
            case .text: tell(report)
            case .github:
                if report.error == nil { tell(report) }
                for command in report.workflowCommands { print(command) }
            case .json: break
            }
        }
        if format == .json { print(CheckReport.json(reports)) }
        if reports.contains(where: { $0.error != nil }) { throw ExitCode.failure }
    }

    private func report(on file: String) -> CheckReport {
        var report = CheckReport(file: file)
        do throws(PolicyError) {
            let loaded = try PolicyLoader.read(path: file)
            report.error = loaded.error(
                isPolicyOnly ? [] : MachineCheck.faults(loaded.policy, loaded.sources),
                isPolicyOnly: isPolicyOnly)
            report.included = loaded.sources.included
            guard report.error == nil else { return report }
            if dump { print(PolicyDump.yaml(loaded.policy), terminator: "") }
            if let explain {
                report.explanation = facts(explain, loaded)
            }
            if connects { connect(loaded, &report) }
        } catch {
            report.error = error
        }
        return report
    }
}

// MARK: - What is asked for besides

extension CheckCommand {
    private func facts(
        _ request: String, _ loaded: LoadedPolicy
    ) -> [CheckReport.Fact] {
        do {
            let sketch = try RequestSketch(request)
            let found = try RequestExplanation(
                of: sketch.bytes, from: sketch.peer, under: loaded.policy)
            return ExplanationFacts(policy: loaded.policy, found: found) { index in
                loaded.includedPlace(of: "routes[\(index)]")
            }.all
        } catch {
            return [CheckReport.Fact("outcome", "cannot be told: \(error)")]
        }
    }

    private func connect(
        _ loaded: LoadedPolicy, _ report: inout CheckReport
    ) {
        let findings: [BackendFinding]
        do throws(SystemError) {
            findings = try BackendProbe.findings(loaded.policy)
        } catch {
            let fault = PolicyFault(
                path: "pools", problem: "no backend can be dialled: \(error)",
                remedy: "give the process more descriptors")
            report.error = loaded.error([fault], isPolicyOnly: isPolicyOnly)
            return
        }
        report.backends = findings.map { .init($0.path, "\($0.backend): \($0.text)") }
        report.error = loaded.error(
            findings.filter { !$0.isReached }.map { finding in
                PolicyFault(
                    path: finding.path,
                    problem: "\(finding.backend) does not answer: \(finding.text)",
                    remedy: "start it, or correct its address or the pool's tls")
            }, isPolicyOnly: isPolicyOnly)
    }

    /// What people read: findings on standard output, faults on the other.
    private func tell(_ report: CheckReport) {
        var standardError = StandardError()
        for fact in report.backends { print("\(report.file): \(fact.name): \(fact.text)") }
        if let error = report.error {
            print(error, to: &standardError)
            return
        }
        let width = report.explanation.map(\.name.count).max() ?? 0
        for fact in report.explanation {
            let gap = String(repeating: " ", count: width - fact.name.count)
            print("\(fact.name)\(gap)  \(fact.text)")
        }
        let isSaid = dump || !report.explanation.isEmpty || !report.backends.isEmpty
        guard !isSaid else { return }
        let count = report.included.count
        let more = count == 0 ? "" : ", with \(count) included file\(count == 1 ? "" : "s")"
        print("\(report.file): valid\(more)")
    }
}
