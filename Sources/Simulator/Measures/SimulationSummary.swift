// A run as text for a terminal.

import Admission

/// Writes results as tables.
package enum SimulationSummary {
    /// A table of what happened in each window, and what was refused why.
    package static func text(_ scenario: Scenario, _ result: SimulationResult) -> String {
        let heads = [
            "window", "offered/s", "units/s", "good u/s", "refused", "failed", "limit", "min",
            "max", "in flight", "wait p99", "unit p50", "unit p99", "total p99",
        ]
        let rows = ([scenario.whole] + scenario.windows).map { window in
            let value = { (measure: Measure) in result.value(measure, over: window) }
            return [
                window.name, Figure.short(value(.offered)), Figure.short(value(.throughput)),
                Figure.short(value(.goodput)), percent(value(.rejectedShare)),
                percent(value(.failedShare)), Figure.short(value(.limitMean)),
                Figure.fixed(value(.limitMin), decimals: 0),
                Figure.fixed(value(.limitMax), decimals: 0), Figure.short(value(.inFlightMean)),
                Figure.seconds(value(.waitHigh)), Figure.seconds(value(.unitMedian)),
                Figure.seconds(value(.unitHigh)), Figure.seconds(value(.totalHigh)),
            ]
        }
        var text = table([heads] + rows)
        if scenario.clients.count > 1 { text += "\n" + groups(scenario, result) }
        if scenario.autoscale != nil { text += "\n" + replicas(scenario, result) }
        let refusals = reasons(scenario, result)
        if !refusals.isEmpty { text += "\nrefused: " + refusals.joined(separator: ", ") + "\n" }
        return text
    }

    private static func groups(_ scenario: Scenario, _ result: SimulationResult) -> String {
        let heads = ["clients", "offered/s", "good u/s", "refused", "served", "wait p99"]
        let rows = scenario.clients.enumerated().map { index, group in
            let value = { (measure: Measure) in
                result.value(measure, over: scenario.whole, group: index)
            }
            return [
                group.name, Figure.short(value(.offered)), Figure.short(value(.goodput)),
                percent(value(.rejectedShare)), percent(value(.servedShare)),
                Figure.seconds(value(.waitHigh)),
            ]
        }
        return table([heads] + rows)
    }

    private static func replicas(_ scenario: Scenario, _ result: SimulationResult) -> String {
        let heads = ["replicas", "asked for", "serving", "changes"]
        let rows = ([scenario.whole] + scenario.windows).map { window in
            let value = { (measure: Measure) in
                Figure.fixed(result.value(measure, over: window), decimals: 0)
            }
            return [
                window.name, "\(value(.replicasMin)) to \(value(.replicasMax))",
                "\(value(.readyMin)) to \(value(.readyMax))", value(.replicaChanges),
            ]
        }
        return table([heads] + rows)
    }

    private static func reasons(_ scenario: Scenario, _ result: SimulationResult) -> [String] {
        let all = result.clients(
            from: scenario.warmUpNanoseconds, to: scenario.durationNanoseconds)
        return Reason.allCases.compactMap { reason in
            let count = all.rejectedByReason[Int(reason.rawValue)]
            return count == 0 ? nil : "\(count) \(reason.name)"
        }
    }

    static func percent(_ share: Double) -> String { Figure.fixed(share * 100, decimals: 2) + " %" }

    private static func table(_ rows: [[String]]) -> String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).enumerated().map { index, cell in
                let space = String(repeating: " ", count: cell.1 - cell.0.count)
                return index == 0 ? cell.0 + space : space + cell.0
            }
            return cells.joined(separator: "  ") + "\n"
        }.joined()
    }
}
