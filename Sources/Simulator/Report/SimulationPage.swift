// A run as one page that can be sent around: it needs nothing but itself.

import Admission

/// Writes results as a page of HTML.
package enum SimulationPage {
    private static let style = """
        :root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --soft: #59636e; --grid: #d8dee4;
          --c0: #0969da; --c1: #bc4c00; --c2: #1a7f37; --c3: #8250df; --c4: #cf222e; --c5: #9a6700; --c6: #116b7a;
          --c7: #bf3989; }
        @media (prefers-color-scheme: dark) { :root { --back: #0d1117; --text: #e6edf3; --soft: #9198a1;
          --grid: #30363d; --c0: #58a6ff; --c1: #f0883e; --c2: #3fb950; --c3: #bc8cff; --c4: #ff7b72; --c5: #d29922;
          --c6: #39c5cf; --c7: #f778ba; } }
        body { background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
          max-width: 920px; padding: 0 1rem; }
        h1 { font-size: 1.4rem; } figure { margin: 1.5rem 0; } figcaption { font-weight: 600; }
        .unit, .tick { color: var(--soft); fill: var(--soft); font-weight: 400; } .tick { font-size: 11px; }
        svg { display: block; width: 100%; height: auto; } .grid { stroke: var(--grid); }
        .line { fill: none; stroke: currentColor; stroke-width: 1.5; stroke-linejoin: round; }
        .c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); }
        .c4 { color: var(--c4); } .c5 { color: var(--c5); } .c6 { color: var(--c6); } .c7 { color: var(--c7); }
        .legend { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0 1rem; }
        .key { display: inline-block; width: 1rem; height: 3px; background: currentColor; vertical-align: middle;
          margin-right: .4rem; }
        pre { overflow-x: auto; font: 13px/1.5 ui-monospace, monospace; }
        """

    /// The page of a run of `scenario`, with what was judged by it.
    package static func html(
        _ scenario: Scenario, _ result: SimulationResult, _ judgements: [Judgement]
    ) -> String {
        let plots = plots(scenario, result).enumerated().map { $1.svg(id: "p\($0)") }.joined()
        let summary = SimulationSummary.text(scenario, result)
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>\(Markup.escaped(scenario.name))</title>
            <style>
            \(style)
            </style>
            </head>
            <body>
            <h1>\(Markup.escaped(scenario.name))</h1>
            <p>Seed \(result.seed), trace \(String(result.trace, radix: 16)).</p>
            <pre tabindex="0">\(Markup.escaped(summary))</pre>
            <pre tabindex="0">\(Markup.escaped(Judgement.text(judgements)))</pre>
            \(plots)
            </body>
            </html>

            """
    }

    private static func plots(_ scenario: Scenario, _ result: SimulationResult) -> [Plot] {
        let samples = result.samples
        let times = samples.map { Double($0.timeNanoseconds) * 1e-9 }
        let perSecond = 1e9 / Double(scenario.sampleNanoseconds)
        let refused = Reason.allCases.compactMap { reason -> Plot.Line? in
            let index = Int(reason.rawValue)
            let values = samples.map { Double($0.rejectedByReason[index]) * perSecond }
            return values.contains { $0 > 0 } ? Plot.Line(name: reason.name, values: values) : nil
        }
        let replicas = scenario.autoscale == nil ? [] : [Self.replicas(samples, times)]
        return replicas + [
            Plot(
                title: "Limit and requests in flight", unit: "requests", times: times,
                lines: [
                    .init(name: "limit", values: samples.map { Double($0.limit) }),
                    .init(name: "in flight", values: samples.map { Double($0.inFlight) }),
                ]),
            Plot(
                title: "Throughput", unit: "units a second", times: times,
                lines: [.init(name: "units", values: samples.map(\.unitsPerSecond))]),
            Plot(
                title: "Longest queue wait", unit: "seconds", times: times,
                lines: [.init(name: "wait", values: samples.map(\.waitSeconds))]),
            Plot(
                title: "Requests waiting", unit: "requests", times: times,
                lines: [.init(name: "waiting", values: samples.map { Double($0.queueLength) })]),
            Plot(
                title: "Refused by reason", unit: "requests a second", times: times,
                lines: refused.isEmpty
                    ? [.init(name: "none", values: samples.map { _ in 0 })] : refused),
        ]
    }

    private static func replicas(_ samples: [SamplePoint], _ times: [Double]) -> Plot {
        Plot(
            title: "Replicas", unit: "replicas", times: times,
            lines: [
                .init(name: "asked for", values: samples.map { Double($0.replicas) }),
                .init(name: "serving", values: samples.map { Double($0.ready) }),
            ])
    }
}
