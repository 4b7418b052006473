// The operational log: what the program says through swift-log becomes one JSON object a line.

internal import Bytes
package import Logging
package import Policy

/// A log handler that writes one JSON object a line, the metadata last.
///
/// `{"time":…,"level":…,"logger":…,"message":…,…}`; metadata named like one of these is renamed.
package struct JSONLinesLogHandler: LogHandler {
    private let label: String
    private let target: LogTarget
    private var ownLevel: Logger.Level?

    /// Least severe level that is written: the target's, unless it is set here.
    package var logLevel: Logger.Level {
        get { ownLevel ?? target.level }
        set { ownLevel = newValue }
    }
    /// Values that every line has.
    package var metadata: Logger.Metadata = [:]
    /// Where values come from that depend on the place of the call.
    package var metadataProvider: Logger.MetadataProvider?

    /// Names of the line's own members, which metadata of the same name does not replace.
    private static let members: Set<String> = ["time", "level", "logger", "message", "error"]

    /// Makes a handler that writes lines of `level` and above to `writer`.
    package init(label: String, writer: LogWriter, level: Logger.Level) {
        self.init(label: label, target: LogTarget(writer: writer, level: level))
    }

    /// Makes a handler that writes what `target` says, to where it says.
    package init(label: String, target: LogTarget) {
        self.label = label
        self.target = target
    }

    /// The value that every line has for `key`.
    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes the line of `event`.
    package func log(event: LogEvent) {
        var line = ByteBuffer()
        var dates = DateWriter()
        line.append(text: "{\"time\":\"")
        dates.appendTimestamp(ProcessClock.wallNanoseconds(), to: &line)
        line.append(text: "\",\"level\":\"")
        line.append(text: event.level.rawValue)
        line.append(text: "\",\"logger\":")
        line.append(jsonString: label)
        line.append(text: ",\"message\":")
        line.append(jsonString: event.message.description)
        if let error = event.error {
            line.append(text: ",\"error\":")
            line.append(jsonString: String(describing: error))
        }
        append(merged(event.metadata), to: &line)
        line.append(0x7d)
        target.writer.append(line.bytes)
    }

    /// All metadata of a line: the call's over the handler's over the provider's.
    private func merged(_ own: Logger.Metadata?) -> Logger.Metadata {
        var all = metadataProvider?.get() ?? [:]
        all.merge(metadata) { _, handlers in handlers }
        if let own { all.merge(own) { _, calls in calls } }
        return all
    }

    private func append(_ metadata: Logger.Metadata, to line: inout ByteBuffer) {
        for key in metadata.keys.sorted() {
            guard let value = metadata[key] else { continue }
            line.append(0x2c)
            line.append(
                jsonString: JSONLinesLogHandler.members.contains(key) ? "metadata.\(key)" : key)
            line.append(0x3a)
            append(value, to: &line)
        }
    }

    private func append(_ value: Logger.Metadata.Value, to line: inout ByteBuffer) {
        switch value {
        case .string(let text): line.append(jsonString: text)
        case .stringConvertible(let number as any FixedWidthInteger):
            line.append(text: String(describing: number))
        case .stringConvertible(let flag as Bool): line.append(text: flag ? "true" : "false")
        case .stringConvertible(let other): line.append(jsonString: other.description)
        case .array(let elements):
            line.append(0x5b)
            for (index, element) in elements.enumerated() {
                if index > 0 { line.append(0x2c) }
                append(element, to: &line)
            }
            line.append(0x5d)
        case .dictionary(let members):
            line.append(0x7b)
            for (index, key) in members.keys.sorted().enumerated() {
                if index > 0 { line.append(0x2c) }
                line.append(jsonString: key)
                line.append(0x3a)
                append(members[key] ?? "", to: &line)
            }
            line.append(0x7d)
        }
    }
}

extension LogSettings.Level {
    /// The same level in swift-log's words.
    package var loggerLevel: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }
}
