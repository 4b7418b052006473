// How other threads reach a reactor's: they leave closures here, and the reactor's thread runs
// them. Nothing else of a reactor may be touched from outside its thread.

internal import CShims
internal import Synchronization

/// Takes messages from any thread and opens them on the thread of the reactor that reads it.
package final class Mailbox<Recipient: AnyObject>: Sendable {
    /// What is sent: work to do with the recipient, on its own thread.
    package typealias Message = @Sendable (Recipient) -> Void

    /// Messages that wait at most; a recipient that does not read is no reason to run out of memory.
    package static var capacity: Int { 65_536 }

    private let event: Descriptor
    private let box = Mutex(Box())

    private struct Box {
        var messages: [Message] = []
        /// Whether the recipient reads no more.
        var isClosed = false
    }

    /// Makes an empty mailbox; throws when the process is out of descriptors.
    package init() throws(SystemError) {
        let number = penstock_event_make()
        guard number >= 0 else { throw SystemError("create a mailbox") }
        event = Descriptor(owning: number)
    }

    /// Leaves a message, from any thread.
    ///
    /// False, with nothing left, when the mailbox is closed, or is full and `isBounded`: without it,
    /// what is sent must have a bound of its own.
    @discardableResult
    package func send(isBounded: Bool = true, _ message: @escaping Message) -> Bool {
        let wasEmpty: Bool? = box.withLock { box in
            guard !box.isClosed, !isBounded || box.messages.count < Mailbox.capacity else {
                return nil
            }
            box.messages.append(message)
            return box.messages.count == 1
        }
        guard let wasEmpty else { return false }
        // Whoever finds messages there already knows that the reader has been told and has not come
        // yet.
        if wasEmpty { penstock_event_signal(event.rawValue) }
        return true
    }

    /// Waits, on a thread without a reactor, until a message is there.
    package func wait() { _ = penstock_event_wait(event.rawValue, -1) }

    /// Reads the mailbox in `reactor` from now on, until the reactor goes.
    ///
    /// Called once, on the reactor's thread.
    package func deliver(to recipient: Recipient, in reactor: Reactor) throws(SystemError) {
        let reader = MailboxReader(self, recipient)
        // Each signal is an edge of its own, so the event counter need never be read.
        guard
            reactor.register(
                reader, descriptor: event.rawValue, interest: [.readable, .edgeTriggered])
        else {
            throw SystemError("watch a mailbox")
        }
    }

    /// Opens what is left and takes no more messages; called on the recipient's thread.
    package func close(for recipient: Recipient) {
        box.withLock { $0.isClosed = true }
        var opened: [Message] = []
        open(for: recipient, &opened)
    }

    /// Opens all messages that are there; those that are sent meanwhile are for the next turn.
    ///
    /// `opened` is empty storage that is used again and again.
    fileprivate func open(for recipient: Recipient, _ opened: inout [Message]) {
        box.withLock { swap(&$0.messages, &opened) }
        for message in opened { message(recipient) }
        opened.removeAll(keepingCapacity: opened.count <= 1024)
    }
}

/// The mailbox's end in the reactor.
private final class MailboxReader<Recipient: AnyObject>: EventHandler {
    private let mailbox: Mailbox<Recipient>
    private unowned let recipient: Recipient
    private var opened: [Mailbox<Recipient>.Message] = []

    init(_ mailbox: Mailbox<Recipient>, _ recipient: Recipient) {
        self.mailbox = mailbox
        self.recipient = recipient
    }

    override func ready(_ readiness: Readiness) { mailbox.open(for: recipient, &opened) }
}
