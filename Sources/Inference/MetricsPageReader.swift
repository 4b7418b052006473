// An engine's own page of metrics in Prometheus' text format, of which the gateway needs two numbers. It is read as it is
// written by engines that may be broken: a line that cannot be read is passed over, and so is a value that no queue and no
// cache can have.

internal import Bytes

/// Reads pages of metrics.
package enum MetricsPageReader {
    /// Bytes of the longest page.
    package static let mostBytes = 256 << 10

    /// What `page` says; nil where nothing in it is known, or it is too long.
    ///
    /// An engine may have a line for each of its models or parts: what waits is the sum, and of caches the fullest
    /// counts.
    package static func read(_ page: Span<UInt8>) -> LoadReport? {
        guard page.count <= mostBytes else { return nil }
        var report = LoadReport()
        var start = 0
        while start < page.count {
            var end = start
            while end < page.count, page[end] != 0x0a { end += 1 }
            take(page.extracting(start..<end), into: &report)
            start = end + 1
        }
        return report == LoadReport() ? nil : report
    }

    private enum Meaning { case queued, cacheUse }

    private static func take(_ line: Span<UInt8>, into report: inout LoadReport) {
        var end = 0
        while end < line.count, isName(line[end]) { end += 1 }
        guard end > 0, let labels = labels(line, from: end) else { return }
        let name = line.extracting(..<end)
        guard let meaning = meaning(of: name, line.extracting(labels)),
            let value = value(line, from: labels.upperBound)
        else { return }
        switch meaning {
        case .queued:
            guard (0...1e9).contains(value) else { return }
            report.queued = min((report.queued ?? 0) + value, 1e9)
        case .cacheUse:
            guard (0...1).contains(value) else { return }
            report.cacheUse = max(report.cacheUse ?? 0, value)
        }
    }

    /// The names of engines: vLLM's (the second cache's was used up to 0.9), SGLang's, TGI's, llama.cpp's and Triton's.
    private static func meaning(of name: Span<UInt8>, _ labels: Span<UInt8>) -> Meaning? {
        if name.equals("vllm:num_requests_waiting") || name.equals("sglang:num_queue_reqs")
            || name.equals("tgi_queue_size") || name.equals("llamacpp:requests_deferred")
            || name.equals("nv_inference_pending_request_count")
        {
            return .queued
        }
        if name.equals("vllm:kv_cache_usage_perc") || name.equals("vllm:gpu_cache_usage_perc")
            || name.equals("sglang:token_usage")
        {
            return .cacheUse
        }
        if name.equals("nv_trt_llm_request_metrics") {
            return has(labels, "request_type=\"waiting\"") ? .queued : nil
        }
        if name.equals("nv_trt_llm_kv_cache_block_metrics") {
            return has(labels, "kv_cache_block_type=\"fraction\"") ? .cacheUse : nil
        }
        return nil
    }

    private static func has(_ labels: Span<UInt8>, _ pair: String) -> Bool {
        labels.indices.contains { labels.extracting($0...).hasPrefix(pair) }
    }

    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x3a, 0x41...0x5a, 0x5f, 0x61...0x7a: true
        default: false
        }
    }

    /// The labels behind a name, with their braces; empty where there are none, nil where they do not end.
    private static func labels(_ line: Span<UInt8>, from start: Int) -> Range<Int>? {
        guard start < line.count, line[start] == 0x7b else { return start..<start }
        var isQuoted = false
        var index = start + 1
        while index < line.count {
            switch line[index] {
            case 0x22: isQuoted.toggle()
            case 0x5c where isQuoted: index += 1
            case 0x7d where !isQuoted: return start..<(index + 1)
            default: break
            }
            index += 1
        }
        return nil
    }

    /// The value behind blanks, whatever stands behind it.
    private static func value(_ line: Span<UInt8>, from start: Int) -> Double? {
        var begin = start
        while begin < line.count, isBlank(line[begin]) { begin += 1 }
        guard begin > start else { return nil }
        var end = begin
        while end < line.count, !isBlank(line[end]) { end += 1 }
        return LoadReportReader.number(line.extracting(begin..<end))
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0d
    }
}
