// Keys files: a line for each API key with its tenant and the key's SHA-256, as `penstock key new`
// writes them. Diagnostics never show what a line says: it may be the key itself, put there by
// mistake.

internal import Admission

/// Reads and writes the lines of keys files.
package enum KeysFile {
    /// Bytes of the largest file.
    static let maxBytes = 32 << 20
    /// Keys of the longest file.
    static let maxKeys = 100_000

    /// Keys whose tenants are guessed at that no pool names.
    private static let mostHints = 10

    private static let mark = "sha256:"

    /// The line for a key of `tenant`, without its end; `digest` has 64 hexadecimal digits.
    package static func line(tenant: String, digest: String) -> String {
        "\(tenant) \(mark)\(digest)"
    }

    /// Whether a keys file can have keys of a tenant of that name.
    package static func isTenantName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count) && !name.hasPrefix("#")
            && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    }

    /// Whether `names` are names of pools, with commas between them.
    package static func arePoolNames(_ names: String) -> Bool {
        names.split(separator: ",", omittingEmptySubsequences: false).allSatisfy {
            PolicySections.isPoolName(String($0))
        }
    }

    /// A key with its place in the file.
    struct Line {
        var entry: KeyEntry
        var position: Position
    }

    /// Reads the keys files of `policy`, which stands at `path`, each once; returns what is wrong with them.
    static func fill(_ policy: inout Policy, besides path: String) -> [Diagnostic] {
        var known: [String: [Line]] = [:]
        var faults: [Diagnostic] = []
        var checked: Set<[String]> = []
        for index in policy.pools.indices {
            guard let keys = policy.pools[index].claims.keys else { continue }
            let file = resolved(keys.file, besides: path)
            if known[file] == nil {
                do throws(PolicyError) {
                    known[file] = try load(path: file)
                } catch {
                    known[file] = []
                    faults += error.diagnostics
                }
            }
            let lines = known[file] ?? []
            policy.pools[index].claims.keys?.entries = lines.map(\.entry)
            let names = policy.pools[index].admission.tenants.map(\.name)
            // Pools that have their tenants in common have their faults in common.
            guard policy.pools[index].claims.keys?.unnamed == .refuse,
                checked.insert([file] + names).inserted
            else { continue }
            faults += unnamed(lines, names, inPool: policy.pools[index].name, file: file)
        }
        return faults
    }

    /// The keys of tenants that are not among `names`, where there are any.
    private static func unnamed(
        _ lines: [Line], _ names: [String], inPool pool: String, file: String
    ) -> [Diagnostic] {
        if names.isEmpty { return [] }
        let known = Set(names)
        var reading = Reading(file: file)
        reading.subject = "keys file"
        for line in lines where !known.contains(line.entry.tenant) {
            // Guessing takes time where there are many names.
            let hint =
                reading.count < mostHints ? Spelling.hint(line.entry.tenant, among: names) : ""
            let fault = Fault(
                "is a key of a tenant that pool \(pool) does not name",
                "\(hint)name it under tenant.named, or set tenant.keys.unnamed to allow")
            reading.report(fault, path: "", at: line.position)
            if reading.count > PolicyError.maxDiagnostics { break }
        }
        return reading.diagnostics
    }

    /// The path of a keys file that a policy at `path` calls `file`.
    static func resolved(_ file: String, besides path: String) -> String {
        if file.hasPrefix("/") { return file }
        guard let end = path.lastIndex(of: "/") else { return file }
        return path[...end] + file
    }

    /// Reads the file at `path`, with all its faults if there are any.
    ///
    /// `subject` is what diagnostics call it.
    static func load(
        path: String, subject: String = "keys file"
    ) throws(PolicyError) -> [Line] {
        let text = try PolicyLoader.contents(
            of: path, maxBytes: maxBytes, subject: subject, being: .digests)
        return try load(text: text, file: path, subject: subject)
    }

    /// Reads the keys in `text`; `file` is the name for diagnostics.
    static func load(
        text: String, file: String, subject: String = "keys file"
    ) throws(PolicyError) -> [Line] {
        var reading = Reading(file: file)
        reading.subject = subject
        var found: [Line] = []
        var lines: [[UInt8]: Int] = [:]
        for (index, line) in text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false)
            .enumerated()
        {
            let words = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
            guard let first = words.first, first.first != 0x23 else { continue }
            let column = line.distance(from: line.startIndex, to: first.startIndex) + 1
            let position = Position(line: index + 1, column: column)
            do throws(Fault) {
                let entry = try entry(words)
                if let earlier = lines.updateValue(index + 1, forKey: entry.digest) {
                    throw Fault("has the same key as line \(earlier)", "remove one of them")
                }
                found.append(Line(entry: entry, position: position))
                if found.count > maxKeys {
                    throw Fault("is key \(maxKeys + 1)", "keep at most \(maxKeys) in a file")
                }
            } catch {
                reading.report(error, path: "", at: position)
                if reading.count > PolicyError.maxDiagnostics { break }
            }
        }
        if reading.count > 0 { throw PolicyError(reading.diagnostics) }
        return found
    }

    private static func entry(_ words: [Substring.UTF8View]) throws(Fault) -> KeyEntry {
        let remedy = "write the line that `penstock key new` prints: a tenant and \(mark)DIGEST"
        guard words.count == 2, let tenant = String(words[0]), isTenantName(tenant) else {
            throw Fault("is not a tenant and a digest", remedy)
        }
        guard words[1].starts(with: mark.utf8),
            let digest = bytes(ofHexadecimal: words[1].dropFirst(mark.utf8.count))
        else {
            throw Fault("has no \(mark) with 64 hexadecimal digits behind the tenant", remedy)
        }
        return KeyEntry(digest: digest, tenant: tenant)
    }

    private static func bytes(ofHexadecimal digits: Substring.UTF8View) -> [UInt8]? {
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in digits {
            guard let value = digit.hexadecimalValue else { return nil }
            if let upper = high {
                bytes.append(upper << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }
}
