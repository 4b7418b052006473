// How long requests hold their slots, by what is expected of their tokens. Reading a prompt's token
// takes a hundredth of the time of making one, or a tenth, or there is nothing to make: which it is,
// is learnt from the requests that ended, by least squares with two unknowns.
//
//     seconds = a input + b output,   a, b >= 0
//
// What is expected is what counts, not what it came to: the response to be found is how much a request
// costs that has only been estimated.

/// Time of a slot of the limit by expected tokens, over about the last hundred requests.
struct TokenTime: Sendable {
    /// What is left of a sample's weight after each further one.
    private static let decay = 0.99
    /// Samples that are needed before anything is predicted.
    private static let enough = 32
    /// The cost of a request lies between these: an estimate is corrected in the end.
    private static let costs = 1.0 / 64...64.0
    /// Keeps the equations solvable where all requests are alike.
    private static let ridge = 1e-6

    private var count = 0
    private var weight = 0.0
    private var seconds = 0.0
    private var inputInput = 0.0
    private var inputOutput = 0.0
    private var outputOutput = 0.0
    private var inputSeconds = 0.0
    private var outputSeconds = 0.0

    /// A request of which so many tokens were expected held its slots for that time, in seconds
    /// times slots.
    mutating func learn(input: Int, output: Int, seconds sample: Double) {
        guard input + output > 0 else { return }
        let input = Double(input)
        let output = Double(output)
        count = min(count + 1, Self.enough)
        weight = weight * Self.decay + 1
        seconds = seconds * Self.decay + sample
        inputInput = inputInput * Self.decay + input * input
        inputOutput = inputOutput * Self.decay + input * output
        outputOutput = outputOutput * Self.decay + output * output
        inputSeconds = inputSeconds * Self.decay + input * sample
        outputSeconds = outputSeconds * Self.decay + output * sample
    }

    /// What a request of so many expected tokens costs, in units of the mean one, 1/64...64; nil while
    /// too little is known.
    func cost(input: Int, output: Int) -> Double? {
        guard count == Self.enough, seconds > 0, input + output > 0 else { return nil }
        let (each, made) = coefficients
        let predicted = each * Double(input) + made * Double(output)
        let cost = predicted * weight / seconds
        return min(max(cost, Self.costs.lowerBound), Self.costs.upperBound)
    }

    /// Seconds for a token of a prompt and for one of a response.
    private var coefficients: (input: Double, output: Double) {
        let ridge = Self.ridge * (inputInput + outputOutput)
        let first = inputInput + ridge
        let second = outputOutput + ridge
        let determinant = first * second - inputOutput * inputOutput
        let input = (inputSeconds * second - outputSeconds * inputOutput) / determinant
        let output = (outputSeconds * first - inputSeconds * inputOutput) / determinant
        if input < 0 { return (0, outputSeconds / second) }
        if output < 0 { return (inputSeconds / first, 0) }
        return (input, output)
    }
}
