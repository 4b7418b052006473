// Load reports in the heads and trailers of responses, in whichever of their spellings. They come from servers that may
// be broken: what cannot be read is ignored as a whole, and so is what is said in two ways at once.

internal import Admission
internal import HTTP1
internal import Inference

/// Reads what a response reports of its backend's load.
enum ReportField {
    /// What came of it.
    enum Reading: Equatable {
        /// Nothing is said.
        case absent
        /// That is said.
        case said(ReportedLoad)
        /// Something is said that cannot be read.
        case unreadable
    }

    /// Fields that it looks at, which clients do not get: who balances by them would balance by what is behind the
    /// gateway.
    static let names: [FieldName] = [
        .endpointLoadMetrics, .endpointLoadMetricsJSON, .endpointLoadMetricsBinary,
    ]

    /// What `head` says.
    static func read(_ head: borrowing ResponseHead) -> Reading {
        var reading = Reading.absent
        for field in head.fields {
            guard let spelling = field.known.reportSpelling else { continue }
            take(LoadReportReader.read(head.value(of: field), spelling), &reading)
        }
        return reading
    }

    /// What a trailer section says.
    static func read(_ trailers: borrowing FieldSection) -> Reading {
        var reading = Reading.absent
        for field in trailers.ownFields {
            guard let spelling = field.known.reportSpelling else { continue }
            take(LoadReportReader.read(trailers.value(of: field), spelling), &reading)
        }
        return reading
    }

    private static func take(_ report: LoadReport?, _ reading: inout Reading) {
        guard reading == .absent, let report else {
            reading = .unreadable
            return
        }
        reading = .said(ReportedLoad(queued: report.queued, cacheUse: report.cacheUse))
    }
}

extension FieldName {
    fileprivate var reportSpelling: LoadReportReader.Spelling? {
        switch self {
        case .endpointLoadMetrics: .prefixed
        case .endpointLoadMetricsJSON: .json
        case .endpointLoadMetricsBinary: .binary
        default: nil
        }
    }
}
