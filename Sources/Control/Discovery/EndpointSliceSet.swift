// All slices of one Service, as far as they were told, and the backends that follow from them.
//
// A Service has several slices, of a hundred endpoints each and one family of addresses, and while the cluster moves
// endpoints between them one may be in two. Endpoints are therefore put together by what they are, and where that is
// not said by their addresses.

internal import Policy

/// The slices of a Service.
struct EndpointSliceSet {
    /// Slices, and endpoints of all of them, at most.
    static let mostSlices = 1_000
    static let mostEndpoints = 4_000

    private var slices: [String: EndpointSlice] = [:]
    private var endpointCount = 0

    /// Puts a slice in, in place of the one that has had its name.
    mutating func put(_ slice: EndpointSlice) throws(EndpointSliceReader.Fault) {
        let former = slices[slice.name]
        let count = endpointCount + slice.endpoints.count - (former?.endpoints.count ?? 0)
        guard count <= Self.mostEndpoints else {
            throw EndpointSliceReader.Fault(text: "has more than \(Self.mostEndpoints) endpoints")
        }
        guard former != nil || slices.count < Self.mostSlices else {
            throw EndpointSliceReader.Fault(text: "has more than \(Self.mostSlices) slices")
        }
        endpointCount = count
        slices[slice.name] = slice
    }

    /// Takes the slice of that name out.
    mutating func remove(_ name: String) {
        endpointCount -= slices.removeValue(forKey: name)?.endpoints.count ?? 0
    }

    // MARK: Backends

    /// An endpoint, put together from all slices that have it.
    private struct Candidate {
        var backend: BackendAddress
        var condition: Endpoint.Condition
    }

    /// The backends of the Service in `namespace`, or why they are not known.
    ///
    /// Those that are ready are, and those that are not, which are named apart: what that comes to is not decided
    /// here. Those that end are not, unless nobody is ready, for then they are the ones that still answer.
    func finding(_ settings: KubernetesDiscovery, namespace: String) -> DiscoveryFinding {
        var missing: Set<String> = []
        let all = candidates(settings, namespace, &missing)
        let isReady = all.contains { $0.condition == .ready }
        let chosen = all.filter { candidate in
            candidate.condition >= .unready || (!isReady && candidate.condition == .ending)
        }
        if chosen.isEmpty, !missing.isEmpty { return .failed([fault(settings, missing)]) }
        guard chosen.count <= BackendsFile.mostBackends else {
            let most = BackendsFile.mostBackends
            return .failed(["\(settings.service) has \(chosen.count) endpoints, \(most) at most"])
        }
        let unready = chosen.filter { $0.condition == .unready }.map(\.backend.key)
        return .backends(chosen.map(\.backend), unready: Set(unready))
    }

    /// Each endpoint once, and each address once, in the order of their URLs; `missing` are the ports of slices that
    /// have not the one that is wanted.
    private func candidates(
        _ settings: KubernetesDiscovery, _ namespace: String, _ missing: inout Set<String>
    ) -> [Candidate] {
        var byIdentity: [String: Candidate] = [:]
        // IPv4 comes before IPv6: who has both has one name.
        let ordered = slices.values.sorted { ($0.addressType, $0.name) < ($1.addressType, $1.name) }
        for slice in ordered where ["IPv4", "IPv6", "FQDN"].contains(slice.addressType) {
            guard let port = port(of: slice, settings.port) else {
                missing.formUnion(slice.ports.map(\.name))
                continue
            }
            for endpoint in slice.endpoints {
                guard
                    let backend = settings.backend(
                        at: endpoint.address, port: port, instance: endpoint.uid,
                        namespace: namespace)
                else { continue }
                let candidate = Candidate(backend: backend, condition: endpoint.condition)
                let identity = endpoint.uid.isEmpty ? endpoint.address : endpoint.uid
                byIdentity[identity] =
                    byIdentity[identity].map { merged($0, candidate) } ?? candidate
            }
        }
        return eachAddressOnce(byIdentity.values)
    }

    /// One endpoint that two slices have: what ends does not begin again, else the better word is the later one.
    private func merged(_ first: Candidate, _ second: Candidate) -> Candidate {
        let (least, best) =
            first.condition < second.condition
            ? (first.condition, second.condition) : (second.condition, first.condition)
        var one = first
        let hasEnded = !first.backend.instance.isEmpty && least < .unready
        one.condition = hasEnded ? min(best, .ending) : best
        return one
    }

    /// Of endpoints with the same URL, one after the other at the same address, the best.
    private func eachAddressOnce(_ all: some Sequence<Candidate>) -> [Candidate] {
        var byLabel: [String: Candidate] = [:]
        for candidate in all {
            guard let other = byLabel[candidate.backend.label] else {
                byLabel[candidate.backend.label] = candidate
                continue
            }
            let isBetter =
                (candidate.condition.rawValue, other.backend.instance)
                > (other.condition.rawValue, candidate.backend.instance)
            if isBetter { byLabel[candidate.backend.label] = candidate }
        }
        return byLabel.values.sorted { $0.backend.label < $1.backend.label }
    }

    private func port(of slice: EndpointSlice, _ wanted: KubernetesDiscovery.Port?) -> UInt16? {
        switch wanted {
        case .number(let number): number
        case .named(let name): slice.ports.first { $0.name == name }?.number
        case nil: slice.ports.count == 1 ? slice.ports[0].number : nil
        }
    }

    private func fault(_ settings: KubernetesDiscovery, _ missing: Set<String>) -> String {
        let names = missing.sorted().prefix(20).map { $0.isEmpty ? "one without a name" : $0 }
        let known = names.joined(separator: ", ")
        guard case .named(let name)? = settings.port else {
            return "\(settings.service) has several ports, so the policy has to say which: \(known)"
        }
        return "\(settings.service) has no port \(name), but \(known)"
    }
}
