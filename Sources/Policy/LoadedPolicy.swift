// A policy with where each of its settings stands in the file. What a policy asks of the machine (files,
// addresses, descriptors) is found out elsewhere, and is told with its place all the same.

/// A policy that was read from a file.
package struct LoadedPolicy: Sendable {
    /// What the file says.
    package internal(set) var policy: Policy
    let reading: Reading
    /// The files that it was read from.
    package internal(set) var sources: PolicySources
    /// What is wrong in the keys files that it names, and with the admin listener's token.
    var keysFaults: [Diagnostic] = []
    /// What is wrong with the secrets that it takes from this machine.
    var secretFaults: [PolicyFault] = []

    /// The file and the line of the setting at `path`, where that is a file which the policy includes.
    package func includedPlace(of path: String) -> String? {
        guard let position = reading.position(of: path), position.file > 0 else { return nil }
        return "\(reading.files[position.file]):\(position.line)"
    }

    /// `faults` with their places, and those of its keys files and of the token; nil where there are none.
    ///
    /// Those of secrets are among them unless the policy alone is looked at, which may be for another machine.
    package func error(
        _ faults: [PolicyFault] = [], isPolicyOnly: Bool = false
    ) -> PolicyError? {
        let faults = isPolicyOnly ? faults : secretFaults + faults
        guard !faults.isEmpty || !keysFaults.isEmpty else { return nil }
        var reading = reading
        for fault in faults {
            reading.report(Fault(fault.problem, fault.remedy), path: fault.path)
        }
        return PolicyError(reading.diagnostics + keysFaults)
    }
}

/// What is wrong with a setting for a reason that does not stand in the file.
package struct PolicyFault: Equatable, Sendable {
    /// The setting, such as `pools.chat.tls.ca_file`.
    package let path: String
    /// What is wrong.
    package let problem: String
    /// What would be right.
    package let remedy: String

    /// `problem` is wrong with the setting at `path`, and `remedy` would be right.
    package init(path: String, problem: String, remedy: String) {
        self.path = path
        self.problem = problem
        self.remedy = remedy
    }
}
