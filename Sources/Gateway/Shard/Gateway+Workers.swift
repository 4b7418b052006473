// Workers as the gateway as a whole has them: where they come in, who may, and when one is forgotten.

internal import Admission
internal import Logging
package import Policy
internal import Reactor

extension Gateway {
    /// Where workers come in, with the port that the kernel chose; nil where none do.
    package var workerAddress: ListenAddress? { workerListener?.address }

    /// Where this process listens, besides at `others`.
    func ownAddresses(besides others: [ListenAddress]) -> OwnAddresses {
        OwnAddresses(addresses + [workerAddress].compactMap(\.self) + others)
    }

    // MARK: The listener

    /// Opens the workers' listener of `policy` where it is another one than the present; nil for no other one.
    func openWorkers(
        _ policy: Policy, _ credentials: ListenerCredentials,
        inherited: InheritedSockets = InheritedSockets(), besides others: [ListenAddress] = []
    ) throws(SystemError) -> Transfer<ListeningSocket>? {
        guard let settings = policy.workers?.listen else { return nil }
        _ = try credentials.credentials(of: settings)
        if let present = workerListener, present.configured.address.isSame(as: settings.address) {
            return nil
        }
        if let given = inherited.take(settings.address).first { return given }
        return Transfer(try ownAddresses(besides: others).listen(settings))
    }

    /// Puts what was opened for `policy`, which is in force, in the place of the former listener.
    func followWorkers(
        _ opened: Transfer<ListeningSocket>?, _ policy: Policy, _ credentials: ListenerCredentials
    ) {
        guard let settings = policy.workers?.listen else {
            workerListener?.close()
            workerListener = nil
            return
        }
        let own = settings.tls.flatMap { credentials.all[$0] }
        if let socket = opened?.take() {
            workerListener?.close()
            workerListener = nil
            do throws(SystemError) {
                workerListener = try WorkerListener(settings, socket, own, gateway: self)
            } catch {
                logger.error("\(error.description)")
            }
        }
        workerListener?.follow(policy, own)
    }

    /// Has the workers' listener use other certificates, where these are what it says; where it listens then.
    func replaceWorkerCertificates(
        _ credentials: [ListenerTLS: ServerCredentials]
    ) -> [ListenAddress] {
        guard let listener = workerListener, let tls = listener.configured.tls,
            let next = credentials[tls], next !== listener.credentials
        else { return [] }
        listener.tls.replace(next)
        return [listener.address]
    }

    /// Another process has taken over the listeners at `taken`: workers go there.
    func handOverWorkers(_ taken: Set<ListenAddress>) {
        guard let listener = workerListener, taken.contains(listener.configured.address) else {
            return
        }
        listener.giveAway()
        workerListener = nil
    }

    // MARK: Workers

    /// Lets a worker have one more connection, where all workers may have `most`.
    func admit(
        _ offer: WorkerOffer, most: Int
    ) throws(WorkerRefusal) -> (Worker, SharedAdmission) {
        guard !isDraining else { throw .draining }
        guard
            let member = members.last(where: { !$0.isRetired && $0.settings.name == offer.pool })
        else { throw .noPool }
        guard workerTotal.connectionCount < most else { throw .tooManyConnections }
        let worker = member.admission.admitWorker(
            offer.field.name, credits: offer.field.credits, reactors: group.count,
            total: workerTotal, now: reactor.now)
        guard let worker else { throw .tooManyWorkers }
        guard offer.field.isControl ? worker.reserveControl() : worker.reserve() else {
            throw .tooManyConnections
        }
        if worker.connectionCount == 1 {
            logger.notice(
                "worker came",
                metadata: [
                    "pool": "\(offer.pool)", "worker": "\(worker.name)",
                    "credits": "\(offer.field.credits)",
                ])
        }
        return (worker, member.admission)
    }

    /// Gives a worker's connection to the reactor that has the fewest of them.
    ///
    /// One that `isControl` is no credit.
    func hand(
        _ handed: HandedTransport, to worker: Worker, in admission: SharedAdmission,
        isControl: Bool
    ) {
        let isTaken = group.send(to: worker.reactorWithFewest) {
            $0.arrived(handed, of: worker, in: admission, isControl: isControl)
        }
        if !isTaken { worker.forget(isControl: isControl) }
    }

    /// Forgets workers that have had no connection for so long.
    func forgetWorkers(emptyFor nanoseconds: Int64) {
        for member in members where !member.isRetired && member.settings.workers != nil {
            let admission = member.admission
            let gone = admission.forgetWorkers(emptyFor: nanoseconds, now: reactor.now)
            for worker in gone {
                logger.notice(
                    "worker left",
                    metadata: ["pool": "\(member.settings.name)", "worker": "\(worker.name)"])
            }
            if !gone.isEmpty { group.sendToAll { $0.follow(admission) } }
        }
    }
}
