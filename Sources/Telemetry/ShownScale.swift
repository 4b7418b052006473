// How many backends a pool wants, as the pool's own place of the admin listener shows it: short, because autoscalers ask for it
// often and want one number of it.

package import Admission
package import Bytes

/// What a pool wants, by the pool's name.
package struct ShownScale {
    /// The pool.
    package var pool: String
    /// What it wants, and why.
    package var wanted: WantedBackends

    /// What `pool` wants.
    package init(pool: String, _ wanted: WantedBackends) {
        self.pool = pool
        self.wanted = wanted
    }

    /// Appends it as one JSON object, of 100 bytes at most where the pool's name has 20.
    package func render(into buffer: inout ByteBuffer) {
        buffer.append(text: "{\"pool\":")
        buffer.append(jsonString: pool)
        buffer.append(text: ",\"wanted\":")
        buffer.append(text: rounded(wanted.wanted, to: 100))
        buffer.append(text: ",\"demand\":")
        buffer.append(text: rounded(wanted.demand, to: 10))
        buffer.append(text: ",\"limit\":")
        buffer.append(text: wanted.limit.map { rounded($0, to: 10) } ?? "null")
        buffer.append(text: ",\"usable\":")
        buffer.append(signed: wanted.usable)
        buffer.append(text: "}\n")
    }

    /// With no more decimals than matter: JSON has no word for what is not finite.
    private func rounded(_ value: Double, to parts: Double) -> String {
        let scaled = (value * parts).rounded()
        guard scaled.isFinite, scaled < 1e15 else { return "1e15" }
        return (scaled / parts).description
    }
}
