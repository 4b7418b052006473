// What the demo has to say at one moment, in figures.

/// Both sides at one moment.
package struct DemoReport: Sendable {
    /// What the run is made of.
    package var settings: DemoSettings
    /// Since the beginning.
    package var elapsedSeconds: Double
    /// The share of one core that the demo itself used of late.
    package var processorShare: Double
    /// Where the gateway's metrics are to be had while the demo runs.
    package var metricsAddress: String
    /// Clients that go to the backends directly.
    package var without: Side
    /// Clients that go through the gateway.
    package var with: Side

    /// One side.
    package struct Side: Sendable {
        /// About the last second.
        package var recent: Period
        /// The whole run.
        package var whole: Period
        /// Requests in the backends' batches.
        package var running: Int
        /// Requests in the backends' own queues.
        package var waiting: Int
        /// The gateway's view; nil for the side without one.
        package var entry: Entry?
    }

    /// What happened in some time.
    package struct Period: Sendable {
        /// How long it was, in seconds.
        package var seconds: Double
        /// What the clients saw.
        package var statistics: SideStatistics
        /// What the backends' time went into, over all of them.
        package var work: BatchEngine.Work

        /// `count` as a rate.
        package func perSecond(_ count: Int) -> Double {
            seconds > 0 ? Double(count) / seconds : 0
        }

        /// The share of the backends' work that was done for clients that had left before the end,
        /// 0...1.
        ///
        /// Of the work whose fate is known: a request that still runs has none yet.
        package var wastedShare: Double {
            let known = work.usefulNanoseconds + work.wastedNanoseconds
            return known > 0 ? Double(work.wastedNanoseconds) / Double(known) : 0
        }

        /// Responses in time as a share of those that the backends could have given in a run made of
        /// `settings`.
        ///
        /// That is their capacity, or all arrivals where those are fewer. Second tries can take it
        /// above 1.
        package func goodShare(_ settings: DemoSettings) -> Double {
            perSecond(statistics.inTime)
                / min(settings.capacityPerSecond, settings.arrivalsPerSecond)
        }
    }

    /// The gateway's view of its pool.
    package struct Entry: Sendable {
        /// Requests that may be in flight, over all backends.
        package var limit: Int
        /// Requests that are.
        package var inFlight: Int
        /// Requests that wait in the gateway.
        package var queued: Int
    }
}
