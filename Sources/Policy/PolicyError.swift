// What the loader throws: everything that is wrong with a file, not only the first thing.

/// All faults of one policy file.
package struct PolicyError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Most diagnostics that one error carries.
    package static let maxDiagnostics = 100

    /// The faults in the file's order; at least one, at most `maxDiagnostics`.
    package let diagnostics: [Diagnostic]
    /// Faults beyond `maxDiagnostics`, which are left out.
    package let omitted: Int

    /// Keeps the first `maxDiagnostics` of `diagnostics`, which must not be empty.
    init(_ diagnostics: [Diagnostic]) {
        precondition(!diagnostics.isEmpty, "an error without a fault")
        self.diagnostics = Array(diagnostics.prefix(Self.maxDiagnostics))
        omitted = diagnostics.count - self.diagnostics.count
    }

    /// One diagnostic a line.
    package var description: String {
        let lines = diagnostics.map(\.description)
        return (omitted == 0 ? lines : lines + ["and \(omitted) more"]).joined(separator: "\n")
    }
}
