// One backend as its own place of the admin listener shows it.

package import Bytes

/// A backend, what is said of it, and what follows.
package struct ShownBackend {
    /// Its pool's name.
    package var pool: String
    /// Its URL as the operator wrote it.
    package var label: String
    /// Whether it can be sent requests.
    package var isUsable = true
    /// Requests that it may have in flight.
    package var limit = 0
    /// Requests that have a permit on it.
    package var inFlight = 0
    /// What is said of it, by each source that says anything.
    package var signals: [SignalSnapshot] = []

    /// The backend `label` of `pool`.
    package init(pool: String, label: String) {
        self.pool = pool
        self.label = label
    }

    /// Appends it as one JSON object.
    package func render(into buffer: inout ByteBuffer) {
        buffer.append(text: "{\"pool\":")
        buffer.append(jsonString: pool)
        buffer.append(text: ",\"url\":")
        buffer.append(jsonString: label)
        buffer.append(text: isUsable ? ",\"usable\":true" : ",\"usable\":false")
        buffer.append(text: ",\"limit\":")
        buffer.append(signed: limit)
        buffer.append(text: ",\"in_flight\":")
        buffer.append(signed: inFlight)
        buffer.append(text: ",\"signals\":")
        StatusRenderer.append(signals, to: &buffer)
        buffer.append(text: "}\n")
    }
}
