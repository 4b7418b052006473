// Patterns of routes' paths as a policy file writes them, and which pattern covers which.
//
// A `*` is a whole segment. With something behind it, it stands for one segment; at the end it stands for
// all that follows; and `$` behind the last one says that the path ends there, as in robots.txt (RFC 9309
// section 2.2.3).

extension Route.PathPattern {
    /// The pattern as a policy file writes it.
    package var text: String {
        switch self {
        case .exact(let path): path
        case .prefix(let path): path.isEmpty ? "/*" : path + "*"
        case .template(let path, let isPrefix):
            isPrefix ? path + "*" : path.hasSuffix("/*") ? path + "$" : path
        }
    }

    /// Reads a pattern.
    static func parse(_ text: String) throws(Fault) -> Route.PathPattern {
        if text == "*" || text == "/*" { return .prefix("") }
        guard text.hasPrefix("/") else {
            throw Fault("\(text.quoted) does not begin with /", "write \("/\(text)".quoted)")
        }
        if text.contains(where: { "?#".contains($0) }) {
            throw Fault("\(text.quoted) has more than a path", "a route matches the path alone")
        }
        guard text.utf8.count <= 1024, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Fault(
                "\(text.quoted) is not a path as it stands in a request",
                "percent-encode it and keep it within 1024 bytes")
        }
        // What remains holds a `*` for each single segment, and ends with "/" where the rest is open.
        let isPrefix = text.hasSuffix("/*")
        let endsWithOne = text.hasSuffix("/*$")
        let path = String(isPrefix || endsWithOne ? text.dropLast() : text[...])
        for segment in segments(of: path) where segment.contains("*") && segment != "*" {
            throw Fault(
                "\(text.quoted) has a `*` that does not stand for whole segments",
                "write it alone between slashes, as in /v1/* or /v2/models/*/infer")
        }
        if path.contains("*") { return .template(path, isPrefix: isPrefix) }
        return isPrefix ? .prefix(path) : .exact(path)
    }

    /// Whether every path that `other` matches is matched by this pattern too.
    func covers(_ other: Route.PathPattern) -> Bool {
        switch (self, other) {
        case (.exact(let path), .exact(let otherPath)): path == otherPath
        case (.exact, .prefix): false
        case (.prefix(let path), .exact(let otherPath)),
            (.prefix(let path), .prefix(let otherPath)):
            otherPath.hasPrefix(path)
        case (.template, _), (_, .template): form.covers(other.form)
        }
    }

    /// What lies between the slashes of `path`, the first of which is its beginning.
    private static func segments(of path: String) -> [Substring] {
        Array(path.split(separator: "/", omittingEmptySubsequences: false).dropFirst())
    }

    private var form: Form {
        switch self {
        case .exact(let path): Form(segments: Self.segments(of: path), isOpen: false)
        case .prefix(let path): Form(segments: Self.segments(of: path).dropLast(), isOpen: true)
        case .template(let path, let isPrefix):
            Form(segments: Self.segments(of: path).dropLast(isPrefix ? 1 : 0), isOpen: isPrefix)
        }
    }

    /// A pattern by its segments.
    private struct Form {
        /// What stands between slashes, "*" for any one that is not empty.
        let segments: [Substring]
        /// Whether anything may follow after a slash.
        let isOpen: Bool

        init(segments: some Sequence<Substring>, isOpen: Bool) {
            self.segments = Array(segments)
            self.isOpen = isOpen
        }

        /// Whether all that fits `other` fits this one too: segments are chosen one by one, so each of
        /// them has to.
        func covers(_ other: Form) -> Bool {
            // Behind the last segment of an open one comes a slash: a closed one needs one more for it.
            let hasRoom =
                isOpen
                ? other.segments.count >= segments.count + (other.isOpen ? 0 : 1)
                : !other.isOpen && other.segments.count == segments.count
            return hasRoom
                && zip(segments, other.segments).allSatisfy { mine, theirs in
                    mine == "*" ? !theirs.isEmpty : mine == theirs
                }
        }
    }
}
