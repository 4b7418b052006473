// What a pool says about the heads of requests to its backends and of their responses, made ready when its settings come
// into force. Pools that say nothing of it have none.

internal import Bytes
package import Policy

/// A pool's rules for heads.
final class PoolRules: Sendable {
    let request: FieldEditor?
    let response: FieldEditor?
    /// Whether clients' keys stay here, because the backends are asked with a key of the gateway's.
    let hasKey: Bool
    private let stripPrefix: [UInt8]

    /// nil where `settings` have none.
    init?(_ settings: PoolSettings) {
        guard settings.changesPaths || !settings.request.isEmpty || !settings.response.isEmpty
        else { return nil }
        hasKey = settings.request.hasKey
        request = FieldEditor(settings.request, dropsKeys: hasKey)
        response = FieldEditor(settings.response)
        stripPrefix = settings.stripPrefix.map { Array($0.utf8) } ?? []
    }

    /// How many bytes at the beginning of `path` the backends are not told of.
    ///
    /// None where the rest would not begin with a segment: two slashes are an authority to some.
    func strippedCount(of path: Span<UInt8>) -> Int {
        let prefix = stripPrefix
        let count = prefix.count
        guard count > 0, path.hasPrefix(prefix.span) else { return 0 }
        if path.count == count { return count }
        guard path[count] == UInt8(ascii: "/") else { return 0 }
        return path.count > count + 1 && path[count + 1] == UInt8(ascii: "/") ? 0 : count
    }
}

extension PoolSettings {
    /// The path by which the gateway itself asks the backend at `address` for what clients call `path`.
    package func path(of address: BackendAddress, for path: String) -> String {
        let bytes = Array(path.utf8)
        var stripped = 0
        if let rules = PoolRules(self) { stripped = rules.strippedCount(of: bytes.span) }
        let rest = String(decoding: bytes.dropFirst(stripped), as: UTF8.self)
        let whole = address.path + rest
        return whole.isEmpty ? "/" : whole
    }

    /// Lines of the fields that the gateway itself asks backends with.
    package var requestLines: [String] {
        request.fields.map { "\($0.name): \(String(decoding: $0.value.bytes, as: UTF8.self))" }
    }
}
