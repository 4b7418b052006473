// Looks at the process's memory every ten seconds, and has the C library give back what is free of it when there is much. That
// is done on a thread of its own: it takes some milliseconds for a hundred mebibytes.

internal import Admission
internal import Reactor
internal import Telemetry

/// Gives freed memory back to the system.
final class MemoryWatch: EventHandler {
    private let reactor: Reactor
    private let mailbox: Mailbox<MemoryWatch>?
    private var surplus = MemorySurplus()
    private var isGivingBack = false

    /// Begins to look, by that reactor's clock.
    init(in reactor: Reactor) {
        self.reactor = reactor
        mailbox = try? Mailbox()
        super.init()
        try? mailbox?.deliver(to: self, in: reactor)
        reactor.register(self)
        pause()
    }

    /// Looks no more.
    func stop() {
        reactor.deregister(self)
        mailbox?.close(for: self)
    }

    override func deadlineReached() {
        pause()
        let resident = ProcessStatistics.residentBytesNow
        guard let mailbox, !isGivingBack, surplus.isDue(residentBytes: resident, now: reactor.now)
        else { return }
        isGivingBack = true
        do throws(SystemError) {
            try SystemThread(name: "memory") {
                SpareMemory.giveBackFreed()
                mailbox.send { $0.gaveBack(of: resident) }
            }.detach()
        } catch {
            isGivingBack = false
        }
    }

    private func gaveBack(of before: Int) {
        isGivingBack = false
        surplus.gaveBack(leaving: ProcessStatistics.residentBytesNow, of: before, now: reactor.now)
    }

    private func pause() {
        reactor.setDeadline(
            of: self, to: reactor.now.advanced(byNanoseconds: MemorySurplus.lookNanoseconds))
    }
}
