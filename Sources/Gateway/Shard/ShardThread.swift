// How a shard begins on a thread of its own: with what it is told, and with its part of the listening
// sockets. Whoever starts it waits until it says that it has begun, or why it could not.

internal import Admission
internal import Logging
internal import Policy
internal import Reactor
internal import Synchronization
internal import Telemetry

/// What a shard is told when it begins.
struct Assignment: Sendable {
    let group: ReactorGroup
    /// Which of the shards it is.
    let index: Int
    let policy: Policy
    /// The admission of the policy's pools, in its order.
    let admissions: [SharedAdmission]
    let hashKey: HashKey
    let logger: Logger
    let accessWriter: LogWriter?
    /// Decides whatever is left to chance in this shard.
    let seed: UInt64
}

/// Starts threads that run shards.
enum ShardThread {
    /// Starts a shard that accepts from `sockets`; throws when it cannot begin.
    static func start(
        _ assignment: Assignment, listeningOn sockets: [OpenSocket]
    ) throws(SystemError) -> SystemThread {
        let report = try StartReport()
        let thread = try SystemThread(name: "shard-\(assignment.index)") {
            do throws(SystemError) {
                let shard = try Shard(assignment)
                shard.listen(on: sockets)
                report.give(nil)
                shard.run()
            } catch {
                report.give(error)
            }
        }
        do throws(SystemError) {
            try report.take()
        } catch {
            thread.join()
            throw error
        }
        return thread
    }
}

/// The word of a thread that it has begun, or why it could not.
private final class StartReport: Sendable {
    private let outcome = Mutex<SystemError?>(nil)
    private let arrival: Mailbox<StartReport>

    init() throws(SystemError) { arrival = try Mailbox() }

    func give(_ error: SystemError?) {
        outcome.withLock { $0 = error }
        arrival.send { _ in }
    }

    /// Waits for the word; throws the reason.
    func take() throws(SystemError) {
        arrival.wait()
        if let error = outcome.withLock({ $0 }) { throw error }
    }
}
