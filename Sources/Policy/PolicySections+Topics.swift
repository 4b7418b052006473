// The keys of `topics`.

internal import Admission

extension PolicySections {
    /// Most topics of a policy: each has a thread and two connections to each broker.
    private static let topicCounts = 0...16
    /// Most properties of a topic.
    private static let mostProperties = 32

    /// `topics` at the top level.
    static let topics = Kind<[TopicSettings]>.list(
        of: topic.kind(), blank: topic.blank, counts: topicCounts, identity: { [$0.name] })

    static let topic = Section<TopicSettings>(
        blank: TopicSettings(),
        keys: [
            Key(
                "name", \.name, topicLabel, required: true,
                "What metrics and the log call the topic."),
            Key(
                "brokers", \.brokers,
                .list(of: broker, blank: "", counts: 1...100, identity: { [$0] }),
                required: true,
                "Kafka's brokers, `host:port`: some of them, which tell of the others."),
            Key(
                "topic", \.topic, topicName, required: true,
                "Topic that requests are taken from: each message is a line of OpenAI's batch files."
            ),
            Key(
                "group", \.group, groupName, required: true,
                "Consumer group that shares the topic's partitions; the same in all gateways that do."
            ),
            Key(
                "results", \.results, topicName, required: true,
                "Topic that the results are written to, each a line as batches have them, with the key of its message."
            ),
            Key(
                "dead_letters", \.deadLetters, topicName.optional(blank: ""),
                "Topic for messages whose requests the backends have failed three times, as they came and with the "
                    + "reason in the header `penstock-reason`; `topic` and `.dead` where this is left out."
            ),
            Key(
                "class", \.className, claimName, required: true,
                "Priority class of the requests, in whichever pool they go to. Every pool has to have it, and it should "
                    + "be one with `slack`."),
            Key(
                "tenant", \.tenant, claimName.optional(blank: ""),
                "Tenant that the requests are charged to; the one of requests that name none where this is left out."
            ),
            Key(
                "order", \.order, .words,
                "Which messages go one after the other: `key`, those with the same key, also in several partitions; "
                    + "`none`, none do."),
            Key(
                "max_open", \.mostOpen, .integer(1...100_000),
                "Messages of a partition that are in hand at most, from when they are read until their results are "
                    + "written: so many may be asked again after a crash."),
            Key(
                "max_answer", \.maxAnswerBytes, .size(1 << 10...256 << 20),
                "Bytes of the longest answer; with a longer one the message fails. For more than about 1 MB brokers and "
                    + "the property `message.max.bytes` have to allow it."),
            Key(
                "transactions", \.isTransactional, .boolean,
                "Whether a result is written together with where the group goes on, so that consumers with "
                    + "`isolation.level: read_committed` see one result of each message, whatever crashes. It costs a "
                    + "few round trips, and requests may be asked twice all the same."),
            Key(
                "properties", \.properties, properties,
                "Settings of librdkafka by their names in its CONFIGURATION.md, such as `security.protocol`: a text, or "
                    + "`{file: PATH}` or `{env: NAME}` for what nobody is to read in the policy."),
        ],
        rules: [
            Rule("results", "topic") { settings in
                settings.results == settings.topic
                    ? Fault("is the topic that is read", "name another topic") : nil
            },
            Rule("dead_letters", "topic") { settings in
                settings.deadLetters == settings.topic
                    ? Fault("is the topic that is read", "name another topic") : nil
            },
        ],
        hints: [
            "bootstrap_servers": "write brokers: [HOST:PORT]", "servers": "write brokers",
            "group_id": "write group", "priority": "write class: NAME",
            "output": "write results: TOPIC", "dead_letter": "write dead_letters: TOPIC",
        ])

    private static let topicLabel = Kind<String>.text(
        "a name such as questions", pattern: "^[a-z0-9][a-z0-9_-]{0,62}$",
        parse: { (text) throws(Fault) in
            let isName = text.utf8.allSatisfy { byte in
                byte >= 0x61 && byte <= 0x7a || byte >= 0x30 && byte <= 0x39 || byte == 0x5f
                    || byte == 0x2d
            }
            guard isName, (1...63).contains(text.utf8.count), text.first != "-", text.first != "_"
            else {
                throw Fault(
                    "\(text.quoted) is not a name",
                    "write up to 63 small letters, figures, `_` and `-`, a letter or figure first")
            }
            return text
        }, write: { $0 })

    /// Kafka's own rule (org.apache.kafka.common.internals.Topic).
    private static let topicName = Kind<String>.text(
        "a topic's name", pattern: "^[a-zA-Z0-9._-]{1,249}$",
        parse: { (text) throws(Fault) in
            let isName = text.allSatisfy {
                $0.isASCIILetter || $0.isASCIIDigit || $0 == "." || $0 == "_" || $0 == "-"
            }
            guard isName, (1...249).contains(text.utf8.count), text != ".", text != ".." else {
                throw Fault(
                    "\(text.quoted) is not a topic's name",
                    "write up to 249 letters, figures, `.`, `_` and `-`")
            }
            return text
        }, write: { $0 })

    private static let groupName = Kind<String>.text(
        "a consumer group's name", pattern: "^[!-~]{1,249}$",
        parse: { (text) throws(Fault) in
            guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
                (1...249).contains(text.utf8.count)
            else {
                throw Fault(
                    "\(text.quoted) is not a group's name",
                    "write up to 249 visible characters of ASCII, no spaces")
            }
            return text
        }, write: { $0 })

    private static let broker = Kind<String>.text(
        "a broker such as kafka-1:9092", pattern: "^[^,/\\s]+:[0-9]{1,5}$",
        parse: { (text) throws(Fault) in
            guard let colon = text.lastIndex(of: ":"), !text.contains(",") else {
                throw Fault("\(text.quoted) has no port", "write host:port, such as kafka-1:9092")
            }
            let host = String(text[..<colon])
            let name = try HostName.parse(host)
            let port = try HostName.port(text[text.index(after: colon)...], in: 1...65_535)
            return host.hasPrefix("[") ? "[\(name)]:\(port)" : "\(name):\(port)"
        }, write: { $0 })

    // MARK: Properties

    /// What the gateway says itself: the promises about results hang on it.
    private static let ownProperties: [String: String] = [
        "bootstrap.servers": "write brokers", "metadata.broker.list": "write brokers",
        "group.id": "write group", "transactional.id": "write transactions: true",
        "enable.auto.commit": ownProperty, "enable.auto.offset.store": ownProperty,
        "auto.commit.enable": ownProperty, "partition.assignment.strategy": ownProperty,
        "acks": ownProperty, "request.required.acks": ownProperty,
        "enable.idempotence": ownProperty, "queued.min.messages": ownProperty,
        "queued.max.messages.kbytes": ownProperty, "enable.partition.eof": ownProperty,
        "isolation.level": ownProperty, "group.protocol": ownProperty,
    ]
    private static let ownProperty =
        "remove it: that every message has its result depends on what the gateway says there"

    private static let properties = Kind<[SetField]>(
        .named(fieldValue.shape, pattern: "^[a-z0-9._]{1,64}$", counts: 0...mostProperties)
    ) { node, path, properties, reading in
        guard case .mapping(let entries) = node.content, entries.count <= mostProperties else {
            let fault = Fault(
                "found \(node.description)",
                "write a mapping of names to values, \(mostProperties) at most")
            return reading.report(fault, path: path, at: node.position)
        }
        properties = []
        var first: [String: Position] = [:]
        for entry in entries {
            let path = Reading.join(path, entry.key)
            if let earlier = first.updateValue(entry.position, forKey: entry.key) {
                reading.report(
                    .repeated(earlier, in: reading, at: entry.position), path: path,
                    at: entry.position)
                continue
            }
            var property = SetField(name: entry.key, value: FieldValue())
            if let fault = fault(ofProperty: entry.key) {
                reading.report(fault, path: path, at: entry.position)
            }
            reading.note(path, at: entry.value.position)
            fieldValue.read(entry.value, path, &property.value, &reading)
            if entry.key.hasSuffix("password") || entry.key.hasSuffix("secret"),
                let name = reading.variable(at: entry.value.position)
            {
                reading.report(
                    Fault(
                        "has a secret from the variable \(name) in a text, which dumps would show",
                        "write {env: \(name)}"),
                    path: path, at: entry.value.position)
            }
            properties.append(property)
        }
    } write: { properties in
        .mapping(
            properties.compactMap { property in
                fieldValue.write(property.value).map { (property.name, $0) }
            })
    }

    private static func fault(ofProperty name: String) -> Fault? {
        let isName = name.utf8.allSatisfy { byte in
            byte >= 0x61 && byte <= 0x7a || byte >= 0x30 && byte <= 0x39 || byte == 0x2e
                || byte == 0x5f
        }
        guard isName, (1...64).contains(name.utf8.count) else {
            return Fault(
                "\(name.quoted) is not a property's name", "write one such as security.protocol")
        }
        return ownProperties[name].map { Fault("is set by the gateway itself", $0) }
    }
}

extension PolicyLoader {
    /// Classes of topics that some pool has not, and topics that one gateway would read twice in a group.
    static func checkTopics(_ policy: Policy, _ reading: inout Reading) {
        for (index, topic) in policy.topics.enumerated() {
            let path = "topics[\(index)]"
            if !reading.isFaulty("\(path).class") {
                checkClass(topic.className, "\(path).class", policy, &reading)
            }
            let earlier = policy.topics[..<index].firstIndex {
                $0.topic == topic.topic && $0.group == topic.group && $0.brokers == topic.brokers
            }
            guard let earlier, !reading.isFaulty(path) else { continue }
            let other = reading.named("topics[\(earlier)]", from: path)
            reading.report(
                Fault("reads what \(other) reads, in the same group", "remove one of them"),
                path: path)
        }
    }
}
