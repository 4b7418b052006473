// The keys of a pool's `affinity`.

extension PolicySections {
    static let affinity = Section<AffinityRule>(
        blank: AffinityRule(),
        keys: [
            Key(
                "by", \.by, .words,
                "By what prompts are known. `prefix`: by what requests' bodies say, without a tokenizer. `header`: by "
                    + "the value of a field that a conversation's requests have in common. `off`: each request "
                    + "goes where there is most room."),
            Key(
                "header", \.header, header.optional(blank: ""),
                "Field that a conversation's requests have in common, such as `x-session-id`. Requests without it go "
                    + "where there is most room."),
            Key(
                "scope", \.scope, .words,
                "Whose prompts are taken for the same: those of the whole `pool`, or those of one `tenant` only, so "
                    + "that nobody can tell by the time of a response what others have asked."),
            Key(
                "entries", \.entries, .integer(64...1_048_576),
                "Beginnings of prompts that are remembered, rounded up to a power of two; each takes 48 bytes, and a "
                    + "prompt has up to 48."),
            Key(
                "capacity", \.capacityTokens, .integer(1_000...1_000_000_000),
                "Tokens that a backend's cache of prompts is taken to hold. Too large does little harm: backends that "
                    + "report what they had in their cache lower it."),
        ],
        rules: [
            Rule("header", "by") { rule in
                (rule.by == .header) == (rule.header != nil)
                    ? nil
                    : rule.header == nil
                        ? Fault("no field is named", "write header: NAME")
                        : Fault("no field is looked at", "write by: header, or remove header")
            }
        ],
        hints: [
            "mode": "write by: prefix", "type": "write by: prefix",
            "key": "write by: header, and header: NAME",
            "cookie": "write by: header, and header: NAME", "tokens": "write capacity: NUMBER",
        ])
}
