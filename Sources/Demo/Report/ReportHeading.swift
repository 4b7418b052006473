// What is going on, said once before the figures.

internal import Admission

/// Says what a run is made of.
package enum ReportHeading {
    /// The run in two lines without their ends.
    package static func lines(_ settings: DemoSettings) -> [String] {
        let backends = settings.backends == 1 ? "backend" : "backends"
        return [
            "\(arrivals(settings)) requests/s arrive at each side, where \(settings.backends) simulated "
                + "\(backends) can serve \(capacity(settings))/s;",
            "a client that has no complete answer after \(patience(settings)) leaves",
        ]
    }

    /// The same for a narrow terminal.
    static func shortLines(_ settings: DemoSettings) -> [String] {
        [
            "\(arrivals(settings))/s arrive, \(capacity(settings))/s can be served,",
            "clients leave after \(patience(settings))",
        ]
    }

    private static func arrivals(_ settings: DemoSettings) -> String {
        Figures.rate(settings.arrivalsPerSecond)
    }

    private static func capacity(_ settings: DemoSettings) -> String {
        Figures.rate(settings.capacityPerSecond)
    }

    private static func patience(_ settings: DemoSettings) -> String {
        Figures.seconds(settings.patience.inSeconds)
    }
}
