// A member of a consumer group that reads one topic. It is given partitions, reads their messages in order, and says from
// which offset each goes on; it never does that by itself.
//
// Life: made, used and closed on one thread, which polls it all the time: a member that polls too rarely is taken for
// dead (max.poll.interval.ms). Only `KafkaWaker` reaches it from elsewhere.

internal import CShims
internal import Synchronization

/// A message of a topic.
package struct KafkaMessage: Equatable, Sendable {
    /// Where it stands.
    package var partition: Int32
    package var offset: Int64
    /// Its key; nil for none.
    package var key: [UInt8]?
    package var value: [UInt8]

    /// A message with those parts.
    package init(partition: Int32, offset: Int64, key: [UInt8]?, value: [UInt8]) {
        self.partition = partition
        self.offset = offset
        self.key = key
        self.value = value
    }
}

/// Where a partition's group goes on.
package struct KafkaOffset: Equatable, Sendable {
    /// The partition.
    package var partition: Int32
    /// The offset of the next message that is read.
    package var offset: Int64

    /// Offsets are below it: one more can be added to each, and many added up.
    static let end: Int64 = 1 << 56

    /// `offset` of `partition`.
    package init(partition: Int32, offset: Int64) {
        self.partition = partition
        self.offset = offset
    }
}

/// A member of a consumer group.
@safe package final class KafkaConsumer {
    /// What came of a poll.
    package enum Event: Equatable, Sendable {
        /// Nothing in that time.
        case nothing
        case message(KafkaMessage)
        /// Something went wrong that the library goes on from by itself.
        case failed(String)
        /// The handle is of no use any more.
        case lost(String)
    }

    /// A partition that the group gives or takes.
    package enum Change: Equatable, Sendable {
        case given(Int32)
        case taken(Int32)
    }

    /// Made in `init`, freed once, in `close`.
    private var handle: OpaquePointer?
    /// Reaches it from other threads.
    package let waker: KafkaWaker

    /// Joins the group of `properties` to read `topic`; throws what is wrong with them.
    package init(topic: String, _ properties: [KafkaProperty]) throws(SystemError) {
        try KafkaLibrary.open()
        let settings = unsafe try properties.settings()
        var why = [CChar](repeating: 0, count: 512)
        let room = why.count
        // The settings are the handle's from here on, or gone with it.
        guard let made = unsafe penstock_kafka_consumer(settings, topic, &why, room) else {
            throw SystemError("read topic \(topic)", because: KafkaLibrary.text(why))
        }
        unsafe handle = made
        waker = unsafe KafkaWaker(made)
    }

    deinit { unsafe precondition(handle == nil, "a consumer was let go without being closed") }

    /// Leaves the group, and is closed; called once.
    ///
    /// Where the brokers do not let it go within that time, or that is 0, they find out by the session's time-out.
    package func close(leavingWithinMilliseconds milliseconds: Int32 = 5000) {
        waker.forget()
        if let handle = unsafe handle { unsafe penstock_kafka_free(handle, milliseconds) }
        unsafe handle = nil
    }

    private var open: OpaquePointer {
        guard let handle = unsafe handle else { preconditionFailure("the consumer is closed") }
        return unsafe handle
    }

    /// Waits for a message, for that long.
    package func poll(milliseconds: Int32) -> Event {
        var message = unsafe penstock_kafka_message()
        var code: Int32 = 0
        guard unsafe penstock_kafka_poll(open, milliseconds, &message, &code) != 0 else {
            if code == 0 { return .nothing }
            return Int(code) == Int(PENSTOCK_KAFKA_FATAL)
                ? .lost(lastError) : .failed(lastError)
        }
        // The bytes are the library's until the release below; they are copied.
        let key = unsafe message.key.map {
            unsafe [UInt8](UnsafeBufferPointer(start: $0, count: message.key_bytes))
        }
        let value = unsafe [UInt8](
            UnsafeBufferPointer(start: message.value, count: message.value_bytes))
        let read = unsafe KafkaMessage(
            partition: message.partition, offset: message.offset, key: key, value: value)
        unsafe penstock_kafka_release(&message)
        guard (0..<KafkaOffset.end).contains(read.offset) else {
            return .failed("a message has the offset \(read.offset), which is none")
        }
        return .message(read)
    }

    /// What the library said last; empty where it said nothing.
    package var lastError: String {
        // Valid until the next call on this handle; copied at once.
        unsafe String(cString: penstock_kafka_last_error(open))
    }

    /// What went wrong since the last call that is no answer to any call, such as a broker that is away; the library
    /// goes on from it by itself.
    package func newError() -> String? {
        unsafe penstock_kafka_next_error(open) == 0 ? nil : lastError
    }

    /// Changes since the last call, which hold once they are applied: the group waits for that.
    package func changes() -> [Change] {
        var changes: [Change] = []
        var change = penstock_kafka_change()
        while unsafe penstock_kafka_next_change(open, &change) != 0 {
            changes.append(
                change.is_taken != 0 ? .taken(change.partition) : .given(change.partition))
        }
        return changes
    }

    /// Whether partitions that it is told to give have been taken from it before, because it was silent for too long.
    package var hasLostPartitions: Bool { unsafe penstock_kafka_has_lost(open) != 0 }

    /// Has the changes that were told hold.
    package func applyChanges() { unsafe penstock_kafka_apply_changes(open) }

    /// Reads nothing of those partitions from now on, or reads on.
    ///
    /// They are partitions that it has. What was fetched and not read is fetched again. A partition that comes is never
    /// paused.
    package func pause(_ partitions: [Int32], _ isPaused: Bool) {
        guard !partitions.isEmpty else { return }
        // The list is borrowed for the call.
        unsafe penstock_kafka_pause(open, partitions, partitions.count, isPaused ? 1 : 0)
    }

    /// Where the group goes on with a partition, below 0 where nothing says it; nil where nobody answers in that time.
    package func committed(_ partition: Int32, milliseconds: Int32) -> Int64? {
        var offset: Int64 = 0
        let code = unsafe penstock_kafka_committed(open, partition, &offset, milliseconds)
        return code == 0 ? offset : nil
    }

    /// Says where the group goes on; returns why it failed, if that is known.
    ///
    /// The answer is waited for where it `waits`.
    @discardableResult
    package func commit(_ offsets: [KafkaOffset], waits: Bool) -> String? {
        let list = offsets.map {
            penstock_kafka_offset(partition: $0.partition, offset: $0.offset)
        }
        // The list is borrowed for the call.
        let code = unsafe penstock_kafka_commit(open, list, list.count, waits ? 1 : 0)
        return code == 0 ? nil : KafkaLibrary.text(code)
    }

    /// Why the last commit that was not waited for failed, told once.
    package func commitFailure() -> String? {
        let code = unsafe penstock_kafka_commit_failure(open)
        return code == 0 ? nil : KafkaLibrary.text(code)
    }

    /// Lends the handle to whoever sends its offsets within a transaction.
    func withHandle<Result>(_ body: (OpaquePointer) -> Result) -> Result { unsafe body(open) }
}

/// Has a consumer's poll return, from any thread.
@safe package final class KafkaWaker: Sendable {
    /// The handle's address while it is open; nobody frees it while it is used under this lock.
    private let address: Mutex<UInt?>

    fileprivate init(_ handle: OpaquePointer) {
        address = Mutex(UInt(bitPattern: handle))
    }

    /// Has the poll that is under way return, or the next one.
    package func wake() {
        address.withLock { address in
            guard let address, let handle = unsafe OpaquePointer(bitPattern: address) else {
                return
            }
            unsafe penstock_kafka_wake(handle)
        }
    }

    fileprivate func forget() { address.withLock { $0 = nil } }
}
