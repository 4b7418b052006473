// The order between the folders of the data path: fleet, proxy, lanes, bulk, topics, credits, shard. What a lower one names of a higher
// one is listed here, each with its reason; the list may only get shorter.

import Testing

@Suite struct FolderTests {
    private static let order = ["Fleet", "Proxy", "Lanes", "Bulk", "Topics", "Credits", "Shard"]

    /// Types of higher folders that files of a folder may name.
    private static let exceptions: [String: Set<String>] = [
        // A pool is given what its requests are classified and refused with.
        "Fleet": ["Classifier", "HashKey", "ReplyCache"],
        // Connections and exchanges belong to a shard, and keep to the policy in force when they began; one may be the
        // gateway's own, made in somebody's name, stand for many that come as lines, or have been dialled to be another gateway's worker.
        "Proxy": ["Shard", "Snapshot", "LaneConnection", "BulkRun", "GatewayLink"],
        // Lanes live with a shard.
        "Lanes": ["Shard"],
        "Bulk": [],
        // What a worker gives and the most that a gateway takes are one number.
        "Credits": ["Shard"],
        // A topic's lane is opened at a shard.
        "Topics": ["Shard"],
        "Shard": [],
    ]

    private static let files = SourceTree.files(in: "Sources").filter {
        $0.path.hasPrefix("Sources/Gateway/")
    }

    private static func folder(_ file: SourceFile) -> String {
        String(file.path.split(separator: "/")[2])
    }

    /// The folder of each type that is declared at the top of a file.
    private static let types: [String: String] = {
        var types: [String: String] = [:]
        for file in files {
            for line in file.code where line.first?.isLetter == true || line.hasPrefix("@") {
                let words = line.split { !$0.isLetter && !$0.isNumber }
                guard
                    let kind = words.firstIndex(where: {
                        ["struct", "class", "enum", "protocol"].contains($0)
                    }), words.count > kind + 1
                else { continue }
                types[String(words[kind + 1])] = folder(file)
            }
        }
        return types
    }()

    @Test func theFoldersAreFound() {
        #expect(Set(FolderTests.files.map(FolderTests.folder)) == Set(FolderTests.order))
        #expect(FolderTests.types.count > 45)
        #expect(FolderTests.types["Exchange"] == "Proxy" && FolderTests.types["Pool"] == "Fleet")
    }

    @Test func lowerFoldersNameNothingOfHigherOnes() throws {
        var named: [String: Set<String>] = [:]
        for file in FolderTests.files {
            let folder = FolderTests.folder(file)
            let place = try #require(FolderTests.order.firstIndex(of: folder))
            for line in file.code {
                for word in line.split(whereSeparator: { !$0.isLetter && !$0.isNumber }) {
                    guard let other = FolderTests.types[String(word)],
                        let otherPlace = FolderTests.order.firstIndex(of: other), otherPlace > place
                    else { continue }
                    named[folder, default: []].insert(String(word))
                    let isKnown = FolderTests.exceptions[folder]?.contains(String(word)) == true
                    #expect(isKnown, "\(file.path) names \(word) of \(other): \(line)")
                }
            }
        }
        for (folder, names) in FolderTests.exceptions {
            #expect(
                named[folder, default: []] == names, "\(folder): exceptions that are not needed")
        }
    }
}
