// The keys of workers: a keys file like those of tenants, whose lines have pools in the place of a tenant.

/// Reads the file with the keys of workers.
enum WorkerKeys {
    private static let subject = "workers' keys file"

    /// Reads the file of `policy`, which stands at `path`; returns what is wrong with it.
    static func fill(_ policy: inout Policy, besides path: String) -> [Diagnostic] {
        guard let workers = policy.workers else { return [] }
        let file = KeysFile.resolved(workers.keysFile, besides: path)
        do throws(PolicyError) {
            let lines = try KeysFile.load(path: file, subject: subject)
            policy.workers?.keys = lines.map { line in
                WorkerKey(digest: line.entry.digest, pools: pools(of: line))
            }
            return faults(lines, policy, file: file)
        } catch {
            return error.diagnostics
        }
    }

    /// A key for several pools has their names with commas between them.
    private static func pools(of line: KeysFile.Line) -> [String] {
        line.entry.tenant.split(separator: ",").map(String.init)
    }

    /// Keys for pools that there are not, or that take no workers.
    private static func faults(
        _ lines: [KeysFile.Line], _ policy: Policy, file: String
    ) -> [Diagnostic] {
        let takers = policy.pools.filter { $0.workers != nil }.map(\.name)
        let known = Set(takers)
        var reading = Reading(file: file)
        reading.subject = subject
        for line in lines {
            guard let stranger = pools(of: line).first(where: { !known.contains($0) }) else {
                continue
            }
            let isPool = policy.pools.contains { $0.name == stranger }
            let remedy =
                isPool
                ? "add workers: {} to the pool, or remove the line"
                : "\(Spelling.hint(stranger, among: takers))name a pool that has `workers`"
            let problem =
                isPool ? "is for a pool that takes none" : "is for a pool that is not there"
            reading.report(
                Fault("\(problem): \(stranger.quoted)", remedy), path: "", at: line.position)
            if reading.count > PolicyError.maxDiagnostics { break }
        }
        return reading.diagnostics
    }
}
