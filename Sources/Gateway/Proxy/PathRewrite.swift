// How a route changes the path on the way to its backends, made ready when the policy is loaded. The route's own
// path says where the parts stand that are kept, so that one pass over the request's path writes the other one.

internal import Bytes
internal import HTTP1
internal import Policy

/// A route's `strip_prefix` or `rewrite`.
struct PathRewrite: Sendable {
    private enum Piece: Sendable {
        case text([UInt8])
        /// What the next `*` of the route's path has found.
        case found
    }

    private enum Way: Sendable {
        /// So many bytes go.
        case strip(Int)
        case pieces([Piece])
    }

    private let way: Way
    /// The route's path; each `*` in it is one segment where it `hasSegments`.
    private let pattern: [UInt8]
    private let hasSegments: Bool

    /// nil where the path stays as it is.
    init?(_ route: Route) {
        if let prefix = route.stripPrefix {
            way = .strip(prefix.utf8.count)
        } else if let rewrite = route.rewrite {
            way = .pieces(PathRewrite.pieces(rewrite))
        } else {
            return nil
        }
        switch route.path {
        case .exact(let path):
            pattern = Array(path.utf8)
            hasSegments = false
        case .prefix(let path):
            pattern = Array((path.isEmpty ? "/" : path).utf8)
            hasSegments = false
        case .template(let path, _):
            pattern = Array(path.utf8)
            hasSegments = true
        }
    }

    private static func pieces(_ rewrite: String) -> [Piece] {
        var pieces: [Piece] = []
        for (index, text) in rewrite.split(separator: "*", omittingEmptySubsequences: false)
            .enumerated()
        {
            if index > 0 { pieces.append(.found) }
            if !text.isEmpty { pieces.append(.text(Array(text.utf8))) }
        }
        return pieces
    }

    /// Puts what becomes of `path`, which fits the route and is not empty, into `written`.
    ///
    /// `name` is where `path` names a model; returns where that stands then, nil where it does no more.
    func apply(
        to path: Span<UInt8>, name: Range<Int>?, into written: inout [UInt8]
    ) -> Range<Int>? {
        written.removeAll(keepingCapacity: true)
        var place: Range<Int>?
        switch way {
        case .strip(let count):
            PathRewrite.append(
                min(count, path.count)..<path.count, of: path, name, &place, to: &written)
        case .pieces(let pieces):
            var finder = Finder(pattern: pattern, hasSegments: hasSegments)
            for piece in pieces {
                switch piece {
                case .text(let text): written += text
                case .found:
                    PathRewrite.append(finder.next(in: path), of: path, name, &place, to: &written)
                }
            }
        }
        if written.isEmpty { written.append(UInt8(ascii: "/")) }
        return place
    }

    private static func append(
        _ range: Range<Int>, of path: Span<UInt8>, _ name: Range<Int>?, _ place: inout Range<Int>?,
        to written: inout [UInt8]
    ) {
        if let name, name.lowerBound >= range.lowerBound, name.upperBound <= range.upperBound {
            let start = written.count + name.lowerBound - range.lowerBound
            place = start..<(start + name.count)
        }
        for index in range { written.append(path[index]) }
    }

    /// Finds what each `*` of a route's path stands for, one after the other.
    private struct Finder {
        let pattern: [UInt8]
        let hasSegments: Bool
        private var patternIndex = 0
        private var index = 0

        init(pattern: [UInt8], hasSegments: Bool) {
            self.pattern = pattern
            self.hasSegments = hasSegments
        }

        /// What the next one stands for: a segment, and the rest of the path behind the last.
        mutating func next(in path: Span<UInt8>) -> Range<Int> {
            while patternIndex < pattern.count {
                let byte = pattern[patternIndex]
                patternIndex += 1
                guard hasSegments, byte == UInt8(ascii: "*") else {
                    index += 1
                    continue
                }
                let start = min(index, path.count)
                index = start
                while index < path.count, path[index] != UInt8(ascii: "/") { index += 1 }
                return start..<index
            }
            defer { index = path.count }
            return min(index, path.count)..<path.count
        }
    }
}

extension [UInt8] {
    /// Whether a server may take a path for an authority (RFC 3986 section 4.2) because it begins with two slashes.
    var looksLikeAuthority: Bool {
        count > 1 && self[0] == UInt8(ascii: "/") && self[1] == UInt8(ascii: "/")
    }
}
