// What the listeners of a policy show of themselves, read anew, and once for those that say the same. Files take time:
// gateways that run have this done on a thread that nobody waits for.

package import Policy
package import Reactor

/// The certificates of all listeners of a policy, the admin listener among them.
package struct ListenerCredentials: Sendable {
    /// By what the listeners say; what cannot be used is not there.
    package private(set) var all: [ListenerTLS: ServerCredentials] = [:]
    /// What cannot be used, with the paths of the listeners.
    package private(set) var faults: [(path: String, fault: TLSFaults.Fault)] = []

    /// Reads what `policy` names; what has not changed is taken from `known`.
    package init(_ policy: Policy, known: [ListenerTLS: ServerCredentials] = [:]) {
        for (named, settings) in zip(policy.namedListeners, policy.allListeners) {
            guard let tls = settings.tls, all[tls] == nil else { continue }
            do throws(TLSFaults) {
                all[tls] = try ServerCredentials.load(tls, unlessIn: known[tls])
            } catch {
                faults += error.all.map { (named.path, $0) }
            }
        }
    }

    /// Those of a listener; throws the first fault where they cannot be used.
    package func credentials(
        of settings: ListenSettings
    ) throws(SystemError) -> ServerCredentials? {
        guard let tls = settings.tls else { return nil }
        if let credentials = all[tls] { return credentials }
        throw faults.first?.fault.error
            ?? SystemError("listen on \(settings.address.text)", because: "it has no certificates")
    }
}

/// All files with certificates and keys that a policy names, read.
package struct PolicyCredentials: Sendable {
    /// Towards backends.
    package let pools: PoolCredentials
    /// Towards clients.
    package let listeners: ListenerCredentials

    /// What is in use already.
    package struct Known: Sendable {
        /// By the names of pools.
        package var pools: [String: TLSCredentials] = [:]
        /// By what listeners say.
        package var listeners: [ListenerTLS: ServerCredentials] = [:]

        /// Nothing.
        package init() {}
    }

    /// Reads what `policy` names; what has not changed is taken from `known`.
    package init(_ policy: Policy, known: Known = Known()) {
        pools = PoolCredentials(policy, known: known.pools)
        listeners = ListenerCredentials(policy, known: known.listeners)
    }
}
