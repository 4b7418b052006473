// One of librdkafka's own settings, by the name that its CONFIGURATION.md has.

internal import CShims

/// A setting of a Kafka client.
package struct KafkaProperty: Equatable, Sendable {
    /// Its name, such as `security.protocol`.
    package var name: String
    /// Its value.
    package var value: String

    /// The property `name` with `value`.
    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

extension Collection<KafkaProperty> {
    /// Throws the first that the library does not take, or why there is no library.
    package func check() throws(SystemError) {
        try KafkaLibrary.open()
        // Nobody makes a handle of it.
        unsafe try penstock_kafka_settings_free(settings())
    }

    /// The library's object with these settings; throws the first that it does not take.
    ///
    /// Whoever gets it makes a handle of it, which owns it then.
    func settings() throws(SystemError) -> OpaquePointer {
        // Never NULL: the shim ends the process where memory is short.
        guard let settings = unsafe penstock_kafka_settings_make() else {
            preconditionFailure("no settings were made")
        }
        var why = [CChar](repeating: 0, count: 512)
        for property in self {
            // Strings are borrowed for the call; the library copies them.
            let room = why.count
            let code = unsafe penstock_kafka_set(
                settings, property.name, property.value, &why, room)
            guard code == 0 else {
                unsafe penstock_kafka_settings_free(settings)
                throw SystemError(
                    "set \(property.name) of Kafka's clients", because: KafkaLibrary.text(why))
            }
        }
        return unsafe settings
    }
}
