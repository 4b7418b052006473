// The operational log through swift-log.

import Foundation
import Gateway
import Logging
import Policy
import Testing

@testable import Telemetry

@Suite struct ObservabilityLogHandlerTests {
    /// Logs by `body` at the level `info` and returns the lines as objects.
    private func objects(_ body: (inout Logger) -> Void) throws -> [[String: Any]] {
        let folder = try TemporaryFolder()
        let writer = try LogWriter(destination: .file(path: folder.file("log")))
        var logger = Logger(label: "penstock") { label in
            JSONLinesLogHandler(label: label, writer: writer, level: .info)
        }
        body(&logger)
        #expect(writer.close(within: .seconds(10)))
        return try folder.lines("log").map { try jsonObject($0) }
    }

    @Test func aLineHasItsMembers() throws {
        let lines = try objects { logger in
            logger[metadataKey: "pool"] = "chat"
            logger.warning(
                "a \"quoted\"\nline",
                metadata: [
                    "count": .stringConvertible(3), "flag": .stringConvertible(true),
                    "list": ["a", "b"], "map": ["k": "v"], "level": "mine",
                ])
        }
        try #require(lines.count == 1)
        let line = lines[0]
        #expect(line["level"] as? String == "warning")
        #expect(line["logger"] as? String == "penstock")
        #expect(line["message"] as? String == "a \"quoted\"\nline")
        #expect(line["pool"] as? String == "chat")
        #expect(line["count"] as? Int == 3)
        #expect(line["flag"] as? Bool == true)
        #expect(line["list"] as? [String] == ["a", "b"])
        #expect(line["map"] as? [String: String] == ["k": "v"])
        #expect(line["metadata.level"] as? String == "mine")
        let time = try #require(line["time"] as? String)
        #expect(time.count == 24 && time.hasSuffix("Z"))
    }

    @Test func theLevelHolds() throws {
        let lines = try objects { logger in
            logger.debug("hidden")
            logger.info("shown")
            logger.logLevel = .debug
            logger.debug("shown too")
        }
        #expect(lines.map { $0["message"] as? String } == ["shown", "shown too"])
    }

    @Test func theCallsMetadataWinsOverTheHandlers() throws {
        let lines = try objects { logger in
            logger[metadataKey: "key"] = "handler"
            logger.info("one", metadata: ["key": "call"])
            logger.info("two")
        }
        #expect(lines.map { $0["key"] as? String } == ["call", "handler"])
    }

    @Test(arguments: LogSettings.Level.allCases)
    func thePolicysLevelsAreSwiftLogs(level: LogSettings.Level) {
        #expect(level.loggerLevel.rawValue == level.rawValue)
    }

    @Test func anErrorIsNamed() throws {
        let failure = LogWriter.Failure.cannotOpen(path: "/x", code: 2)
        let lines = try objects { $0.error("failed", error: failure) }
        #expect(lines.first?["error"] as? String == failure.description)
    }
}
