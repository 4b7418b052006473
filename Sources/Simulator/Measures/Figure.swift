// Numbers as people read them, without a locale.

/// Formats numbers.
package enum Figure {
    /// A number with `decimals` figures after the point.
    package static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "-" : "inf" }
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let whole = (abs(value) * scale).rounded()
        guard whole < 9e15 else { return "\(value)" }
        let digits = Int(whole)
        let sign = value < 0 && digits > 0 ? "-" : ""
        guard decimals > 0 else { return sign + "\(digits)" }
        let unit = Int(scale)
        let rest = "\(digits % unit)"
        return sign + "\(digits / unit)."
            + String(repeating: "0", count: decimals - rest.count) + rest
    }

    /// A number with three or four figures that matter.
    package static func short(_ value: Double) -> String {
        let size = abs(value)
        if size == 0 { return "0" }
        if size >= 100 { return fixed(value, decimals: 0) }
        if size >= 10 { return fixed(value, decimals: 1) }
        if size >= 1 { return fixed(value, decimals: 2) }
        return fixed(value, decimals: size >= 0.1 ? 3 : 4)
    }

    /// A duration in s, ms or µs; one below 10 ns counts as none.
    package static func seconds(_ value: Double) -> String {
        if value < 1e-8 { return "0 s" }
        if value >= 1 { return short(value) + " s" }
        if value >= 1e-3 { return short(value * 1e3) + " ms" }
        return short(value * 1e6) + " µs"
    }
}
