// What a tenant is told about its quotas: OpenAI's and Anthropic's fields for their clients, and the
// fields of draft-ietf-httpapi-ratelimit-headers-11 for everybody.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Telemetry

/// The fields about one tenant's quotas.
struct RateFields {
    private let rates: TenantRates
    /// When a refused request may come back, in whole seconds; nil for one that was not refused.
    private let secondsUntilMore: Int?

    /// What `rates` come to; a refusal also says after how many seconds to come back.
    init(_ rates: TenantRates, secondsUntilMore: Int? = nil) {
        self.rates = rates
        self.secondsUntilMore = secondsUntilMore
    }

    /// Appends the fields that clients of `dialect` read.
    func append(_ dialect: Dialect, to output: inout ByteBuffer) {
        appendStandard(to: &output)
        if let requests = rates.requests { append(requests, "requests", dialect, to: &output) }
        if let tokens = rates.tokens { append(tokens, "tokens", dialect, to: &output) }
    }

    private func appendStandard(to output: inout ByteBuffer) {
        output.append("RateLimit-Policy: ")
        forEach { name, quota, isFirst in
            output.append(isFirst ? "\"" : ", \"")
            output.append(name)
            output.append("\";q=")
            output.append(decimal: quota.perMinute)
            output.append(name == "tokens" ? ";qu=\"tokens\";w=60" : ";w=60")
        }
        output.append("\r\nRateLimit: ")
        forEach { name, quota, isFirst in
            output.append(isFirst ? "\"" : ", \"")
            output.append(name)
            output.append("\";r=")
            output.append(decimal: quota.remaining)
            output.append(";t=")
            output.append(decimal: secondsUntilMore ?? Int(quota.secondsUntilFull.rounded(.up)))
        }
        output.appendLineEnd()
    }

    private func forEach(_ body: (String, RateQuota, Bool) -> Void) {
        if let requests = rates.requests { body("requests", requests, true) }
        if let tokens = rates.tokens { body("tokens", tokens, rates.requests == nil) }
    }

    private func append(
        _ quota: RateQuota, _ name: String, _ dialect: Dialect, to output: inout ByteBuffer
    ) {
        switch dialect {
        case .openAI:
            output.append("x-ratelimit-limit-")
            output.append(name)
            output.append(": ")
            output.append(decimal: quota.perMinute)
            output.append("\r\nx-ratelimit-remaining-")
            output.append(name)
            output.append(": ")
            output.append(decimal: quota.remaining)
            output.append("\r\nx-ratelimit-reset-")
            output.append(name)
            output.append(": ")
            appendDuration(quota.secondsUntilFull, to: &output)
            output.appendLineEnd()
        case .anthropic:
            output.append("anthropic-ratelimit-")
            output.append(name)
            output.append("-limit: ")
            output.append(decimal: quota.perMinute)
            output.append("\r\nanthropic-ratelimit-")
            output.append(name)
            output.append("-remaining: ")
            output.append(decimal: quota.remaining)
            output.append("\r\nanthropic-ratelimit-")
            output.append(name)
            output.append("-reset: ")
            appendTime(afterSeconds: quota.secondsUntilFull, to: &output)
            output.appendLineEnd()
        case .openInference, .textGeneration, .ollama, .plain:
            break
        }
    }

    /// The moment after so many seconds, to the second and not before it, as RFC 3339 has it.
    private func appendTime(afterSeconds seconds: Double, to output: inout ByteBuffer) {
        let now = Double(ProcessClock.wallNanoseconds()) / 1e9
        let time = CalendarTime(secondsSince1970: Int64((now + min(seconds, 1e9)).rounded(.up)))
        output.append(decimal: time.year)
        append(0x2d, time.month, to: &output)
        append(0x2d, time.day, to: &output)
        append(0x54, time.hour, to: &output)
        append(0x3a, time.minute, to: &output)
        append(0x3a, time.second, to: &output)
        output.append("Z")
    }

    private func append(_ separator: UInt8, _ value: Int, to output: inout ByteBuffer) {
        output.append(separator)
        output.append(decimal: value / 10)
        output.append(decimal: value % 10)
    }

    /// A duration as Go writes it, to the millisecond: `0s`, `20ms`, `1.5s`, `6m0s`.
    private func appendDuration(_ seconds: Double, to output: inout ByteBuffer) {
        let milliseconds = Int((min(seconds, 1e9) * 1000).rounded(.up))
        if milliseconds > 0 && milliseconds < 1000 {
            output.append(decimal: milliseconds)
            output.append("ms")
            return
        }
        if milliseconds >= 60_000 {
            output.append(decimal: milliseconds / 60_000)
            output.append("m")
        }
        output.append(decimal: milliseconds / 1000 % 60)
        var rest = milliseconds % 1000
        if rest > 0 { output.append(".") }
        while rest > 0 {
            output.append(decimal: rest / 100)
            rest = rest % 100 * 10
        }
        output.append("s")
    }

    /// Whether a backend's field says what these fields say: a client can only go by one of them.
    static func isRateField(_ name: Span<UInt8>) -> Bool {
        for prefix in prefixes where name.hasPrefix(lowercase: prefix.span) { return true }
        return false
    }

    private static let prefixes = ["x-ratelimit-", "anthropic-ratelimit-", "ratelimit"].map {
        Array($0.utf8)
    }
}
