// The house rules that a program can check. A rule that has exceptions names them here, each with
// its reason.

import Testing

@Suite struct TidyTests {
    private static let sources = SourceTree.files(in: "Sources")
    private static let tests = SourceTree.files(in: "Tests")

    @Test func theTreeIsFound() {
        #expect(TidyTests.sources.count > 50)
        #expect(TidyTests.tests.count > 10)
    }

    /// Which of our own modules each module may import.
    private static let arrows: [String: Set<String>] = [
        "Admission": [],
        "Bytes": [],
        "HTTP1": ["Bytes"],
        "Inference": ["Bytes"],
        "Bulk": ["Bytes", "Inference"],
        "Policy": ["Admission", "CShims"],
        "Simulator": ["Admission", "Policy"],
        "Reactor": ["Admission", "Bytes", "Policy", "CShims"],
        "Telemetry": ["Admission", "Bytes", "Inference", "Policy", "Reactor", "CShims"],
        "Gateway": [
            "Telemetry", "Reactor", "Admission", "Bytes", "HTTP1", "Inference", "Policy", "CShims",
            "Bulk",
        ],
        // Reaches shards through `Gateway` alone: everything else of that module is its own.
        "Control": [
            "Telemetry", "Reactor", "Admission", "Bytes", "HTTP1", "Inference", "Policy", "Gateway",
        ],
        "Demo": [
            "Telemetry", "Reactor", "Admission", "Bytes", "HTTP1", "Policy", "Gateway", "Control",
        ],
        "penstock": [
            "Reactor", "Admission", "Policy", "Gateway", "Control", "Demo", "Telemetry",
            "Simulator", "Bulk", "Bytes", "HTTP1",
        ],
    ]

    /// What is not ours, and who may have it.
    private static let libraries: [String: Set<String>] = [
        "Glibc": ["Telemetry", "Reactor", "Gateway", "Demo", "Policy", "penstock"],
        "Synchronization": ["Telemetry", "Reactor", "Gateway"],
        "Logging": ["Telemetry", "Gateway", "Control", "Demo"],
        "BasicContainers": ["Simulator"],
        "HeapModule": ["Reactor"],
    ]

    @Test func importsFollowTheArrows() {
        for file in TidyTests.sources {
            for line in file.code {
                guard let imported = TidyTests.importedModule(line) else { continue }
                if let allowed = TidyTests.libraries[imported] {
                    #expect(allowed.contains(file.module), "\(file.path) imports \(imported)")
                } else {
                    let allowed = TidyTests.arrows[file.module] ?? []
                    #expect(allowed.contains(imported), "\(file.path) imports \(imported)")
                }
            }
        }
    }

    private static func importedModule(_ line: String) -> String? {
        let words = line.split(separator: " ")
        guard let place = words.firstIndex(of: "import"), place <= 2, words.count > place + 1,
            words[..<place].allSatisfy({
                ["package", "internal", "public", "private", "@testable"].contains($0)
            })
        else { return nil }
        return String(words[place + 1])
    }

    @Test func filesAreShort() {
        for file in TidyTests.sources + TidyTests.tests {
            #expect(file.lines.count <= 501, "\(file.path) has \(file.lines.count) lines")
        }
    }

    /// Functions that are one switch over a table of names, which would not get clearer in pieces.
    private static let tables = ["func candidate(length: Int, first: UInt8, last: UInt8)"]

    @Test func functionsFitOnAScreen() {
        for file in TidyTests.sources {
            for (name, count) in TidyTests.functions(file) {
                let isTable = TidyTests.tables.contains { name.contains($0) }
                #expect(count <= 70 || isTable, "\(file.path): \(name) has \(count) lines")
            }
        }
    }

    /// Functions and initializers with their lengths in lines, by counting braces from their first
    /// one.
    private static func functions(_ file: SourceFile) -> [(name: String, lines: Int)] {
        var found: [(name: String, lines: Int)] = []
        var open: (name: String, start: Int, depth: Int)?
        var depth = 0
        for (number, line) in file.code.enumerated() {
            let isHead = line.contains("func ") || line.contains(" init(")
            if open == nil, isHead { open = (line, number, depth) }
            for character in line {
                if character == "{" { depth += 1 }
                if character == "}" { depth -= 1 }
            }
            if let current = open, depth <= current.depth, line.contains("}") {
                found.append((current.name, number - current.start + 1))
                open = nil
            }
        }
        return found
    }

    @Test func filesBeginWithWhatLivesInThem() {
        for file in TidyTests.sources {
            #expect(
                file.lines.first?.hasPrefix("//") == true, "\(file.path) begins without a comment")
        }
    }

    @Test func nothingIsLeftUndone() {
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
        for file in TidyTests.sources + TidyTests.tests {
            for line in file.lines {
                for mark in marks { #expect(!line.contains(mark), "\(file.path): \(line)") }
            }
        }
    }

    @Test func dangerousWordsAreAbsent() {
        for file in TidyTests.sources {
            for line in file.code {
                #expect(!line.contains("try!"), "\(file.path): \(line)")
                // A lock is what makes a value safe to share, which no checker can see.
                #expect(
                    !line.contains("@unchecked") || file.path.hasSuffix("/Reactor/Lock.swift"),
                    "\(file.path): \(line)")
                #expect(!line.contains("as!"), "\(file.path): \(line)")
                #expect(
                    !line.contains("print(") || file.module == "penstock", "\(file.path): \(line)")
            }
        }
    }

    /// Handlers of the reactor are subclassed by other modules, which takes an open class and what
    /// it names; and instants are compared and moved everywhere on the data path, and buffers lent
    /// and asked what they hold, which costs a call each time unless it is inlined, as only what is
    /// public is across modules.
    private static let publicFiles: Set<String> = [
        "Sources/Admission/Core/Instant.swift",
        "Sources/Reactor/EventHandler.swift", "Sources/Reactor/Epoll.swift",
        "Sources/Reactor/SignalSource.swift", "Sources/Reactor/StreamConnection.swift",
        "Sources/Bytes/ByteBuffer.swift",
    ]

    @Test func nothingIsPublic() {
        for file in TidyTests.sources where !TidyTests.publicFiles.contains(file.path) {
            for line in file.code {
                let words = line.split(separator: " ")
                let isPublic =
                    words.contains("public") || (words.contains("open") && words.contains("class"))
                #expect(!isPublic || words.contains("override"), "\(file.path): \(line)")
            }
        }
    }

    /// The files that touch C.
    ///
    /// Each use of `unsafe` in them stands beside the invariant that makes it sound.
    private static let unsafeFiles: Set<String> = [
        "Sources/Demo/Load/LoopbackDial.swift",
        "Sources/Demo/Terminal.swift",
        "Sources/Gateway/Proxy/Inflater.swift",
        "Sources/Telemetry/Gzip.swift",
        "Sources/Telemetry/LogSink.swift", "Sources/Telemetry/MadeFile.swift",
        "Sources/Telemetry/LogWriter.swift",
        "Sources/Telemetry/ProcessClock.swift",
        "Sources/Telemetry/ProcessStatistics.swift",
        "Sources/Gateway/Proxy/KeyDigest.swift",
        "Sources/Reactor/Descriptor.swift",
        "Sources/Reactor/DirectoryLock.swift", "Sources/Reactor/DirectoryWatch.swift",
        "Sources/Reactor/FilePlace.swift",
        "Sources/Reactor/DescriptorLimit.swift",
        "Sources/Reactor/Epoll.swift",
        "Sources/Reactor/ListeningSocket.swift",
        "Sources/Reactor/MachineAddresses.swift",
        "Sources/Reactor/KernelFile.swift",
        "Sources/Reactor/ProcessArguments.swift",
        "Sources/Reactor/Lock.swift",
        "Sources/Reactor/MonotonicClock.swift", "Sources/Reactor/NameLookup.swift",
        "Sources/Reactor/PeerAddress.swift", "Sources/Reactor/PeerCredentials.swift",
        "Sources/Reactor/SocketFile.swift",
        "Sources/Reactor/StandardStreams.swift",
        "Sources/Reactor/SystemError.swift", "Sources/Reactor/TerminalKeys.swift",
        "Sources/Reactor/SystemThread.swift",
        "Sources/Reactor/Curl/CurlMulti.swift", "Sources/Reactor/Curl/Dialler.swift",
        "Sources/Reactor/Curl/Fetcher.swift", "Sources/Reactor/Curl/TLSCredentials.swift",
        "Sources/Reactor/Curl/EasyHandle.swift",
        "Sources/Reactor/Curl/TLSSession.swift", "Sources/Reactor/TLS/PEM.swift",
        "Sources/Reactor/ProgramFile.swift",
        "Sources/Reactor/StartedProcess.swift", "Sources/Reactor/HandoverChannel.swift",
        "Sources/Reactor/ServiceNotifier.swift", "Sources/Reactor/DataFile.swift",
        "Sources/Reactor/Kafka/KafkaConsumer.swift", "Sources/Reactor/Kafka/KafkaLibrary.swift",
        "Sources/Reactor/Kafka/KafkaProducer.swift", "Sources/Reactor/Kafka/KafkaProperty.swift",
        "Sources/Reactor/TLS/ServerCertificate.swift",
        "Sources/Reactor/TLS/ServerCredentials.swift",
        "Sources/Reactor/TLS/ServerSession.swift", "Sources/Reactor/TLS/TicketKeys.swift",
        "Sources/Policy/Account.swift",
        "Sources/Policy/NumericAddress.swift", "Sources/Policy/ProcessEnvironment.swift",
        "Sources/Policy/FolderListing.swift",
        "Sources/Policy/TextDigest.swift", "Sources/Policy/TextFile.swift",
        "Sources/Policy/YAMLParser.swift",
    ]

    @Test func unsafeStandsWhereCIs() {
        for file in TidyTests.sources where !TidyTests.unsafeFiles.contains(file.path) {
            for line in file.code {
                let words = line.split { !$0.isLetter }
                #expect(!words.contains("unsafe"), "\(file.path): \(line)")
            }
        }
    }

    @Test func everyReasonIsDocumented() throws {
        let reasons = TidyTests.sources.first { $0.path == "Sources/Admission/Core/Reason.swift" }
        let file = try #require(reasons)
        for (number, line) in file.lines.enumerated() {
            let isCase = line.hasPrefix("    case ") && !line.contains(":")
            guard isCase else { continue }
            #expect(
                file.lines[number - 1].contains("///"), "Reason.swift:\(number + 1) has no comment")
        }
    }
}
