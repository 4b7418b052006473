// What is said of a backend, and what it reports, as JSON: in /status, and at the backend's own place of the admin listener.

import Admission
import Bytes

extension StatusRenderer {
    /// Appends what each source says of a backend as a list.
    static func append(_ signals: [SignalSnapshot], to buffer: inout ByteBuffer) {
        buffer.append(jsonListOf: signals) { append($0, to: &$1) }
    }

    private static func append(_ shown: SignalSnapshot, to buffer: inout ByteBuffer) {
        let signal = shown.heard.signal
        buffer.append(text: "{\"source\":")
        buffer.append(jsonString: shown.heard.source.name.description)
        buffer.append(text: ",\"state\":")
        buffer.append(jsonString: signal.state.name.description)
        buffer.append(text: ",\"share\":")
        buffer.append(text: signal.share.description)
        buffer.append(text: ",\"limit\":")
        buffer.append(text: signal.ceiling.map { "\($0)" } ?? "null")
        buffer.append(text: ",\"age_seconds\":")
        buffer.append(secondsOf: UInt128(shown.ageNanoseconds))
        buffer.append(text: ",\"ends_in_seconds\":")
        if let left = shown.leftNanoseconds {
            buffer.append(secondsOf: UInt128(left))
        } else {
            buffer.append(text: "null")
        }
        buffer.append(text: "}")
    }

    /// Appends what a backend has reported of its load, null for nothing.
    static func append(_ report: ReportStatus?, to buffer: inout ByteBuffer) {
        guard let report else {
            buffer.append(text: "null")
            return
        }
        buffer.append(text: "{\"queued\":")
        buffer.append(text: report.load.queued.map { $0.description } ?? "null")
        buffer.append(text: ",\"cache_use\":")
        buffer.append(text: report.load.cacheUse.map { $0.description } ?? "null")
        buffer.append(text: ",\"age_seconds\":")
        buffer.append(secondsOf: UInt128(max(0, report.ageNanoseconds)))
        buffer.append(text: ",\"cap\":")
        buffer.append(text: report.cap.map { "\($0)" } ?? "null")
        buffer.append(
            text: report.holdsGrowth ? ",\"holds_growth\":true" : ",\"holds_growth\":false")
        buffer.append(text: report.isBelieved ? ",\"believed\":true}" : ",\"believed\":false}")
    }
}
