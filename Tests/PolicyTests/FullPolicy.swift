// Policies in which every key is given, each with a value of its own, one for each algorithm; in
// block style with a key a line, for the tests that change them line by line.

import Admission

@testable import Policy

enum FullPolicy {
    static let fixed = text(limit: ["algorithm: fixed", "limit: 5"])
    static let aimd = text(limit: [
        "algorithm: aimd", "initial: 12", "min: 11", "max: 13", "backoff: 0.81", "timeout: 14s",
    ])
    static let gradient = text(limit: [
        "algorithm: gradient", "initial: 12", "min: 11", "max: 13", "tolerance: 2.5",
        "smoothing: 0.35", "long_window: 101", "queue_size: 15", "backoff: 0.82",
    ])
    static let vegas = text(
        limit: [
            "algorithm: vegas", "initial: 12", "min: 11", "max: 13", "smoothing: 0.4",
            "probe_multiplier: 29",
        ],
        admin: [
            "address: unix:/run/penstock-admin.sock", "mode: \"0640\"", "owner: root",
            "group: \"3\"", "hosts: [gpu-1, gateway.example.com]", "token_for: pages",
        ])
    static let knee = text(limit: [
        "algorithm: knee", "initial: 12", "min: 11", "max: 13", "elasticity: 0.2", "replicas: 3",
        "objective:", "  measure: first_byte", "  quantile: 0.8", "  target: 900ms",
    ])
    static let all = [fixed, aimd, gradient, vegas, knee]

    private static func text(
        limit: [String],
        admin: [String] = [
            "address: 0.0.0.0:9091", "allow_remote: true", "hosts: [gpu-2]", "token_for: pages",
        ] + tlsLines
    ) -> String {
        """
        version: 1
        listen:
          address: unix:/run/penstock.sock
          mode: "0600"
          owner: "2"
          group: root
          \(tlsLines.joined(separator: "\n  "))
        admin:
          \(admin.joined(separator: "\n  "))
        admin_token_file: admin.token
        control:
          \(controlLines.joined(separator: "\n  "))
        workers:
          listen:
            \(workerLines.joined(separator: "\n    "))
          keys: workers.keys
          max_connections: 1081
        state: /var/lib/penstock/state.json
        reload:
          watch: true
        threads: 3
        server:
          max_connections: 1001
          max_head_size: 2KiB
          max_fields: 102
          max_body_size: 3B
          body_before_queue: 4B
          body_before_queue_total: 5B
          body_min_rate: 6B
          buffer:
            high: 128KiB
            low: 8KiB
            response: 7B
            responses_total: 8B
          per_network:
            connections: 0.4
            heads: 0.2
            bodies: 0.3
          half_close: allow
          ambiguous_paths: pass
          health_paths:
            - /health
            - /ping
          drain_timeout: 21s
          drain_delay: 22s
          readiness: backends
          timeouts:
            head: 22s
            body_idle: 23s
            body: 26s
            keep_alive: 24s
            write_stall: 25s
        log:
          level: trace
          to: stdout
          access:
            to: /var/log/access.log
            only: failures
            sample: 0.5
        forwarding:
          via: gateway
          forwarded: set
          trusted_proxies: [10.0.0.0/8, unix]
          request_id: replace
        pools:
          chat:
            backends:
              - url: https://a.example.com/base
                weight: 3
            tls:
              verify: true
              ca_file: /ca.pem
              certificate_file: /client.pem
              key_file: /client.key
            host: backend
            strip_prefix: /one
            request:
              set_fields:
                X-One: "71"
                Authorization:
                  file: /who.secret
                  prefix: "Bearer "
                X-Eleven:
                  env: PENSTOCK_TEST_ELEVEN
              remove_fields: [cookie]
            response:
              set_fields:
                X-Two:
                  file: two.secret
                  prefix: "72"
                X-Twelve:
                  env: PENSTOCK_TEST_TWELVE
              remove_fields: [x-three]
            limit:
              \(limit.joined(separator: "\n      "))
            seats: {tokens: 56, max: 57}
            bytes_per_second: 1071B
            bytes_per_second_up: 1072B
            mode: observe
            queue:
              max_requests: 31
              max_bytes: 32B
              max_wait: 33s
              overflow: drop-oldest
              starvation_bound: 41
              hashed_flows: 42
            priority:
              header: X-Class
              classes:
                - name: gold
                  ceiling: 1
                - name: tin
                  ceiling: 0.43
                - name: lead
                  slack: true
              default: tin
            tenant:
              header: X-Who
              certificate: san_uri
              keys:
                file: who.keys
                required: false
                pass_on: true
                unnamed: allow
              share_by: tokens
              default:
                weight: 0.44
                highest_class: tin
                max_in_flight: 45
                max_queued: 46
                requests_per_minute: 51
                tokens_per_minute: 52
                bytes_per_second: 1073B
                bytes_per_second_up: 1074B
              named:
                - name: acme
                  weight: 47
                  highest_class: lead
                  max_in_flight: 48
                  max_queued: 49
                  requests_per_minute: 53
                  tokens_per_minute: 54
                  bytes_per_second: 1075B
                  bytes_per_second_up: 1076B
                  networks: [192.0.2.0/24]
            deadline:
              headers: ignore
              longest: 55s
              pass_on: false
            websocket: allow
            health: {path: /up, interval: 61s, timeout: 62s, fall: 63, rise: 64}
            signals:
              agent: http://agent.example.com:9777/ask
              every: 65s
              reports: ask
              metrics: /metrics?lite
            affinity:
              by: header
              header: x-chat
              scope: tenant
              entries: 1066
              capacity: 1067
            responses:
              overload_status: 529
              timing: false
              envoy_overloaded: false
            ejection:
              base: 34s
              max: 35s
            timeouts:
              connect: 36s
              first_byte: 37s
              idle: 38s
              stream_stall: 51s
              tunnel_idle: 50s
            keep_alive:
              idle: 39s
              max_age: 41s
              max_connections: 40
          spare:
            backends:
              file: /etc/penstock/spare.json
            workers:
              max: 82
              max_credits: 83
            priority: {classes: [lead]}
          named:
            backends:
              dns: https://model.svc:8443
              every: 42s
              servers:
                - 10.0.0.53
            priority: {classes: [lead]}
          cluster:
            backends:
              kubernetes:
                service: model
                namespace: ml
                port: http
                scheme: https
                api: https://10.96.0.1:443
                account: /run/account
            priority: {classes: [lead]}
        routes:
          - path: /a
            pool: chat
            hosts: [a.example.com]
            methods: [POST]
            models: ["m*"]
            mirror:
              pool: named
              share: 0.25
              max_body: 66KiB
              max_in_flight: 67
              max_bytes: 68KiB
            stream_keep_alive: 52s
            stream_usage: ask
            fallback:
              pool: spare
              max_wait: 60s
              model: small
            cors:
              origins: [https://a.example.com]
              methods: [PUT]
              headers: [X-One]
              expose: [X-Two]
              credentials: true
              max_age: 64s
            strip_prefix: /a
            request:
              set_fields:
                X-Four:
                  file: four.secret
                  prefix: "74"
                X-Fourteen:
                  env: PENSTOCK_TEST_FOURTEEN
              remove_fields: [x-five]
            response:
              set_fields:
                X-Six:
                  env: PENSTOCK_TEST_SIX
                X-Sixteen:
                  file: sixteen.secret
                  prefix: "73"
              remove_fields: [server]
            max_body_size: 75B
            timeouts:
              first_byte: 76s
              idle: 77s
              stream_stall: 78s
              tunnel_idle: 79s
          - path: /b
            split:
              - pool: spare
                share: 95.5
              - pool: named
                share: 4.5
            sticky:
              header: X-User
            spill: true
            rewrite: /c
        models:
          aliases:
            other: most
          max_held: 61KiB
          max_held_total: 62MiB
          refresh: 63s
        bulk:
          path: /lines
          class: lead
          max_line: 80KiB
          max_answer: 81KiB
          held: 82MiB
          stall: 83s

        """ + topicsText
    }

    /// What `gradient` says, put together by hand.
    static var expected: Policy {
        var route = Route(path: .exact("/a"), pool: 0)
        route.hosts = ["a.example.com"]
        route.methods = ["POST"]
        route.models = ["m*"]
        var fallback = Route.Fallback()
        fallback.pool = 1
        fallback.maxWait = .seconds(60)
        fallback.model = "small"
        route.fallback = fallback
        var mirror = Route.Mirror()
        mirror.pool = 2
        mirror.share = 0.25
        mirror.maxBodyBytes = 66 << 10
        mirror.maxInFlight = 67
        mirror.maxBytes = 68 << 10
        route.mirror = mirror
        route.streamKeepAlive = .seconds(52)
        var crossOrigin = CrossOriginSettings()
        crossOrigin.origins = ["https://a.example.com"]
        crossOrigin.methods = ["PUT"]
        crossOrigin.headers = ["x-one"]
        crossOrigin.exposed = ["x-two"]
        crossOrigin.allowsCredentials = true
        crossOrigin.maxAge = .seconds(64)
        route.crossOrigin = crossOrigin
        route.streamUsage = .ask
        route.stripPrefix = "/a"
        route.request.fields = [
            SetField(name: "X-Four", value: value("74", file: "four.secret")),
            SetField(name: "X-Fourteen", value: value(variable: "PENSTOCK_TEST_FOURTEEN")),
        ]
        route.request.removed = ["x-five"]
        route.response.fields = [
            SetField(name: "X-Six", value: value(variable: "PENSTOCK_TEST_SIX")),
            SetField(name: "X-Sixteen", value: value("73", file: "sixteen.secret")),
        ]
        route.response.removed = ["server"]
        route.maxBodyBytes = 75
        route.timeouts.firstByte = .seconds(76)
        route.timeouts.idle = .seconds(77)
        route.timeouts.streamStall = .seconds(78)
        route.timeouts.tunnelIdle = .seconds(79)
        var split = Route(path: .exact("/b"), pool: 1)
        split.split = [(1, 95.5), (2, 4.5)].map { pool, share in
            var part = Route.Part()
            part.pool = pool
            part.share = share
            return part
        }
        split.stickiness = .header("x-user")
        split.spills = true
        split.rewrite = "/c"
        var models = ModelSettings()
        models.aliases = [ModelAlias(name: "other", model: "most")]
        models.maxHeldBytes = 62_464
        models.maxHeldTotalBytes = 65_011_712
        models.refresh = .seconds(63)
        let lead = PriorityClassSettings(name: "lead")
        var spare = PoolSettings(name: "spare", backends: [])
        spare.discovery = .file(path: "/etc/penstock/spare.json")
        spare.admission.discoversBackends = true
        spare.admission.takesWorkers = true
        spare.workers = expectedPoolWorkers
        spare.admission.classes = [lead]
        var dns = DNSDiscovery()
        dns.scheme = .https
        dns.name = "model.svc"
        dns.port = 8443
        dns.every = .seconds(42)
        dns.servers = ["10.0.0.53"]
        var named = PoolSettings(name: "named", backends: [])
        named.discovery = .dns(dns)
        named.admission.discoversBackends = true
        named.admission.classes = [lead]
        var service = KubernetesDiscovery()
        service.service = "model"
        service.namespace = "ml"
        service.port = .named("http")
        service.scheme = .https
        service.api = BackendAddress(
            scheme: .https, host: "10.96.0.1", port: 443, label: "https://10.96.0.1:443")
        service.account = "/run/account"
        var cluster = PoolSettings(name: "cluster", backends: [])
        cluster.discovery = .kubernetes(service)
        cluster.admission.discoversBackends = true
        cluster.admission.classes = [lead]
        var access = SocketAccess(mode: 0o600)
        access.owner = Account(name: "2", number: 2)
        access.group = Account(name: "root", number: 0)
        var policy = Policy(
            listen: [
                ListenSettings(.unix(path: "/run/penstock.sock"), access: access, tls: listenerTLS)
            ],
            admin: AdminSettings(
                ListenSettings(
                    .tcp(host: "0.0.0.0", port: 9091), access: .operators, tls: listenerTLS)),
            threads: 3, server: expectedServer,
            log: expectedLog,
            forwarding: expectedForwarding, pools: [expectedPool, spare, named, cluster],
            routes: [route, split],
            models: models)
        policy.admin?.hosts = ["gpu-2"]
        policy.admin?.tokenFor = .pages
        policy.adminToken = AdminToken(file: "admin.token")
        policy.control = expectedControl
        policy.workers = expectedWorkers
        policy.stateFile = "/var/lib/penstock/state.json"
        policy.watchesFiles = true
        policy.bulk = expectedBulk
        policy.topics = [expectedTopic]
        return policy
    }

    private static var expectedPool: PoolSettings {
        var backend = BackendAddress(
            scheme: .https, host: "a.example.com", port: 443, path: "/base",
            label: "https://a.example.com/base")
        backend.weight = 3
        var pool = PoolSettings(name: "chat", backends: [backend])
        pool.tls.authorityFile = "/ca.pem"
        pool.tls.certificateFile = "/client.pem"
        pool.tls.keyFile = "/client.key"
        pool.host = .backend
        pool.stripPrefix = "/one"
        pool.request.fields = [
            SetField(name: "X-One", value: FieldValue(text: "71")),
            SetField(name: "Authorization", value: value("Bearer ", file: "/who.secret")),
            SetField(name: "X-Eleven", value: value(variable: "PENSTOCK_TEST_ELEVEN")),
        ]
        pool.request.removed = ["cookie"]
        pool.response.fields = [
            SetField(name: "X-Two", value: value("72", file: "two.secret")),
            SetField(name: "X-Twelve", value: value(variable: "PENSTOCK_TEST_TWELVE")),
        ]
        pool.response.removed = ["x-three"]
        var seats = SeatSettings()
        seats.tokens = 56
        seats.most = 57
        pool.seats = seats
        pool.byteRates = ByteRateSettings(down: 1_071, up: 1_072)
        pool.admission.limit = .gradient(expectedLimit)
        pool.admission.queue.maxRequests = 31
        pool.admission.queue.maxBytes = 32
        pool.admission.queue.maxWait = .seconds(33)
        pool.admission.mode = .observe
        pool.admission.queue.overflow = .dropOldest
        pool.admission.queue.starvationBound = 41
        pool.admission.queue.hashedFlows = 42
        expectTenants(&pool)
        pool.responses.overloadStatus = 529
        pool.deadlines.readsFields = false
        pool.deadlines.longest = .seconds(55)
        pool.deadlines.isPassedOn = false
        pool.responses.saysTimes = false
        pool.responses.saysEnvoyOverloaded = false
        pool.admission.ejection.base = .seconds(34)
        pool.admission.ejection.max = .seconds(35)
        pool.connectTimeout = .seconds(36)
        pool.firstByteTimeout = .seconds(37)
        pool.idleTimeout = .seconds(38)
        pool.streamStallTimeout = .seconds(51)
        pool.webSocket = .allow
        pool.health = expectedHealth
        pool.signals.agent = AgentAddress(
            scheme: .http, host: "agent.example.com", port: 9777, path: "/ask",
            label: "http://agent.example.com:9777/ask")
        pool.signals.every = .seconds(65)
        pool.signals.reports = .ask
        pool.signals.metrics = "/metrics?lite"
        pool.affinity.by = .header
        pool.affinity.header = "x-chat"
        pool.affinity.scope = .tenant
        pool.affinity.entries = 1_066
        pool.affinity.capacityTokens = 1_067
        pool.tunnelIdleTimeout = .seconds(50)
        pool.keepAliveTimeout = .seconds(39)
        pool.keepAliveMaxAge = .seconds(41)
        pool.maxIdleConnections = 40
        return pool
    }
}
