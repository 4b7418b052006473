// The two text formats of Prometheus, line by line. Labels arrive escaped and joined already.

internal import Bytes

/// Appends the families' lines to a buffer, in one of the two formats.
struct MetricsWriter: ~Copyable {
    private(set) var buffer: ByteBuffer
    private let format: MetricsFormat
    private var name = ""

    init(format: MetricsFormat, into buffer: consuming ByteBuffer) {
        self.format = format
        self.buffer = buffer
    }

    /// Gives the buffer back.
    consuming func finish() -> ByteBuffer {
        if format == .openMetrics { buffer.append(text: "# EOF\n") }
        return buffer
    }

    /// Begins a family: the lines that describe it.
    mutating func begin(_ family: MetricFamily) {
        name = family.name
        let described = family.name(in: format)
        buffer.append(text: "# HELP ")
        buffer.append(text: described)
        buffer.append(0x20)
        buffer.append(text: family.help)
        buffer.append(text: "\n# TYPE ")
        buffer.append(text: described)
        buffer.append(0x20)
        let hasType = format == .openMetrics || family.kind != .info
        buffer.append(text: hasType ? family.kind.rawValue : MetricFamily.Kind.gauge.rawValue)
        if format == .openMetrics, let unit = family.unit {
            buffer.append(text: "\n# UNIT ")
            buffer.append(text: described)
            buffer.append(0x20)
            buffer.append(text: unit.rawValue)
        }
        buffer.append(0x0a)
    }

    /// A sample with a whole number.
    mutating func sample(_ labels: String, _ value: UInt64) {
        head("", labels)
        buffer.append(unsigned: value)
        buffer.append(0x0a)
    }

    /// A sample with a whole number and one more label.
    mutating func sample(_ labels: String, _ more: String, _ value: UInt64) {
        head("", labels, more)
        buffer.append(unsigned: value)
        buffer.append(0x0a)
    }

    /// A sample with a whole number and two more labels.
    mutating func sample(_ labels: String, _ more: String, _ last: String, _ value: UInt64) {
        head("", labels, more, last)
        buffer.append(unsigned: value)
        buffer.append(0x0a)
    }

    /// A sample with a whole number and three more labels.
    mutating func sample(
        _ labels: String, _ more: String, _ third: String, _ last: String, _ value: UInt64
    ) {
        head("", labels, more, third, last)
        buffer.append(unsigned: value)
        buffer.append(0x0a)
    }

    /// A sample with any number.
    mutating func sample(_ labels: String, double value: Double) {
        head("", labels)
        switch value {
        case _ where value.isNaN: buffer.append(text: "NaN")
        case .infinity: buffer.append(text: "+Inf")
        case -.infinity: buffer.append(text: "-Inf")
        default: buffer.append(text: value.description)
        }
        buffer.append(0x0a)
    }

    /// A sample that is a duration or a moment; 0 for a negative one.
    mutating func seconds(_ labels: String, nanoseconds: Int64) {
        head("", labels)
        buffer.append(secondsOf: UInt128(max(0, nanoseconds)))
        buffer.append(0x0a)
    }

    /// The samples of a histogram.
    mutating func histogram(_ labels: String, _ histogram: Histogram) {
        var cumulative: UInt64 = 0
        for (index, count) in histogram.counts.enumerated() {
            cumulative &+= count
            head("_bucket", labels, "le=\"", closed: false)
            if index < histogram.bounds.count {
                buffer.append(secondsOf: UInt128(histogram.bounds[index]))
            } else {
                buffer.append(text: "+Inf")
            }
            buffer.append(text: "\"} ")
            buffer.append(unsigned: cumulative)
            buffer.append(0x0a)
        }
        head("_sum", labels)
        buffer.append(secondsOf: histogram.sumNanoseconds)
        buffer.append(0x0a)
        head("_count", labels)
        buffer.append(unsigned: cumulative)
        buffer.append(0x0a)
    }

    private mutating func head(
        _ suffix: String, _ labels: String, _ more: String = "", _ third: String = "",
        _ last: String = "", closed: Bool = true
    ) {
        buffer.append(text: name)
        buffer.append(text: suffix)
        if labels.isEmpty && more.isEmpty {
            buffer.append(0x20)
            return
        }
        buffer.append(0x7b)
        buffer.append(text: labels)
        if !more.isEmpty {
            if !labels.isEmpty { buffer.append(0x2c) }
            buffer.append(text: more)
        }
        if !third.isEmpty {
            buffer.append(0x2c)
            buffer.append(text: third)
        }
        if !last.isEmpty {
            buffer.append(0x2c)
            buffer.append(text: last)
        }
        if closed { buffer.append(text: "} ") }
    }
}

extension MetricFamily {
    /// The name in the lines that describe the family: OpenMetrics has it without the samples'
    /// suffix.
    func name(in format: MetricsFormat) -> String {
        guard format == .openMetrics else { return name }
        return switch kind {
        case .counter: String(name.dropLast("_total".count))
        case .info: String(name.dropLast("_info".count))
        case .gauge, .histogram: name
        }
    }
}

extension ByteBuffer {
    /// Appends `nanoseconds` as seconds, exactly, with at least one decimal and no more than
    /// needed.
    mutating func append(secondsOf nanoseconds: UInt128) {
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        append(unsigned: UInt64(truncatingIfNeeded: seconds))
        append(0x2e)
        var remaining = Int(rest)
        var divisor = 100_000_000
        repeat {
            append(0x30 &+ UInt8(truncatingIfNeeded: remaining / divisor))
            remaining %= divisor
            divisor /= 10
        } while remaining > 0
    }
}
