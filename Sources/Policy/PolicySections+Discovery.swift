// The keys under a pool's `backends`, where it is no list of URLs.

import Admission

extension PolicySections {
    /// `backends` of a pool: a list, or where to look them up.
    static let backends = Kind<PoolSettings>(
        .either([backendList.shape, .section(backendsFile.shape)])
    ) { node, path, pool, reading in
        guard case .mapping = node.content else {
            pool.discovery = nil
            return backendList.read(node, path, &pool.backends, &reading)
        }
        var file = ""
        backendsFile.read(node, path, &file, &reading)
        pool.backends = []
        pool.discovery = .file(path: file)
        pool.admission.discoversBackends = true
    } write: { pool in
        switch pool.discovery {
        case nil: backendList.write(pool.backends)
        case .file(let path): backendsFile.write(path)
        }
    }

    private static let backendList = Kind<[BackendAddress]>.list(
        of: .backendAddress,
        blank: BackendAddress(scheme: .http, host: "", port: 0, label: ""),
        counts: 1...maxElements, identity: { $0.identity })

    private static let backendsFile = Section<String>(
        blank: "",
        keys: [
            Key(
                "file", \.self, absolutePath, required: true,
                "Absolute path of a file that lists the backends as Prometheus' `file_sd` has them, in YAML or "
                    + "JSON, at most 1000. It is read again when it changes, and every 5 minutes.")
        ],
        hints: [
            "path": "write file: PATH", "files": "write file: PATH", "urls": "write a list of URLs",
        ])
}
