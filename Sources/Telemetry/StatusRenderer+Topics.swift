// What /status says of topics that requests are taken from.

internal import Bytes

extension StatusRenderer {
    /// Appends the object of a topic.
    static func append(_ topic: TopicSnapshot, to buffer: inout ByteBuffer) {
        let figures = topic.figures
        buffer.append(text: "{\"name\":")
        buffer.append(jsonString: topic.name)
        buffer.append(text: figures.isUp ? ",\"up\":true" : ",\"up\":false")
        buffer.append(text: figures.isPaused ? ",\"paused\":true" : ",\"paused\":false")
        let numbers = [
            ("partitions", figures.partitionCount), ("lag", figures.lag),
            ("open", figures.openCount), ("read", figures.readCount),
            ("completed", figures.completedCount), ("failed", figures.failedCount),
            ("dead", figures.deadCount), ("late", figures.lateCount),
            ("errors", figures.errorCount),
        ]
        for (name, number) in numbers {
            buffer.append(text: ",\"\(name)\":")
            buffer.append(signed: number)
        }
        buffer.append(text: ",\"stuck\":")
        buffer.append(jsonString: figures.refusal)
        buffer.append(text: ",\"error\":")
        buffer.append(jsonString: figures.lastError)
        buffer.append(text: "}")
    }
}
