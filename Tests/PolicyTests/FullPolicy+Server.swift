// What full policies say of the client side, of logs, fields and tenants, put together by hand.

import Admission

@testable import Policy

extension FullPolicy {
    static func value(
        _ text: String = "", file: String? = nil, variable: String? = nil
    ) -> FieldValue {
        var value = FieldValue(text: text)
        value.file = file
        value.variable = variable
        return value
    }

    static var expectedServer: ServerSettings {
        var server = ServerSettings()
        server.maxConnections = 1001
        server.maxHeadBytes = 2048
        server.maxFields = 102
        server.maxBodyBytes = 3
        server.bufferHighBytes = 131_072
        server.bufferLowBytes = 8192
        server.bodyBeforeQueueBytes = 4
        server.bodyBeforeQueueTotalBytes = 5
        server.bodyMinRateBytes = 6
        server.bufferResponseBytes = 7
        server.bufferResponsesTotalBytes = 8
        server.perNetwork.connections = 0.4
        server.perNetwork.heads = 0.2
        server.perNetwork.bodies = 0.3
        server.bodyTimeout = .seconds(26)
        server.halfClose = .allow
        server.ambiguousPaths = .pass
        server.healthPaths = ["/health", "/ping"]
        server.drainTimeout = .seconds(21)
        server.drainDelay = .seconds(22)
        server.readiness = .backends
        server.headTimeout = .seconds(22)
        server.bodyIdleTimeout = .seconds(23)
        server.keepAliveTimeout = .seconds(24)
        server.writeStallTimeout = .seconds(25)
        return server
    }

    static var expectedBulk: BulkSettings {
        var bulk = BulkSettings()
        bulk.path = "/lines"
        bulk.className = "lead"
        bulk.maxLineBytes = 80 << 10
        bulk.maxAnswerBytes = 81 << 10
        bulk.heldBytes = 82 << 20
        bulk.stall = .seconds(83)
        return bulk
    }

    static var expectedLog: LogSettings {
        var log = LogSettings()
        log.level = .trace
        log.destination = .standardOutput
        log.access = .file(path: "/var/log/access.log")
        log.accessLevel = .failures
        log.accessSample = 0.5
        return log
    }

    static var expectedForwarding: ForwardingSettings {
        var forwarding = ForwardingSettings()
        forwarding.via = "gateway"
        forwarding.forwarded = .set
        forwarding.trustedProxies = [
            .network(
                Network(
                    lowest: 0xffff_0a00_0000, prefixLength: 104, text: "10.0.0.0/8")),
            .unixSockets,
        ]
        forwarding.keepRequestID = false
        return forwarding
    }

    static func expectTenants(_ pool: inout PoolSettings) {
        pool.claims.tenantHeader = "x-who"
        pool.claims.certificateName = .uri
        var keys = KeySettings(file: "who.keys")
        keys.isRequired = false
        keys.isPassedOn = true
        keys.unnamed = .allow
        pool.claims.keys = keys
        pool.admission.sharing = .tokens
        pool.claims.priorityHeader = "x-class"
        pool.claims.defaultClass = 1
        pool.admission.classes = ["gold", "tin", "lead"].map(PriorityClassSettings.init)
        pool.admission.classes[1].ceiling = 0.43
        // Its own would be higher than that of the class before.
        pool.admission.classes[2].ceiling = 0.43
        pool.admission.classes[2].isSlack = true
        pool.admission.otherTenants.weight = 0.44
        pool.admission.otherTenants.highestClass = 1
        pool.admission.otherTenants.maxInFlight = 45
        pool.admission.otherTenants.maxQueued = 46
        pool.admission.otherTenants.requestsPerMinute = 51
        pool.admission.otherTenants.tokensPerMinute = 52
        pool.admission.otherTenants.byteRates = ByteRateSettings(down: 1_073, up: 1_074)
        var acme = TenantSettings(name: "acme")
        acme.weight = 47
        acme.highestClass = 2
        acme.maxInFlight = 48
        acme.maxQueued = 49
        acme.requestsPerMinute = 53
        acme.tokensPerMinute = 54
        acme.byteRates = ByteRateSettings(down: 1_075, up: 1_076)
        pool.admission.tenants = [acme]
        let network = Network(
            lowest: 0xffff_c000_0200, prefixLength: 120, text: "192.0.2.0/24")
        pool.claims.networks = [TenantNetwork(network: network, tenant: 0)]
    }

    static var expectedLimit: GradientLimitSettings {
        var limit = GradientLimitSettings()
        limit.initial = 12
        limit.min = 11
        limit.max = 13
        limit.tolerance = 2.5
        limit.smoothing = 0.35
        limit.longWindow = 101
        limit.queueSize = 15
        limit.backoff = 0.82
        return limit
    }

    static var expectedHealth: HealthSettings {
        var health = HealthSettings(path: "/up")
        health.rules.interval = .seconds(61)
        health.timeout = .seconds(62)
        health.rules.fall = 63
        health.rules.rise = 64
        return health
    }
}
