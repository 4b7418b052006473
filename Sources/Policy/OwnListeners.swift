// A backend that is one of the gateway's own listeners: each request would come back, until its `Via` tells
// that it goes round. Whatever leads there is looked at by address: a wildcard is every address of its family,
// and an unspecified address or a name of the loopback is this machine.

extension Policy {
    /// A fault for each backend at which the gateway itself listens, `admin` included.
    ///
    /// `addresses` are numeric ones that this machine has, `names` those that it gives itself, and `resolve`
    /// gives a path without links; without them only that is known which holds for every machine.
    package func loops(
        addresses: [String] = [], names: [String] = [],
        resolve: @escaping (String) -> String = { $0 }
    ) -> [PolicyFault] {
        let machine = Machine(
            addresses: addresses.compactMap { NumericAddress($0)?.bits },
            names: names.map { $0.lowercased() }, resolve: resolve)
        return pools.flatMap { pool in
            pool.backends.enumerated().compactMap { index, backend in
                guard
                    let own = namedListeners.first(where: { machine.leads(backend, to: $0.address) }
                    )
                else { return nil }
                return PolicyFault(
                    path: "pools.\(pool.name).backends[\(index)]",
                    problem: "\(backend.label.quoted) is where this gateway listens itself "
                        + "(\(own.path): \(own.address.text)), so requests would go round",
                    remedy: "name the server that is to answer, or listen elsewhere")
            }
        }
    }

    /// All listeners, in the order of `namedListeners`.
    package var allListeners: [ListenSettings] {
        listen + [admin?.listen, control, workers?.listen].compactMap(\.self)
    }

    /// Where the gateway listens, with the paths of the keys that say so.
    package var namedListeners: [(path: String, address: ListenAddress)] {
        let isOne = listen.count == 1
        let clients = listen.enumerated().map { index, settings in
            (path: isOne ? "listen" : "listen[\(index)]", address: settings.address)
        }
        let others = [
            ("admin", admin?.address), ("control", control?.address),
            ("workers.listen", workers?.listen.address),
        ]
        return clients + others.compactMap { path, address in address.map { (path, $0) } }
    }
}

/// What is known of where connections from this machine lead.
private struct Machine {
    var addresses: [UInt128]
    var names: [String]
    var resolve: (String) -> String

    private static let loopback4 = UInt128(0xffff_7f00_0001)
    private static let loopback6 = UInt128(1)

    /// Whether a connection to `backend` may come to whoever listens at `listener`.
    func leads(_ backend: BackendAddress, to listener: ListenAddress) -> Bool {
        switch listener {
        case .unix(let path):
            return backend.scheme == .unix
                && FilePath.plain(resolve(backend.socketPath)) == FilePath.plain(resolve(path))
        case .tcp(let host, let port):
            guard backend.scheme != .unix, backend.port == port, port != 0,
                let listening = NumericAddress(host)
            else { return false }
            if listening.isWildcard, names.contains(backend.dialledHost) { return true }
            return targets(backend.dialledHost).contains { isTaken($0, by: listening) }
        }
    }

    /// The addresses that a connection to `host` goes to, as far as they are known without asking anybody.
    private func targets(_ host: String) -> [UInt128] {
        guard let address = NumericAddress(host) else {
            return Machine.isLoopbackName(host) ? [Machine.loopback4, Machine.loopback6] : []
        }
        // Linux takes nobody's address for its own loopback.
        if address.bits == UInt128(0xffff) << 32 { return [Machine.loopback4] }
        return address.bits == 0 ? [Machine.loopback6] : [address.bits]
    }

    private func isTaken(_ target: UInt128, by listening: NumericAddress) -> Bool {
        guard listening.isWildcard else { return target == listening.bits }
        let isIPv6 = target >> 32 != 0xffff
        guard isIPv6 == listening.isIPv6 else { return false }
        return target == Machine.loopback6 || target >> 24 == 0xffff_7f
            || addresses.contains(target)
    }

    /// `localhost`, what is below it (RFC 6761 section 6.3) and what systems call their loopback.
    private static func isLoopbackName(_ host: String) -> Bool {
        ["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"].contains(host)
            || host.hasSuffix(".localhost")
    }
}
