// A gateway as others' worker: it dials them, and serves what they send down as if they were clients. How many connections
// wait there is what its own admission can take: the limit of its backends less what they have in flight. So a limit that is
// measured here, beside the engine, decides what any number of gateways send.
//
// Life: made on one shard's thread, looks ten times a second and whenever a connection ends, ends with the shard.

internal import Admission
internal import Bytes
internal import Logging
internal import Policy
internal import Reactor

/// The credits that are given to other gateways.
final class Credits: EventHandler {
    private let shard: Shard
    private let settings: CreditSettings
    private var links: [GatewayLink] = []
    private var isEnding = false
    private var looksForSilenceAt = Instant(nanoseconds: .min / 2)
    /// Whether the log says that the engine takes nothing.
    private var isEngineMissing = true

    private static let lookNanoseconds: Int64 = 100_000_000

    init(_ settings: CreditSettings, in shard: Shard) {
        self.settings = settings
        self.shard = shard
        super.init()
        links = settings.places.map { place in
            GatewayLink(
                self, to: place, in: shard,
                asking: { [unowned self] in request(to: place, isControl: $0) })
        }
        shard.reactor.register(self)
        look()
    }

    private func request(to place: CreditSettings.Place, isControl: Bool) -> [UInt8] {
        var text = ByteBuffer()
        text.append("GET \(place.address.path)/v1/workers/\(settings.pool) HTTP/1.1\r\n")
        text.append("Host: \(place.address.authority)\r\nConnection: upgrade\r\nUpgrade: ptth\r\n")
        text.append("ALPN: http%2F1.1\r\nAuthorization: Bearer ")
        let key = settings.key
        text.append(key.span)
        text.append("\r\nPenstock-Worker: \(settings.name); credits=\(settings.most)")
        text.append(isControl ? "; control\r\n\r\n" : "\r\n\r\n")
        return text.takeList()
    }

    /// Has it look again in the next turn.
    func lookSoon() {
        if !isEnding { shard.reactor.resumeLater(self) }
    }

    override func resume() { look() }

    override func deadlineReached() { look() }

    /// Opens and closes what is to be.
    private func look() {
        guard !isEnding else { return }
        let now = shard.reactor.now
        if now >= looksForSilenceAt {
            for link in links { link.lookForSilence() }
            looksForSilenceAt = now.advanced(byNanoseconds: SilenceWatch.lookNanoseconds)
        }
        for link in links { link.keepControl() }
        let places = links.map { $0.look() }
        let busy = places.reduce(0) { $0 + $1.busy }
        let plan = CreditPlan(free: freeCount(besides: busy, now: now), places: places, now: now)
        // What could not be closed is somebody's credit still.
        var kept = 0
        for (link, count) in zip(links, plan.closed) where count > 0 {
            kept += count - link.close(count)
        }
        for (link, count) in zip(links, plan.opened) where count > 0 {
            link.open(max(0, count - kept))
            kept = max(0, kept - count)
        }
        shard.reactor.setDeadline(
            of: self, to: now.advanced(byNanoseconds: Credits.lookNanoseconds))
    }

    /// How many more requests the engine can take than it has, where `busy` connections carry one.
    private func freeCount(besides busy: Int, now: Instant) -> Int {
        var room = 0
        var works = false
        for pool in shard.snapshot.pools {
            guard pool.admission.hasWorkingBackend(now: now) else { continue }
            works = true
            let (limit, taken) = pool.admission.room
            room += max(0, limit - taken)
        }
        tell(works)
        return max(0, min(room, settings.most - busy))
    }

    private func tell(_ works: Bool) {
        guard isEngineMissing == works else { return }
        isEngineMissing = !works
        if works {
            shard.logger.notice("engine answers: requests are taken")
        } else {
            shard.logger.warning("engine does not answer: no requests are taken until it does")
        }
    }

    /// Takes no more requests; those that are under way end by themselves.
    func drain() {
        isEnding = true
        for link in links { link.stop() }
    }

    /// Ends it.
    func stop() {
        drain()
        shard.reactor.deregister(self)
    }
}
