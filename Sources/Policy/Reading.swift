// What is known while one file is read, with those that it includes: the faults so far, and where each setting stands, so that
// checks across settings can point at them afterwards.

/// The state of reading one file and what it includes.
struct Reading {
    /// The files, the first of which names the others.
    private(set) var files: [String]
    /// Values of all files so far.
    var values = 0
    /// What the file as a whole is called in diagnostics.
    var subject = "policy"
    /// The names under `pools`, in the file's order, also of pools with faults.
    var poolNames: [String] = []
    /// Names of pools that are not there, each a number of its own.
    private var strangePools: [String] = []
    /// What stands under `tenant` for all pools; `nil` where nothing does.
    var sharedTenant: YAMLNode?
    private var faults: [(position: Position, diagnostic: Diagnostic)] = []
    private var positions: [String: Position] = [:]
    private var faultyPaths: Set<String> = []
    /// The variables that scalars have their text from, by the scalars' places.
    private var uses: [Position: [PolicyVariables.Use]] = [:]
    /// Bytes of variables' values.
    private var valueBytes = 0
    /// Scalars of which all is said.
    private var settled: Set<Position> = []

    init(file: String) {
        files = [file]
    }

    /// One more file that is read; what stands in it has the number that is returned.
    mutating func add(_ file: String) -> Int {
        files.append(file)
        return files.count - 1
    }

    /// The faults in the files' order.
    var diagnostics: [Diagnostic] {
        // Equal positions keep the order in which they were found; `sort` alone does not promise
        // that.
        faults.enumerated().sorted {
            ($0.element.position, $0.offset) < ($1.element.position, $1.offset)
        }.map(\.element.diagnostic)
    }

    /// Faults so far.
    var count: Int { faults.count }

    /// What stands for a pool that is not there: a negative number, the same for the same name.
    mutating func strangePool(_ name: String) -> Int {
        if !strangePools.contains(name) { strangePools.append(name) }
        return -1 - (strangePools.firstIndex(of: name) ?? 0)
    }

    /// Remembers where the setting at `path` stands.
    mutating func note(_ path: String, at position: Position) {
        positions[path] = position
    }

    /// Where the setting at `path` stands; `nil` when the file does not have it.
    func position(of path: String) -> Position? { positions[path] }

    /// Whether the setting at `path` or one below it has a fault.
    func isFaulty(_ path: String) -> Bool { faultyPaths.contains(path) }

    /// The first variable that the scalar there has its text from; nil where it has none.
    func variable(at position: Position) -> String? { uses[position]?.first?.name }

    mutating func report(_ fault: Fault, path: String, at position: Position) {
        markFaulty(path)
        if settled.contains(position) { return }
        let own = uses[position].map { fault.hiding($0) } ?? fault
        let fault = uses.isEmpty ? own : own.naming(uses.values.joined())
        let diagnostic = Diagnostic(
            file: files[position.file], line: position.line, column: position.column,
            path: path.isEmpty ? subject : path, problem: fault.problem,
            remedy: fault.remedy)
        // What all pools read is wrong once.
        if sharedTenant != nil, faults.contains(where: { $0.diagnostic == diagnostic }) { return }
        faults.append((position, diagnostic))
    }

    private mutating func markFaulty(_ path: String) {
        var rest = path[...]
        while faultyPaths.insert(String(rest)).inserted,
            let end = rest.lastIndex(where: { $0 == "." || $0 == "[" })
        {
            rest = rest[..<end]
        }
    }

    /// The text of a scalar with the values of its variables; nil where it stays as it is, after whatever is wrong with them
    /// has been reported.
    mutating func expand(
        _ text: String, _ variables: PolicyVariables, _ path: String, at position: Position
    ) -> String? {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return nil }
        do throws(Fault) {
            let expansion = try variables.expand(text)
            valueBytes += expansion.uses.reduce(0) { $0 + $1.value.utf8.count }
            guard valueBytes <= PolicyLoader.maxBytes else { throw PolicyVariables.tooLarge }
            if !expansion.uses.isEmpty { uses[position] = expansion.uses }
            return expansion.text
        } catch {
            report(error, path: path, at: position)
            settled.insert(position)
            return nil
        }
    }

    /// Reports a fault of the setting at `path`, where it stands, or what it would stand in.
    mutating func report(_ fault: Fault, path: String) {
        var rest = path[...]
        while positions[String(rest)] == nil, !rest.isEmpty {
            rest = rest[..<(rest.lastIndex { $0 == "." || $0 == "[" } ?? rest.startIndex)]
        }
        report(fault, path: path, at: positions[String(rest)] ?? .start)
    }

    /// Where `position` is, for somebody who reads of a fault at `other`: its line, or more where that is another file's.
    func place(_ position: Position, from other: Position) -> String {
        position.file == other.file
            ? "in line \(position.line)"
            : "in \(files[position.file]):\(position.line):\(position.column)"
    }

    /// The setting at `path` for a fault at `other`, with its place where that is another file.
    func named(_ path: String, from other: String) -> String {
        guard let position = positions[path], let from = positions[other],
            position.file != from.file
        else { return path }
        return "\(path) (\(files[position.file]):\(position.line):\(position.column))"
    }

    /// `path` with one more key.
    static func join(_ path: String, _ key: String) -> String {
        let isPlain =
            !key.isEmpty
            && key.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || "_-".contains($0) }
        let shown = isPlain ? key : "\"\(key.escaped)\""
        return path.isEmpty ? shown : "\(path).\(shown)"
    }
}
