// Logarithm and exponential by series. The C library's differ in their last bit between platforms
// and versions; the same seed has to give the same trace everywhere. Plain additions,
// multiplications, divisions and square roots are exact by IEEE 754.

/// The elementary functions that the simulator draws its random numbers with.
enum Arithmetic {
    private static let logarithmOf2 = 0.693_147_180_559_945_3

    /// The natural logarithm of a finite number above 0, to about 1e-15.
    static func logarithm(_ value: Double) -> Double {
        precondition(value > 0 && value.isFinite, "no logarithm of \(value)")
        var exponent = Double(value.exponent)
        var significand = value.significand
        if significand > 1.414_213_562_373_095_1 {
            significand /= 2
            exponent += 1
        }
        // ln m = 2 artanh((m - 1) / (m + 1)), where the argument is at most 0.172.
        let ratio = (significand - 1) / (significand + 1)
        let square = ratio * ratio
        var sum = 0.0
        var divisor = 23.0
        while divisor >= 1 {
            sum = sum * square + 1 / divisor
            divisor -= 2
        }
        return exponent * logarithmOf2 + 2 * ratio * sum
    }

    /// e to the power of `value`, to about 1e-15 of the result, for -700...700.
    static func exponential(_ value: Double) -> Double {
        precondition(abs(value) <= 700, "no exponential of \(value)")
        let steps = (value / logarithmOf2).rounded()
        let rest = value - steps * logarithmOf2
        var sum = 1.0
        var order = 15.0
        while order >= 1 {
            sum = 1 + sum * rest / order
            order -= 1
        }
        return sum * Double(sign: .plus, exponent: Int(steps), significand: 1)
    }
}
