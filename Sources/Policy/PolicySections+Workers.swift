// The keys under `workers`, at the top level and in a pool.

extension PolicySections {
    static let workers = Section<WorkerSettings>(
        blank: WorkerSettings(listen: ListenSettings(.unix(path: "")), keysFile: ""),
        keys: [
            Key(
                "listen", \.listen, listener, required: true,
                "Where workers come in, and nobody else does: an address, or a mapping as under `listen`."
            ),
            Key(
                "keys", \.keysFile, keysPath, required: true,
                "File with a line for each key, as `penstock key new --worker POOL` writes it: pools, with commas between "
                    + "them, and the key's digest; read again at every reload. A relative path begins at the policy "
                    + "file's folder."),
            Key(
                "max_connections", \.maxConnections, .integer(1...1_000_000),
                "Connections of workers at once, idle ones included; further ones get 503."
            ),
        ],
        hints: [
            "address": "write listen: ADDRESS", "key_file": "write keys: PATH",
            "keys_file": "write keys: PATH", "max_workers": "write pools.NAME.workers: {max: ...}",
            "max_credits": "write pools.NAME.workers: {max_credits: ...}",
        ])

    static let poolWorkers = Section<PoolWorkers>(
        blank: PoolWorkers(),
        keys: [
            Key("max", \.max, .integer(1...1_000), "Workers at once."),
            Key(
                "max_credits", \.maxCredits, .integer(1...10_000),
                "Requests that one of them may take at once, whatever it says itself."),
        ],
        hints: ["credits": "write max_credits: NUMBER", "max_workers": "write max: NUMBER"])
}

extension PolicyLoader {
    /// Pools that take workers without a place where these come in.
    static func checkWorkers(_ policy: Policy, _ reading: inout Reading) {
        guard policy.workers == nil, !reading.isFaulty("workers") else { return }
        for pool in policy.pools where pool.workers != nil {
            let path = "pools.\(pool.name).workers"
            if reading.isFaulty(path) { continue }
            reading.report(
                Fault(
                    "there is nowhere for workers to come in",
                    "add workers: {listen: 127.0.0.1:8090, keys: workers.keys} at the top level"),
                path: path)
        }
    }
}
