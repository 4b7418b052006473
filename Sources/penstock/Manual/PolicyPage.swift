// penstock.yaml(5), from the declarations that policies are read with.

import Policy

/// The manual page of policy files.
struct PolicyPage {
    /// The page in man(7).
    let text: String

    init(_ parts: [PolicyReference.Part], version: String) {
        var page = RoffText(name: "penstock.yaml", section: 5, version: version)
        page.section("NAME")
        page.verbatim(["penstock.yaml \\- policy of the gateway penstock"])
        page.section("DESCRIPTION")
        page.discussion(
            """
            A policy says in YAML where \u{60}penstock serve\u{60} listens, which backends it forwards to, and how. It \
            needs little; everything else has a default:

              version: 1
              listen: 127.0.0.1:8080
              pools:
                chat: {backends: [http://127.0.0.1:8000]}
              routes:
                - {path: /*, pool: chat}

            \u{60}penstock check\u{60} reports every fault of a file with its line and column, and with \
            \u{60}--dump\u{60} prints it with every default filled in. A file with faults is never put in force.

            Keys are written here with a dot between a mapping and a key of it; \u{60}[]\u{60} stands for each element of a \
            list, \u{60}NAME\u{60} for a name of your own. Durations and sizes have a unit, as in \u{60}10s\u{60} and \
            \u{60}64KiB\u{60}.

            A value may come from the environment: \u{60}${NAME}\u{60} in a scalar is what the variable had when penstock was \
            started, and \u{60}${NAME:-DEFAULT}\u{60} the default where that is nothing; \u{60}$${\u{60} stands for \
            \u{60}${\u{60} itself. A number or a boolean is one unless there are quotes around it. A value adds no keys and no \
            elements, keys of mappings are not replaced, and a variable that is not set is a fault.

            Pools, routes, aliases of models and tenants may stand in files of their own, which \u{60}include\u{60} names. They \
            follow those of the policy itself, and a name that is given twice is a fault.
            """)
        page.section("KEYS")
        for part in parts {
            page.subsection(part.heading.replacing("`", with: ""))
            for key in part.keys { page.item(RoffText.bold(key.path), key.meaning, Self.form(key)) }
        }
        page.section("SEE ALSO")
        page.verbatim(["\(RoffText.bold("penstock"))(1)"])
        text = page.text
    }

    /// Type, range and default in a line: `integer; 1 to 128; default: 4`.
    private static func form(_ key: PolicyReference.Key) -> String {
        let fallback =
            switch key.fallback {
            case "", "required": key.fallback
            default: "default: \(key.fallback)"
            }
        return [key.type, key.range, fallback].filter { !$0.isEmpty }.joined(separator: "; ")
    }
}
