// docs/operating.md lists what an operator can see. Here its tables are held against the code, both
// ways: what the page leaves out, and what it says that is not there.

import Admission
import Foundation
import Inference
import Policy
import Testing

@testable import Gateway
@testable import Reactor
@testable import Telemetry

@Suite struct OperatingPageTests {
    private let page: Page

    init() throws { page = try Page() }

    @Test func everyReasonWithItsStatus() throws {
        let rows = try page.table("Reasons")
        expectSame(rows.map(\.name), Reason.allCases.map { $0.name })
        for reason in Reason.allCases {
            let status = LocalReply.status(of: reason)
            let row = rows.first { $0.name == reason.name }
            #expect(row?.cells.first == (status == 0 ? "–" : "\(status)"), "\(reason.name)")
        }
    }

    @Test func everyOtherValueOfALabel() throws {
        expectSame(
            try page.table("Why a limit moved").map(\.name),
            LimitMoveReason.allCases.map { $0.name.description })
        expectSame(
            try page.table("Why a backend is suspected").map(\.name),
            SuspicionCause.allCases.map { $0.name.description })
        expectSame(
            try page.table("How a try at a backend ended").map(\.name),
            Outcome.named.map { $0.name.description })
        expectSame(
            try page.table("Why a dial failed").map(\.name),
            DialFailure.Cause.allCases.map { $0.name.description })
        let affinity = AffinityStatus(counts: AffinityCounts(), entries: 0, capacity: 0)
        expectSame(
            try page.table("What is known of prompts").map(\.name),
            affinity.tokens.map { $0.name.description })
        expectSame(
            try page.table("Where requests start").map(\.name),
            affinity.starts.map { $0.name.description })
    }

    @Test func everyMetricWithItsTypeLabelsAndMeaning() throws {
        let shown = page.lines(under: "Metrics").filter { $0.hasPrefix("| `") }
        let reference = MetricsReference.markdown().split(separator: "\n").dropFirst(2)
        expectSame(shown, reference.map(String.init))
    }

    @Test func everyFieldOfTheStatusPage() throws {
        var snapshot = sampleSnapshot()
        snapshot.splits = [
            SplitSnapshot(
                path: "/*", stickiness: "none", spills: false, parts: [("chat", 1)])
        ]
        snapshot.mirrors = [MirrorSnapshot(path: "/*", pool: "chat", share: 1)]
        snapshot.bulk = [sampleBulk()]
        let status = rendered { StatusRenderer.render(snapshot, into: &$0) }
        let object = try JSONSerialization.jsonObject(with: Data(status.utf8))
        expectSame(try page.table("Status").map(\.name), OperatingPageTests.paths(in: object))
    }

    @Test func everyFieldOfTheAccessLog() throws {
        let pool = PoolMetrics(name: "chat", backends: ["http://10.0.0.11:8000"])
        var record = AccessRecord(wallNanoseconds: 0, status: 503, reason: .upstreamClosed)
        record.withheld = .queueFull
        record.pool = pool
        record.backend = pool.backends[0]
        record.formerBackends = pool.backends
        record.hasFallenBack = true
        record.hasSpilled = true
        record.isMirror = true
        record.tenant = Array("t".utf8)
        record.tenantHash = 1
        record.priorityClass = pool.classes[0]
        record.model = Array("m".utf8)
        record.usage = TokenUsage(input: 1, output: 1)
        record.queueNanoseconds = 1
        record.connectNanoseconds = 1
        record.firstByteNanoseconds = 1
        let folder = try TemporaryFolder()
        let writer = try LogWriter(destination: .file(path: folder.file("access")))
        var log = AccessLog(writer: writer, settings: LogSettings(), seed: 1)
        log.log(
            record, requestID: "r".utf8.span, client: "c".utf8.span, method: "GET".utf8.span,
            path: "/".utf8.span, host: "h".utf8.span)
        #expect(writer.close(within: .seconds(10)))
        let line = try #require(try folder.lines("access").first)
        expectSame(try page.table("Access log").map(\.name), try jsonObject(line).keys.sorted())
    }

    /// The paths of all values in a JSON value; an element of a list is `[]`.
    private static func paths(in value: Any, at path: String = "") -> [String] {
        if let object = value as? [String: Any] {
            return object.keys.sorted().flatMap { key in
                paths(in: object[key] as Any, at: path.isEmpty ? key : "\(path).\(key)")
            }
        }
        if let list = value as? [Any] {
            return list.prefix(1).flatMap { paths(in: $0, at: "\(path)[]") }
        }
        return [path]
    }

    private func expectSame(
        _ shown: [String], _ real: [String], at location: SourceLocation = #_sourceLocation
    ) {
        let missing = Set(real).subtracting(shown).sorted()
        let unknown = Set(shown).subtracting(real).sorted()
        #expect(missing.isEmpty, "docs/operating.md lacks these", sourceLocation: location)
        #expect(unknown.isEmpty, "docs/operating.md has these too many", sourceLocation: location)
        #expect(Set(shown).count == shown.count, "one is listed twice", sourceLocation: location)
        #expect(!real.isEmpty, sourceLocation: location)
    }
}

/// The page, as a reader finds things in it: by headings and tables.
private struct Page {
    /// A row of a table whose first cell is a name in code.
    struct Row {
        var name: String
        /// The cells behind the first.
        var cells: [String]
    }

    private let lines: [String]

    init() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(
            contentsOf: root.appending(path: "docs/operating.md"), encoding: .utf8)
        lines = text.components(separatedBy: "\n")
    }

    /// The lines under a heading, up to the next one that is not below it.
    func lines(under heading: String) -> [String] {
        guard
            let start = lines.firstIndex(where: { $0.hasPrefix("#") && $0.title == heading })
        else { return [] }
        let level = lines[start].level
        return Array(
            lines[(start + 1)...].prefix { !$0.hasPrefix("#") || $0.level > level })
    }

    /// The first table under a heading.
    func table(_ heading: String) throws -> [Row] {
        let rows = lines(under: heading).drop { !$0.hasPrefix("|") }.prefix { $0.hasPrefix("|") }
        try #require(rows.count > 2, "no table under \(heading)")
        return rows.dropFirst(2).map { line in
            let cells = line.split(separator: "|").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            return Row(
                name: cells[0].trimmingCharacters(in: ["`"]), cells: Array(cells.dropFirst()))
        }
    }
}

extension String {
    /// How deep a heading is.
    fileprivate var level: Int { prefix { $0 == "#" }.count }

    /// A heading's text.
    fileprivate var title: String { drop { $0 == "#" || $0 == " " }.description }
}
