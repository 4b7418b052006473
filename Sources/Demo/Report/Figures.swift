// Figures as people read them.

/// Writes numbers for the demo's table and summary.
enum Figures {
    /// `value` with so many digits after the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((min(abs(value), 1e12) * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(scaled)" }
        let fraction = String(scaled % Int(scale))
        let zeros = String(repeating: "0", count: digits - fraction.count)
        return "\(sign)\(scaled / Int(scale)).\(zeros)\(fraction)"
    }

    /// A rate: whole, but for small ones.
    static func rate(_ perSecond: Double) -> String {
        fixed(perSecond, perSecond > 0 && perSecond < 9.95 ? 1 : 0)
    }

    /// A time in milliseconds below a second, else in seconds; a dash for none.
    static func time(_ seconds: Double?) -> String {
        guard let seconds else { return "-" }
        if seconds < 0.00995 { return "\(fixed(seconds * 1000, 1)) ms" }
        return seconds < 0.9995
            ? "\(fixed(seconds * 1000, 0)) ms" : "\(fixed(seconds, 2)) s"
    }

    /// A share of 1 in per cent.
    static func share(_ share: Double) -> String { "\(fixed(share * 100, 0)) %" }

    /// A length of time in whole or broken seconds.
    static func seconds(_ seconds: Double) -> String {
        "\(fixed(seconds, seconds == seconds.rounded() ? 0 : 1)) s"
    }
}
