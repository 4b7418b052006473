// When to start and stop replicas: the rules of Kubernetes' HorizontalPodAutoscaler (kubernetes/kubernetes,
// pkg/controller/podautoscaler, `replica_calculator.go` and `horizontal.go`), with a time in which it does not take back a higher number.
//
// A number for each replica (`AverageValue`): sum over target, rounded up, unless that is within the tolerance of what is
// asked for already. A ratio (`Value`): replicas that serve times ratio over target, likewise. Upwards it takes at most twice as
// many, or four more, each time, as is its default; downwards the highest number of the last `down_after`.

/// The state of one autoscaler.
struct Autoscaler {
    private struct Recommendation {
        var time: Int64
        var replicas: Int
    }

    let rule: Autoscale
    /// Replicas that are asked for.
    private(set) var replicas: Int
    private var recommendations: [Recommendation] = []

    /// So many more may be asked for each time, or twice as many.
    private static let mostAdded = 4

    init(_ rule: Autoscale) {
        self.rule = rule
        replicas = rule.least
    }

    /// Decides by the signal's `value`, while `ready` replicas serve; true where another number is asked for since.
    mutating func decide(value: Double, ready: Int, now: Int64) -> Bool {
        let before = replicas
        let wanted = recommendation(value: value, ready: ready)
        recommendations.append(Recommendation(time: now, replicas: wanted))
        recommendations.removeAll { now - $0.time > rule.downAfterNanoseconds }
        if wanted > replicas {
            replicas = min(wanted, max(2 * replicas, replicas + Self.mostAdded))
        } else if wanted < replicas {
            let highest = recommendations.reduce(wanted) { max($0, $1.replicas) }
            replicas = min(replicas, highest)
        }
        return replicas != before
    }

    private func recommendation(value: Double, ready: Int) -> Int {
        let target = rule.target ?? rule.signal.usualTarget
        let isRatio = rule.signal == .saturation
        let ratio = value / target / (isRatio ? 1 : Double(replicas))
        if abs(ratio - 1) <= rule.tolerance { return replicas }
        let exact = isRatio ? ratio * Double(ready) : value / target
        let whole = Int(min(exact.rounded(.up), 1e6))
        return min(max(whole, rule.least), rule.most)
    }
}
