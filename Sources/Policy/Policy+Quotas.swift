// The quotas of a policy: pools say them, and they hold over all pools. A tenant that two pools give
// different ones has none that could be meant.

package import Admission

extension Policy {
    /// What tenants may use a minute, over all pools.
    package var quotas: QuotaSettings {
        var quotas = QuotaSettings()
        quotas.hashedRows = pools.map(\.admission.queue.hashedFlows).max() ?? quotas.hashedRows
        var indices: [String: Int] = [:]
        func take(_ tenant: TenantSettings) {
            if let index = indices[tenant.name] {
                quotas.tenants[index].takeQuota(of: tenant)
            } else {
                indices[tenant.name] = quotas.tenants.count
                quotas.tenants.append(tenant)
            }
        }
        // What a pool says of a tenant comes before what it has from another pool's `default`.
        for pool in pools {
            quotas.others.takeQuota(of: pool.admission.otherTenants)
            for tenant in pool.admission.tenants {
                take(tenant.withoutQuota(of: pool.admission.otherTenants))
            }
        }
        for pool in pools {
            for tenant in pool.admission.tenants { take(tenant) }
        }
        return quotas
    }
}

extension TenantSettings {
    /// The same without the quotas that are those of `others` too, and may be no more than left out.
    fileprivate func withoutQuota(of others: TenantSettings) -> TenantSettings {
        var settings = self
        if requestsPerMinute == others.requestsPerMinute { settings.requestsPerMinute = nil }
        if tokensPerMinute == others.tokensPerMinute { settings.tokensPerMinute = nil }
        return settings
    }

    /// Takes over the quotas that it does not have yet.
    fileprivate mutating func takeQuota(of other: TenantSettings) {
        requestsPerMinute = requestsPerMinute ?? other.requestsPerMinute
        tokensPerMinute = tokensPerMinute ?? other.tokensPerMinute
    }
}

extension PolicyLoader {
    /// Tenants to which two pools give different quotas.
    static func checkQuotas(_ policy: Policy, _ reading: inout Reading) {
        var said: [String: (value: Int, path: String)] = [:]
        for pool in policy.pools {
            let path = Reading.join("pools", pool.name) + ".tenant"
            check(pool.admission.otherTenants, "\(path).default", "", &said, &reading)
            for (index, tenant) in pool.admission.tenants.enumerated() {
                // What it has from `default` is told of there.
                let own = tenant.withoutQuota(of: pool.admission.otherTenants)
                check(own, "\(path).named[\(index)]", tenant.name, &said, &reading)
            }
        }
    }

    private static func check(
        _ tenant: TenantSettings, _ path: String, _ name: String,
        _ said: inout [String: (value: Int, path: String)], _ reading: inout Reading
    ) {
        let quotas = [
            ("requests_per_minute", tenant.requestsPerMinute),
            ("tokens_per_minute", tenant.tokensPerMinute),
        ]
        for (key, value) in quotas {
            let path = "\(path).\(key)"
            // Names have no spaces.
            guard let value, !reading.isFaulty(path) else { continue }
            guard let earlier = said["\(key) \(name)"] else {
                said["\(key) \(name)"] = (value, path)
                continue
            }
            if earlier.value == value { continue }
            let fault = Fault(
                "is another quota than the \(earlier.value) of \(earlier.path), and quotas hold over "
                    + "all pools together",
                "write \(earlier.value), or leave it to one of the pools")
            reading.report(fault, path: path)
        }
    }
}
