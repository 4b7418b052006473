// The quotas of all tenants of a policy: one table, whichever pool a request goes to, so that no way
// through the gateway is charged elsewhere. Charged before the work, settled after it, given back when
// there was none. A row keeps its index as long as a request that it was charged for is under way.

/// What tenants may use a minute, over all pools.
package struct QuotaSettings: Equatable, Sendable {
    /// The tenants that the policy names, with what each may use; one without a quota may be left out.
    package var tenants: [TenantSettings] = []
    /// What each tenant may use that the policy does not name.
    package var others = TenantSettings(name: "")
    /// Rows that tenants without a name are hashed into, 1..65,536.
    package var hashedRows = 256

    /// Nobody has a quota.
    package init() {}
}

/// Whose quota a request is charged to.
package struct Payer: Equatable, Sendable {
    /// Who asks.
    package var tenant: TenantID
    /// Whether a tenant without a quota of its own has that of tenants without a name.
    package var sharesDefault: Bool
    /// Whether a request is refused that does not fit; false where decisions are only counted.
    package var isEnforced: Bool

    /// Who asks, of a pool whose settings say the rest.
    package init(_ tenant: TenantID, in settings: AdmissionSettings) {
        self.tenant = tenant
        sharesDefault = settings.otherTenants.hasQuota
        isEnforced = settings.mode == .enforce
    }
}

/// What has been taken from a quota for a request that is under way.
package struct Reservation: Equatable, Sendable {
    /// The row that it was taken from; -1 where nothing was.
    var row: Int32 = -1
    /// How many policies had been in force.
    var generation: UInt32 = 0
    /// The tenant's key or hash.
    private var key: UInt64 = 0
    /// The tokens, four times, and which kind of tenant it is.
    ///
    /// Each refused request carries a reservation along, mostly of nothing: three words are copied
    /// faster than numbers of cases.
    private var tokensAndKind = 0

    /// Of nothing.
    init() {}

    /// Of that many tokens, from 0 to 2⁶⁰, for a request of `tenant`.
    init(row: Int32, generation: UInt32, tokens: Int, tenant: TenantID) {
        self.row = row
        self.generation = generation
        switch tenant {
        case .anonymous: tokensAndKind = tokens << 2
        case .named(let name):
            key = name.rawValue
            tokensAndKind = tokens << 2 | 1
        case .hashed(let hash):
            key = hash
            tokensAndKind = tokens << 2 | 2
        }
    }

    /// Tokens that were taken.
    var tokens: Int { tokensAndKind >> 2 }

    /// Whose request it is: a reload may give it another row.
    var tenant: TenantID {
        switch tokensAndKind & 3 {
        case 0: .anonymous
        case 1: .named(TenantKey(rawValue: key))
        default: .hashed(key)
        }
    }

    /// Whether anything was taken.
    package var isHeld: Bool { row >= 0 }
}

/// Which quota a request does not fit into.
package struct Shortfall: Equatable, Sendable {
    var reason: Reason
    /// When it would fit, as promised to it.
    var waitSeconds: Double
    /// Whether it is refused also where decisions are only counted.
    var isBinding = false
}

/// What a quota says to a request.
package enum QuotaDecision: Equatable, Sendable {
    /// There is none.
    case free
    /// It was charged.
    case reserved(Reservation)
    /// It does not fit; nothing was charged.
    case short(Shortfall)

    /// What was taken.
    var reservation: Reservation {
        if case .reserved(let reservation) = self { reservation } else { Reservation() }
    }

    /// What was missing.
    var shortfall: Shortfall? {
        if case .short(let shortfall) = self { shortfall } else { nil }
    }
}

/// The table of quotas.
package struct QuotaTable: Sendable {
    /// The first row is of those who do not say who they are.
    var rows: [Row]
    var named = TenantIndex()
    /// The same rows by the hashes of their names, which is how pools see them that do not name them.
    var namedByHash = TenantIndex()
    /// The rows of tenants without a name; empty where these have no quota.
    var hashed: [Int32] = []
    var hasDefault = false
    /// The hashes of all names that the policy has, also of tenants without a quota.
    var nameHashes: Set<UInt64> = []
    /// What the rows of tenants without a name held when there were more or fewer of them.
    var formerRows: [FormerRows] = []
    /// How many policies have been in force.
    var generation: UInt32 = 0
    /// The latest instant seen: each thread reads its clock by itself.
    private(set) var clock = Instant(nanoseconds: .min / 2)
    /// Whether nobody has a quota.
    package internal(set) var isEmpty = true

    /// The quotas of `settings`; `hash` is what names are hashed with that a pool does not know.
    package init(
        _ settings: QuotaSettings = QuotaSettings(), hash: (String) -> UInt64 = { _ in 0 }
    ) {
        rows = [Row(settings.others)]
        reconfigure(settings, hash: hash)
    }

    // MARK: Requests

    /// Charges a request of that many tokens to the first of its payers that has a quota.
    ///
    /// One that does not fit is promised the time after which to come back.
    package mutating func charge(
        _ first: Payer?, or own: Payer, tokens: Int, now: Instant
    ) -> QuotaDecision {
        let carried = first.flatMap { row(of: $0) }
        guard let row = carried ?? row(of: own) else { return .free }
        clock = max(clock, now)
        let payer = carried != nil ? first ?? own : own
        prepare(row, of: payer.tenant)
        if var shortfall = shortfall(Int(row), tokens: tokens) {
            shortfall.isBinding = carried != nil && first?.isEnforced == true
            return .short(shortfall)
        }
        let taken = rows[Int(row)].reserve(tokens)
        return .reserved(
            Reservation(row: row, generation: generation, tokens: taken, tenant: payer.tenant))
    }

    /// Brings a row up to date before a tenant is told of it.
    private mutating func prepare(_ row: Int32, of tenant: TenantID) {
        rows[Int(row)].advance(to: clock)
        if !formerRows.isEmpty { takeFormer(row, of: tenant) }
    }

    private mutating func shortfall(_ row: Int, tokens: Int) -> Shortfall? {
        if rows[row].requests.secondsUntil(1) > 0 {
            let seconds = rows[row].requests.promise(1, now: clock)
            return Shortfall(reason: .tenantRequestRate, waitSeconds: seconds)
        }
        if rows[row].tokens.secondsUntil(Double(tokens)) > 0 {
            let seconds = rows[row].tokens.promise(Double(tokens), now: clock)
            return Shortfall(reason: .tenantTokenRate, waitSeconds: seconds)
        }
        return nil
    }

    /// Puts right what was charged for a request that has ended, once for each reservation.
    package mutating func settle(_ reservation: Reservation, _ charge: Charge, now: Instant) {
        guard reservation.isHeld else { return }
        let row = Int(reservation.row)
        clock = max(clock, now)
        rows[row].advance(to: clock)
        if reservation.generation != generation {
            return settleMoved(reservation, charge)
        }
        rows[row].settle(reservation, charge)
    }

    /// What the quotas of the first payer that has one come to; nil where none has.
    package mutating func rates(of first: Payer?, or own: Payer, now: Instant) -> TenantRates? {
        let carried = first.flatMap { row(of: $0) }
        guard let row = carried ?? row(of: own) else { return nil }
        clock = max(clock, now)
        prepare(row, of: carried != nil ? first?.tenant ?? own.tenant : own.tenant)
        return TenantRates(
            requests: rows[Int(row)].requests.quota(), tokens: rows[Int(row)].tokens.quota())
    }

    /// The row that is charged; nil for a tenant without a quota.
    func row(of payer: Payer) -> Int32? {
        switch payer.tenant {
        case .named(let key): return named.row(of: key)
        case .hashed(let hash):
            if let row = namedByHash.row(of: TenantKey(rawValue: hash)) {
                return rows[Int(row)].isLeaving && !payer.sharesDefault ? nil : row
            }
            guard payer.sharesDefault, !hashed.isEmpty else { return nil }
            return hashed[Int(hash % UInt64(hashed.count))]
        case .anonymous: return payer.sharesDefault && hasDefault ? 0 : nil
        }
    }
}
