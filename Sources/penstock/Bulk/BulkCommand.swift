// `penstock bulk`: a file of lines in, a file of answers out.

import Demo
import Policy
internal import Reactor

/// Sends the lines of a file through a gateway's bulk lane.
struct BulkCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "bulk",
        abstract: "Send a file of requests through a gateway's bulk lane.",
        discussion: """
            The file has one request a line, in the form of OpenAI's batch files, or bodies alone where the URL says \
            what they are for:

              penstock bulk --in batch.jsonl --out answers.jsonl http://gateway:8080/bulk
              penstock bulk --in inputs.jsonl --out vectors.jsonl http://gateway:8080/bulk/v1/embeddings

            Answers are written as they come, each with its line's index, counted from 0 over lines that are not \
            blank. The file of answers is all that is kept of the work: started again with the same two files, the \
            command goes on where it was, whether it was stopped, killed, or lost its connection. A line with an \
            answer is not asked again, be it one that failed; take such answers out of the file to have their lines \
            asked once more.

            It ends with status 0 when every line has an answer with a status of 2xx, else with 1.
            """)

    static var parameters: [Parameter<Self>] {
        [
            .argument(
                "url", \.url,
                "The bulk lane's URL: http://, https:// or http+unix://, and its path."
            ),
            .option(
                "--in", value: "file", \.input, "File with the lines.", kind: .file,
                isRequired: true),
            .option(
                "--out", value: "file", \.output,
                "File for the answers; what it has already is not asked again.", kind: .file,
                isRequired: true),
            .option(
                "--key-file", value: "file", \.keyFile,
                "File with the API key, sent as Authorization: Bearer.", kind: .file),
            .option(
                "--ca-file", value: "file", \.authorityFile,
                "PEM file with the authorities that are trusted, for https; the system's without it.",
                kind: .file),
            .option(
                "--order", value: "order", \.order,
                "Order of the answers: as they end, or that of the lines.",
                values: Order.allCases.map(\.rawValue)),
            .option(
                "--tries", value: "number", \.tries,
                "Connections that may fail one after the other, none of which brought an answer, 1 to 1000."
            ),
        ]
    }

    /// The orders of answers.
    enum Order: String, CaseIterable, LosslessStringConvertible {
        case ended, input

        var description: String { rawValue }

        init?(_ description: String) { self.init(rawValue: description) }
    }

    var url = ""
    var input = ""
    var output = ""
    var keyFile: String?
    var authorityFile: String?
    var order = Order.ended
    var tries = 10

    func validate() throws {
        guard (1...1000).contains(tries) else {
            throw ValidationError("--tries must be 1 to 1000")
        }
        var problem = ""
        guard BackendAddress.read(url: url, &problem) != nil else {
            throw ValidationError("the URL: \(problem)")
        }
    }

    func run() throws {
        // Before any thread is started: threads inherit the mask that keeps signals from them.
        SignalSource.blockSignals()
        do {
            let transfer = try BulkTransfer(settings(), input: input, output: output)
            let ending = transfer.run()
            print(transfer.summary)
            if let text = ending { throw BulkFailure(text: text) }
            if transfer.failedCount > 0 { throw ExitCode.failure }
        } catch let failure as BulkFailure {
            throw fail("error: \(failure.text)")
        } catch let fault as KeyFile.Fault {
            throw fail("error: \(fault.text)")
        } catch let error as SystemError {
            throw fail("error: \(error.description)")
        }
    }

    private func settings() throws -> BulkTransfer.Settings {
        var problem = ""
        guard let address = BackendAddress.read(url: url, &problem) else {
            throw BulkFailure(text: problem)
        }
        var credentials: TLSCredentials?
        if address.scheme == .https {
            var tls = TLSSettings()
            tls.authorityFile = authorityFile
            do {
                credentials = try TLSCredentials.load(tls)
            } catch {
                throw BulkFailure(
                    text:
                        "the certificates that are trusted cannot be read; name others with --ca-file"
                )
            }
        }
        return BulkTransfer.Settings(
            address: address, credentials: credentials, key: try keyFile.map(KeyFile.read) ?? [],
            keepsOrder: order == .input, tries: tries)
    }

    private func fail(_ text: String) -> ExitCode {
        var standardError = StandardError()
        print(text, to: &standardError)
        return .failure
    }
}

/// Why a transfer cannot go on.
struct BulkFailure: Error {
    /// What is wrong, and what would be right.
    var text: String
}
