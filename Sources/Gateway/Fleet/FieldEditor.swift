// Fields that are set and removed on the way, made ready when the policy is loaded: which fields of a message go no
// further is a test of a bit for the names that the gateway knows, and what is set is there as bytes.

internal import Bytes
internal import HTTP1
internal import Policy

/// What one route or one pool does to fields.
final class FieldEditor: Sendable {
    private struct Line: Sendable {
        let known: FieldName
        let name: [UInt8]
        let value: [UInt8]
        /// Whether a part of the value comes from outside of the policy.
        let isSecret: Bool
    }

    /// Fields that go no further, of those with a name of their own.
    let dropped: FieldNames
    /// Names of others that go no further, as `isSame` compares them.
    private let others: [[UInt8]]
    private let lines: [Line]

    /// nil where the rules say nothing; `dropsKeys` has fields with keys go no further, whatever they are.
    init?(_ rules: FieldRules, dropsKeys: Bool = false) {
        if rules.isEmpty { return nil }
        var dropped = FieldNames()
        var others: [[UInt8]] = []
        for name in rules.fields.map(\.name) + rules.removed {
            let known = FieldEditor.known(name)
            if known == .other {
                others.append(name.utf8.map(FieldEditor.plain))
            } else {
                dropped.insert(known)
            }
        }
        if dropsKeys {
            dropped.formUnion(
                FieldNames([.authorization, .proxyAuthorization, .xAPIKey, .apiKey]))
        }
        self.dropped = dropped
        self.others = others
        lines = rules.fields.map { field in
            Line(
                known: FieldEditor.known(field.name), name: Array(field.name.utf8),
                value: field.value.bytes, isSecret: field.value.isSecret)
        }
    }

    /// The name of its own that `name` is; `other` for none.
    private static func known(_ name: String) -> FieldName {
        FieldName.allCases.first {
            !$0.spelling.isEmpty && $0.spelling.lowercased() == name.lowercased()
        } ?? .other
    }

    /// Whether any field goes no further that only its name's bytes tell apart.
    var dropsOthers: Bool { !others.isEmpty }

    /// Whether a field of that name goes no further.
    func drops(_ known: FieldName, _ name: Span<UInt8>) -> Bool {
        guard case .other = known else { return dropped.contains(known) }
        return others.contains { FieldEditor.isSame($0, name) }
    }

    /// Appends what is set, but for what `other` drops; what is secret only where `hasSecrets`.
    func append(to output: inout ByteBuffer, hasSecrets: Bool, besides other: FieldEditor? = nil) {
        for line in lines where hasSecrets || !line.isSecret {
            if let other, other.sets(line) { continue }
            output.appendField(name: line.name.span, value: line.value.span)
        }
    }

    /// Whether the name of `line` is set or removed here.
    private func sets(_ line: Line) -> Bool {
        dropped.contains(line.known) || others.contains { FieldEditor.isSame($0, line.name.span) }
    }

    /// In lower case and with a hyphen for an underscore: some servers show programs both under one name.
    private static func plain(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
        case UInt8(ascii: "_"): UInt8(ascii: "-")
        default: byte
        }
    }

    private static func isSame(_ plainName: [UInt8], _ name: Span<UInt8>) -> Bool {
        guard plainName.count == name.count else { return false }
        for index in name.indices where plain(name[index]) != plainName[index] { return false }
        return true
    }
}

/// What a request's route and its pool do to the fields of one message.
struct FieldEditors {
    let route: FieldEditor?
    let pool: FieldEditor?

    /// nil where neither does anything.
    init?(route: FieldEditor?, pool: FieldEditor?) {
        if route == nil, pool == nil { return nil }
        self.route = route
        self.pool = pool
    }

    /// Fields that go no further, of those with a name of their own.
    var dropped: FieldNames {
        var names = route?.dropped ?? FieldNames()
        if let pool { names.formUnion(pool.dropped) }
        return names
    }

    /// Whether any field goes no further that only its name's bytes tell apart.
    var dropsOthers: Bool { route?.dropsOthers == true || pool?.dropsOthers == true }

    /// Whether a field of that name goes no further.
    func drops(_ known: FieldName, _ name: Span<UInt8>) -> Bool {
        route?.drops(known, name) == true || pool?.drops(known, name) == true
    }
}
