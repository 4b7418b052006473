// Whose a request is and which class it gets, from its head and its client's address. It is made when a policy comes
// into force, so that a request is only compared with bytes that are there already.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Policy
internal import Reactor

/// Tells whose the requests of one pool are.
final class Classifier: Sendable {
    /// Whose a request is, by this version of the policy.
    enum Owner: Equatable {
        /// Nobody said.
        case nobody
        /// The tenant at that index of the policy.
        case named(Int)
        /// A tenant that the policy does not name.
        case hashed(UInt64)
    }

    /// Where a key stands in a request, and what it is.
    enum Key {
        /// Nowhere.
        case missing
        /// A key of that digest; nil when there was no memory to compute it with.
        case digest(KeyDigest?)
    }

    let tenantHeader: [UInt8]?
    /// Which name of a client's certificate is its tenant's; nil for none.
    private let certificateName: CertificateName?
    /// Whether it looks at clients' certificates.
    let readsCertificates: Bool
    private let priorityHeader: [UInt8]?
    /// Whether the class may be said as RFC 9218's urgency.
    private let takesUrgency: Bool
    private let classNames: [[UInt8]]
    private let defaultClass: Int
    private let tenantNames: [[UInt8]]
    private let tenantKeys: [TenantKey]
    private let highestClasses: [Int]
    private let highestOtherClass: Int
    /// Hash table with open addressing, at most half full: indices of `tenantNames`, -1 for none.
    private let slots: [Int32]
    private let hashKey: HashKey
    /// nil where the policy has no keys.
    private let keys: KeyTable?
    /// Whether requests without a key that is known are refused.
    let isKeyRequired: Bool
    private let networks: NetworkTable

    /// The table for `settings`; tenants that these do not name are hashed with `hashKey`.
    init(_ settings: PoolSettings, hashKey: HashKey) {
        self.hashKey = hashKey
        tenantHeader = settings.claims.tenantHeader.map { Array($0.utf8) }
        certificateName = settings.claims.certificateName
        readsCertificates = settings.claims.certificateName != nil
        priorityHeader = settings.claims.priorityHeader.map { Array($0.utf8) }
        takesUrgency = settings.claims.priorityHeader == "priority"
        classNames = settings.admission.classes.map { Array($0.name.utf8) }
        defaultClass = settings.claims.defaultClass
        tenantNames = settings.admission.tenants.map { Array($0.name.utf8) }
        tenantKeys = settings.admission.tenants.map { TenantKey($0.name) }
        highestClasses = settings.admission.tenants.map(\.highestClass)
        highestOtherClass = settings.admission.otherTenants.highestClass
        var size = 1
        while size < 2 * tenantNames.count { size *= 2 }
        var slots = [Int32](repeating: -1, count: size)
        for (index, name) in tenantNames.enumerated() {
            var slot = Int(truncatingIfNeeded: hashKey.hash(name.span)) & (size - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (size - 1) }
            slots[slot] = Int32(index)
        }
        self.slots = slots
        let names = tenantNames
        isKeyRequired = settings.claims.keys?.isRequired ?? false
        networks = NetworkTable(settings.claims.networks)
        keys = settings.claims.keys.map { keys in
            KeyTable(keys.entries) { name in
                Classifier.owner(name, names, slots, hashKey)
            }
        }
    }

    /// Whether requests are asked for keys.
    var hasKeys: Bool { keys != nil }

    /// Whether somebody has that key.
    func knows(_ key: Key) -> Bool {
        guard case .digest(let digest?) = key else { return false }
        return keys?.owner(of: digest) != nil
    }

    /// The name of the tenant at that index of the policy; empty for none of them.
    func tenantName(_ index: Int) -> [UInt8] {
        tenantNames.indices.contains(index) ? tenantNames[index] : []
    }

    /// The tenant's name in a certificate with those names; nil where it has none.
    func name(among names: ClientNames?) -> [UInt8]? {
        guard let certificateName, let names else { return nil }
        let name =
            switch certificateName {
            case .uri: names.uri
            case .dns: names.dns
            case .commonName: names.commonName
            }
        return name.isEmpty ? nil : name
    }

    /// Whose the request with `head` is, and its class as far as it may have it; `names` are those of its
    /// client's certificate, and `address` its client's, 0 for none.
    func identity(
        of head: borrowing RequestHead, key: Key = .missing, names: ClientNames? = nil,
        address: UInt128 = 0
    ) -> Identity {
        var identity = Identity()
        var highest = highestOtherClass
        var owner = Owner.nobody
        let byKey = self.owner(of: key, &identity.fault)
        if let byKey {
            owner = byKey
        } else if readsCertificates, let named = self.owner(among: names) {
            owner = named
        } else if let tenantHeader, let field = Classifier.field(tenantHeader, of: head) {
            owner = Classifier.owner(head.value(of: field), tenantNames, slots, hashKey)
        } else if address != 0, let index = networks.tenant(of: address) {
            owner = .named(index)
        }
        switch owner {
        case .nobody: break
        case .hashed(let hash): identity.tenant = .hashed(hash)
        case .named(let index):
            identity.tenant = .named(tenantKeys[index])
            identity.tenantIndex = index
            highest = highestClasses[index]
        }
        identity.priorityClass = defaultClass
        if let priorityHeader, let field = Classifier.field(priorityHeader, of: head) {
            identity.priorityClass = priorityClass(head.value(of: field))
        }
        identity.priorityClass = max(identity.priorityClass, highest)
        return identity
    }

    /// Makes a request the tenant's, whatever its head says.
    func give(_ tenant: [UInt8], to identity: inout Identity) {
        identity = Identity()
        switch Classifier.owner(tenant.span, tenantNames, slots, hashKey) {
        case .nobody: break
        case .hashed(let hash): identity.tenant = .hashed(hash)
        case .named(let index):
            identity.tenant = .named(tenantKeys[index])
            identity.tenantIndex = index
        }
    }

    /// Puts a request into the class of that name, as far as its tenant may have it.
    func place(_ identity: inout Identity, in name: [UInt8]) {
        let index = identity.tenantIndex
        let highest = index >= 0 ? highestClasses[index] : highestOtherClass
        identity.priorityClass = max(priorityClass(name.span), highest)
    }

    /// Whose a certificate with those names is; apart, because most pools look at none.
    @inline(never)
    private func owner(among names: ClientNames?) -> Owner? {
        name(among: names).map { Classifier.owner($0.span, tenantNames, slots, hashKey) }
    }

    /// The first field of that name that says something.
    static func field(_ name: [UInt8], of head: borrowing RequestHead) -> Field? {
        for field in head.fields where field.name.count == name.count && !field.value.isEmpty {
            if head.name(of: field).equals(lowercase: name) { return field }
        }
        return nil
    }

    private func owner(of key: Key, _ fault: inout Reason) -> Owner? {
        guard let keys else { return nil }
        switch key {
        case .missing:
            if isKeyRequired { fault = .keyMissing }
            return nil
        case .digest(nil):
            if isKeyRequired { fault = .exhausted }
            return nil
        case .digest(let digest?):
            let owner = keys.owner(of: digest)
            if owner == nil, isKeyRequired { fault = .keyUnknown }
            return owner
        }
    }

    private static func owner(
        _ name: Span<UInt8>, _ tenantNames: [[UInt8]], _ slots: [Int32], _ hashKey: HashKey
    ) -> Owner {
        let hash = hashKey.hash(name)
        let mask = slots.count &- 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if name.equals(tenantNames[index]) { return .named(index) }
            slot = (slot &+ 1) & mask
        }
        return .hashed(hash)
    }

    private func priorityClass(_ value: Span<UInt8>) -> Int {
        for index in classNames.indices where value.equals(classNames[index]) { return index }
        if takesUrgency, let urgency = PriorityField.urgency(value) {
            return urgency * classNames.count / PriorityField.urgencies
        }
        return defaultClass
    }
}
