// One place where backends are looked up. What it finds it says whenever it has looked, changed or not; what becomes
// of that is not its business.

internal import Policy
internal import Reactor

/// What came of looking backends up.
enum DiscoveryFinding: Sendable {
    /// These are there, perhaps none; those with the keys `unready` are said not to be ready.
    case backends([BackendAddress], unready: Set<String> = [])
    /// It is not known which are there, for these reasons; one at least.
    case failed([String])
}

/// Looks up the backends of one pool; on the controlling thread, which must never wait.
protocol DiscoverySource: AnyObject {
    /// Looks no more, and says nothing more.
    func stop()
}
