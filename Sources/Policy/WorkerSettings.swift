// Workers: engines that nobody can dial, and that come to the gateway instead. Where they come in and by which keys is said
// once; which pools take them, and how many, is said in the pools.

/// Where workers come in.
package struct WorkerSettings: Equatable, Sendable {
    /// The listener, which takes nobody else.
    package var listen: ListenSettings
    /// The file with the digests of workers' keys, each with the pools that it is for.
    ///
    /// A relative path begins at the policy file's folder.
    package var keysFile: String
    /// What the file says; empty until it has been read.
    package var keys: [WorkerKey] = []
    /// Connections of workers at once, idle ones and those that are just coming included, 1..1,000,000.
    package var maxConnections = 10_000

    /// Workers that come to `listen` with the keys in `keysFile`.
    package init(listen: ListenSettings, keysFile: String) {
        self.listen = listen
        self.keysFile = keysFile
    }
}

/// A worker's key as the keys file has it: never the key itself.
package struct WorkerKey: Hashable, Sendable {
    /// SHA-256 of the key, 32 bytes.
    package var digest: [UInt8]
    /// Names of the pools that it is for.
    package var pools: [String]

    /// A key for `pools`.
    package init(digest: [UInt8], pools: [String]) {
        self.digest = digest
        self.pools = pools
    }
}

/// What workers a pool takes.
package struct PoolWorkers: Equatable, Sendable {
    /// Workers at once, 1..1,000.
    package var max = 1_000
    /// Requests that one of them may take at once, whatever it says, 1..10,000.
    package var maxCredits = 256

    /// The defaults.
    package init() {}
}
