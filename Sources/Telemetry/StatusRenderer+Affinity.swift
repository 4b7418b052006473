// What sending requests to where their prompts are known came to, as JSON in /status.

import Admission
import Bytes

extension StatusRenderer {
    /// Appends a pool's member `affinity`.
    static func append(_ affinity: AffinityStatus, to buffer: inout ByteBuffer) {
        buffer.append(text: ",\"affinity\":{\"tokens\":{")
        append(affinity.tokens, to: &buffer)
        buffer.append(text: "},\"starts\":{")
        append(affinity.starts, to: &buffer)
        buffer.append(text: "},\"passes\":{\"requests\":")
        buffer.append(signed: affinity.counts.passes.reduce(0, +))
        buffer.append(text: ",\"sum\":")
        buffer.append(signed: affinity.counts.passesSum)
        buffer.append(text: ",\"most\":")
        buffer.append(signed: affinity.counts.mostPasses)
        buffer.append(text: "},\"index\":{\"entries\":")
        buffer.append(signed: affinity.entries)
        buffer.append(text: ",\"capacity\":")
        buffer.append(signed: affinity.capacity)
        buffer.append(text: "}}")
    }

    private static func append(
        _ members: [(name: StaticString, count: UInt64)], to buffer: inout ByteBuffer
    ) {
        for (index, member) in members.enumerated() {
            buffer.append(text: index > 0 ? ",\"" : "\"")
            buffer.append(text: member.name.description)
            buffer.append(text: "\":")
            buffer.append(unsigned: member.count)
        }
    }
}
