// What a scrape of /metrics gets: all families in one of two text formats, whichever the scraper
// asked for.

package import Bytes

/// The text formats in which metrics can be had.
package enum MetricsFormat: Equatable, Sendable {
    /// Prometheus' text format 0.0.4.
    case text
    /// OpenMetrics 1.0.
    case openMetrics

    /// The value of the `Content-Type` field.
    package var contentType: String {
        switch self {
        case .text: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The format that the value of an `Accept` field prefers (RFC 9110 section 12.5.1); the text
    /// format for an empty value, and for one that names neither.
    package init(accept: Span<UInt8>) {
        var openMetrics = 0
        var text = 0
        WeightedList.forEach(in: accept) { name, weight in
            let name = accept.extracting(name)
            if name.equals(lowercase: "application/openmetrics-text") {
                openMetrics = max(openMetrics, weight)
            } else if name.equals(lowercase: "text/plain") {
                text = max(text, weight)
            }
        }
        self = openMetrics > 0 && openMetrics >= text ? .openMetrics : .text
    }
}

/// Renders the metrics.
package enum PrometheusRenderer {
    /// Renders all families of which `snapshot` has something into `buffer`, after what it holds.
    package static func render(
        _ snapshot: GatewaySnapshot, process: ProcessStatistics = .read(), format: MetricsFormat,
        into buffer: inout ByteBuffer
    ) {
        // The writer owns the buffer for a while; taking it out of `inout` needs something in its
        // place.
        var taken = ByteBuffer()
        swap(&taken, &buffer)
        var writer = MetricsWriter(format: format, into: taken)
        let scrape = MetricsScrape(gateway: snapshot, process: process)
        let isDone = MetricFamily.Part.allCases.map { $0.isDone(by: snapshot) }
        for family in MetricFamily.all where isDone[family.part.rawValue] {
            writer.begin(family)
            family.write(&writer, scrape)
        }
        buffer = writer.finish()
    }
}

/// The list of all metrics for people.
package enum MetricsReference {
    /// A Markdown table of all families, in the order in which they are shown.
    package static func markdown() -> String {
        var text = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
        for family in MetricFamily.all {
            let labels = family.labels.map { "`\($0)`" }.joined(separator: ", ")
            text += "| `\(family.name)` | \(family.kind.rawValue) | \(labels) | \(family.help) |\n"
        }
        return text
    }
}
