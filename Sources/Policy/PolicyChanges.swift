// What differs between two policies, by the paths of their keys: never by values, among which may be what
// is nobody's business.

/// The keys whose values two policies do not share.
package struct PolicyChanges: Equatable, Sendable {
    /// Their paths, such as `pools.chat.limit.max`, in the order of the reference; the first `mostPaths`.
    package private(set) var paths: [String] = []
    /// Paths beyond `mostPaths`, which are left out.
    package private(set) var omitted = 0

    /// Paths that are named at most.
    package static let mostPaths = 50

    /// What is to be changed in `former` to get `next`.
    package init(from former: Policy, to next: Policy) {
        guard former != next else { return }
        compare(PolicyDump.literal(former), PolicyDump.literal(next), "")
        if next.adminToken?.file == former.adminToken?.file, next.adminToken != former.adminToken {
            note("admin_token_file")
        }
        if let workers = next.workers, let before = former.workers,
            workers.keysFile == before.keysFile, workers.keys != before.keys
        {
            note("workers.keys")
        }
        for pool in next.pools {
            // What a keys file holds is no part of what the policy says.
            guard let keys = pool.claims.keys,
                let before = former.pools.first(where: { $0.name == pool.name })?.claims.keys,
                keys.file == before.file, keys.entries != before.entries
            else { continue }
            note("pools.\(pool.name).tenant.keys.file")
        }
        compareSecrets(former, next)
    }

    /// Notes the fields whose values come from where they came from, and are others.
    private mutating func compareSecrets(_ former: Policy, _ next: Policy) {
        let before = Dictionary(
            former.setFields.map { ($0.path, $0.value) }, uniquingKeysWith: { first, _ in first })
        for (path, value) in next.setFields {
            guard let old = before[path], value.isSecret, old.hasSource(of: value),
                old.secret != value.secret
            else { continue }
            note(path)
        }
    }

    /// Notes one more path, unless it is there.
    package mutating func note(_ path: String) {
        guard !paths.contains(path) else { return }
        if paths.count < PolicyChanges.mostPaths { paths.append(path) } else { omitted += 1 }
    }

    private mutating func compare(_ former: Literal, _ next: Literal, _ path: String) {
        switch (former, next) {
        case (.mapping(let old), .mapping(let new)):
            for (key, value) in new {
                let path = Reading.join(path, key)
                if let before = old.first(where: { $0.key == key })?.value {
                    compare(before, value, path)
                } else {
                    note(path)
                }
            }
            for (key, _) in old where !new.contains(where: { $0.key == key }) {
                note(Reading.join(path, key))
            }
        case (.list(let old), .list(let new)) where old.count == new.count:
            for index in new.indices { compare(old[index], new[index], "\(path)[\(index)]") }
        default:
            if former != next { note(path) }
        }
    }
}
