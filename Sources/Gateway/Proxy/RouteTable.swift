// Routes as bytes, so that matching a request compares bytes and makes no String.

internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy

/// The policy's routes, ready to be matched.
final class RouteTable {
    fileprivate struct Entry {
        var path: [UInt8]
        var form: PathForm
        var hosts: [[UInt8]]
        var methods: [[UInt8]]
        var models: [ModelPattern]
    }

    /// What a route's path says about those of requests.
    fileprivate enum PathForm {
        /// It is the whole path.
        case exact
        /// It is the beginning.
        case prefix
        /// Each `*` in it is one segment, and the rest is the whole path.
        case template
        /// The same as the beginning.
        case openTemplate
    }

    /// What becomes of a request.
    enum Match {
        case none
        /// It takes the route with that index.
        case route(Int)
        /// Its model decides.
        case needsModel
    }

    private let entries: [Entry]
    private let aliases: [(name: [UInt8], model: [UInt8])]
    /// The models that are listed when clients ask for them.
    var modelList: ModelList
    /// The paths at which the gateway says that it is there.
    let healthPaths: [[UInt8]]
    /// Whether there is any page of the gateway's own for clients.
    let hasPages: Bool
    /// The routes that name models.
    let modelRoutes: [Int]
    /// Whether any route has bodies read for whether they ask for a stream: it keeps them alive while they
    /// wait, or asks for their usage.
    let looksForStreams: Bool
    /// Whether browsers are told something about any route.
    let hasCrossOrigin: Bool
    /// By the routes' indices.
    private let crossOrigins: [CrossOriginTexts?]
    private let splits: [RouteSplit?]
    /// Whether any route has rules besides: asked for every request, so it is one answer.
    let hasRules: Bool
    private let rules: [RouteRules?]

    init(_ policy: Policy) {
        entries = policy.routes.map { route in
            let (text, form): (String, PathForm) =
                switch route.path {
                case .exact(let path): (path, .exact)
                case .prefix(let path): (path, .prefix)
                case .template(let path, let isPrefix): (path, isPrefix ? .openTemplate : .template)
                }
            return Entry(
                path: Array(text.utf8), form: form,
                hosts: route.hosts.map { Array($0.utf8) },
                methods: route.methods.map { Array($0.utf8) },
                models: route.models.map(ModelPattern.init))
        }
        aliases = policy.models.aliases.map { (Array($0.name.utf8), Array($0.model.utf8)) }
        modelList = ModelList(policy)
        healthPaths = policy.server.healthPaths.map { Array($0.utf8) }
        hasPages = modelList.isServed || !healthPaths.isEmpty
        modelRoutes = policy.routes.indices.filter { !policy.routes[$0].models.isEmpty }
        looksForStreams = policy.routes.contains {
            $0.streamKeepAlive != nil || $0.streamUsage == .ask
        }
        crossOrigins = policy.routes.map { $0.crossOrigin.map(CrossOriginTexts.init) }
        hasCrossOrigin = crossOrigins.contains { $0 != nil }
        let names = policy.pools.map(\.name)
        rules = policy.routes.indices.map { RouteRules(ofRoute: $0, in: policy) }
        hasRules = rules.contains { $0 != nil }
        splits = policy.routes.map { $0.split.isEmpty ? nil : RouteSplit($0, names: names) }
    }

    /// The model that `name` is another name for.
    func modelBehind(_ name: [UInt8]) -> [UInt8]? {
        for alias in aliases where alias.name == name { return alias.model }
        return nil
    }

    /// Whether a GET for this path asks how the gateway is.
    func isForHealth(_ head: borrowing RequestHead) -> Bool {
        let path = head.span(head.path)
        return healthPaths.contains { path.equals($0) }
    }

    /// The first route that matches; `name` is a model's or another name for one, empty where none is
    /// known yet.
    func match(_ head: borrowing RequestHead, named name: [UInt8]) -> Match {
        match(head, model: name.isEmpty ? nil : modelBehind(name) ?? name)
    }

    /// The first route that matches; a `model` of nil is not known yet, an empty one is not named.
    func match(_ head: borrowing RequestHead, model: [UInt8]?) -> Match {
        for index in entries.indices where matches(index, head) {
            if !entries[index].models.isEmpty {
                guard let model else { return .needsModel }
                guard !model.isEmpty,
                    entries[index].models.contains(where: { $0.matches(model.span) })
                else { continue }
            }
            return .route(index)
        }
        return .none
    }

    /// The routes that a request may take, whatever its model: up to the first that has no models.
    func candidates(_ head: borrowing RequestHead) -> [Int] {
        var found: [Int] = []
        for index in entries.indices where matches(index, head) {
            found.append(index)
            if entries[index].models.isEmpty { break }
        }
        return found
    }

    /// How the route with that index shares its requests among pools; nil where it does not.
    func split(ofRoute index: Int) -> RouteSplit? { splits[index] }

    /// What the route with that index says about its requests; nil for nothing.
    func rules(ofRoute index: Int) -> RouteRules? { rules[index] }

    /// What browsers are told about the route with that index.
    func crossOrigin(ofRoute index: Int) -> CrossOriginTexts? { crossOrigins[index] }

    /// What browsers are told about a request that has taken no route: that of the first which it might take,
    /// or which is for its path with another method, or of the routes whose models a list is of.
    func crossOrigin(for head: borrowing RequestHead) -> CrossOriginTexts? {
        if let texts = crossOriginOfModelList(for: head) { return texts }
        var other: Int?
        for index in entries.indices where matchesPlace(index, head) {
            if matches(index, head) { return crossOrigins[index] }
            if other == nil { other = index }
        }
        return other.flatMap { crossOrigins[$0] }
    }

    /// What browsers are told about the list of models, where `head` is for it.
    func crossOriginOfModelList(for head: borrowing RequestHead) -> CrossOriginTexts? {
        guard hasPages, modelList.answers(head) else { return nil }
        return modelRoutes.lazy.compactMap { self.crossOrigins[$0] }.first
    }

    /// The first route for the place that `head` names with another `method`, whatever its model.
    func route(for head: borrowing RequestHead, method: Span<UInt8>) -> Int? {
        for index in entries.indices where matchesPlace(index, head) {
            let methods = entries[index].methods
            if methods.isEmpty || methods.contains(where: { method.equals($0) }) { return index }
        }
        return nil
    }

    /// Whether a route matches a request but for its model.
    @inline(__always)
    private func matches(_ index: Int, _ head: borrowing RequestHead) -> Bool {
        let bytes = head.bytes.span
        guard entries[index].matches(path: bytes.extracting(head.path)) else { return false }
        if !entries[index].methods.isEmpty {
            let method = bytes.extracting(head.methodRange)
            guard entries[index].methods.contains(where: { method.equals($0) }) else {
                return false
            }
        }
        return matchesHost(index, head)
    }

    /// Whether a route is for a request's path and host.
    private func matchesPlace(_ index: Int, _ head: borrowing RequestHead) -> Bool {
        entries[index].matches(path: head.bytes.span.extracting(head.path))
            && matchesHost(index, head)
    }

    @inline(__always)
    private func matchesHost(_ index: Int, _ head: borrowing RequestHead) -> Bool {
        let bytes = head.bytes.span
        if !entries[index].hosts.isEmpty {
            guard let range = head.authority else { return false }
            let host = bytes.extracting(range).withoutPort.withoutRootLabel
            guard entries[index].hosts.contains(where: { host.equals(lowercase: $0) }) else {
                return false
            }
        }
        return true
    }
}

extension RouteTable.Entry {
    @inline(__always)
    fileprivate func matches(path: Span<UInt8>) -> Bool {
        // An absolute-form target without a path means "/", RFC 9110 section 4.2.3.
        if path.isEmpty { return isForRoot }
        switch form {
        case .exact: return path.equals(self.path)
        // `/*` matches all, `OPTIONS *` included.
        case .prefix: return self.path.count <= 1 || path.hasPrefix(self.path.span)
        case .template: return end(ofTemplateIn: path) == path.count
        case .openTemplate: return end(ofTemplateIn: path) != nil
        }
    }

    private var isForRoot: Bool {
        switch form {
        case .exact: path == [0x2f]
        case .prefix: path.count <= 1
        case .template, .openTemplate: false
        }
    }

    /// Where `path` goes on behind what the template says; nil where it does not fit.
    ///
    /// Each byte is looked at once: a segment ends with the next slash, whatever follows in the template.
    private func end(ofTemplateIn path: Span<UInt8>) -> Int? {
        var index = 0
        for byte in self.path {
            if byte == UInt8(ascii: "*") {
                let start = index
                while index < path.count, path[index] != UInt8(ascii: "/") { index &+= 1 }
                let segment = path.extracting(start..<index)
                // What some servers read as several segments, or as another one, is not one.
                if segment.isEmpty || PathSegments.areAmbiguous(in: segment) { return nil }
            } else {
                guard index < path.count, path[index] == byte else { return nil }
                index &+= 1
            }
        }
        return index
    }
}

extension Span<UInt8> {
    /// A host without the full stop that a name from the root on ends with (RFC 1034 section 3.1): it is
    /// the same host.
    var withoutRootLabel: Span<UInt8> {
        @_lifetime(copy self)
        get {
            guard count > 1, self[count &- 1] == 0x2e else { return extracting(0..<count) }
            return extracting(0..<(count &- 1))
        }
    }

    /// An authority's host, without `:port`.
    var withoutPort: Span<UInt8> {
        @_lifetime(copy self)
        get {
            var index = count
            while index > 0 {
                index &-= 1
                let byte = self[index]
                if byte == 0x3a { return extracting(0..<index) }
                if byte < 0x30 || byte > 0x39 { break }
            }
            return extracting(0..<count)
        }
    }
}
