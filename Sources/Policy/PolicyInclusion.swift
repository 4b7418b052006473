// `include`: pools, routes, aliases and tenants that stand in files of their own, put into the tree of the policy's own file
// before settings are read from it. So whatever holds within one file holds over all of them, and each value still knows the
// file that it stands in.

/// A policy's tree with what it includes.
struct PolicyInclusion {
    private(set) var root: YAMLNode
    private(set) var sources: PolicySources
    /// Whether all that is included could be read: without it, much would seem to be missing.
    private(set) var isWhole = true
    private var contents: [UInt8]
    private var includedBytes = 0
    /// Files that are there already, the policy's own among them.
    private var seen: Set<String>

    /// What included files may say: a key, or one below it, and whether its value is a list.
    private static let parts: [Part] = [
        Part("pools"), Part("routes", isList: true), Part("models", "aliases"),
        Part("tenant", "named", isList: true),
    ]

    private struct Part {
        let key: String
        let inner: String?
        let isList: Bool

        init(_ key: String, _ inner: String? = nil, isList: Bool = false) {
            self.key = key
            self.inner = inner
            self.isList = isList
        }

        var wanted: String {
            isList ? "write a list, with a dash before each element" : "write a mapping of names"
        }
    }

    /// The policy of the `text` in `file`, whose tree is `root`, without what it includes.
    init(_ root: YAMLNode, _ text: String, file: String) {
        self.root = root
        sources = PolicySources(file: file)
        contents = Array(text.utf8)
        seen = [FilePath.plain(file)]
    }

    /// SHA-256 of what all files held.
    var digest: String { TextDigest.hexadecimal(of: contents) }

    /// Reads what stands under `include` and puts it into the tree; what is wrong with the key itself is found later.
    mutating func follow(_ reading: inout Reading) {
        guard case .mapping(let entries) = root.content,
            let value = entries.first(where: { $0.key == "include" })?.value
        else { return }
        if case .list(let items) = value.content {
            for (index, item) in items.enumerated() {
                follow(item, "include[\(index)]", &reading)
            }
        } else {
            follow(value, "include", &reading)
        }
    }

    private mutating func follow(_ node: YAMLNode, _ path: String, _ reading: inout Reading) {
        guard !reading.isFaulty(path), let text = try? node.text("a path"),
            let pattern = try? FilePattern(text)
        else { return }
        sources.patterns.append(pattern)
        do throws(Fault) {
            let place = pattern.resolved(besides: sources.file)
            let found: [String]
            do throws(TextFile.Reason) {
                found = try PolicySources.paths(of: place)
            } catch {
                throw Fault(
                    "\(place.folder) cannot be read: \(error)",
                    "name a folder that this process may read")
            }
            for file in found { try include(file, isNamed: pattern.isPlain, &reading) }
        } catch {
            reading.report(error, path: path, at: node.position)
            isWhole = false
        }
    }

    /// Reads one file, unless it is there already, and puts it into the tree.
    private mutating func include(
        _ file: String, isNamed: Bool, _ reading: inout Reading
    ) throws(Fault) {
        if FilePath.plain(file) == FilePath.plain(sources.file) {
            throw Fault(
                "\(file) is this policy's own file",
                "put what is included into a folder of its own, such as pools.d/*.yaml")
        }
        guard !seen.contains(FilePath.plain(file)) else { return }
        guard let text = try text(of: file, isNamed: isNamed) else { return }
        seen.insert(FilePath.plain(file))
        sources.included.append(file)
        contents += text.utf8
        let number = reading.add(file)
        guard let node = YAMLReader.read(text, &reading, file: number) else {
            isWhole = false
            return
        }
        merge(node, &reading)
    }

    /// What a file holds; nil for one that has gone since its folder was looked through.
    private mutating func text(of file: String, isNamed: Bool) throws(Fault) -> String? {
        guard sources.included.count < PolicySources.mostFiles else {
            throw Fault(
                "\(file) is file \(PolicySources.mostFiles + 1)",
                "include at most \(PolicySources.mostFiles) files")
        }
        let bytes: [UInt8]
        do throws(TextFile.Reason) {
            bytes = try TextFile.bytes(
                path: file, atMost: PolicyLoader.maxBytes + 1, being: .regular)
        } catch {
            if error.isMissing, !isNamed, !TextFile.isEntry(path: file) { return nil }
            throw error.fault(of: "\(file) ")
        }
        includedBytes += bytes.count
        let most = Quantity.size.text(PolicyLoader.maxBytes)
        guard bytes.count <= PolicyLoader.maxBytes else {
            throw Fault("\(file) is larger than \(most)", "make several of it")
        }
        guard includedBytes <= PolicySources.mostBytes else {
            let most = Quantity.size.text(PolicySources.mostBytes)
            throw Fault("\(file) makes what is included larger than \(most)", "include less")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Fault("\(file) is not UTF-8", "save the file as UTF-8")
        }
        return text
    }
}

// MARK: - One tree

extension PolicyInclusion {
    /// Puts what an included file says behind what is there.
    private mutating func merge(_ file: YAMLNode, _ reading: inout Reading) {
        guard case .mapping(let entries) = file.content else {
            let names = PolicyInclusion.parts.map(\.key).joined(separator: ", ")
            let fault = Fault(
                "found \(file.description)", "write a mapping with the keys \(names)")
            return reading.report(fault, path: "", at: file.position)
        }
        var first: [String: Position] = [:]
        for entry in entries {
            if let earlier = first.updateValue(
                first[entry.key] ?? entry.position, forKey: entry.key)
            {
                let fault = Fault.repeated(earlier, in: reading, at: entry.position)
                reading.report(fault, path: Reading.join("", entry.key), at: entry.position)
                continue
            }
            guard let part = PolicyInclusion.parts.first(where: { $0.key == entry.key }) else {
                refuse(entry, "", Self.whole, PolicyInclusion.parts.map(\.key), &reading)
                continue
            }
            merge(entry, part, &reading)
        }
    }

    private mutating func merge(
        _ entry: YAMLNode.Entry, _ part: Part, _ reading: inout Reading
    ) {
        guard let inner = part.inner else {
            return append(entry, part, to: &root, part.key, &reading)
        }
        guard case .mapping(let entries) = entry.value.content else {
            let fault = Fault(
                "found \(entry.value.description)", "write a mapping with the key \(inner)")
            return reading.report(fault, path: part.key, at: entry.value.position)
        }
        let shape = Self.whole.keys.first { $0.name == part.key }?.shape
        for below in entries {
            guard below.key == inner else {
                if case .section(let shape)? = shape {
                    refuse(below, part.key, shape, [inner], &reading)
                }
                continue
            }
            var outer =
                root.entry(part.key)
                ?? YAMLNode.Entry(
                    key: part.key, position: entry.position,
                    value: YAMLNode(
                        content: .mapping([]), position: entry.value.position, size: 1))
            append(below, part, to: &outer.value, "\(part.key).\(inner)", &reading)
            root.set(outer)
        }
    }

    /// Puts the elements of an entry behind those of the same key in `target`.
    private func append(
        _ entry: YAMLNode.Entry, _ part: Part, to target: inout YAMLNode, _ path: String,
        _ reading: inout Reading
    ) {
        guard entry.value.isCollection(ofElements: part.isList) else {
            let problem =
                entry.value.isNull ? "has no value" : "found \(entry.value.description)"
            let fault = Fault(problem, "\(part.wanted), or leave the key out")
            return reading.report(fault, path: path, at: entry.value.position)
        }
        guard let present = target.entry(entry.key) else { return target.set(entry) }
        // What is wrong with the policy's own is said where it is read.
        target.set(present.appending(entry.value))
    }

    private static let whole = PolicySections.policy.shape

    /// The keys of included files.
    static let shape = SectionShape(
        keys: parts.compactMap { part in
            guard var key = whole.keys.first(where: { $0.name == part.key }) else { return nil }
            key.isRequired = false
            if let inner = part.inner, case .section(let section) = key.shape {
                key.shape = .section(
                    SectionShape(keys: section.keys.filter { $0.name == inner }))
                key.fallback = nil
            }
            return key
        })

    /// Says of a key that it does not belong into an included file.
    private func refuse(
        _ entry: YAMLNode.Entry, _ path: String, _ shape: SectionShape, _ known: [String],
        _ reading: inout Reading
    ) {
        let fault =
            if entry.key == "include" {
                Fault(
                    "an included file includes no others",
                    "name them under include in \(sources.file)")
            } else if shape.keys.contains(where: { $0.name == entry.key }) {
                Fault("is for the policy's own file", "move it to \(sources.file)")
            } else {
                Fault(
                    "is not known",
                    "\(Spelling.hint(entry.key, among: known))keys of included files are here "
                        + known.joined(separator: ", "))
            }
        reading.report(fault, path: Reading.join(path, entry.key), at: entry.position)
    }
}

extension YAMLNode {
    /// The first entry with that key.
    fileprivate func entry(_ key: String) -> Entry? {
        guard case .mapping(let entries) = content else { return nil }
        return entries.first { $0.key == key }
    }

    /// Puts `entry` in place of the first one with its key, or behind all others.
    fileprivate mutating func set(_ entry: Entry) {
        guard case .mapping(var entries) = content else { return }
        if let index = entries.firstIndex(where: { $0.key == entry.key }) {
            entries[index] = entry
        } else {
            entries.append(entry)
        }
        content = .mapping(entries)
    }

    /// Whether it is a list, or else a mapping.
    fileprivate func isCollection(ofElements isList: Bool) -> Bool {
        switch content {
        case .list: isList
        case .mapping: !isList
        case .plain, .quoted: false
        }
    }
}

extension YAMLNode.Entry {
    /// The same with the elements of `more`, where both are of a kind.
    fileprivate func appending(_ more: YAMLNode) -> YAMLNode.Entry {
        var whole = self
        switch (value.content, more.content) {
        case (.list(let own), .list(let others)): whole.value.content = .list(own + others)
        case (.mapping(let own), .mapping(let others)):
            whole.value.content = .mapping(own + others)
        default: break
        }
        return whole
    }
}
