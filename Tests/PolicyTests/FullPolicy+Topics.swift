// What full policies say of topics, put together by hand.

@testable import Policy

extension FullPolicy {
    static var topicsText: String {
        """
        topics:
          - name: questions
            brokers: [kafka-1:9092, "[::1]:9093"]
            topic: asked
            group: gateways
            results: answered
            dead_letters: failed
            class: lead
            tenant: nightly
            order: key
            max_open: 84
            max_answer: 85KiB
            transactions: true
            properties:
              security.protocol: SASL_SSL
              sasl.password:
                file: /etc/penstock/kafka
              ssl.key.password:
                env: KAFKA_KEY

        """
    }

    static var expectedTopic: TopicSettings {
        var topic = TopicSettings()
        topic.name = "questions"
        topic.brokers = ["kafka-1:9092", "[::1]:9093"]
        topic.topic = "asked"
        topic.group = "gateways"
        topic.results = "answered"
        topic.deadLetters = "failed"
        topic.className = "lead"
        topic.tenant = "nightly"
        topic.order = .key
        topic.mostOpen = 84
        topic.maxAnswerBytes = 85 << 10
        topic.isTransactional = true
        topic.properties = [
            SetField(name: "security.protocol", value: FieldValue(text: "SASL_SSL")),
            SetField(name: "sasl.password", value: value(file: "/etc/penstock/kafka")),
            SetField(name: "ssl.key.password", value: value(variable: "KAFKA_KEY")),
        ]
        return topic
    }
}
