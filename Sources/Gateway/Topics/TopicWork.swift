// What a consumer has in hand: messages from when they are read until their results are written, and where its group
// goes on. What a partition's end with this gateway leaves under way is finished in vain: its result is dropped, because
// whoever has the partition now begins it anew, and one of the two has to be the result. Pure.
//
// Room is each partition's own, so that a message that takes long holds up those behind it and no others. Bytes are all
// partitions' together: of these one takes no more than it leaves to the others.

internal import Reactor

/// The messages of a topic that are under way.
struct TopicWork {
    private struct Partition {
        /// Which of its times with this gateway it is: what began in an earlier one is late.
        let generation: Int
        var window: OffsetWindow<TopicOutcome>
        var messages: [Int64: KafkaMessage] = [:]
        /// Bytes of its messages and of their results.
        var heldBytes = 0
    }

    private struct Open {
        let message: KafkaMessage
        let generation: Int
    }

    /// How much more may be read of a partition.
    enum Room {
        /// Nothing.
        case none
        case some
        /// At least half of what it may have.
        case much
    }

    /// What became of a message that was read.
    enum Taking {
        case taken
        /// Its partition is not here.
        case elsewhere
        /// It was read before.
        case known
        /// Its partition has no room.
        case full
    }

    private let mostOpen: Int
    private let mostHeldBytes: Int
    private let keepsKeyOrder: Bool
    private var partitions: [Int32: Partition] = [:]
    private var open: [Int: Open] = [:]
    private var order = KeyOrder()
    /// Those that may begin, in order.
    private var ready: [Int] = []
    /// What the last message that was taken is called.
    private(set) var lastID: Int
    private var lastGeneration = 0
    /// The partition that was written last.
    private var lastWritten: Int32 = -1

    /// No partition; of each at most `mostOpen` messages are under way, and of all at most `mostHeldBytes` when another
    /// one is read.
    ///
    /// They are called by numbers above `lastID`.
    init(
        mostOpen: Int, mostHeldBytes: Int = 64 << 20, keepsKeyOrder: Bool, after lastID: Int = 0
    ) {
        self.mostOpen = mostOpen
        self.mostHeldBytes = mostHeldBytes
        self.keepsKeyOrder = keepsKeyOrder
        self.lastID = lastID
    }

    /// Partitions that it has, in order.
    var assigned: [Int32] { partitions.keys.sorted() }
    /// Whether it has a partition.
    func has(_ partition: Int32) -> Bool { partitions[partition] != nil }

    /// Whether it has a message whose result is not written.
    func has(_ partition: Int32, _ offset: Int64) -> Bool {
        partitions[partition]?.messages[offset] != nil
    }

    /// Messages that have not ended, late ones included.
    var openCount: Int { open.count }
    /// Whether a message that was read waits to begin.
    var hasReady: Bool { !ready.isEmpty }
    /// Whether there is room for the bytes of another message.
    var hasRoomForBytes: Bool { heldBytes < mostHeldBytes }
    /// How much room each partition has.
    var rooms: [Int32: Room] {
        let freeBytes = mostHeldBytes - heldBytes
        return partitions.mapValues { room($0, freeBytes: freeBytes) }
    }
    /// Bytes of messages that were not written yet, and of their results.
    var heldBytes: Int { partitions.values.reduce(0) { $0 + $1.heldBytes } }
    /// Whether nothing of its partitions waits for its end or to be written.
    var isIdle: Bool { partitions.values.allSatisfy { $0.window.count == 0 } }

    private func room(_ partition: Partition, freeBytes: Int) -> Room {
        let window = partition.window
        if window.count == 0 { return .much }
        let left = partitions.count == 1 ? mostHeldBytes : freeBytes
        guard window.hasRoom, partition.heldBytes < left else { return .none }
        return 2 * window.count <= window.bound && 2 * partition.heldBytes < left ? .much : .some
    }

    /// A partition comes.
    mutating func given(_ partition: Int32) {
        lastGeneration += 1
        partitions[partition] = Partition(
            generation: lastGeneration, window: OffsetWindow(bound: mostOpen))
    }

    /// A partition goes: what has not begun never will; what has, and comes to nothing now.
    mutating func taken(_ partition: Int32) -> [Int] {
        guard let gone = partitions.removeValue(forKey: partition) else { return [] }
        let waits = Set(ready)
        var dropped: Set<Int> = []
        order.forget { id in
            guard open[id]?.generation == gone.generation else { return false }
            dropped.insert(id)
            return true
        }
        for id in waits where open[id]?.generation == gone.generation {
            dropped.insert(id)
        }
        ready.removeAll { dropped.contains($0) }
        for id in dropped {
            let key = open.removeValue(forKey: id)?.message.key
            // It was the one of its key that was to begin.
            if waits.contains(id) { passOn(key) }
        }
        return open.filter { $0.value.generation == gone.generation }.map(\.key).sorted()
    }

    /// Takes a message that was read.
    mutating func take(_ message: KafkaMessage) -> Taking {
        guard var partition = partitions[message.partition] else { return .elsewhere }
        switch partition.window.begin(message.offset) {
        case .taken: break
        case .known: return .known
        case .full: return .full
        }
        partition.messages[message.offset] = message
        partition.heldBytes += message.bytes
        partitions[message.partition] = partition
        lastID += 1
        open[lastID] = Open(message: message, generation: partition.generation)
        guard keepsKeyOrder, let key = message.key else {
            ready.append(lastID)
            return .taken
        }
        if order.begin(lastID, key: key) { ready.append(lastID) }
        return .taken
    }

    /// The next message that begins, and what it is called.
    mutating func next() -> (id: Int, message: KafkaMessage)? {
        guard let id = ready.first, let message = open[id]?.message else { return nil }
        ready.removeFirst()
        return (id, message)
    }

    /// A message has ended; whether anybody still waits for that.
    @discardableResult
    mutating func ended(_ id: Int, _ outcome: TopicOutcome) -> Bool {
        guard let ended = open.removeValue(forKey: id) else { return false }
        passOn(ended.message.key)
        let place = ended.message.partition
        guard var partition = partitions[place], partition.generation == ended.generation,
            partition.window.finish(ended.message.offset, outcome)
        else { return false }
        partition.heldBytes += outcome.heldBytes
        partitions[place] = partition
        return true
    }

    /// A message comes to nothing: the gateway ends before it.
    ///
    /// Whoever reads it next begins it anew.
    mutating func givenBack(_ id: Int) {
        guard let back = open.removeValue(forKey: id) else { return }
        passOn(back.message.key)
    }

    private mutating func passOn(_ key: [UInt8]?) {
        guard keepsKeyOrder, let key, let next = order.end(key: key) else { return }
        ready.append(next)
    }

    // MARK: Writing

    /// Bytes of messages and results that are written together: what brokers take within seconds, also where they slow writers.
    static let mostBatchBytes = 4 << 20

    /// What can be written now, at most so many messages of each partition, of the first that has some or of all of them,
    /// and no more bytes than `mostBatchBytes` but for the last message's.
    ///
    /// It begins behind the partition that was written last: where there is more than fits, all have their turn.
    func batch(most: Int, ofOne: Bool = false) -> TopicBatch {
        var batch = TopicBatch()
        var bytes = 0
        let (before, behind) = (
            assigned.filter { $0 <= lastWritten }, assigned.drop { $0 <= lastWritten }
        )
        for place in behind + before where bytes < TopicWork.mostBatchBytes {
            if ofOne && !batch.isEmpty { break }
            guard let partition = partitions[place] else { continue }
            var last: Int64?
            for (offset, outcome) in partition.window.ready(most: most)
            where bytes < TopicWork.mostBatchBytes {
                last = offset
                guard let message = partition.messages[offset] else { continue }
                bytes += message.bytes + outcome.heldBytes
                batch.entries.append(TopicBatch.Entry(message: message, outcome: outcome))
            }
            if let last {
                batch.places.append(
                    TopicBatch.Place(
                        offset: KafkaOffset(partition: place, offset: last + 1),
                        generation: partition.generation))
            }
        }
        return batch
    }

    /// Where the partitions of a batch go on that are still those of its time.
    ///
    /// Those that went since then are somebody else's to say.
    func offsets(of batch: TopicBatch) -> [KafkaOffset] {
        batch.places.filter { isPresent($0) }.map(\.offset)
    }

    /// A batch was written; of partitions that went meanwhile nothing is left to note.
    mutating func written(_ batch: TopicBatch) {
        if let last = batch.places.last { lastWritten = last.offset.partition }
        for place in batch.places where isPresent(place) {
            let number = place.offset.partition
            guard var partition = partitions[number] else { continue }
            for entry in batch.entries where entry.message.partition == number {
                partition.messages[entry.message.offset] = nil
                partition.heldBytes -= entry.message.bytes
            }
            for (_, outcome) in partition.window.written(through: place.offset.offset - 1) {
                partition.heldBytes -= outcome.heldBytes
            }
            partitions[number] = partition
        }
    }

    /// The outcome of a batch's message cannot be written as it is; this is written instead.
    mutating func replace(_ message: KafkaMessage, of batch: TopicBatch, by outcome: TopicOutcome) {
        guard
            let place = batch.places.first(where: { $0.offset.partition == message.partition }),
            isPresent(place), var partition = partitions[message.partition],
            let former = partition.window.replace(message.offset, outcome)
        else { return }
        partition.heldBytes += outcome.heldBytes - former.heldBytes
        partitions[message.partition] = partition
    }

    /// Whether the partition of a batch's message is still that of the batch's time.
    func isPresent(_ message: KafkaMessage, of batch: TopicBatch) -> Bool {
        batch.places.contains { $0.offset.partition == message.partition && isPresent($0) }
    }

    private func isPresent(_ place: TopicBatch.Place) -> Bool {
        partitions[place.offset.partition]?.generation == place.generation
    }
}

extension KafkaMessage {
    /// Bytes that it takes.
    fileprivate var bytes: Int { value.count + (key?.count ?? 0) }
}
