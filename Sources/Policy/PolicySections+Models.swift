// The keys of `models`, and of what routes say about models and fallbacks.

extension PolicySections {
    static let models = Section<ModelSettings>(
        blank: ModelSettings(),
        keys: [
            Key(
                "aliases", \.aliases, aliases,
                "Other names for models: requests that name one are forwarded with the model's own."
            ),
            Key(
                "max_held", \.maxHeldBytes, .size(1 << 10...256 << 20),
                "Bytes of a body that are held until its model is known; where it is not by then, the "
                    + "request is refused with 413."),
            Key(
                "max_held_total", \.maxHeldTotalBytes, .size(1 << 20...64 << 30),
                "Bytes of bodies that one thread holds at once until their models are known; what exceeds them is "
                    + "refused with 503."),
            Key(
                "refresh", \.refresh,
                Kind<Duration>.duration(Duration.milliseconds(100)...Duration.seconds(24 * 3600))
                    .optional(blank: .seconds(30), absent: "off"),
                "Time between two rounds in which the backends of routes with `models` are asked for theirs, with "
                    + "`GET /v1/models`, for the list that the gateway answers at that path; what one has said "
                    + "holds for four rounds. `off` for a list of the names in this policy alone."),
        ])

    private static let aliases = Kind<[ModelAlias]>(
        .named(
            .text("a model's name", pattern: "^[^*]+$"), pattern: "^[^*]+$", counts: 0...maxElements
        )
    ) { node, path, aliases, reading in
        guard case .mapping(let entries) = node.content, entries.count <= maxElements else {
            let fault = Fault(
                "found \(node.description)",
                "write a mapping of other names to models, \(maxElements) at most")
            reading.report(fault, path: path, at: node.position)
            return
        }
        aliases = []
        var first: [String: Position] = [:]
        for entry in entries {
            let path = Reading.join(path, entry.key)
            if let earlier = first[entry.key] {
                let fault = Fault.repeated(earlier, in: reading, at: entry.position)
                reading.report(fault, path: path, at: entry.position)
                continue
            }
            first[entry.key] = entry.position
            var alias = ModelAlias(name: entry.key, model: "")
            reading.note(path, at: entry.value.position)
            modelName.read(entry.value, path, &alias.model, &reading)
            do throws(Fault) {
                _ = try Route.modelName(entry.key)
            } catch {
                reading.report(error, path: path, at: entry.position)
            }
            aliases.append(alias)
        }
    } write: { aliases in
        .mapping(aliases.map { ($0.name, .text($0.model)) })
    }

    static let modelName = Kind<String>.text(
        "a model's name", pattern: "^[^*]+$", parse: Route.modelName, write: { $0 })

    static let modelPattern = Kind<String>.text(
        "a model's name, in which `*` stands for any characters", pattern: "^.+$",
        parse: Route.modelPattern, write: { $0 })

    static let fallback = Section<Route.Fallback>(
        blank: Route.Fallback(),
        keys: [
            Key("pool", \.pool, poolName, required: true, "Name of the other pool."),
            Key(
                "max_wait", \.maxWait, .duration(.zero...Duration.seconds(3600)),
                "Longest predicted wait in the route's own pool; what would wait longer or be refused "
                    + "goes to the other one."),
            Key(
                "model", \.model, modelName.optional(blank: ""),
                "The model that the request then names, where the other pool calls it otherwise. "
                    + "Needs `models` on the route."),
        ])
}
