// The `autoscale` of a scenario file.

import Admission
import Policy

extension Scenario {
    private static let autoscaleKeys = [
        "start_up", "min", "max", "every", "tolerance", "down_after", "signal", "target",
    ]

    mutating func readAutoscale(_ node: SettingsNode, _ reader: inout SettingsReader) {
        let given = reader.mapping(node, keys: Self.autoscaleKeys)
        var rule = Autoscale()
        if let node = given["min"], let count = reader.integer(node, 1...1000) {
            rule.least = count
        }
        if let node = given["max"], let count = reader.integer(node, 1...1000) {
            rule.most = count
        }
        if rule.most < rule.least {
            reader.report(given["max"] ?? node, "is below min", "write max from min on")
        }
        if let node = given["start_up"], let time = reader.duration(node, ScenarioLoader.times) {
            rule.startUpNanoseconds = time.wholeNanoseconds
        }
        if let node = given["down_after"], let time = reader.duration(node, ScenarioLoader.times) {
            rule.downAfterNanoseconds = time.wholeNanoseconds
        }
        let steps = Duration.seconds(1)...ScenarioLoader.times.upperBound
        if let node = given["every"], let time = reader.duration(node, steps) {
            rule.everyNanoseconds = time.wholeNanoseconds
        }
        if let node = given["tolerance"], let share = reader.number(node, 0...1) {
            rule.tolerance = share
        }
        if let node = given["signal"], let word = reader.word(node, blank: rule.signal) {
            rule.signal = word
        }
        if let node = given["target"] {
            rule.target = reader.number(node, 0...1e6, excludesLower: true)
        }
        if backends.count > 1 {
            reader.report(node, "there are several backends", "give the one that is replicated")
        }
        if router != nil {
            reader.report(
                node, "a router does not know who comes and goes", "leave one of them out")
        }
        autoscale = rule
    }
}
