// A policy with everything that it needs from this machine, got before anything changes. Files may take as
// long as they like: a running gateway has this done on a thread of its own, and meanwhile answers its
// pages and its signals.

internal import Gateway
internal import Policy
internal import Reactor
internal import Telemetry

/// A policy that can be put in force.
struct PreparedPolicy: Sendable {
    /// What the file says.
    let policy: Policy
    /// The files that say it.
    let sources: PolicySources
    /// What its pools and listeners trust and show.
    let credentials: PolicyCredentials
    /// What it logs to, open.
    let logs: LogWriters

    /// What a running gateway has already, and what is taken over from it.
    struct Present: Sendable {
        /// Open logs.
        var logs: LogWriters?
        /// Certificates.
        var credentials = PolicyCredentials.Known()
        /// Where it listens.
        var addresses: [ListenAddress] = []
    }

    /// Why a policy cannot be put in force.
    enum Failure: Error, CustomStringConvertible {
        /// Its file, or what it asks of the machine.
        case invalid(PolicyError)
        /// A log that could not be opened in the end.
        case log(LogWriter.Failure)

        /// One line for each fault.
        var description: String {
            switch self {
            case .invalid(let error): error.description
            case .log(let failure): "error: \(failure.description)"
            }
        }
    }

    /// Reads the policy at `path` and gets what it needs; throws all that is wrong with it.
    init(path: String, besides present: Present = Present()) throws(Failure) {
        do throws(PolicyError) {
            let loaded = try PolicyLoader.read(path: path)
            policy = loaded.policy
            sources = loaded.sources
            credentials = PolicyCredentials(policy, known: present.credentials)
            let faults = MachineCheck.faults(
                policy, sources, credentials, present: present.addresses)
            if let error = loaded.error(faults) { throw error }
        } catch {
            throw .invalid(error)
        }
        do throws(LogWriter.Failure) {
            logs = try LogWriters(policy.log, former: present.logs)
        } catch {
            throw .log(error)
        }
    }
}
