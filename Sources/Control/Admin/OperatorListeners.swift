// Where operators connect: the admin listener and the control socket, with the memory of the last minutes that both show. A
// reload may have them elsewhere: the next ones listen before anything is changed, and where that fails, all stays.

internal import Admission
internal import Gateway
internal import Policy
internal import Reactor
internal import Telemetry

/// The admin listener and the control socket of a gateway.
final class OperatorListeners {
    private let gateway: Gateway
    private let keeper: OverrideKeeper
    private(set) var admin: AdminListener?
    private(set) var control: AdminListener?
    private var dashboard: Dashboard?
    /// What only the process as a whole can do; nil where there is none.
    var commands: ProcessCommands?

    /// Those that a policy asks for, present ones where they stay.
    struct Next {
        fileprivate var admin: AdminListener?
        fileprivate var control: AdminListener?
        /// What the sockets' files allowed before.
        fileprivate var formerAccess: [(AdminListener, SocketAccess)] = []

        /// Where they listen.
        var addresses: [ListenAddress] { [admin?.address].compactMap(\.self) }
    }

    /// None yet.
    init(_ gateway: Gateway, _ keeper: OverrideKeeper) {
        self.gateway = gateway
        self.keeper = keeper
    }

    /// All there are.
    var all: [AdminListener] { [admin, control].compactMap(\.self) }

    /// Makes those that `policy` asks for; throws where an address cannot be had, and then all is as before.
    func prepare(
        _ policy: Policy, _ listeners: ListenerCredentials,
        _ inherited: InheritedSockets = InheritedSockets()
    ) throws(SystemError) -> Next {
        var next = Next()
        do throws(SystemError) {
            next.admin = try listener(
                policy.admin?.listen, admin, &next, policy, listeners, inherited, isControl: false)
            next.control = try listener(
                policy.control, control, &next, policy, listeners, inherited, isControl: true)
        } catch {
            abandon(next)
            throw error
        }
        return next
    }

    /// What was prepared is not wanted after all.
    func abandon(_ next: Next) {
        if let made = next.admin, made !== admin { made.close() }
        if let made = next.control, made !== control { made.close() }
        for (listener, access) in next.formerAccess { try? listener.change(to: access) }
        endUnusedDashboard()
    }

    /// Puts what was prepared for `policy` in force.
    func putInForce(_ next: Next, _ policy: Policy, _ listeners: ListenerCredentials) {
        if next.admin !== admin { admin?.close() }
        if next.control !== control { control?.close() }
        admin = next.admin
        control = next.control
        for (listener, settings) in [(admin, policy.admin?.listen), (control, policy.control)] {
            guard let listener, let settings else { continue }
            listener.follow(
                policy.server, settings.tls, settings.tls.flatMap { listeners.all[$0] })
        }
        endUnusedDashboard()
    }

    /// Another process has taken over the listeners at `taken`: none is left here.
    func handOver(_ taken: Set<ListenAddress>) {
        for listener in all where taken.contains(listener.configured.address) {
            listener.giveAway()
        }
        for listener in all { listener.close() }
        admin = nil
        control = nil
    }

    /// Ends all.
    func stop() {
        for listener in all {
            listener.close()
            listener.end()
        }
        dashboard?.stop()
        dashboard = nil
    }

    /// Where nobody can look, nobody would see what is remembered.
    private func endUnusedDashboard() {
        guard admin == nil, control == nil else { return }
        dashboard?.stop()
        dashboard = nil
    }

    /// The listener that `settings` ask for: the present one, where it stays at its address.
    private func listener(
        _ settings: ListenSettings?, _ present: AdminListener?, _ next: inout Next,
        _ policy: Policy, _ listeners: ListenerCredentials, _ inherited: InheritedSockets,
        isControl: Bool
    ) throws(SystemError) -> AdminListener? {
        guard let settings else { return nil }
        let credentials = try listeners.credentials(of: settings)
        if let present, present.configured.address.isSame(as: settings.address) {
            let former = present.configured.access
            try present.change(to: settings.access)
            next.formerAccess.append((present, former))
            return present
        }
        let own = OwnAddresses(gateway.addresses + (admin.map { [$0.address] } ?? []))
        let dashboard = dashboard ?? Dashboard(gateway)
        self.dashboard = dashboard
        let pages = AdminPages(gateway: gateway, dashboard: dashboard)
        let control = ControlPages(
            pages: pages, keeper: keeper, commands: { [unowned self] in commands })
        return try AdminListener(
            settings, credentials, gateway: gateway, dashboard: dashboard, server: policy.server,
            control: isControl ? control : nil, inherited: inherited.take(settings.address),
            own: own)
    }
}
