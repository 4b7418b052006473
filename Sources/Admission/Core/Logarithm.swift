// The two functions of analysis that the limit algorithms need. The standard library has neither,
// and the C library's are not the same to the last bit everywhere: the same calls must give the
// same decisions on every machine.

/// The natural logarithm of a finite number above 0, to about 1e-12.
package func naturalLogarithm(_ number: Double) -> Double {
    precondition(number > 0 && number.isFinite, "no logarithm of \(number)")
    // number = m 2^e with m in 1..<2; ln m by the series of artanh, with m brought near 1.
    var exponent = Double(number.exponent)
    var fraction = number.significand
    if fraction > 1.414_213_562_373_095_1 {
        fraction /= 2
        exponent += 1
    }
    let ratio = (fraction - 1) / (fraction + 1)
    let square = ratio * ratio
    var sum = 0.0
    var power = ratio
    var divisor = 1.0
    while divisor < 24 {
        sum += power / divisor
        power *= square
        divisor += 2
    }
    return 2 * sum + exponent * 0.693_147_180_559_945_3
}

/// e to the power of a number in -20...20, to about 1e-12.
func exponential(_ power: Double) -> Double {
    precondition(abs(power) <= 20, "\(power) is outside of what the limits need")
    // e^x = (e^(x/64))^64, the inner one by its series.
    let small = power / 64
    var term = 1.0
    var sum = 1.0
    for index in 1...14 {
        term *= small / Double(index)
        sum += term
    }
    for _ in 0..<6 { sum *= sum }
    return sum
}
