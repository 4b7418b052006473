// Limits by the names that the simulator's command line and scenario files use for them.

package import Admission

extension LimitSettings {
    /// The limit of that name with its defaults: one of a policy's algorithms, `fixed:N`, or another
    /// project's (`ReferenceLimit`); nil for a name that is none.
    package init?(simulatorName name: String) {
        switch name {
        case "knee": self = .knee(KneeLimitSettings())
        case "gradient": self = .gradient(GradientLimitSettings())
        case "aimd": self = .aimd(AIMDLimitSettings())
        case "vegas": self = .vegas(VegasLimitSettings())
        default:
            if let reference = ReferenceLimit(rawValue: name) {
                self = .reference(reference)
            } else if name.hasPrefix("fixed:"), let limit = Int(name.dropFirst("fixed:".count)),
                (1...100_000).contains(limit)
            {
                self = .fixed(FixedLimitSettings(limit: limit))
            } else {
                return nil
            }
        }
    }

    /// The names that `init(simulatorName:)` takes, but for fixed limits.
    package static var simulatorNames: [String] {
        ["knee", "gradient", "aimd", "vegas"] + ReferenceLimit.allCases.map(\.rawValue)
    }
}
