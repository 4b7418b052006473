// Whom the pools of a policy trust and what they show of themselves, read anew, and once for pools that say
// the same. Files take time: gateways that run have this done on a thread that nobody waits for.

package import Policy
package import Reactor

/// The certificates of all pools of a policy.
package struct PoolCredentials: Sendable {
    /// One for each pool, in the policy's order; nil where a pool needs none or its own cannot be used.
    package private(set) var all: [TLSCredentials?] = []
    /// What cannot be used, with the pools by their places in the policy.
    package private(set) var faults: [(pool: Int, fault: TLSFaults.Fault)] = []

    /// Reads what `policy` names; what has not changed is taken from `known`, by the pools' names.
    package init(_ policy: Policy, known: [String: TLSCredentials] = [:]) {
        var loaded: [TLSSettings: TLSCredentials] = [:]
        for (index, pool) in policy.pools.enumerated() {
            // Files that are named are looked at also where no backend needs them yet; one that does may come.
            let isNeeded =
                pool.tls != TLSSettings() || pool.discovery?.findsSecured == true
                || pool.backends.contains { $0.scheme == .https }
            if isNeeded, loaded[pool.tls] == nil {
                do throws(TLSFaults) {
                    loaded[pool.tls] = try TLSCredentials.load(
                        pool.tls, unlessIn: known[pool.name])
                } catch {
                    faults += error.all.map { (index, $0) }
                }
            }
            all.append(isNeeded ? loaded[pool.tls] : nil)
        }
    }

    /// The same, for who cannot go on without; throws the first fault.
    func usable() throws(SystemError) -> [TLSCredentials?] {
        if let first = faults.first { throw first.fault.error }
        return all
    }
}
