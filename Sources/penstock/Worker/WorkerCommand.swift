// `penstock worker`: an engine that comes to gateways which cannot come to it.

internal import Admission
import Control
import Gateway
import Policy
internal import Reactor

/// Runs a worker.
struct WorkerCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Serve gateways from beside an engine that they cannot reach.",
        discussion: """
            Started where the engine is, behind a NAT or on a machine that lives for an hour, it opens connections to the \
            workers' listener of one or several gateways and answers the requests that come down with those of the engine:

              penstock worker --gateway https://gateway:8090 --pool chat \\
                --engine http://127.0.0.1:8000 --key-file worker.key

            It has as many connections open as the engine can take requests: --credits of them, or with `auto` as many as \
            measuring shows to be best. Several gateways share that number; none of them is told of the others. While the \
            engine cannot be connected to, or fails its check (--health), no request is taken.

            SIGTERM or SIGINT takes no more requests, finishes those under way and ends; a second one ends at once. With \
            --admin it has pages of its own: /metrics, /status, /healthz and /readyz.
            """)

    /// How many requests the engine gets at once.
    enum Credits: LosslessStringConvertible {
        case fixed(Int)
        case auto

        var description: String {
            switch self {
            case .fixed(let count): "\(count)"
            case .auto: "auto"
            }
        }

        init?(_ description: String) {
            if description == "auto" {
                self = .auto
            } else if let count = Int(description), (1...CreditSettings.mostCredits).contains(count)
            {
                self = .fixed(count)
            } else {
                return nil
            }
        }
    }

    static var parameters: [Parameter<Self>] {
        [
            .options(
                "--gateway", value: "url", \.gateways,
                "A gateway's listener for workers, http:// or https://; up to 16 of them, each with its own --gateway."
            ),
            .option(
                "--pool", value: "name", \.pool, "The gateways' pool to serve.", isRequired: true),
            .option(
                "--engine", value: "url", \.engine,
                "The engine: http://, https:// or http+unix://.",
                isRequired: true),
            .option(
                "--key-file", value: "file", \.keyFile,
                "File with the worker's key, which penstock key new --worker has shown.",
                kind: .file,
                isRequired: true),
            .option(
                "--credits", value: "number", \.credits,
                "Requests that the engine gets at once, 1 to 10000, or auto for as many as are found to be best."
            ),
            .option(
                "--max-credits", value: "number", \.mostCredits,
                "The most that auto may come to, 1 to 10000."),
            .option(
                "--name", value: "name", \.name,
                "What the worker is called, up to 55 letters, digits and .:_- ; the machine's name without it."
            ),
            .option(
                "--health", value: "path", \.healthPath,
                "Path that the engine is asked for every few seconds, such as /health; what is not answered with 2xx takes no requests."
            ),
            .option(
                "--cancel", value: "rule", \.cancel,
                "What the engine does when a connection to it is closed: stops, continues, or auto, where that is learnt.",
                values: CancelRule.allCases.map(\.rawValue)),
            .option(
                "--admin", value: "address", \.admin, "Where its pages are, such as 127.0.0.1:9092."
            ),
            .option(
                "--drain", value: "seconds", \.drainSeconds,
                "Time that requests under way get after SIGTERM, 0 to 86400."),
            .option(
                "--ca-file", value: "file", \.authorityFile,
                "PEM file with the authorities that are trusted for gateways; the system's without it.",
                kind: .file),
            .option(
                "--cert-file", value: "file", \.certificateFile,
                "PEM file with the certificate that gateways are shown.", kind: .file),
            .option(
                "--cert-key-file", value: "file", \.certificateKeyFile, "PEM file with its key.",
                kind: .file),
        ]
    }

    var gateways: [String] = []
    var pool = ""
    var engine = ""
    var keyFile = ""
    var credits = Credits.auto
    var mostCredits = 1_000
    var name: String?
    var healthPath: String?
    var cancel = CancelRule.auto
    var admin: String?
    var drainSeconds = 30
    var authorityFile: String?
    var certificateFile: String?
    var certificateKeyFile: String?

    func validate() throws {
        guard gateways.count <= CreditSettings.mostPlaces else {
            throw ValidationError("--gateway may be there \(CreditSettings.mostPlaces) times")
        }
        for gateway in gateways {
            guard try address(gateway, "--gateway").scheme != .unix else {
                throw ValidationError("--gateway: write http:// or https://")
            }
        }
        _ = try address(engine, "--engine")
        guard KeysFile.arePoolNames(pool), !pool.contains(",") else {
            throw ValidationError("--pool is the name of a pool: small letters, digits, - and _")
        }
        guard (1...CreditSettings.mostCredits).contains(mostCredits) else {
            throw ValidationError("--max-credits must be 1 to \(CreditSettings.mostCredits)")
        }
        guard (0...86_400).contains(drainSeconds) else {
            throw ValidationError("--drain must be 0 to 86400")
        }
        guard name.map(WorkerName.isValid) ?? true else {
            throw ValidationError(
                "--name has 1 to \(WorkerName.mostBytes) letters, digits and .:_-")
        }
        guard (certificateFile == nil) == (certificateKeyFile == nil) else {
            throw ValidationError("--cert-file and --cert-key-file belong together")
        }
        if case .fixed(let count) = credits, count < gateways.count {
            throw ValidationError(
                "--credits \(count) is less than one for each gateway; give fewer gateways, or more credits"
            )
        }
    }

    private func address(_ text: String, _ option: String) throws -> BackendAddress {
        var problem = ""
        guard let address = BackendAddress.read(url: text, &problem) else {
            throw ValidationError("\(option): \(problem)")
        }
        return address
    }

    func run() throws {
        do {
            let service = try WorkerService(
                terms(), version: Penstock.version, seed: UInt64.random(in: .min ... .max))
            service.run()
        } catch let fault as KeyFile.Fault {
            throw fail("error: \(fault.text)")
        } catch let error as ServeError {
            throw fail(error.text)
        } catch let faults as TLSFaults {
            throw fail(faults.all.map { "error: \($0)" }.joined(separator: "\n"))
        } catch let error as SystemError {
            throw fail("error: \(error.description)")
        }
    }

    private func terms() throws -> WorkerTerms {
        var tls = TLSSettings()
        tls.authorityFile = authorityFile
        tls.certificateFile = certificateFile
        tls.keyFile = certificateKeyFile
        let addresses = try gateways.map { try address($0, "--gateway") }
        let isSecured = addresses.contains { $0.scheme == .https }
        let credentials = isSecured ? try TLSCredentials.load(tls) : nil
        var limit = WorkerTerms.Credits.auto
        var most = mostCredits
        if case .fixed(let count) = credits {
            limit = .fixed(count)
            most = count
        }
        let settings = CreditSettings(
            places: addresses.map {
                .init($0, credentials: $0.scheme == .https ? credentials : nil)
            },
            pool: pool, key: try KeyFile.read(keyFile), name: WorkerName.make(name), most: most)
        var terms = WorkerTerms(
            credits: settings, engine: try address(engine, "--engine"), limit: limit)
        terms.healthPath = healthPath
        terms.cancel = cancel
        terms.admin = admin
        terms.drainSeconds = drainSeconds
        return terms
    }

    private func fail(_ text: String) -> ExitCode {
        var standardError = StandardError()
        print(text, to: &standardError)
        return .failure
    }
}

extension CancelRule: LosslessStringConvertible {
    /// Its word in policies.
    package var description: String { rawValue }

    /// The rule of that word, where there is one.
    package init?(_ description: String) { self.init(rawValue: description) }
}
