// The keys of a route that shares its requests among several pools.

extension Route {
    /// What stands for the pool of a route that names none.
    static let noPool = Int.min
}

extension PolicySections {
    /// `split` of a route: its parts, the first of which is the route's pool for all that needs one.
    static let split = Kind<Route>(parts.shape) { node, path, route, reading in
        parts.read(node, path, &route.split, &reading)
        guard !reading.isFaulty(path) else { return }
        let fault =
            if route.pool != Route.noPool {
                Fault("stands beside pool", "remove pool; name it here with its share")
            } else if route.split.allSatisfy({ $0.share == 0 }) {
                Fault("gives no pool a share", "write a share above 0")
            } else {
                Fault?.none
            }
        if let fault { reading.report(fault, path: path, at: node.position) }
        if let first = route.split.first, route.pool == Route.noPool { route.pool = first.pool }
    } write: { route in
        route.split.isEmpty ? nil : parts.write(route.split)
    }

    private static let parts = Kind<[Route.Part]>.list(
        of: part.kind(), blank: Route.Part(), counts: 2...Route.mostParts,
        identity: { ["\($0.pool)"] })

    private static let part = Section<Route.Part>(
        blank: Route.Part(),
        keys: [
            Key("pool", \.pool, poolName, required: true, "Name of the pool."),
            Key(
                "share", \.share, .number(0...1_000_000), required: true,
                "What it gets of the requests, in comparison with the others: 95 and 5 are percent because they "
                    + "add up to 100. 0 for none."),
        ],
        hints: ["weight": "write share: NUMBER"])

    /// `sticky` of a route.
    static let stickiness = Kind<Route.Stickiness>(
        .either([.words(["none", "tenant"]), .section(stickyHeader.shape)])
    ) { node, path, value, reading in
        if case .mapping = node.content {
            var name = ""
            stickyHeader.read(node, path, &name, &reading)
            value = .header(name)
            return
        }
        switch node.scalar {
        case "none": value = .none
        case "tenant": value = .tenant
        default:
            let fault = Fault(
                "found \(node.description)", "write `none`, `tenant` or {header: NAME}")
            reading.report(fault, path: path, at: node.position)
        }
    } write: { value in
        switch value {
        case .none: .text("none")
        case .tenant: .text("tenant")
        case .header(let name): stickyHeader.write(name)
        }
    }

    private static let stickyHeader = Section<String>(
        blank: "",
        keys: [
            Key(
                "header", \.self, header, required: true,
                "Field whose value requests have in common that go to the same pool.")
        ])
}
