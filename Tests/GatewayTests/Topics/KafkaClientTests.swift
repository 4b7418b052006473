import Reactor
import Testing

/// The door to librdkafka, with brokers that the library plays itself.
///
/// They have groups, and ignore the offsets of transactions: of those nothing is shown here.
@Suite(.serialized) struct KafkaClientTests {
    /// Brokers that are played, with four partitions a topic.
    private static func brokers() throws -> (KafkaProducer, [KafkaProperty]) {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        let addresses = try #require(cluster.playedBrokers)
        return (cluster, [KafkaProperty("bootstrap.servers", addresses)])
    }

    private static func member(_ properties: [KafkaProperty]) throws -> KafkaConsumer {
        try KafkaConsumer(
            topic: "questions",
            properties + [
                KafkaProperty("group.id", "g"), KafkaProperty("enable.auto.commit", "false"),
                KafkaProperty("enable.auto.offset.store", "false"),
                KafkaProperty("auto.offset.reset", "earliest"),
                KafkaProperty("partition.assignment.strategy", "cooperative-sticky"),
                KafkaProperty("session.timeout.ms", "6000"),
            ])
    }

    /// Polls, and applies changes, until `isDone`; within 20 s.
    private static func poll(
        _ consumer: KafkaConsumer, _ held: inout Set<Int32>,
        until isDone: (KafkaConsumer.Event, Set<Int32>) -> Bool
    ) {
        for _ in 0..<200 {
            let event = consumer.poll(milliseconds: 100)
            for change in consumer.changes() {
                switch change {
                case .given(let partition): held.insert(partition)
                case .taken(let partition): held.remove(partition)
                }
            }
            consumer.applyChanges()
            if isDone(event, held) { return }
        }
        Issue.record("it took longer than 20 s")
    }

    private static func write(_ count: Int, to properties: [KafkaProperty]) throws {
        let producer = try KafkaProducer(properties + [KafkaProperty("acks", "all")])
        for index in 0..<count {
            let record = KafkaRecord(
                topic: "questions", key: index % 5 == 0 ? nil : Array("k\(index)".utf8),
                value: Array("v\(index)".utf8))
            #expect(producer.send(record, tag: Int64(index)) == nil)
        }
        #expect(producer.flush(milliseconds: 10_000))
        #expect(producer.failures().isEmpty)
        producer.close()
    }

    @Test func versionIsKnown() throws {
        try KafkaLibrary.open()
        #expect(KafkaLibrary.version.split(separator: ".").count >= 3)
    }

    @Test func faultsOfPropertiesAreTold() throws {
        let error = try #require(throws: SystemError.self) {
            _ = try KafkaProducer([KafkaProperty("no.such.thing", "1")])
        }
        #expect(
            error.description
                == "cannot set no.such.thing of Kafka's clients: "
                + "No such configuration property: \"no.such.thing\"")
    }

    @Test func aGroupGoesOnFromWhatWasCommitted() throws {
        let (cluster, properties) = try Self.brokers()
        defer { cluster.close() }
        try Self.write(40, to: properties)
        let first = try Self.member(properties)
        var held: Set<Int32> = []
        var seen: [String: KafkaMessage] = [:]
        Self.poll(first, &held) { event, _ in
            if case .message(let message) = event {
                seen[String(decoding: message.value, as: UTF8.self)] = message
            }
            return seen.count == 40
        }
        #expect(held == [0, 1, 2, 3])
        let messages = Array(seen.values)
        let ends = held.sorted().map { partition in
            KafkaOffset(
                partition: partition,
                offset: Int64(messages.count { $0.partition == partition }))
        }
        #expect(first.commit(ends, waits: true) == nil)
        for end in ends {
            #expect(first.committed(end.partition, milliseconds: 2000) == end.offset)
            #expect(
                cluster.offsets(of: "questions", end.partition, milliseconds: 2000)
                    == 0..<end.offset)
        }
        first.close()

        try Self.write(1, to: properties)
        let second = try Self.member(properties)
        defer { second.close() }
        var values: [String] = []
        Self.poll(second, &held) { event, _ in
            if case .message(let message) = event {
                values.append(String(decoding: message.value, as: UTF8.self))
            }
            return !values.isEmpty
        }
        #expect(values == ["v0"])
    }

    @Test func aPausedMemberKeepsItsPartitionsAndReadsNothing() throws {
        let (cluster, properties) = try Self.brokers()
        defer { cluster.close() }
        try Self.write(4, to: properties)
        let member = try Self.member(
            properties + [KafkaProperty("max.poll.interval.ms", "6000")])
        defer { member.close() }
        var held: Set<Int32> = []
        Self.poll(member, &held) { _, held in held.count == 4 }
        member.pause([0, 1, 2, 3], true)
        for _ in 0..<10 {
            #expect(member.poll(milliseconds: 100) == .nothing)
            #expect(member.changes().isEmpty)
        }
        member.pause([0, 1, 2, 3], false)
        var count = 0
        Self.poll(member, &held) { event, _ in
            if case .message = event { count += 1 }
            return count == 4
        }
    }

    @Test func aPausedPartitionHoldsUpNoOther() throws {
        let (cluster, properties) = try Self.brokers()
        defer { cluster.close() }
        let member = try Self.member(properties)
        defer { member.close() }
        var held: Set<Int32> = []
        Self.poll(member, &held) { _, held in held.count == 4 }
        member.pause([1], true)
        try Self.write(40, to: properties)
        let ends = try (0..<4).map { partition in
            try #require(cluster.offsets(of: "questions", partition, milliseconds: 2000))
                .upperBound
        }
        #expect(ends[1] > 0)
        var counts: [Int32: Int64] = [:]
        var last: [Int32: Int64] = [:]
        func read(_ event: KafkaConsumer.Event) {
            guard case .message(let message) = event else { return }
            counts[message.partition, default: 0] += 1
            #expect(message.offset == last[message.partition].map { $0 + 1 } ?? 0)
            last[message.partition] = message.offset
            // One after the other, in the middle of what was fetched.
            if message.offset == 1, message.partition != 1 {
                member.pause([message.partition], true)
                member.pause([message.partition], false)
            }
        }
        Self.poll(member, &held) { event, _ in
            read(event)
            return counts.values.reduce(0, +) == 40 - ends[1]
        }
        for _ in 0..<5 { #expect(member.poll(milliseconds: 100) == .nothing) }
        #expect(counts[1] == nil)
        member.pause([1], false)
        Self.poll(member, &held) { event, _ in
            read(event)
            return counts.values.reduce(0, +) == 40
        }
    }

    /// The library waits for the answer to a commit, for as long as its sockets' time-out.
    @Test func brokersThatAreSilentDelayNoEnd() throws {
        let (cluster, properties) = try Self.brokers()
        defer { cluster.close() }
        let member = try Self.member(properties)
        var held: Set<Int32> = []
        Self.poll(member, &held) { _, held in held.count == 4 }
        cluster.playDelay(milliseconds: 20_000)
        member.commit([KafkaOffset(partition: 0, offset: 0)], waits: false)
        let begin = ContinuousClock.now
        member.close(leavingWithinMilliseconds: 500)
        #expect(ContinuousClock.now - begin < .seconds(4))
    }

    @Test func anotherThreadEndsAPoll() throws {
        let (cluster, properties) = try Self.brokers()
        defer { cluster.close() }
        let member = try Self.member(properties)
        defer { member.close() }
        var held: Set<Int32> = []
        try Self.write(1, to: properties)
        Self.poll(member, &held) { _, held in held.count == 4 }
        while member.poll(milliseconds: 200) != .nothing {}
        let waker = member.waker
        let thread = try SystemThread(name: "waker") { waker.wake() }
        let begin = ContinuousClock.now
        #expect(member.poll(milliseconds: 20_000) == .nothing)
        #expect(ContinuousClock.now - begin < .seconds(10))
        thread.join()
    }
}
