// A shard without listeners and without other shards: connections are handed in, and whoever made it turns
// its reactor. `RequestExplanation` asks one what it would do, and tests have it do everything.

internal import Admission
internal import Logging
internal import Policy
internal import Reactor

extension Shard {
    /// Makes a shard on the calling thread, which logs nothing; `seed` decides what is left to chance.
    static func alone(_ policy: Policy, seed: UInt64) throws(SystemError) -> Shard {
        let hashKey = HashKey.random()
        let quotas = SharedQuotas(policy, hashKey: hashKey)
        var seeds = SplitMix64(seed: seed)
        return try Shard(
            Assignment(
                group: ReactorGroup(count: 1), index: 0, policy: policy,
                admissions: policy.pools.map {
                    SharedAdmission($0, hashKey: hashKey, seed: seeds.next(), quotas: quotas)
                },
                hashKey: hashKey,
                logger: Logger(label: "penstock") { _ in SwiftLogNoOpLogHandler() },
                accessWriter: nil, seed: seeds.next()))
    }
}
