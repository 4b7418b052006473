// What this machine lacks for the topics of a policy: the library, or a setting that it knows.

package import Policy
internal import Reactor

/// Finds out whether this process could serve the topics of a policy.
package enum TopicFaults {
    /// What stands in the way; empty where nothing does, or there are no topics.
    package static func faults(_ policy: Policy) -> [PolicyFault] {
        guard !policy.topics.isEmpty else { return [] }
        if let fault = KafkaLibrary.fault {
            return [
                PolicyFault(
                    path: "topics", problem: "librdkafka.so.1 cannot be opened: \(fault)",
                    remedy: KafkaLibrary.remedy)
            ]
        }
        return policy.topics.enumerated().flatMap { index, topic in
            topic.properties.compactMap { property in
                fault(property, at: "topics[\(index)].properties")
            }
        }
    }

    private static func fault(_ property: SetField, at path: String) -> PolicyFault? {
        let value = String(decoding: property.value.bytes, as: UTF8.self)
        do throws(SystemError) {
            try [KafkaProperty(property.name, value)].check()
            return nil
        } catch {
            let name = property.name.contains(".") ? "\"\(property.name)\"" : property.name
            return PolicyFault(
                path: "\(path).\(name)", problem: error.description,
                remedy:
                    "write what CONFIGURATION.md of librdkafka \(KafkaLibrary.version) allows")
        }
    }
}
