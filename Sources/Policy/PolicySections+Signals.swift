// The keys of a pool's `signals`.

extension PolicySections {
    static let signals = Section<SignalSettings>(
        blank: SignalSettings(),
        keys: [
            Key(
                "agent", \.agent,
                Kind<AgentAddress>.agentAddress.optional(blank: blankAgent),
                "Who says in a line, in the words of HAProxy's agent checks, what a backend may be sent: "
                    + "`tcp://:PORT` writes it to whoever connects, `http://:PORT/PATH` answers GET with it. Without a "
                    + "host each backend's own is asked."),
            Key(
                "every", \.every,
                .duration(Duration.milliseconds(100)...Duration.seconds(600)),
                "Time from one question to an agent to the next; a tenth of it is left to chance."),
            Key(
                "metrics", \.metrics,
                Kind<String>.backendPath("/metrics").optional(blank: ""),
                "Path of each backend's own metrics, which are asked for every 5 s as long as no response reports "
                    + "its load: what waits within, and how full the cache is, lower what it is sent as reports do."
            ),
            Key(
                "reports", \.reports, .words,
                "What becomes of load reports (ORCA, `endpoint-load-metrics`) in responses: `heed` lets a queue or a "
                    + "full cache that they tell of lower what a backend is sent, `ask` also has requests ask for "
                    + "them, `ignore` does neither. Clients get none, and their own question goes no further."
            ),
        ],
        rules: [
            Rule("every", "agent") { settings in
                settings.agent != nil || settings.every == SignalSettings().every
                    ? nil : Fault("nobody is asked", "set agent, or remove every")
            },
            Rule("metrics", "reports") { settings in
                settings.metrics == nil || settings.reports != .ignore
                    ? nil
                    : Fault("what they say is ignored", "remove metrics, or write reports: heed")
            },
        ],
        hints: [
            "agent_check": "write agent: tcp://:PORT", "interval": "write every: TIME",
            "inter": "write every: TIME", "agent_inter": "write every: TIME",
            "agent_port": "write agent: tcp://:PORT", "port": "write agent: tcp://:PORT",
        ])

    private static let blankAgent = AgentAddress(
        scheme: .tcp, host: nil, port: 0, path: "", label: "")
}
