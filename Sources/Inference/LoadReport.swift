// What a server reports of its load beside a response: `xds.data.orca.v3.OrcaLoadReport`, of which the gateway needs
// two numbers. A report comes from a server that may be broken or lie, so it is checked as a whole: one with a value that is
// no finite number, with one name twice, or with more than `mostEntries` says nothing.

internal import Bytes

/// What a report says.
package struct LoadReport: Equatable, Sendable {
    /// Requests that wait within the server, from 0; nil where that is not said.
    package var queued: Double?
    /// The share of its cache of keys and values that is in use, 0...1; nil where that is not said.
    package var cacheUse: Double?

    /// Bytes of the longest report, as it is spelt in a field.
    package static let mostBytes = 4096
    /// Entries of the largest one.
    package static let mostEntries = 64

    /// Nothing is said.
    package init() {}
}

/// A report in the making.
struct LoadReportEntries {
    /// What is said so far.
    private(set) var report = LoadReport()
    private var names: [[UInt8]] = []

    /// Maps of the message, by their names in its three spellings (protobuf's JSON mapping has humps).
    enum Map: UInt8 {
        case requestCost = 4
        case utilization = 5
        case namedMetrics = 8

        var prefix: StaticString {
            switch self {
            case .requestCost: "request_cost."
            case .utilization: "utilization."
            case .namedMetrics: "named_metrics."
            }
        }

        init?(key: Span<UInt8>) {
            if key.equals("named_metrics") || key.equals("namedMetrics") {
                self = .namedMetrics
            } else if key.equals("utilization") {
                self = .utilization
            } else if key.equals("request_cost") || key.equals("requestCost") {
                self = .requestCost
            } else {
                return nil
            }
        }
    }

    /// Takes an entry with its whole name, such as `named_metrics.num_requests_waiting`; false where the report is
    /// none.
    mutating func take(_ name: [UInt8], _ value: Double) -> Bool {
        guard value.isFinite, names.count < LoadReport.mostEntries, !names.contains(name) else {
            return false
        }
        names.append(name)
        switch Self.meaning(of: name) {
        case .queued:
            guard (0...1e9).contains(value) else { return false }
            report.queued = value
        case .cacheUse:
            guard (0...1).contains(value) else { return false }
            report.cacheUse = value
        case .none: break
        }
        return true
    }

    /// Takes an entry of a map.
    mutating func take(_ name: [UInt8], of map: Map, _ value: Double) -> Bool {
        take(map.prefix.bytes + name, value)
    }

    private enum Meaning { case none, queued, cacheUse }

    /// What an entry means: vLLM's names, of now and of before, Triton's and SGLang's.
    private static func meaning(of name: [UInt8]) -> Meaning {
        guard let dot = name.firstIndex(of: 0x2e) else { return .none }
        let map = name.span.extracting(..<dot)
        guard map.equals("named_metrics") || map.equals("utilization") else { return .none }
        let last = name.span.extracting((dot + 1)...)
        if last.equals("num_requests_waiting") || last.equals("num_queue_reqs") { return .queued }
        let isCacheUse =
            last.equals("kv_cache_usage_perc") || last.equals("kv_cache_utilization")
            || last.equals("gpu_cache_usage_perc") || last.equals("token_usage")
        return isCacheUse ? .cacheUse : .none
    }
}

extension StaticString {
    fileprivate var bytes: [UInt8] { Array(description.utf8) }
}
