// Listeners that the kernel would not have beside each other, and files that a policy names for two uses: a log at
// the path of a socket makes an ordinary file there, and one at the path of a keys file destroys it. Paths are
// compared by the file that they lead to, not by how they are written.

extension Policy {
    /// A fault for each listener and each file that cannot be had beside another one.
    ///
    /// `files` are those that the policy is read from, its own first. `resolve` gives a path without links, and `identify` what tells a file from
    /// others; without them, only that is known which can be seen in the paths. What stands at a path for which `isSound` is false is passed over.
    package func clashes(
        besides files: [String], resolve: (String) -> String = { $0 },
        identify: (String) -> String = { $0 },
        isSound: (String) -> Bool = { _ in true }
    ) -> [PolicyFault] {
        listenerClashes(resolve, isSound) + fileClashes(files, identify, isSound)
    }

    private func listenerClashes(
        _ resolve: (String) -> String, _ isSound: (String) -> Bool
    ) -> [PolicyFault] {
        // The default admin address can clash as well; the listener is to blame then.
        let listeners =
            namedListeners.filter { $0.path == "admin" }
            + namedListeners.filter { $0.path != "admin" }
        return listeners.indices.compactMap { index in
            let (path, address) = listeners[index]
            guard isSound(path) else { return nil }
            let earlier = listeners[..<index].first {
                isSound($0.path) && $0.address.conflicts(with: address, resolve: resolve)
            }
            guard let earlier else { return nil }
            let isSocket = if case .unix = address { true } else { false }
            let other =
                earlier.path == "admin" || isSocket && earlier.address != address
                ? "\(earlier.path) (\(earlier.address.text))" : earlier.path
            let problem =
                earlier.address == address
                ? "is the same address as \(other)"
                : isSocket ? "is the same socket as \(other)" : "takes the port of \(other)"
            return PolicyFault(
                path: path, problem: problem,
                remedy: "use another \(isSocket ? "path" : "port"), or remove one")
        }
    }

    /// Files that are read or written where a socket is to be, and what would be written to what is read.
    private func fileClashes(
        _ files: [String], _ identify: (String) -> String, _ isSound: (String) -> Bool
    ) -> [PolicyFault] {
        func place(_ named: NamedFile) -> String { FilePath.plain(identify(named.file)) }
        let read = filesRead(besides: files).filter { isSound($0.path) }
        let logs = self.logs.filter { isSound($0.path) }
        let state = [stateFile.map { NamedFile(path: "state", file: $0, what: "the file of") }]
            .compactMap(\.self).filter { isSound($0.path) }
        let sockets = self.sockets.filter { isSound($0.path) }
        let uses = Dictionary(
            (sockets + read).map { (place($0), $0) }, uniquingKeysWith: { first, _ in first })
        let ofSockets = Dictionary(
            sockets.map { (place($0), $0) }, uniquingKeysWith: { first, _ in first })
        let ofLogs = Dictionary(
            logs.map { (place($0), $0) }, uniquingKeysWith: { first, _ in first })
        return state.compactMap { one in ofLogs[place(one)].map { one.fault(isThat: $0) } }
            + (logs + state).compactMap { one in uses[place(one)].map { one.fault(isThat: $0) } }
            + read.compactMap { one in
                one.path.isEmpty ? nil : ofSockets[place(one)].map { one.fault(isThat: $0) }
            }
    }

    /// The sockets of listeners and backends.
    private var sockets: [NamedFile] {
        let own = namedListeners.compactMap { listener -> NamedFile? in
            guard case .unix(let file) = listener.address else { return nil }
            return NamedFile(path: listener.path, file: file, what: "the socket of")
        }
        return own
            + pools.flatMap { pool in
                pool.backends.enumerated().filter { $0.element.scheme == .unix }.map {
                    NamedFile(
                        path: "pools.\(pool.name).backends[\($0.offset)]",
                        file: $0.element.socketPath, what: "the socket of")
                }
            }
    }

    private var logs: [NamedFile] {
        [("log.to", log.destination), ("log.access.to", log.access)].compactMap {
            path, destination in
            guard case .file(let file)? = destination else { return nil }
            return NamedFile(path: path, file: file, what: "the file of")
        }
    }

    /// The files that only a reload reads again: the policy in `files`, its own file first, the token, keys, secrets, and pools'
    /// certificates, each once and with an absolute path where `files` have one.
    package func reloadedFiles(besides files: [String]) -> [String] {
        let others = Set(pools.compactMap { $0.discovery?.file })
        let listeners = Set(allListeners.compactMap(\.tls).flatMap(\.files))
        return filesRead(besides: files).map(\.file).filter {
            !others.contains($0) && !listeners.contains($0)
        }
    }

    /// What is read: the policy in `files`, the token, keys, certificates, lists of backends, secrets; each once.
    private func filesRead(besides files: [String]) -> [NamedFile] {
        let file = files[0]
        var found = [NamedFile(path: "", file: file, what: "this policy's file")]
        found += files.dropFirst().map { NamedFile(path: "include", file: $0, what: "a file of") }
        if let token = adminToken {
            let named = KeysFile.resolved(token.file, besides: file)
            found.append(NamedFile(path: "admin_token_file", file: named, what: "the file of"))
        }
        if let workers {
            let named = KeysFile.resolved(workers.keysFile, besides: file)
            found.append(NamedFile(path: "workers.keys", file: named, what: "the file of"))
        }
        for (named, settings) in zip(namedListeners, allListeners) {
            for file in settings.tls?.files ?? [] where !found.contains(where: { $0.file == file })
            {
                found.append(NamedFile(path: "\(named.path).tls", file: file, what: "a file of"))
            }
        }
        for pool in pools {
            let path = "pools.\(pool.name)"
            let files = [
                (
                    "tenant.keys.file",
                    pool.claims.keys.map { KeysFile.resolved($0.file, besides: file) }
                ),
                ("tls.ca_file", pool.tls.authorityFile),
                ("tls.certificate_file", pool.tls.certificateFile),
                ("tls.key_file", pool.tls.keyFile),
                ("backends.file", pool.discovery?.file),
            ]
            for case (let key, let named?) in files {
                // What swallows everything may be written to and read.
                if named == "/dev/null" || found.contains(where: { $0.file == named }) { continue }
                found.append(NamedFile(path: "\(path).\(key)", file: named, what: "the file of"))
            }
        }
        for (path, value) in setFields {
            guard let named = value.file.map({ KeysFile.resolved($0, besides: file) }),
                named != "/dev/null", !found.contains(where: { $0.file == named })
            else { continue }
            found.append(NamedFile(path: "\(path).file", file: named, what: "the file of"))
        }
        return found
    }
}

/// A file and the setting that names it.
private struct NamedFile {
    /// The setting; empty for the policy itself.
    let path: String
    let file: String
    /// What it is, before the setting's path.
    let what: String

    /// That one file would have two uses.
    func fault(isThat other: NamedFile) -> PolicyFault {
        let whose = other.path.isEmpty ? other.what : "\(other.what) \(other.path)"
        return PolicyFault(
            path: path, problem: "\(file) is \(whose)", remedy: "name another file")
    }
}
