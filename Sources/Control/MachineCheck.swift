// What a policy asks of the machine: files, addresses, descriptors. `serve`, each reload and `penstock
// check` ask the same questions here, so that what one of them takes the others take too.

internal import Gateway
package import Policy
internal import Reactor
internal import Telemetry

/// Finds out whether this process, on this machine, could serve a policy.
package enum MachineCheck {
    /// Descriptors besides those of clients and backends: logs, epoll, listeners, name resolution.
    private static let spareDescriptors = 64
    /// Descriptors of each thread besides its listeners: epoll, mailbox, name resolution.
    private static let descriptorsOfThread = 8

    /// What stands in the way of serving `policy`; empty where nothing does.
    ///
    /// Nothing that others could notice stays behind. An address that is in use is no fault: mostly it is
    /// that of the gateway that runs. Files are waited for two seconds at most, each. `sources` are where it was read from.
    package static func faults(_ policy: Policy, _ sources: PolicySources) -> [PolicyFault] {
        faults(policy, sources, PolicyCredentials(policy), present: [])
    }

    /// The same with certificates that were read already, and but for the addresses that are `present`.
    static func faults(
        _ policy: Policy, _ sources: PolicySources, _ credentials: PolicyCredentials,
        present: [ListenAddress]
    ) -> [PolicyFault] {
        credentials.pools.faults.map { found in
            fault(at: "pools.\(policy.pools[found.pool].name).tls", found.fault)
        }
            + credentials.listeners.faults.map { fault(at: "\($0.path).tls", $0.fault) }
            + TopicFaults.faults(policy) + logFaults(policy.log) + addressFaults(policy, present)
            + policy.clashes(
                besides: sources.all, resolve: FilePlace.resolved, identify: FilePlace.identity)
            + policy.loops(
                addresses: MachineAddresses.all(), names: [MachineAddresses.hostName()],
                resolve: FilePlace.identity)
            + (descriptorFault(policy).map { [$0] } ?? [])
    }

    private static func fault(at path: String, _ fault: TLSFaults.Fault) -> PolicyFault {
        PolicyFault(
            path: path + (fault.setting.map { ".\($0.path)" } ?? ""),
            problem: fault.error.description,
            remedy: "name a file that this process can read and use")
    }

    private static func logFaults(_ log: LogSettings) -> [PolicyFault] {
        LogWriters.faults(log).map { isAccess, failure in
            PolicyFault(
                path: isAccess ? "log.access.to" : "log.to", problem: failure.description,
                remedy: "name a file that this process can write, in a folder that is there")
        }
    }

    private static func addressFaults(
        _ policy: Policy, _ present: [ListenAddress]
    ) -> [PolicyFault] {
        zip(policy.namedListeners, policy.allListeners).compactMap { named, settings in
            guard !present.contains(settings.address),
                let error = ListeningSocket.fault(settings)
            else { return nil }
            let isSocket = if case .unix = settings.address { true } else { false }
            return PolicyFault(
                path: named.path, problem: error.description,
                remedy: isSocket
                    ? "name a path where this process can make a socket"
                    : "name an address of this machine that this process may listen on")
        }
    }

    /// Compares the limit of open files, raised as far as it goes, with what the policy may need.
    private static func descriptorFault(_ policy: Policy) -> PolicyFault? {
        let limit = DescriptorLimit.raise()
        let needed =
            policy.server.maxConnections + spareDescriptors
            + (policy.threads ?? ProcessorCount.usable())
            * (policy.listen.count + descriptorsOfThread)
            + policy.pools.reduce(0) { $0 + $1.backends.count }
        guard limit < needed else { return nil }
        return PolicyFault(
            path: "server.max_connections",
            problem: "the limit of open files is \(limit), and max_connections "
                + "(\(policy.server.maxConnections)) needs at least \(needed)",
            remedy: "raise it (ulimit -n, LimitNOFILE), or lower max_connections")
    }
}
