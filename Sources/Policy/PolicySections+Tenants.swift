// The keys under a pool's `priority` and `tenant`. Classes are numbers in the settings and names in
// the file, so both are read into structures of names first and settled afterwards.

import Admission

/// `priority` as it is written.
private struct PriorityKeys: Sendable {
    var header: String?
    var classes = [ClassKeys(name: "default")]
    var defaultClass: String?
}

/// One of `priority.classes` as it is written.
private struct ClassKeys: Sendable {
    var name = ""
    /// nil: what its index says.
    var ceiling: Double?
    var isSlack = false
}

/// `tenant` as it is written.
private struct TenantsKeys: Sendable {
    var header: String?
    var certificate: CertificateName?
    var keys: KeySettings?
    var sharing = SharingMeasure.time
    var others = TenantKeys()
    var named: [TenantKeys] = []
}

/// One of `tenant.named`, or `tenant.default`, as it is written.
private struct TenantKeys: Sendable {
    var settings = TenantSettings(name: "")
    /// nil: the highest class.
    var highestClass: String?
    var networks: [Network] = []
    /// The keys that stand in the file.
    var given: Set<String> = []

    /// The same, where what is not given is what `others` have.
    func inheriting(_ others: TenantKeys) -> TenantKeys {
        var terms = self
        terms.settings = others.settings
        terms.settings.name = settings.name
        if given.contains("weight") { terms.settings.weight = settings.weight }
        if given.contains("max_in_flight") { terms.settings.maxInFlight = settings.maxInFlight }
        if given.contains("max_queued") { terms.settings.maxQueued = settings.maxQueued }
        if given.contains("requests_per_minute") {
            terms.settings.requestsPerMinute = settings.requestsPerMinute
        }
        if given.contains("tokens_per_minute") {
            terms.settings.tokensPerMinute = settings.tokensPerMinute
        }
        if given.contains("bytes_per_second") {
            terms.settings.byteRates.down = settings.byteRates.down
        }
        if given.contains("bytes_per_second_up") {
            terms.settings.byteRates.up = settings.byteRates.up
        }
        if !given.contains("highest_class") { terms.highestClass = others.highestClass }
        return terms
    }
}

extension PolicySections {
    /// Priority classes of a pool.
    private static let classCounts = 1...16
    /// Tenants that a pool's policy may name.
    private static let maxTenants = 4_096
    /// Ceilings by index; those behind have the last.
    private static let ceilings = [1, 0.9, 0.7, 0.5]
    /// The ceiling of a class that gets only what nobody else wants: a fifth is there at once when others come.
    private static let slackCeiling = 0.8

    // MARK: Names

    private static let maxNameLength = 64

    /// A name that can stand in a header's value, in a metric's label and in the log.
    static let claimName = Kind<String>.text(
        "a name of up to 64 visible characters", pattern: "^[!-~]{1,64}$",
        parse: { (text) throws(Fault) in
            let isVisible = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
            guard isVisible, (1...maxNameLength).contains(text.utf8.count) else {
                throw Fault(
                    "\(text.quoted) is not a name",
                    "write 1 to \(maxNameLength) visible characters of ASCII, no spaces")
            }
            return text
        }, write: { $0 })

    static let header = Kind<String>.text(
        "the name of a header field", pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$",
        parse: { (text) throws(Fault) in
            guard Token.isToken(text), text.utf8.count <= maxNameLength else {
                throw Fault(
                    "\(text.quoted) is not the name of a header field",
                    "write a name such as x-tenant")
            }
            return text.lowercased()
        }, write: { $0 })

    // MARK: Priority

    /// The classes, and where a request names its own.
    static let priority = Kind<PoolSettings>(.section(priorityKeys.shape)) {
        node, path, pool, reading in
        var keys = PriorityKeys()
        priorityKeys.read(node, path, &keys, &reading)
        pool.claims.priorityHeader = keys.header
        guard !reading.isFaulty(Reading.join(path, "classes")) else { return }
        pool.admission.classes = settled(keys.classes, path, &reading)
        let names = keys.classes.map(\.name)
        pool.claims.defaultClass =
            index(of: keys.defaultClass, in: names, path: Reading.join(path, "default"), &reading)
    } write: { pool in
        let classes = pool.admission.classes
        return priorityKeys.write(
            PriorityKeys(
                header: pool.claims.priorityHeader,
                classes: classes.map {
                    ClassKeys(name: $0.name, ceiling: $0.ceiling, isSlack: $0.isSlack)
                },
                defaultClass: classes[pool.claims.defaultClass].name))
    }

    private static let priorityKeys = Section<PriorityKeys>(
        blank: PriorityKeys(),
        keys: [
            Key(
                "header", \.header, header.optional(blank: "", absent: "off"),
                "Header field in which a request names its class. With `priority`, requests say `u=0` "
                    + "to `u=7` (RFC 9218), which is spread over the classes."),
            Key(
                "classes", \.classes,
                .list(
                    of: classKeys.kind(shorthand: "name"), blank: ClassKeys(), counts: classCounts,
                    identity: { [$0.name] }),
                "The classes, highest first; a name alone is enough."),
            Key(
                "default", \.defaultClass, claimName.optional(blank: ""),
                "Class of requests that name none, or one that does not exist; the highest where "
                    + "this is left out."),
        ])

    private static let classKeys = Section<ClassKeys>(
        blank: ClassKeys(),
        keys: [
            Key(
                "name", \.name, claimName, required: true,
                "What requests call the class, also its metric label."),
            Key(
                "ceiling", \.ceiling,
                Kind<Double>.number(0...1, excludesLower: true).optional(blank: 1),
                "Share of the limits that this class and the lower ones may have in flight; by "
                    + "slot 1, 0.9, 0.7 and then 0.5 where it is left out, and 0.8 with `slack`."),
            Key(
                "slack", \.isSlack, .boolean,
                "Whether it runs only in room that nobody else wants, without a guaranteed start; what it is refused "
                    + "counts as no shortage, and what it asks for wants no backends. Only for the last classes."
            ),
        ])

    /// The classes with the ceilings that were left out, after those given have been checked.
    private static func settled(
        _ classes: [ClassKeys], _ path: String, _ reading: inout Reading
    ) -> [PriorityClassSettings] {
        var above = 1.0
        return classes.enumerated().map { index, keys in
            var settings = PriorityClassSettings(name: keys.name)
            let usual = ceilings[min(index, ceilings.count - 1)]
            settings.isSlack = keys.isSlack
            settings.ceiling =
                keys.ceiling ?? min(index > 0 && settings.isSlack ? slackCeiling : usual, above)
            checkSlack(classes, index, path, &reading)
            let path = "\(path).classes[\(index)].ceiling"
            if index == 0, settings.ceiling < 1 {
                let fault = Fault(
                    "the highest class has a ceiling below 1",
                    "remove it: nobody could use the rest")
                reading.report(fault, path: path)
            } else if settings.ceiling > above {
                let fault = Fault(
                    "\(settings.ceiling) is above the \(above) of the class before, which counts "
                        + "for this one too", "write at most \(above)")
                reading.report(fault, path: path)
            }
            above = min(above, settings.ceiling)
            return settings
        }
    }

    /// Reports a class that gets only what nobody else wants, where another one that does not stands below it or nothing
    /// above.
    private static func checkSlack(
        _ classes: [ClassKeys], _ index: Int, _ path: String, _ reading: inout Reading
    ) {
        guard classes[index].isSlack else { return }
        let path = "\(path).classes[\(index)].slack"
        if index == 0 {
            let fault = Fault(
                "the highest class gets only what nobody else wants",
                "put another class above it, or remove `slack`")
            reading.report(fault, path: path)
        } else if index + 1 < classes.count, !classes[index + 1].isSlack {
            let fault = Fault(
                "class \(classes[index + 1].name.quoted) below it is served before it",
                "put classes with `slack` last")
            reading.report(fault, path: path)
        }
    }

    /// The index of the class of that name, 0 for nil; what is not there is reported.
    private static func index(
        of name: String?, in names: [String], path: String, _ reading: inout Reading
    ) -> Int {
        guard let name, !reading.isFaulty(path) else { return 0 }
        if let index = names.firstIndex(of: name) { return index }
        let known = names.map(\.quoted).joined(separator: ", ")
        let fault = Fault(
            "there is no class \(name.quoted)",
            "\(Spelling.hint(name, among: names))classes are \(known)")
        reading.report(fault, path: path)
        return 0
    }

    // MARK: Tenants

    /// `tenant` for all pools, each of which reads it with its own classes; a policy is written without
    /// it, as what its pools make of it.
    static let sharedTenant = Kind<Policy>(.section(tenantsKeys.shape)) {
        node, path, _, reading in
        reading.sharedTenant = node
        // Also where every pool has its own.
        var keys = TenantsKeys()
        tenantsKeys.read(node, path, &keys, &reading)
    } write: { _ in
        nil
    }

    /// What tenants may claim, and where a request names its own; read after `priority`.
    static let tenant = Kind<PoolSettings>(.section(tenantsKeys.shape)) {
        node, path, pool, reading in
        var keys = TenantsKeys()
        tenantsKeys.read(node, path, &keys, &reading)
        keys.named = keys.named.map { $0.inheriting(keys.others) }
        pool.claims.tenantHeader = keys.header
        pool.claims.certificateName = keys.certificate
        pool.claims.keys = keys.keys
        pool.claims.networks = networks(keys.named, path, &reading)
        pool.admission.sharing = keys.sharing
        pool.admission.otherTenants = keys.others.settings
        pool.admission.tenants = keys.named.map(\.settings)
        // Names of classes mean nothing as long as the classes are wrong.
        let priority = path.dropLast("tenant".count) + "priority"
        guard !reading.isFaulty("\(priority).classes") else { return }
        let names = pool.admission.classes.map(\.name)
        pool.admission.otherTenants.highestClass = index(
            of: keys.others.highestClass, in: names, path: "\(path).default.highest_class", &reading
        )
        for (row, tenant) in keys.named.enumerated() {
            // One that is `default`'s has been looked at there.
            guard tenant.given.contains("highest_class") else {
                pool.admission.tenants[row].highestClass = pool.admission.otherTenants.highestClass
                continue
            }
            pool.admission.tenants[row].highestClass = index(
                of: tenant.highestClass, in: names, path: "\(path).named[\(row)].highest_class",
                &reading)
        }
    } write: { pool in
        func keys(_ settings: TenantSettings, _ networks: [Network] = []) -> TenantKeys {
            let highest = pool.admission.classes[settings.highestClass].name
            return TenantKeys(settings: settings, highestClass: highest, networks: networks)
        }
        return tenantsKeys.write(
            TenantsKeys(
                header: pool.claims.tenantHeader, certificate: pool.claims.certificateName,
                keys: pool.claims.keys,
                sharing: pool.admission.sharing, others: keys(pool.admission.otherTenants),
                named: pool.admission.tenants.enumerated().map { index, tenant in
                    let own = pool.claims.networks.filter { $0.tenant == index }
                    return keys(tenant, own.map(\.network))
                }))
    }

    /// The networks of all tenants; one that two of them have is reported.
    private static func networks(
        _ tenants: [TenantKeys], _ path: String, _ reading: inout Reading
    ) -> [TenantNetwork] {
        var owners: [String: Int] = [:]
        var networks: [TenantNetwork] = []
        for (index, tenant) in tenants.enumerated() {
            for (position, network) in tenant.networks.enumerated() {
                networks.append(TenantNetwork(network: network, tenant: index))
                let path = "\(path).named[\(index)].networks[\(position)]"
                guard !reading.isFaulty(path) else { continue }
                let key = network.identity
                let owner = owners.updateValue(owners[key] ?? index, forKey: key)
                guard let owner, owner != index else { continue }
                let fault = Fault(
                    "is a network of named[\(owner)] too", "leave it to one of them")
                reading.report(fault, path: path)
            }
        }
        return networks
    }

    private static let tenantsKeys = Section<TenantsKeys>(
        blank: TenantsKeys(),
        keys: [
            Key(
                "header", \.header, header.optional(blank: "", absent: "off"),
                "Header field in which a request names its tenant; requests without it are one "
                    + "tenant together. What stands before the gateway must set it, or clients "
                    + "choose for themselves."),
            Key(
                "certificate", \.certificate,
                Kind<CertificateName>.words.optional(blank: .uri, absent: "off"),
                "Which name of a client's certificate is its tenant's, where a listener asks for one "
                    + "(`listen[].tls.client_certificate`): it counts before `header` and `networks`."
            ),
            Key(
                "keys", \.keys,
                keysSection.kind(shorthand: "file").optional(blank: keysSection.blank),
                "API keys that say whose a request is, in `Authorization: Bearer`, `x-api-key` or "
                    + "`api-key`; they count before `header` and `networks`."),
            Key(
                "share_by", \.sharing, .words,
                "What tenants share while they want more than there is: the `time` for which their "
                    + "requests take places of the limit, the number of `requests`, or the `tokens` of "
                    + "prompts and responses."),
            Key(
                "default", \.others, Section(blank: TenantKeys(), keys: terms).kind(),
                "Terms of each tenant that is not named."),
            Key(
                "named", \.named,
                .list(
                    of: Section(
                        blank: TenantKeys(),
                        keys: [tenantName] + terms.map { $0.inherited(from: "default") }
                            + [networks],
                        settle: { $0.given = $1 }
                    ).kind(),
                    blank: TenantKeys(), counts: 0...maxTenants,
                    identity: { [$0.settings.name] }),
                "Tenants with terms of their own; what one leaves out is what `default` has."),
        ],
        rules: [
            Rule("named", "header", "keys") { keys in
                keys.named.allSatisfy { !$0.networks.isEmpty } || keys.header != nil
                    || keys.keys != nil || keys.certificate != nil
                    ? nil
                    : Fault(
                        "nothing says which request is whose",
                        "set header, such as x-tenant, or keys, certificate, or each one's networks"
                    )
            }
        ])

    private static let keysSection = Section<KeySettings>(
        blank: KeySettings(file: ""),
        keys: [
            Key(
                "file", \.file, keysPath, required: true,
                "File with a line for each key, as `penstock key new` writes it; read again at "
                    + "every reload. A relative path begins at the policy file's folder."),
            Key(
                "required", \.isRequired, .boolean,
                "Whether requests without a key of the file are refused with 401."),
            Key(
                "pass_on", \.isPassedOn, .boolean,
                "Whether the fields with keys go on to the backend, for one that checks them too."),
            Key(
                "unnamed", \.unnamed, .words,
                "Keys of tenants that `named` does not have, where it has any: `refuse` such a file, "
                    + "because a misspelt name would have other terms than were meant, or `allow` it, "
                    + "and they have those of `default`."),
        ])

    /// Paths of files that begin at the policy file's folder.
    static let keysPath = Kind<String>.text(
        "the path of a file", pattern: "^[^\\x00]+$",
        parse: { (text) throws(Fault) in
            guard !text.isEmpty, !text.utf8.contains(0), text.utf8.count < 4096 else {
                throw Fault("\(text.quoted) is not a path", "write one such as penstock.keys")
            }
            return text
        }, write: { $0 })

    private static let tenantName = Key<TenantKeys>(
        "name", \.settings.name, claimName, required: true, "What requests call the tenant.")

    private static let terms: [Key<TenantKeys>] = [
        Key(
            "weight", \.settings.weight, .number(0.01...1_000),
            "Its share against other tenants' while all want more."),
        Key(
            "highest_class", \.highestClass, claimName.optional(blank: ""),
            "The highest class that its requests may be in; any where this is left out."),
        Key(
            "max_in_flight", \.settings.maxInFlight,
            Kind<Int>.integer(1...100_000).optional(blank: 1, absent: "off"),
            "Requests that it may have in flight; `off` for no bound of its own."),
        Key(
            "max_queued", \.settings.maxQueued,
            Kind<Int>.integer(0...1_000_000).optional(blank: 0, absent: "off"),
            "Requests of it that may wait; `off` for no bound of its own."),
        Key(
            "requests_per_minute", \.settings.requestsPerMinute,
            Kind<Int>.integer(1...1_000_000_000).optional(blank: 1, absent: "off"),
            "Requests that it may make a minute over all pools together, all at once if it has saved "
                + "them up; `off` for no bound but that of another pool."),
        Key(
            "tokens_per_minute", \.settings.tokensPerMinute,
            Kind<Int>.integer(1...1_000_000_000_000).optional(blank: 1, absent: "off"),
            "Tokens of prompts and responses that it may use a minute over all pools together; an "
                + "estimate is charged when a request comes, and put right when it ends. `off` for no "
                + "bound but that of another pool."),
        Key(
            "bytes_per_second", \.settings.byteRates.down, byteRate,
            "Bytes a second of the bodies of responses to it, in this pool, below what the pool has; `off` for no "
                + "bound of its own."),
        Key(
            "bytes_per_second_up", \.settings.byteRates.up, byteRate,
            "The same of its requests' bodies."),
    ]

    private static let networks = Key<TenantKeys>(
        "networks", \.networks,
        .list(
            of: .network, blank: Network(lowest: 0, prefixLength: 128, text: ""),
            counts: 0...maxNetworks, identity: { [$0.identity] }),
        "Networks whose clients are this tenant, where neither a key nor the header says so; the "
            + "smallest network that fits counts.")

    /// Networks that one tenant may have.
    private static let maxNetworks = 1_000
}
