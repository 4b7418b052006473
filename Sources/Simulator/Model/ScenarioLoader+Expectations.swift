// The `variants` and `expect` of a scenario file.

import Admission
import Policy

extension Scenario {
    /// Reads what is the same with something changed; the parts that a variant does not give are
    /// those of the scenario, whose own are `parts`.
    mutating func readVariants(
        _ node: SettingsNode, _ parts: [String: SettingsNode], _ reader: inout SettingsReader
    ) {
        for item in reader.list(node) {
            let given = reader.mapping(item, keys: ["name"] + Self.partKeys)
            guard let name = given["name"].flatMap({ reader.text($0) }) else {
                if item.isMapping, given["name"] == nil {
                    reader.reportMissing("name", in: item, "name the variant")
                }
                continue
            }
            if let node = given["name"],
                variantIndex(name) != nil || LimitSettings(simulatorName: name) != nil
                    || StandardWord(rawValue: name) != nil
            {
                reader.report(node, "is the name of something else", "write another name")
            }
            var scenario = self
            scenario.variants = []
            // Loads are shares of the backends' capacity, so clients are read anew with those.
            var changed = given
            if given["backends"] != nil {
                changed["clients"] = given["clients"] ?? parts["clients"]
            }
            if changed["backends"] != nil { scenario.backends = [] }
            if changed["clients"] != nil { scenario.clients = [] }
            scenario.readParts(changed, &reader)
            variants.append(Variant(name: name, scenario: scenario))
        }
    }

    /// Reads what the results have to be.
    mutating func readExpectations(_ node: SettingsNode, _ reader: inout SettingsReader) {
        let keys = [
            "measure", "window", "clients", "backend", "in", "at_least", "at_most", "of",
            "fails_with",
        ]
        for item in reader.list(node) {
            let given = reader.mapping(item, keys: keys)
            guard let measure = given["measure"] else {
                if item.isMapping { reader.reportMissing("measure", in: item, "name a measure") }
                continue
            }
            guard let measure = reader.word(measure, blank: Measure.throughput) else { continue }
            var expectation = Expectation(measure: measure)
            readSubject(given, of: &expectation, &reader)
            readStandard(given, of: &expectation, &reader)
            if let node = given["at_least"] { expectation.atLeast = reader.number(node, 0...1e12) }
            if let node = given["at_most"] { expectation.atMost = reader.number(node, 0...1e12) }
            if given["at_least"] == nil, given["at_most"] == nil {
                reader.report(item, "asserts nothing", "write at_least or at_most")
            }
            guard let node = given["in"] else {
                expectations.append(expectation)
                continue
            }
            for item in node.isList ? reader.list(node) : [node] {
                expectation.variant = variantName(item, &reader)
                expectations.append(expectation)
            }
        }
    }

    private func variantName(_ node: SettingsNode, _ reader: inout SettingsReader) -> String? {
        guard let name = reader.text(node) else { return nil }
        if variantIndex(name) == nil {
            reader.report(node, "there is no such variant", "name one of variants")
        }
        return name
    }

    private func readSubject(
        _ given: [String: SettingsNode], of expectation: inout Expectation,
        _ reader: inout SettingsReader
    ) {
        if let node = given["window"], let name = reader.text(node) {
            expectation.window = name
            if !windows.contains(where: { $0.name == name }) {
                reader.report(node, "there is no such window", "name one of windows")
            }
        }
        if let node = given["clients"], let name = reader.text(node) {
            expectation.clients = name
            if !clients.contains(where: { $0.name == name }) {
                reader.report(node, "there are no such clients", "name one of clients")
            }
        }
        if let node = given["backend"], let name = reader.text(node) {
            expectation.backend = name
            if !backends.contains(where: { $0.name == name }) {
                reader.report(node, "there is no such backend", "name one of backends")
            } else if !expectation.measure.isOfBackend {
                reader.report(
                    node, "is no measure of a backend", "measure throughput or work_share")
            }
        } else if expectation.measure == .workShare, let node = given["measure"] {
            reader.report(node, "is a backend's", "name the backend")
        }
    }

    private func readStandard(
        _ given: [String: SettingsNode], of expectation: inout Expectation,
        _ reader: inout SettingsReader
    ) {
        if let node = given["of"], let name = reader.text(node) {
            switch StandardWord(rawValue: name) {
            case .oracle: expectation.standard = .oracle
            case .knee where expectation.measure.isOfConcurrency: expectation.standard = .knee
            case .knee:
                reader.report(
                    node, "is a number of requests", "measure a limit or the requests in flight")
            case .capacity where [.throughput, .goodput].contains(expectation.measure):
                expectation.standard = .capacity
            case .capacity:
                reader.report(node, "is a rate of work", "measure throughput or goodput")
            case .eachOther: expectation.standard = .eachOther
            case nil where variantIndex(name) != nil: expectation.standard = .variant(name)
            case nil:
                reader.report(
                    node, "there is no such variant",
                    "write oracle, knee, capacity, each_other or the name of a variant")
            }
        }
        guard let node = given["fails_with"] else { return }
        for item in reader.list(node) {
            guard let name = reader.text(item) else { continue }
            if LimitSettings(simulatorName: name) == nil, variantIndex(name) == nil {
                let names = LimitSettings.simulatorNames.joined(separator: ", ")
                reader.report(
                    item, "is no limit and no variant", "write \(names), fixed:N or a variant")
            }
            expectation.failsWith.append(name)
        }
    }
}

/// What a bound may be relative to.
private enum StandardWord: String, CaseIterable {
    case oracle
    case knee
    case capacity
    case eachOther = "each_other"
}
