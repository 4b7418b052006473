// The keys under `listen`, `control` and `admin`. An address alone is the short form of a mapping, which has what
// the address needs beside.

extension PolicySections {
    /// What is read of a listener, before it is known whether it may be said.
    private struct Listening {
        var address: ListenAddress?
        var access: SocketAccess
        var tls: ListenerTLS?
        var allowsRemote = false
        var hosts: [String] = []
        var tokenFor = AdminSettings.TokenUse.changes
        /// Whether something is said of who may connect.
        var saysAccess = false
    }

    // MARK: Listeners

    static let listen = Kind.list(
        of: listener, blank: ListenSettings(.unix(path: "")), counts: 1...64, identity: nil
    ).orOne(listener, blank: ListenSettings(.unix(path: "")))

    static let listener = Kind<ListenSettings>(listenerKind.shape) {
        node, path, value, reading in
        var read = listenerSection.blank
        listenerKind.read(node, path, &read, &reading)
        value = ListenSettings(
            read.address ?? value.address, access: read.access, tls: read.tls)
    } write: { settings in
        if case .unix = settings.address {
            return listenerSection.write(
                Listening(
                    address: settings.address, access: settings.access, tls: settings.tls))
        }
        let address = Literal.text(settings.address.text)
        guard let tls = settings.tls else { return address }
        return .mapping([("address", address), ("tls", listenerTLS.write(tls))])
    }

    private static let listenerKind = listenerSection.kind(shorthand: "address")

    private static let listenerSection = Section<Listening>(
        blank: Listening(access: .clients),
        keys: [
            Key(
                "address", \.address, Kind.listenAddress.optional(blank: .unix(path: "")),
                required: true, "Where to listen."),
            tlsKey,
        ] + accessKeys,
        rules: [accessRule],
        settle: noteAccess)

    private static let tlsKey = Key<Listening>(
        "tls", \.tls, listenerTLS.kind().optional(blank: listenerTLS.blank),
        "TLS, without which connections are in the clear.")

    /// Keys of unix sockets.
    private static let accessKeys: [Key<Listening>] = [
        Key(
            "mode", \.access.mode, .fileMode,
            "Permissions of a unix socket's file, whatever the umask: who may write to it, and may enter its "
                + "directory, may connect."),
        Key(
            "owner", \.access.owner,
            Kind<Account>.account(.user).optional(blank: Account(name: "", number: 0)),
            "Owner of a unix socket's file, which takes the privilege to give files away; the process's user by "
                + "default."),
        Key(
            "group", \.access.group,
            Kind<Account>.account(.group).optional(blank: Account(name: "", number: 0)),
            "Group of a unix socket's file, one of the process's own unless it may give files away; the process's "
                + "group by default."),
    ]

    private static let accessRule = Rule<Listening>("mode", "owner", "group", "address") { read in
        guard read.saysAccess, let address = read.address, case .tcp = address else { return nil }
        return Fault(
            "\(address.text) is no unix socket, which alone has a file",
            "remove mode, owner and group, or listen on unix:PATH")
    }

    private static let noteAccess: @Sendable (inout Listening, Set<String>) -> Void = {
        read, given in
        read.saysAccess = !given.isDisjoint(with: ["mode", "owner", "group"])
    }

    // MARK: Control

    static let control = Kind<ListenSettings?>(controlKind.shape) {
        node, path, value, reading in
        var read = controlSection.blank
        controlKind.read(node, path, &read, &reading)
        value = read.address.map { ListenSettings($0, access: read.access) }
        // Who may change everything is told apart by the file's permissions, which nothing but a unix socket has.
        guard case .tcp? = read.address, !reading.isFaulty(path) else { return }
        reading.report(
            Fault(
                "the control socket would be open to whoever can connect to its port",
                "write unix:PATH, such as unix:/run/penstock/ctl.sock"),
            path: path)
    } write: { settings in
        guard let settings else { return .text("off") }
        return controlSection.write(
            Listening(address: settings.address, access: settings.access))
    }

    private static let controlKind = controlSection.kind(shorthand: "address")

    private static let controlSection = Section<Listening>(
        blank: Listening(access: .own),
        keys: [
            Key(
                "address", \.address,
                Kind.listenAddress.optional(blank: .unix(path: ""), absent: "off"), required: true,
                "The socket, unix:PATH; `off` for none.")
        ] + accessKeys,
        settle: noteAccess)

    // MARK: Admin

    static let admin = Kind<AdminSettings?>(adminKind.shape) {
        node, path, value, reading in
        var read = adminSection.blank
        adminKind.read(node, path, &read, &reading)
        value = read.address.map { address in
            var settings = AdminSettings(
                ListenSettings(address, access: read.access, tls: read.tls))
            settings.hosts = read.hosts
            settings.tokenFor = read.tokenFor
            return settings
        }
        // Checked here because the shorthand passes by the section's rules.
        guard let address = read.address, !address.isLocal, !read.allowsRemote,
            !reading.isFaulty(path)
        else { return }
        reading.report(
            Fault(
                "the admin listener at \(address.text) would answer other machines, without authentication",
                "write 127.0.0.1, or {address: \"\(address.text)\", allow_remote: true}"),
            path: path)
    } write: { settings in
        guard let settings else { return .text("off") }
        let address = settings.address
        guard case .tcp = address else {
            return adminSection.write(
                Listening(
                    address: address, access: settings.access, tls: settings.listen.tls,
                    hosts: settings.hosts, tokenFor: settings.tokenFor))
        }
        var entries: [(String, Literal)] = [("address", .text(address.text))]
        if !address.isLocal { entries.append(("allow_remote", .boolean(true))) }
        if let tls = settings.listen.tls { entries.append(("tls", listenerTLS.write(tls))) }
        if !settings.hosts.isEmpty {
            entries.append(("hosts", .list(settings.hosts.map { .text($0) })))
        }
        if settings.tokenFor != .changes {
            entries.append(("token_for", .text(settings.tokenFor.rawValue)))
        }
        return entries.count == 1 ? entries[0].1 : .mapping(entries)
    }

    private static let adminKind = adminSection.kind(shorthand: "address")

    private static let adminSection = Section<Listening>(
        blank: Listening(
            address: .tcp(host: "127.0.0.1", port: 9090), access: .operators),
        keys: [
            Key(
                "address", \.address,
                Kind.listenAddress.optional(blank: .unix(path: ""), absent: "off"), required: true,
                "Where to listen; `off` for no admin listener."),
            Key(
                "allow_remote", \.allowsRemote, .boolean,
                "Whether the address may be one that other machines can connect to."),
            tlsKey,
            Key(
                "hosts", \.hosts, .list(of: host, blank: "", counts: 0...100, identity: { [$0] }),
                "Names by which pages may be asked for, besides addresses in figures and `localhost`: what a browser or "
                    + "a scraper has in its address bar, without the port. Other names get 421, so that no page of "
                    + "a stranger reads these."),
            Key(
                "token_for", \.tokenFor, .words,
                "What asks for the token of `admin_token_file`: `changes`, or `pages` for reading as well, but for "
                    + "/healthz and /readyz. A browser asks for it as a password, of whatever user."
            ),
        ] + accessKeys,
        rules: [accessRule],
        settle: noteAccess)
}
