// A shard without listeners: connections are handed in.

import Admission
import Logging
import Policy

@testable import Gateway
@testable import Reactor

extension Shard {
    /// Makes a shard on the calling thread, which turns its reactor.
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
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                accessWriter: nil, seed: seeds.next()))
    }
}
