// What a policy includes: where it is found, what comes of it, and how faults name the files that they are in.

import Admission
import Foundation
import Testing

@testable import Policy

@Suite struct PolicyInclusionTests {
    /// A folder with these files below it, which are there while `body` runs.
    private func withFiles(
        _ files: [String: String], _ body: (URL) throws -> Void
    ) throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "penstock-include-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files {
            let file = folder.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        try body(folder)
    }

    private static func main(_ include: String = "[pools.d/*.yaml]", more: String = "") -> String {
        "listen: 127.0.0.1:80\ninclude: \(include)\n\(more)"
    }

    private static func pool(_ name: String, path: String? = nil) -> String {
        """
        pools:
          \(name): {backends: ["http://\(name)"]}
        routes:
          - {path: \(path ?? "/\(name)"), pool: \(name)}

        """
    }

    /// What is wrong with the policy in the folder, without the folder's name.
    private func faults(_ folder: URL, _ name: String = "policy.yaml") -> [String] {
        let path = folder.appending(path: name).path
        do throws(PolicyError) {
            _ = try PolicyLoader.load(path: path)
            return []
        } catch {
            return error.diagnostics.map {
                $0.description.replacing("\(folder.path)/", with: "")
            }
        }
    }

    @Test func poolsAndRoutesFollowInTheOrderOfNames() throws {
        let files = [
            "policy.yaml": Self.main(
                "[\"${FOLDER:-pools.d}/*.yaml\", more.yaml, pools.d/a.yaml]",
                more: Self.pool("own") + "models: {aliases: {x: m}}\n"),
            "pools.d/b.yaml": Self.pool("b", path: "/*"), "pools.d/a.yaml": Self.pool("a"),
            "pools.d/Z.yaml": Self.pool("z"), "pools.d/10.yaml": Self.pool("p10"),
            "pools.d/9.yaml": Self.pool("p9")
                + "tenant: {named: [{name: acme, networks: [10.0.0.0/8]}]}\n",
            "pools.d/.hidden.yaml": "not yaml: [", "pools.d/a.yaml~": "nor: {",
            "more.yaml":
                "models: {aliases: {y: m}}\nroutes: [{path: /m, pool: a, models: [m], hosts: [h]}]\n",
        ]
        try withFiles(files) { folder in
            // What matches all stands before the last one.
            #expect(faults(folder).map { $0.prefix(60) }.count == 1)
            try Data(Self.pool("b").utf8).write(to: folder.appending(path: "pools.d/b.yaml"))
            let loaded = try PolicyLoader.read(path: folder.appending(path: "policy.yaml").path)
            #expect(loaded.error() == nil)
            let policy = loaded.policy
            #expect(policy.pools.map(\.name) == ["own", "p10", "p9", "z", "a", "b"])
            #expect(
                policy.routes.map { policy.pools[$0.pool].name } == [
                    "own", "p10", "p9", "z", "a", "b", "a",
                ])
            #expect(policy.models.aliases.map(\.name) == ["x", "y"])
            #expect(policy.pools.allSatisfy { $0.admission.tenants.map(\.name) == ["acme"] })
            #expect(
                loaded.sources.included.map { $0.dropFirst(folder.path.count + 1) } == [
                    "pools.d/10.yaml", "pools.d/9.yaml", "pools.d/Z.yaml", "pools.d/a.yaml",
                    "pools.d/b.yaml", "more.yaml",
                ])
            let again = try PolicyLoader.load(text: PolicyDump.yaml(policy), file: "dump.yaml")
            #expect(again == policy)
            // As `cat FILES | sha256sum` has it.
            var whole: [UInt8] = []
            for file in loaded.sources.all {
                whole += Array(try Data(contentsOf: URL(filePath: file)))
            }
            #expect(loaded.sources.digest == TextDigest.hexadecimal(of: whole))
            #expect(loaded.sources.now(at: loaded.sources.file).all == loaded.sources.all)
        }
    }

    @Test func digestsAreThoseOfEverybody() {
        #expect(
            TextDigest.hexadecimal(of: Array("abc".utf8))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func aSecondDefinitionNamesBothPlaces() throws {
        let files = [
            "policy.yaml": Self.main(
                more: Self.pool("a")
                    + "models: {aliases: {x: m}}\ntenant: {header: h, named: [{name: t}]}\n"),
            "pools.d/1.yaml": "pools:\n  a: {backends: [\"http://b\"]}\n",
            "pools.d/2.yaml": "models: {aliases: {x: n}}\ntenant: {named: [{name: t}]}\n",
            "pools.d/3.yaml": "routes:\n- {path: /a, pool: a}\nroutes: []\n",
        ]
        try withFiles(files) { folder in
            #expect(
                faults(folder) == [
                    "pools.d/1.yaml:2:3: error: pools.a: is given twice, first in policy.yaml:4:3; keep one",
                    "pools.d/2.yaml:1:20: error: models.aliases.x: is given twice, first in policy.yaml:7:20; keep one",
                    "pools.d/2.yaml:2:18: error: tenant.named[1]: is the same as tenant.named[0] (policy.yaml:8:29); "
                        + "remove one of them",
                    "pools.d/3.yaml:2:3: error: routes[1]: is never reached: routes[0] (policy.yaml:6:5) matches all "
                        + "that it could match; move it before routes[0], or remove it",
                    "pools.d/3.yaml:3:1: error: routes: is given twice, first in line 1; keep one",
                ])
        }
    }

    @Test func faultsNameTheFileThatTheyAreIn() throws {
        let files = [
            "policy.yaml": Self.main(more: "threads: x\n"),
            "pools.d/1.yaml": "pools:\n  a: {backends: [\"http://a\"], limit: y}\n",
            "pools.d/2.yaml": "routes:\n  - {path: /, pool: ${PENSTOCK_NOT_SET}}\n",
        ]
        try withFiles(files) { folder in
            #expect(
                faults(folder).map { $0.split(separator: ";")[0] } == [
                    "policy.yaml:3:10: error: threads: `x` is not an integer",
                    "pools.d/1.yaml:2:38: error: pools.a.limit: `y` is not an integer",
                    "pools.d/2.yaml:2:21: error: routes[0].pool: the variable PENSTOCK_NOT_SET is not set",
                ])
        }
    }

    @Test func whatIsForThePolicyItselfIsRefused() throws {
        let files = [
            "policy.yaml": Self.main(more: Self.pool("a")),
            "pools.d/1.yaml":
                "version: 1\nlisten: 127.0.0.1:1\ninclude: [x]\npool: {}\nmodels: {max_held: 1MiB, alias: {}}\n"
                + "tenant: {header: x}\nroutes:\npools: []\n",
            "pools.d/2.yaml": "- a\n",
        ]
        try withFiles(files) { folder in
            let own = folder.appending(path: "policy.yaml").path
            #expect(
                faults(folder) == [
                    "pools.d/1.yaml:1:1: error: version: is for the policy's own file; move it to policy.yaml",
                    "pools.d/1.yaml:2:1: error: listen: is for the policy's own file; move it to policy.yaml",
                    "pools.d/1.yaml:3:1: error: include: an included file includes no others; name them under include in policy.yaml",
                    "pools.d/1.yaml:4:1: error: pool: is not known; did you mean `pools`? keys of included files are here pools, routes, models, tenant",
                    "pools.d/1.yaml:5:10: error: models.max_held: is for the policy's own file; move it to policy.yaml",
                    "pools.d/1.yaml:5:26: error: models.alias: is not known; did you mean `aliases`? keys of included files are here aliases",
                    "pools.d/1.yaml:6:10: error: tenant.header: is for the policy's own file; move it to policy.yaml",
                    "pools.d/1.yaml:7:8: error: routes: has no value; write a list, with a dash before each element, or leave the key out",
                    "pools.d/1.yaml:8:8: error: pools: found a list; write a mapping of names, or leave the key out",
                    "pools.d/2.yaml:1:1: error: policy: found a list; write a mapping with the keys pools, routes, models, tenant",
                ], "\(own)")
        }
    }

    /// Whatever cannot be read is told alone: without it, much would seem to be missing.
    @Test func whatIsNoFileIsAFault() throws {
        let good = Self.main("[gone/*.yaml, \"none-*.yaml\"]", more: Self.pool("a"))
        try withFiles(["policy.yaml": good]) { folder in #expect(faults(folder).isEmpty) }
        let cases: [(include: String, fault: String)] = [
            (
                "missing.yaml",
                "2:10: error: include: missing.yaml cannot be read: No such file or directory; name a file that is readable"
            ),
            (
                "[d/*]",
                "2:11: error: include[0]: d/folder.yaml cannot be used: it is a folder; name a regular file"
            ),
            (
                "[a.yaml, fifo]",
                "2:19: error: include[1]: fifo cannot be used: it is a FIFO; name a regular file"
            ),
            (
                "[link*]",
                "2:11: error: include[0]: link.yaml cannot be read: No such file or directory; name a file that is readable"
            ),
            (
                "[a.yaml/*.yaml]",
                "2:11: error: include[0]: a.yaml/ cannot be read: Not a directory; name a folder that this process may read"
            ),
            (
                "[\"p*.yaml\"]",
                "2:11: error: include[0]: policy.yaml is this policy's own file; put what is included into a folder of its own, such as pools.d/*.yaml"
            ),
            ("[latin]", "2:11: error: include[0]: latin is not UTF-8; save the file as UTF-8"),
            ("[large]", "2:11: error: include[0]: large is larger than 1MiB; make several of it"),
            (
                "[\"x/*/y.yaml\"]",
                "2:11: error: include[0]: `x/*/y.yaml` has a wildcard in the name of a folder; write `*` and `?` in the last part alone, and a line for each folder"
            ),
            ("[d/]", "2:11: error: include[0]: `d/` is a folder; name its files, such as d/*.yaml"),
            (
                "[\"d/[ab]*\"]",
                "2:11: error: include[0]: `d/[ab]*` has brackets beside a wildcard, which stand for nothing here; write `*` for any characters or `?` for one"
            ),
            (
                "[empty]",
                "empty:1:1: error: policy: the file is empty; write `pools` or `routes`, or remove the file"
            ),
            ("[broken]", "broken:1:5: error: policy: the file is not valid YAML"),
            ("{a: b}", "2:10: error: include: found a mapping"),
            ("[1]", "2:11: error: include[0]: found the number `1`"),
        ]
        for (include, fault) in cases {
            let files = [
                "policy.yaml": Self.main(include, more: Self.pool("own")), "a.yaml": Self.pool("a"),
                "d/folder.yaml/x": "", "latin": "",
                "large": String(repeating: "#", count: 1 << 20 + 1),
                "empty": "# Nothing yet.\n", "broken": "a: b: c\n",
            ]
            try withFiles(files) { folder in
                #expect(unsafe mkfifo(folder.appending(path: "fifo").path, 0o600) == 0)
                try FileManager.default.createSymbolicLink(
                    atPath: folder.appending(path: "link.yaml").path,
                    withDestinationPath: "nowhere")
                try Data([0x61, 0xe9]).write(to: folder.appending(path: "latin"))
                let found = faults(folder)
                let expected = fault.first?.isNumber == true ? "policy.yaml:\(fault)" : fault
                #expect(found.count == 1 && found[0].hasPrefix(expected), "\(include): \(found)")
            }
        }
    }

    @Test func boundsHoldOverAllFiles() throws {
        let large = "# " + String(repeating: "x", count: 1_000_000) + "\n"
        var files = ["policy.yaml": Self.main(more: Self.pool("own"))]
        for index in 1...9 { files["pools.d/\(index).yaml"] = large + Self.pool("p\(index)") }
        try withFiles(files) { folder in
            #expect(
                faults(folder) == [
                    "policy.yaml:2:11: error: include[0]: pools.d/9.yaml makes what is included larger than 8MiB; include less"
                ])
            try FileManager.default.removeItem(at: folder.appending(path: "pools.d/1.yaml"))
            #expect(faults(folder).isEmpty)
        }
        files = ["policy.yaml": Self.main(more: Self.pool("own"))]
        for index in 0...1000 { files["pools.d/\(index).yaml"] = "models: {aliases: {}}\n" }
        try withFiles(files) { folder in
            #expect(
                faults(folder) == [
                    "policy.yaml:2:11: error: include[0]: pools.d/999.yaml is file 1001; include at most 1000 files"
                ])
        }
        let many = "models: {aliases: {a: [" + String(repeating: "1,", count: 60_000) + "]}}\n"
        files = [
            "policy.yaml": Self.main(more: Self.pool("own")), "pools.d/1.yaml": many,
            "pools.d/2.yaml": many,
        ]
        try withFiles(files) { folder in
            #expect(faults(folder).first?.contains("has more than 100000 values") == true)
        }
    }

    @Test(arguments: [
        ("*.yaml", "a.yaml", true), ("*.yaml", ".a.yaml", false), (".*.yaml", ".a.yaml", true),
        ("*.yaml", "a.yaml~", false), ("*.yaml", ".yaml", false), ("?.yaml", "é.yaml", true),
        ("?.yaml", "ab.yaml", false), ("a*b*c", "axbxbxc", true), ("a*b*c", "axbxcx", false),
        ("*", "a", true), ("*a*", "bab", true), ("**a", "a", true), ("a", "a", true),
        ("a", "b", false),
        ("?*", "", false),
    ])
    func patternsMatchAsInShells(_ pattern: String, _ name: String, _ isMatch: Bool) throws {
        #expect(try FilePattern(pattern).matches(name) == isMatch)
    }

    @Test(.timeLimit(.minutes(1))) func patternsTakeNoTime() throws {
        let pattern = try FilePattern(String(repeating: "*a", count: 100) + "*b")
        #expect(!pattern.matches(String(repeating: "a", count: 255)))
    }

    /// Whatever stands in a folder, a policy comes of it or faults with places, each in a file that is there.
    @Test(arguments: 0..<10 as Range<UInt64>)
    func damagedFilesNeverCrash(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let words = [
            "pools", "routes", ":", "-", "[", "]", "{", "}", "\n", "  ", "a", "*", "&a ", "<<: *a",
            "${", "models", "tenant",
        ]
        for _ in 0..<6 {
            var files = ["policy.yaml": Self.main(more: Self.pool("own"))]
            for name in ["a", "b"] {
                var bytes = Array(Self.pool(name).utf8)
                for _ in 0..<Int.random(in: 0...3, using: &generator) {
                    let index = Int.random(in: 0...bytes.count, using: &generator)
                    bytes.insert(
                        contentsOf: (words.randomElement(using: &generator) ?? "").utf8, at: index)
                }
                files["pools.d/\(name).yaml"] = String(decoding: bytes, as: UTF8.self)
            }
            try withFiles(files) { folder in
                for fault in faults(folder) {
                    let isPlaced = ["policy.yaml:", "pools.d/a.yaml:", "pools.d/b.yaml:"].contains {
                        fault.hasPrefix($0)
                    }
                    #expect(isPlaced, "seed \(seed): \(fault)\n\(files)")
                }
            }
        }
    }

    /// What may be included is what the schema for it takes.
    @Test func theSchemaKnowsIncludedFiles() throws {
        let validator = try SchemaValidator(json: PolicySchema.includedJSON())
        for (text, isGood) in [
            (Self.pool("a"), true), ("models: {aliases: {a: b}}", true),
            ("tenant: {named: [{name: a}]}", true), ("listen: 127.0.0.1:1", false),
            ("tenant: {header: a}", false), ("models: {refresh: off}", false), ("pools: []", false),
        ] {
            let value = try #require(SchemaValue(yaml: text))
            #expect(try validator.accepts(value) == isGood, "\(text)")
        }
        let whole = try SchemaValidator(json: PolicySchema.json())
        for (text, isGood) in [
            (Self.main(), true), ("listen: 127.0.0.1:1\n", false), (Self.main("a.yaml"), true),
            (Self.main("a/"), false), ("listen: 127.0.0.1:1\n" + Self.pool("a"), true),
        ] {
            let value = try #require(SchemaValue(yaml: text))
            #expect(try whole.accepts(value) == isGood, "\(text)")
        }
    }
}
