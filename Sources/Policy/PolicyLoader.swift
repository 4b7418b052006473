// The one maker of policies: YAML text -> a `Policy`, or every fault of the text. The work is done
// by `YAMLReader` (text to tree), `PolicySections` (tree to settings) and the checks across
// settings below.

/// Makes policies from files.
package enum PolicyLoader {
    /// Bytes of the largest file.
    static let maxBytes = 1 << 20

    /// Reads the policy in the file at `path` and the keys files that it names, with all faults if
    /// there are any; secrets of this machine that cannot be read say nothing.
    package static func load(path: String) throws(PolicyError) -> Policy {
        let loaded = try read(path: path)
        if let error = loaded.error(isPolicyOnly: true) { throw error }
        return loaded.policy
    }

    /// The same, with where its settings stand; faults of keys files are told by its `error`, with what else is
    /// wrong with it.
    package static func read(path: String) throws(PolicyError) -> LoadedPolicy {
        var loaded = try read(text: try contents(of: path), file: path, includes: true)
        loaded.keysFaults =
            KeysFile.fill(&loaded.policy, besides: path)
            + AdminToken.fill(&loaded.policy, besides: path)
            + WorkerKeys.fill(&loaded.policy, besides: path)
        loaded.secretFaults = loaded.policy.fillSecrets(besides: path)
        BackendsFile.fill(&loaded.policy)
        return loaded
    }

    /// Reads the policy in `text`, without the files that it names, be it to include them; `file` is the name for
    /// diagnostics.
    package static func load(text: String, file: String) throws(PolicyError) -> Policy {
        try read(text: text, file: file).policy
    }

    /// The same, with where its settings stand, with the values of `variables` and, where it `includes`, with what stands in
    /// other files.
    static func read(
        text: String, file: String, variables: PolicyVariables = .environment,
        includes: Bool = false
    ) throws(PolicyError) -> LoadedPolicy {
        var reading = Reading(file: file)
        guard text.utf8.count <= maxBytes else { throw tooLarge(file) }
        guard var root = YAMLReader.read(text, &reading) else {
            throw PolicyError(reading.diagnostics)
        }
        root.expand(variables, &reading) { $0 == "include" }
        var inclusion = PolicyInclusion(root, text, file: file)
        if includes { inclusion.follow(&reading) }
        guard inclusion.isWhole else { throw PolicyError(reading.diagnostics) }
        root = inclusion.root
        root.expand(variables, &reading) { $0 != "include" }
        let section = PolicySections.policy
        var policy = section.blank
        section.read(root, "", &policy, &reading)
        checkPlaces(policy, &reading)
        checkBackends(policy, &reading)
        checkWorkers(policy, &reading)
        checkRoutes(policy, &reading)
        checkBulk(policy, &reading)
        checkTopics(policy, &reading)
        checkAliases(policy, &reading)
        checkQuotas(policy, &reading)
        if reading.count > 0 { throw PolicyError(reading.diagnostics) }
        var sources = inclusion.sources
        if includes { sources.digest = inclusion.digest }
        return LoadedPolicy(policy: policy, reading: reading, sources: sources)
    }

    /// Listeners and files that cannot be had beside each other.
    private static func checkPlaces(_ policy: Policy, _ reading: inout Reading) {
        let read = reading
        let faults = policy.clashes(
            besides: reading.files, isSound: { !read.isFaulty($0) })
        for fault in faults {
            reading.report(Fault(fault.problem, fault.remedy), path: fault.path)
        }
    }

    /// Backends that are the gateway itself.
    private static func checkBackends(_ policy: Policy, _ reading: inout Reading) {
        // Without one of the two nothing is known of where the gateway listens.
        guard !reading.isFaulty("listen"), !reading.isFaulty("admin") else { return }
        for loop in policy.loops() where !reading.isFaulty(loop.path) {
            reading.report(Fault(loop.problem, loop.remedy), path: loop.path)
        }
    }

    /// Routes behind one that matches all that they match.
    private static func checkRoutes(_ policy: Policy, _ reading: inout Reading) {
        for (index, route) in policy.routes.enumerated() {
            if reading.isFaulty("routes[\(index)]") { continue }
            let earlier = policy.routes[..<index].indices.first {
                policy.routes[$0].covers(route) && !reading.isFaulty("routes[\($0)]")
            }
            if route.isForHealth(policy.server) {
                let fault = Fault(
                    "is never reached: server.health_paths has its path, and the gateway answers",
                    "remove it here or there")
                reading.report(fault, path: "routes[\(index)]")
                continue
            }
            guard let earlier else { continue }
            let path = "routes[\(index)]"
            let other = reading.named("routes[\(earlier)]", from: path)
            let fault = Fault(
                "is never reached: \(other) matches all that it could match",
                "move it before routes[\(earlier)], or remove it")
            reading.report(fault, path: path)
        }
    }
}

extension PolicyLoader {
    /// Aliases of what no route takes, and aliases that hide behind another.
    private static func checkAliases(_ policy: Policy, _ reading: inout Reading) {
        // Without a route nothing is known of the models.
        guard !policy.routes.isEmpty else { return }
        let patterns = policy.routes.flatMap(\.models)
        for alias in policy.models.aliases {
            let path = Reading.join("models.aliases", alias.name)
            if reading.isFaulty(path) { continue }
            if policy.models.aliases.contains(where: { $0.name == alias.model }) {
                let fault = Fault(
                    "\(alias.model.quoted) is an alias itself", "name the model behind it")
                reading.report(fault, path: path)
            } else if !patterns.contains(where: { fits(alias.model, $0) }) {
                let fault = Fault(
                    "no route takes \(alias.model.quoted)", "add it to the models of a route")
                reading.report(fault, path: path)
            }
        }
    }

    /// Whether a model's name fits a pattern; parts between `*` are found from left to right.
    private static func fits(_ name: String, _ pattern: String) -> Bool {
        let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
        guard parts.count > 1 else { return name == pattern }
        guard name.count >= parts.reduce(0, { $0 + $1.count }), name.hasPrefix(parts[0]),
            name.hasSuffix(parts[parts.count - 1])
        else { return false }
        var rest = name.dropFirst(parts[0].count).dropLast(parts[parts.count - 1].count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let found = rest.firstRange(of: part) else { return false }
            rest = rest[found.upperBound...]
        }
        return true
    }
}

// MARK: - Files

extension PolicyLoader {
    /// The text of a file of at most `maxBytes`, which diagnostics call `subject` and which is as `demands` say.
    static func contents(
        of path: String, maxBytes: Int = maxBytes, subject: String = "policy",
        being demands: FileDemands = .none
    ) throws(PolicyError) -> String {
        let bytes: [UInt8]
        do throws(TextFile.Reason) {
            // One byte more tells a file that is too large without reading it.
            bytes = try TextFile.bytes(path: path, atMost: maxBytes + 1, being: demands)
        } catch {
            throw only(error.fault(), file: path, subject)
        }
        guard bytes.count <= maxBytes else { throw tooLarge(path, maxBytes, subject) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw only(Fault("is not UTF-8", "save the file as UTF-8"), file: path, subject)
        }
        return text
    }

    private static func tooLarge(
        _ file: String, _ maxBytes: Int = maxBytes, _ subject: String = "policy"
    ) -> PolicyError {
        only(
            Fault("is larger than \(Quantity.size.text(maxBytes))", "make it smaller"), file: file,
            subject)
    }

    private static func only(_ fault: Fault, file: String, _ subject: String) -> PolicyError {
        var reading = Reading(file: file)
        reading.subject = subject
        reading.report(fault, path: "", at: .start)
        return PolicyError(reading.diagnostics)
    }
}
