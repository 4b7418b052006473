// What the reactor can wake: a class, so that a call costs one jump and no existential box.

internal import Admission

/// Something that owns a descriptor or a deadline and is woken by a `Reactor`.
///
/// All calls come from the reactor's thread, one at a time.
open class EventHandler {
    /// Where the reactor keeps this handler; negative while it is not registered.
    package final var slot: Int32 = -1
    /// When the handler wants `deadlineReached`; later than any time for never.
    final fileprivate var deadline = Instant.distantFuture
    /// When the reactor's timer for this handler will go off, at the latest then looking at
    /// `deadline`.
    final fileprivate var wakeAt = Instant.distantFuture
    /// Whether the handler is in the list of those to be resumed in the next turn.
    final var isInResumeList = false

    /// Makes a handler that is not registered.
    public init() {}

    /// The descriptor has become ready.
    open func ready(_ readiness: Readiness) {}

    /// The peer's end is among the events that `ready` will be told of in this turn, perhaps after others
    /// have been told of theirs.
    open func foreseesEnd(_ readiness: Readiness) {}

    /// The deadline has passed; it is cleared before the call.
    open func deadlineReached() {}

    /// Another turn has come for work that was cut short to let others have theirs.
    open func resume() {}
}

extension EventHandler {
    /// Whether a wake-up arranged for `instant` is still of use.
    final func awaits(_ instant: Instant) -> Bool { instant == wakeAt }

    /// Forgets the deadline and the wake-up that was arranged for it.
    final func forgetDeadline() {
        deadline = .distantFuture
        wakeAt = .distantFuture
    }

    /// Sets the deadline and tells whether an earlier wake-up must be arranged for it.
    final func moveDeadline(to instant: Instant) -> Bool {
        deadline = instant
        guard instant < wakeAt else { return false }
        wakeAt = instant
        return true
    }

    /// A wake-up arranged for `instant` has come.
    ///
    /// Tells whether the deadline was reached, and otherwise when to look again, if at all.
    final func wakeUp(at instant: Instant, now: Instant) -> (reached: Bool, next: Instant?) {
        guard instant == wakeAt else { return (false, nil) }
        wakeAt = .distantFuture
        if deadline <= now {
            deadline = .distantFuture
            return (true, nil)
        }
        guard deadline != .distantFuture else { return (false, nil) }
        wakeAt = deadline
        return (false, deadline)
    }
}
