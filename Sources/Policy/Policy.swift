// What an operator can say, as values that cannot be invalid: `PolicyLoader` is the only maker of
// them outside of tests, and reports every fault of a file instead of making one.

package import Admission

/// One whole policy: where to listen, what to forward to, and how.
package struct Policy: Equatable, Sendable {
    /// Addresses that clients connect to; at least one, all different.
    package var listen: [ListenSettings]
    /// The admin listener; `nil` when the file says `admin: off`.
    package var admin: AdminSettings?
    /// The unix socket for `penstock ctl`, through which whoever may connect changes what is in force; `nil` for none.
    package var control: ListenSettings?
    /// What the admin listener asks of who wants to change something; `nil` where nobody may.
    package var adminToken: AdminToken?
    /// The file in which the limits that were found are kept over a restart; `nil` for none.
    package var stateFile: String?
    /// Whether the policy is read again when its file, or one that it names, has changed.
    package var watchesFiles = false
    /// Threads that serve, 1..128; `nil` for as many as the process may use processors.
    package var threads: Int?
    /// Limits, buffers and time-outs of the client side.
    package var server: ServerSettings
    /// What is logged, and where.
    package var log: LogSettings
    /// Fields added to forwarded requests.
    package var forwarding: ForwardingSettings
    /// The pools, in the file's order; at least one, names all different.
    package var pools: [PoolSettings]
    /// The routes, in the file's order; the first that matches wins.
    package var routes: [Route]
    /// How bodies are read whose requests are routed by model.
    package var models = ModelSettings()
    /// Where workers come in; `nil` where none do.
    package var workers: WorkerSettings?
    /// Requests that come as lines; `nil` for none.
    package var bulk: BulkSettings?
    /// Topics of Kafka that requests are taken from, names all different; at most 16.
    package var topics: [TopicSettings] = []
}

/// A socket address to listen on.
package enum ListenAddress: Hashable, Sendable {
    /// A numeric IPv4 or IPv6 address (without brackets) and a port, 0..65535; 0 lets the kernel
    /// choose.
    case tcp(host: String, port: UInt16)
    /// A path of a unix socket, at most 107 bytes.
    case unix(path: String)
}

/// What becomes of a request whose path has dot segments, a backslash or an encoded slash.
package enum AmbiguousPaths: String, CaseIterable, Sendable {
    /// It is refused: what a route allows would not be what the backend serves.
    case refuse
    /// It is routed and forwarded as it stands.
    case pass
}

/// Limits, buffers and time-outs of the client side.
package struct ServerSettings: Equatable, Sendable {
    /// Client connections held at once, 1..1,000,000.
    package var maxConnections = 10_000
    /// Bytes of a request's head, request line included, 1 KiB..1 MiB.
    package var maxHeadBytes = 32 * 1024
    /// Fields of a request's head or trailer section, 1..1,000.
    package var maxFields = 100
    /// Bytes of a request's body, 0..1 TiB.
    package var maxBodyBytes = 256 << 20
    /// Bytes of a body that is read whole before its request is offered to its pool, 0..1 GiB.
    package var bodyBeforeQueueBytes = 1 << 20
    /// The same over all requests of a thread, 0..1 TiB.
    package var bodyBeforeQueueTotalBytes = 64 << 20
    /// Bytes a second that a body comes with at least, once `headTimeout` has passed, 0..1 GiB.
    ///
    /// Seldom does a phone that moves get less than ten times as much, and it may rest for half a
    /// minute when it has sent 10 kB; a byte now and then is not enough.
    package var bodyMinRateBytes = 500
    /// Buffered bytes of one direction above which its source is no longer read, 4 KiB..16 MiB.
    package var bufferHighBytes = 64 * 1024
    /// Buffered bytes below which reading resumes; less than `bufferHighBytes`.
    package var bufferLowBytes = 16 * 1024
    /// Bytes of a response that are taken from the backend although the client reads slowly,
    /// 0..256 MiB.
    package var bufferResponseBytes = 1 << 20
    /// The same over all responses of a thread, 0..1 TiB.
    package var bufferResponsesTotalBytes = 64 << 20
    /// Shares of `maxConnections` that one client network may have.
    package var perNetwork = NetworkShares()
    /// What a client's FIN while its response is outstanding means.
    package var halfClose = HalfClose.gone
    /// What becomes of requests whose path means another one to some servers.
    package var ambiguousPaths = AmbiguousPaths.refuse
    /// Paths at which the gateway itself answers GET and HEAD, with 200 while it takes requests; at most 16.
    package var healthPaths: [String] = []
    /// Time that queued and running requests get after SIGTERM, 0..24 h.
    package var drainTimeout = Duration.seconds(30)
    /// For how long after SIGTERM requests are still taken as before, 0..1 h.
    package var drainDelay = Duration.zero
    /// From a request's first byte to the end of its head, 1 ms..24 h.
    package var headTimeout = Duration.seconds(10)
    /// Between two reads of a request's body, 1 ms..24 h.
    package var bodyIdleTimeout = Duration.seconds(30)
    /// Until a request's body has come, 1 ms..24 h; `nil` for as long as it takes.
    ///
    /// Envoy recommends as much for the whole request where clients are strangers
    /// (`request_timeout` in its guide to edge proxies); a body of 256 MiB takes 7 Mbit/s then.
    package var bodyTimeout: Duration? = .seconds(300)
    /// Between two requests of one connection, 1 ms..24 h.
    package var keepAliveTimeout = Duration.seconds(75)
    /// Without a byte that a client took of those it has to take, 1 ms..24 h.
    package var writeStallTimeout = Duration.seconds(30)

    /// What `/readyz` says.
    package var readiness = Readiness.gateway

    /// What `/readyz` says.
    package enum Readiness: String, CaseIterable, Sendable {
        /// Whether the gateway takes requests; without a backend it refuses them with a time to come
        /// back.
        case gateway
        /// Whether some backend is usable besides.
        case backends
    }

    /// What a client's FIN while its response is outstanding means.
    package enum HalfClose: String, CaseIterable, Sendable {
        /// The client has left: its request is cancelled.
        case gone
        /// The client still wants its response.
        case allow
    }

    /// Shares of `maxConnections` that one client network, an IPv4 address or a /64 of IPv6, may
    /// have; each more than 0 and 1 at most.
    ///
    /// Half of the connections leaves as many to all others. Of heads and bodies that are under way
    /// at a time even a large office behind one address has few: each is there for as long as its
    /// bytes take.
    package struct NetworkShares: Equatable, Sendable {
        /// Connections.
        package var connections = 0.5
        /// Connections with a head that has begun and is not complete.
        package var heads = 0.1
        /// Connections with a body that is not complete.
        package var bodies = 0.25

        /// The defaults.
        package init() {}
    }

    /// The defaults.
    package init() {}
}

/// What is logged, and where.
package struct LogSettings: Equatable, Sendable {
    /// Least severe level that is written.
    package var level = Level.info
    /// Where the operational log goes.
    package var destination = Destination.standardError
    /// Where the access log goes; `nil` when it is off.
    package var access: Destination? = .standardOutput
    /// Which requests the access log is to name.
    package var accessLevel = AccessLevel.all
    /// Share of the access log's requests that are written, 0...1; requests that ended with a 5xx
    /// of the backend's or the gateway's are always written.
    package var accessSample = 1.0

    /// Severity of operational log lines.
    package enum Level: String, CaseIterable, Sendable {
        case trace, debug, info, notice, warning, error, critical
    }

    /// Which requests the access log names.
    package enum AccessLevel: String, CaseIterable, Sendable {
        /// All.
        case all
        /// Those that ended with a reason, or a status of 400 and more.
        case failures
    }

    /// A file, or one of the standard streams.
    package enum Destination: Hashable, Sendable {
        case standardOutput
        case standardError
        case file(path: String)
    }

    /// The defaults.
    package init() {}
}

/// Fields added to forwarded requests.
package struct ForwardingSettings: Equatable, Sendable {
    /// The pseudonym in `Via`, an RFC 9110 token; `nil` leaves requests' and responses' `Via` as
    /// they are.
    package var via: String? = "penstock"
    /// What happens to X-Forwarded-For, -Proto and -Host, and to Forwarded.
    package var forwarded = Forwarded.append
    /// Peers whose X-Forwarded-For is believed under `append`; others' are replaced.
    package var trustedProxies: [TrustedPeer] = []
    /// Whether a client's X-Request-ID is kept; one is always made where there is none.
    package var keepRequestID = true

    /// What happens to X-Forwarded-For, -Proto and -Host.
    package enum Forwarded: String, CaseIterable, Sendable {
        /// The client's address is appended to what came from a trusted proxy, whose -Proto and -Host
        /// stay; what came from anybody else is replaced.
        case append
        /// What came is replaced: right for a gateway at the edge, where clients could forge it.
        case set
        /// What came is removed and nothing is added.
        case remove
        /// What came is passed on and nothing is added.
        case off
    }

    /// The defaults.
    package init() {}
}

/// A set of backends that can serve the same requests, with one queue.
package struct PoolSettings: Equatable, Sendable {
    /// The pool's name, also its metric label: `[a-z0-9][a-z0-9_-]{0,62}`.
    package var name: String
    /// The backends, addresses all different; at least one, unless they are discovered and none is known yet, or workers
    /// come.
    package var backends: [BackendAddress]
    /// Where backends are looked up; nil where the policy names them.
    package var discovery: DiscoverySettings?
    /// What workers it takes beside its backends; nil for none.
    package var workers: PoolWorkers?
    /// TLS towards `https://` backends.
    package var tls = TLSSettings()
    /// What the `Host` field of forwarded requests says.
    package var host = HostRule.preserve
    /// What the backends' URLs have instead of the beginning of requests' paths, without a slash at its end; `nil` for
    /// nothing.
    package var stripPrefix: String?
    /// Whether backends are asked for other paths than clients ask for.
    package var changesPaths: Bool {
        stripPrefix != nil || backends.contains { !$0.path.isEmpty }
    }
    /// What becomes of the fields of requests to the backends.
    package var request = FieldRules()
    /// What becomes of the fields of their responses.
    package var response = FieldRules()
    /// How each backend's limit is found, and the queue's bounds.
    package var admission = AdmissionSettings()
    /// How many units of the limit long requests take; `nil` for one each.
    package var seats: SeatSettings?
    /// Bytes of bodies a second, of all requests together.
    package var byteRates = ByteRateSettings()
    /// How the backends are checked; `nil` for not at all.
    package var health: HealthSettings?
    /// Who is asked what the backends may be sent.
    package var signals = SignalSettings()
    /// Whether requests go to where their prompts are known.
    package var affinity = AffinityRule() {
        didSet { admission.affinity = affinity.settings }
    }
    /// What becomes of requests that ask to change to WebSocket (RFC 6455).
    package enum WebSocketRule: String, CaseIterable, Sendable {
        /// They are refused with 403.
        case refuse
        /// The connection becomes a tunnel once the backend agrees, and keeps its permit until it ends.
        case allow
    }

    /// Where requests say whose they are and which class they want.
    package var claims = ClaimSettings()
    /// What is done with the deadlines of requests.
    package var deadlines = DeadlineSettings()
    /// What refused clients are told.
    package var responses = ResponseSettings()
    /// Until a backend's connection is ready to use, over all tries of one request, 1 ms..24 h.
    package var connectTimeout = Duration.seconds(3)
    /// From the forwarded request to the response's first byte, 1 ms..24 h.
    package var firstByteTimeout = Duration.seconds(120)
    /// Between two reads of a response that is no stream of an inference server's, 1 ms..24 h.
    package var idleTimeout = Duration.seconds(60)
    /// Between two reads of a stream of an inference server's, after its first event, 1 ms..24 h.
    ///
    /// The first event is waited for as long as a first byte.
    package var streamStallTimeout = Duration.seconds(30)
    /// Whether requests may change to WebSocket.
    package var webSocket = WebSocketRule.refuse
    /// Without a byte in either direction of a WebSocket tunnel, 1 ms..24 h.
    package var tunnelIdleTimeout = Duration.seconds(300)
    /// How long an unused backend connection is kept, 0..24 h; shorter than uvicorn's 5 s on
    /// purpose.
    package var keepAliveTimeout = Duration.seconds(4)
    /// How old a backend connection becomes that is used again, 1 s..24 h; `nil` for any age.
    ///
    /// A name that has moved is only looked up when somebody dials.
    package var keepAliveMaxAge: Duration? = .seconds(30)
    /// Unused connections kept for each backend, 0..10,000.
    package var maxIdleConnections = 256

    /// A pool of `backends` with the defaults.
    package init(name: String, backends: [BackendAddress]) {
        self.name = name
        self.backends = backends
    }
}

/// Where requests say whose they are and which class they want.
package struct ClaimSettings: Equatable, Sendable {
    /// Field that names a request's tenant, in lower case, at most 64 bytes; `nil` for none.
    package var tenantHeader: String?
    /// Which name of a client's certificate is its tenant's; `nil` for none.
    ///
    /// A key comes before it.
    package var certificateName: CertificateName?
    /// API keys, which come before the field and the networks; `nil` for none.
    package var keys: KeySettings?
    /// Networks whose clients are a tenant's, if neither a key nor the field says whose they are.
    package var networks: [TenantNetwork] = []
    /// Field that names a request's class, in lower case, at most 64 bytes; `nil` for none.
    ///
    /// `priority` also takes RFC 9218's urgencies.
    package var priorityHeader: String?
    /// Class of requests that name none: an index into `AdmissionSettings.classes`.
    package var defaultClass = 0

    /// The defaults.
    package init() {}
}

/// A name in a client's certificate.
package enum CertificateName: String, CaseIterable, Sendable {
    /// The first URI among the alternative names, such as SPIFFE's.
    case uri = "san_uri"
    /// The first DNS name among them.
    case dns = "san_dns"
    /// The last common name of the subject.
    case commonName = "subject_cn"
}

/// Whose the requests of a pool are by their API keys.
package struct KeySettings: Equatable, Sendable {
    /// The file with the keys' digests.
    ///
    /// A relative path begins at the policy file's folder.
    package var file: String
    /// Whether requests without a known key are refused.
    package var isRequired = true
    /// Whether the fields with keys go on to the backend.
    package var isPassedOn = false
    /// What becomes of keys whose tenant the pool does not name, where it names any.
    package var unnamed = UnnamedTenants.refuse
    /// What the file says; empty until it has been read.
    package var entries: [KeyEntry] = []

    /// Keys in `file`, with the defaults.
    package init(file: String) { self.file = file }
}

/// What becomes of a keys file with tenants that are not named.
package enum UnnamedTenants: String, CaseIterable, Sendable {
    /// It is an error: a misspelt name would have other terms than were meant.
    case refuse
    /// They have the terms of tenants that are not named.
    case allow
}

/// One API key as a keys file has it: never the key itself.
package struct KeyEntry: Hashable, Sendable {
    /// SHA-256 of the key, 32 bytes.
    package var digest: [UInt8]
    /// Whose key it is: a tenant that the policy names, or any other name.
    package var tenant: String

    /// A key of `tenant`.
    package init(digest: [UInt8], tenant: String) {
        self.digest = digest
        self.tenant = tenant
    }
}

/// The clients of a network are a tenant's.
package struct TenantNetwork: Equatable, Sendable {
    /// The network.
    package var network: Network
    /// Index into `AdmissionSettings.tenants`.
    package var tenant: Int

    /// `network` is that of the tenant at index `tenant`.
    package init(network: Network, tenant: Int) {
        self.network = network
        self.tenant = tenant
    }
}

/// What is done with the deadlines of requests.
package struct DeadlineSettings: Equatable, Sendable {
    /// Whether requests may say how long their clients will wait.
    package var readsFields = true
    /// How long after its head a request is wanted at most, 1 ms..24 h; `nil` for no end.
    package var longest: Duration?
    /// Whether backends are told the time that is left.
    package var isPassedOn = true

    /// The defaults.
    package init() {}
}

/// What refused clients are told.
package struct ResponseSettings: Equatable, Sendable {
    /// Whether a 503 for want of capacity tells Envoy not to retry.
    package var saysEnvoyOverloaded = true
    /// Whether tenants are told their share in RateLimit fields, when it matters to them.
    package var tellsShares = true
    /// Status of refusals for want of capacity: 429, 503 or 529; `nil` for 503, and 529 in
    /// Anthropic's dialect.
    package var overloadStatus: Int?
    /// Whether forwarded responses say how long their requests waited.
    package var saysTimes = true
    /// Whether those who have long asked for twice what they get are told not to try again.
    package var stopsRetries = true

    /// The defaults.
    package init() {}
}

/// TLS towards backends.
package struct TLSSettings: Hashable, Sendable {
    /// Whether certificates and names are verified.
    package var verify = true
    /// A PEM file of the authorities that are trusted; `nil` for the system's.
    package var authorityFile: String?
    /// A PEM file with the client's certificate chain.
    package var certificateFile: String?
    /// A PEM file with the client certificate's key.
    package var keyFile: String?

    /// The defaults.
    package init() {}
}

/// What the `Host` field of forwarded requests says.
package enum HostRule: Equatable, Sendable {
    /// What the client sent.
    case preserve
    /// The backend's own name and port.
    case backend
    /// A fixed name.
    case fixed(String)
}
