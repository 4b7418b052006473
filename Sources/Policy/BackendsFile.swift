// Files that list a pool's backends in the format of Prometheus' file-based service discovery: a list of groups, each
// with `targets` and perhaps `labels`, in YAML or in JSON, which is YAML as well. One reads them who has no clients.
//
// <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config>

internal import Admission

/// Reads files of backends.
package enum BackendsFile {
    /// Backends of the longest file.
    package static let mostBackends = PolicySections.maxElements

    private static let subject = "backends file"
    private static let remedy = "write a list of groups such as {targets: [\"10.0.0.11:8000\"]}"
    /// Labels with a meaning; all others are somebody else's.
    private static let instanceLabel = "instance"
    private static let schemeLabel = "__scheme__"
    private static let longestInstance = 256
    /// The first one counts where both are there.
    private static let weightLabels = ["__weight__", "weight"]

    /// Gives pools whose backends a file lists what is in it now; one that cannot be read says nothing yet.
    static func fill(_ policy: inout Policy) {
        for index in policy.pools.indices {
            guard case .file(let path)? = policy.pools[index].discovery else { continue }
            policy.pools[index].backends = (try? read(path: path)) ?? []
        }
    }

    /// The backends in the file at `path`, each once, in its order; throws all that is wrong with it.
    ///
    /// It may be empty of backends. Reading takes two seconds at most where the file is no FIFO's or disk's to delay.
    package static func read(path: String) throws(PolicyError) -> [BackendAddress] {
        try read(text: PolicyLoader.contents(of: path, subject: subject), file: path)
    }

    /// The backends in `text`; `file` is the name for diagnostics.
    static func read(text: String, file: String) throws(PolicyError) -> [BackendAddress] {
        var reading = Reading(file: file)
        reading.subject = subject
        var found = FoundBackends()
        if text.allSatisfy(\.isWhitespace) {
            // A file that is just being written may be.
            reading.report(Fault("is empty", remedy), path: "", at: .start)
        } else if let root = YAMLReader.read(text, &reading) {
            readGroups(root, &found, &reading)
        }
        if reading.count > 0 { throw PolicyError(reading.diagnostics) }
        return found.all
    }

    private static func readGroups(
        _ root: YAMLNode, _ found: inout FoundBackends, _ reading: inout Reading
    ) {
        guard case .list(let groups) = root.content else {
            return reading.report(
                Fault("found \(root.description)", remedy), path: "", at: root.position)
        }
        for (index, group) in groups.enumerated() {
            readGroup(group, "[\(index)]", &found, &reading)
            if reading.count > PolicyError.maxDiagnostics { return }
        }
    }

    private static func readGroup(
        _ group: YAMLNode, _ path: String, _ found: inout FoundBackends, _ reading: inout Reading
    ) {
        guard case .mapping(let entries) = group.content else {
            return reading.report(
                Fault("found \(group.description)", "write a mapping with `targets`"), path: path,
                at: group.position)
        }
        var targets: YAMLNode?
        var labels = TargetLabels()
        for entry in entries {
            let path = Reading.join(path, entry.key)
            switch entry.key {
            case "targets": targets = entry.value
            case "labels": readLabels(entry.value, path, &labels, &reading)
            default:
                reading.report(
                    Fault("is not known", "keys here are `targets`, `labels`"), path: path,
                    at: entry.position)
            }
        }
        guard case .list(let items)? = targets?.content else {
            let problem = targets.map { "found \($0.description)" } ?? "is missing"
            return reading.report(
                Fault(problem, "write a list such as [\"10.0.0.11:8000\"]"),
                path: Reading.join(path, "targets"), at: targets?.position ?? group.position)
        }
        for (index, item) in items.enumerated() {
            let path = "\(Reading.join(path, "targets"))[\(index)]"
            do throws(Fault) {
                try found.add(try backend(item, labels))
            } catch {
                reading.report(error, path: path, at: item.position)
                if reading.count > PolicyError.maxDiagnostics { return }
            }
        }
    }

    private static func readLabels(
        _ node: YAMLNode, _ path: String, _ labels: inout TargetLabels, _ reading: inout Reading
    ) {
        guard case .mapping(let entries) = node.content else {
            if node.isNull { return }
            return reading.report(
                Fault("found \(node.description)", "write a mapping of names to texts"),
                path: path, at: node.position)
        }
        for entry in entries {
            let path = Reading.join(path, entry.key)
            guard let text = entry.value.scalar else {
                reading.report(
                    Fault("found \(entry.value.description)", "write a text"), path: path,
                    at: entry.value.position)
                continue
            }
            if entry.key == instanceLabel, text.utf8.count > longestInstance {
                reading.report(
                    Fault(
                        "has \(text.utf8.count) bytes", "write at most \(longestInstance)"),
                    path: path, at: entry.value.position)
            } else if entry.key == instanceLabel {
                labels.instance = text
            } else if entry.key == schemeLabel, text != "http", text != "https" {
                reading.report(
                    Fault("\(text.quoted) is no scheme of a backend", "write http or https"),
                    path: path, at: entry.value.position)
            } else if entry.key == schemeLabel {
                labels.scheme = text
            } else if let rank = weightLabels.firstIndex(of: entry.key) {
                guard let weight = weight(text) else {
                    let fault = Fault(
                        "\(text.quoted) is no weight",
                        "write an integer from 0 to \(BackendAddress.weights.upperBound)")
                    reading.report(fault, path: path, at: entry.value.position)
                    continue
                }
                labels.weights[rank] = weight
            }
        }
    }

    private static func weight(_ text: String) -> Int? {
        guard (1...4).contains(text.utf8.count), text.allSatisfy(\.isASCIIDigit),
            let weight = Int(text), BackendAddress.weights.contains(weight)
        else { return nil }
        return weight
    }

    private static func backend(
        _ node: YAMLNode, _ labels: TargetLabels
    ) throws(Fault) -> BackendAddress {
        let text = try node.text("a host and a port, or a URL")
        let url = text.contains("://") ? text : "\(labels.scheme)://\(text)"
        var address = try BackendAddress.parse(url)
        address.instance = labels.instance
        address.weight = labels.weights.lazy.compactMap(\.self).first ?? 1
        return address
    }
}

/// What a group's labels say of its targets.
private struct TargetLabels {
    var instance = ""
    var scheme = "http"
    /// By the ranks of the labels.
    var weights: [Int?] = [nil, nil]
}

/// Backends, each once.
private struct FoundBackends {
    private(set) var all: [BackendAddress] = []
    private var known: [[String]: BackendAddress] = [:]

    /// Adds a backend that is not there yet; files that others wrote may say a thing twice.
    mutating func add(_ address: BackendAddress) throws(Fault) {
        if let known = known[address.identity] {
            if known.instance == address.instance, known.weight == address.weight { return }
            let label = known.instance == address.instance ? "weight" : "instance"
            throw Fault(
                "\(address.label.quoted) has two values of `\(label)`",
                "keep the one that is there now")
        }
        guard all.count < BackendsFile.mostBackends else {
            throw Fault(
                "is backend \(BackendsFile.mostBackends + 1)",
                "keep at most \(BackendsFile.mostBackends) in a file")
        }
        known[address.identity] = address
        all.append(address)
    }
}
