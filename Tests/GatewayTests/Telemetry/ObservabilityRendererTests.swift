// /metrics: the table of families, the two text formats, and what Prometheus' own checker says of
// them.

import Admission
import Bytes
import Foundation
import Gateway
import HTTP1
import Testing

@testable import Telemetry

@Suite struct ObservabilityRendererTests {
    private func metrics(_ format: MetricsFormat) -> String {
        rendered {
            PrometheusRenderer.render(
                sampleSnapshot(), process: sampleProcess(), format: format, into: &$0)
        }
    }

    @Test func theTextFormatIsAsRecorded() {
        let actual = metrics(.text)
        let golden = goldenMetrics.replacing("SWIFT", with: GatewayMetrics.swiftVersion)
        let pairs = zip(
            actual.split(separator: "\n", omittingEmptySubsequences: false),
            golden.split(separator: "\n", omittingEmptySubsequences: false))
        for (line, expected) in pairs { #expect(line == expected) }
        #expect(actual.utf8.count == golden.utf8.count)
    }

    @Test(arguments: [MetricsFormat.text, .openMetrics])
    func withoutAffinityThePageHasNothingOfIt(format: MetricsFormat) {
        var snapshot = sampleSnapshot()
        snapshot.pools[0].affinity = nil
        snapshot.pools[0].backends[0].cacheTokens = nil
        let text = rendered {
            PrometheusRenderer.render(snapshot, process: sampleProcess(), format: format, into: &$0)
        }
        #expect(!text.contains("affinity") && !text.contains("prefix_tokens"))
        guard format == .text else { return }
        let golden = goldenMetrics.replacing("SWIFT", with: GatewayMetrics.swiftVersion)
        #expect(text == golden.replacing(goldenAffinity + "\n", with: ""))
    }

    @Test func withoutTLSThePageHasNothingOfIt() {
        var snapshot = sampleSnapshot()
        snapshot.certificates = []
        let text = rendered {
            PrometheusRenderer.render(snapshot, process: sampleProcess(), format: .text, into: &$0)
        }
        let golden = goldenMetrics.replacing("SWIFT", with: GatewayMetrics.swiftVersion)
        #expect(text == golden.replacing(goldenTLS + "\n", with: ""))
    }

    @Test func withoutBulkThePageHasNothingOfIt() {
        var snapshot = sampleSnapshot()
        snapshot.takesBulk = false
        let text = rendered {
            PrometheusRenderer.render(snapshot, process: sampleProcess(), format: .text, into: &$0)
        }
        #expect(goldenMetrics.contains("penstock_bulk_lines_total{"))
        #expect(!text.contains("bulk"))
    }

    @Test func withoutRatesThePageHasNothingOfThem() {
        var snapshot = sampleSnapshot()
        snapshot.pools[0].hasByteRates = false
        let text = rendered {
            PrometheusRenderer.render(snapshot, process: sampleProcess(), format: .text, into: &$0)
        }
        let golden = goldenMetrics.replacing("SWIFT", with: GatewayMetrics.swiftVersion)
        #expect(text == golden.replacing(goldenPacing + "\n", with: ""))
    }

    @Test func withoutTopicsThePageHasNothingOfThem() {
        var snapshot = sampleSnapshot()
        snapshot.topics = []
        let text = rendered {
            PrometheusRenderer.render(snapshot, process: sampleProcess(), format: .text, into: &$0)
        }
        #expect(goldenMetrics.contains("penstock_source_lag{"))
        #expect(!text.contains("penstock_source"))
    }

    @Test func withoutWorkersThePageHasNothingOfThem() {
        var snapshot = sampleSnapshot()
        snapshot.takesWorkers = false
        let text = rendered {
            PrometheusRenderer.render(snapshot, process: sampleProcess(), format: .text, into: &$0)
        }
        let golden = goldenMetrics.replacing("SWIFT", with: GatewayMetrics.swiftVersion)
        #expect(text == golden.replacing(goldenWorkers + "\n", with: ""))
    }

    @Test func affinityIsSaidOfPoolsThatHaveIt() {
        var snapshot = sampleSnapshot()
        let other = PoolMetrics(name: "other", backends: ["http://10.0.0.12:8000"])
        snapshot.pools.append(
            PoolSnapshot(metrics: other, backends: [BackendSnapshot(metrics: other.backends[0])]))
        let text = rendered {
            PrometheusRenderer.render(snapshot, process: sampleProcess(), format: .text, into: &$0)
        }
        #expect(text.contains(goldenAffinity))
    }

    @Test func theTableFollowsTheConventions() {
        let families = MetricFamily.all
        #expect(Set(families.map(\.name)).count == families.count)
        for family in families {
            let name = family.name
            #expect(name.hasPrefix("penstock_") || name.hasPrefix("process_"), "\(name)")
            #expect(name.utf8.allSatisfy { $0 == 0x5f || (0x61...0x7a).contains($0) }, "\(name)")
            #expect((family.kind == .counter) == name.hasSuffix("_total"), "\(name)")
            #expect((family.kind == .info) == name.hasSuffix("_info"), "\(name)")
            if let unit = family.unit {
                let ending = "_" + unit.rawValue + (family.kind == .counter ? "_total" : "")
                #expect(name.hasSuffix(ending), "\(name)")
            }
            #expect(family.help.hasSuffix("."), "\(name)")
            let isPlain = family.help.utf8.allSatisfy {
                (0x20..<0x7f).contains($0) && $0 != 0x5c && $0 != 0x22
            }
            #expect(isPlain, "\(name)")
        }
    }

    @Test(arguments: [MetricsFormat.text, .openMetrics])
    func eachFamilyIsDescribedOnceAndAllItsSamplesFollow(format: MetricsFormat) throws {
        var described: [String] = []
        var typed: [String: String] = [:]
        for line in metrics(format).split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            if line.hasPrefix("# HELP ") {
                described.append(words[2])
            } else if line.hasPrefix("# TYPE ") {
                #expect(typed.updateValue(words[3], forKey: words[2]) == nil)
            } else if !line.hasPrefix("#") {
                let current = try #require(described.last)
                let name = line.prefix { $0 != "{" && $0 != " " }
                let suffixes = ["", "_total", "_info", "_bucket", "_sum", "_count"]
                #expect(suffixes.contains { current + $0 == name }, "\(line) under \(current)")
            }
        }
        #expect(described.count == MetricFamily.all.count)
        #expect(Set(described) == Set(typed.keys))
    }

    @Test func openMetricsHasUnitsAndAnEnd() {
        let text = metrics(.openMetrics)
        #expect(text.hasSuffix("\n# EOF\n"))
        #expect(text.contains("# TYPE penstock_build info\n"))
        #expect(text.contains("\npenstock_build_info{version=\"1.2.3\",swift=\""))
        #expect(
            text.contains(
                "# TYPE penstock_client_sent_bytes counter\n# UNIT penstock_client_sent_bytes bytes\n"
                    + "penstock_client_sent_bytes_total{pool=\"chat\"} 2002\n"))
        #expect(text.contains("# UNIT penstock_queue_wait_seconds seconds\n"))
        #expect(!metrics(.text).contains("# UNIT"))
        #expect(!metrics(.text).contains("# EOF"))
    }

    @Test func bothFormatsHaveTheSameSamples() {
        func samples(_ format: MetricsFormat) -> [Substring] {
            metrics(format).split(separator: "\n").filter { !$0.hasPrefix("#") }
        }
        #expect(samples(.text) == samples(.openMetrics))
    }

    @Test func labelsAreEscaped() {
        let pool = PoolMetrics(name: "p", backends: ["http://a\\b\"c\nd"])
        let backend = BackendSnapshot(metrics: pool.backends[0])
        let snapshot = GatewaySnapshot(
            metrics: GatewayMetrics(version: "1", startNanoseconds: 0), wallNanoseconds: 0,
            pools: [PoolSnapshot(metrics: pool, backends: [backend])])
        let text = rendered {
            PrometheusRenderer.render(snapshot, process: sampleProcess(), format: .text, into: &$0)
        }
        #expect(text.contains(#"penstock_limit{pool="p",backend="http://a\\b\"c\nd"} 0"#))
    }

    @Test(arguments: [
        (Double.infinity, "+Inf"), (-Double.infinity, "-Inf"), (.nan, "NaN"), (0.1, "0.1"),
        (1e-7, "1e-07"),
    ])
    func anyDoubleCanBeShown(value: Double, expected: String) {
        var snapshot = sampleSnapshot()
        snapshot.pools[0].drainRatePerSecond = value
        let text = rendered {
            PrometheusRenderer.render(snapshot, process: sampleProcess(), format: .text, into: &$0)
        }
        #expect(text.contains("\npenstock_queue_drain_rate{pool=\"chat\"} \(expected)\n"))
    }

    @Test func renderingAppends() {
        let text = rendered {
            $0.append(text: "before\n")
            PrometheusRenderer.render(
                sampleSnapshot(), process: sampleProcess(), format: .text, into: &$0)
        }
        #expect(text.hasPrefix("before\n# HELP penstock_build_info "))
    }

    @Test(
        "promtool finds nothing to complain about",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool")))
    func promtool() throws {
        let input = Array(metrics(.text).utf8)
        let (output, status) = try run("/usr/bin/promtool", ["check", "metrics"], input: input)
        #expect(status == 0)
        #expect(String(decoding: output, as: UTF8.self) == "")
    }

    @Test(arguments: [
        ("", MetricsFormat.text),
        ("*/*", .text),
        ("text/plain", .text),
        ("application/openmetrics-text", .openMetrics),
        ("Application/OpenMetrics-Text; version=1.0.0; charset=utf-8", .openMetrics),
        ("application/openmetrics-text;q=0", .text),
        ("application/openmetrics-text;q=0.000,text/plain", .text),
        ("application/openmetrics-text;q=0.4,text/plain;q=0.5", .text),
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
                + "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", .openMetrics
        ),
        (
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
                + "text/plain;version=0.0.4;q=0.3", .text
        ),
        ("application/openmetrics-textual", .text),
        (",;q=1,, ;;", .text),
    ])
    func acceptChoosesTheFormat(accept: String, format: MetricsFormat) {
        #expect(MetricsFormat(accept: accept.utf8.span) == format)
    }

    @Test func theReferenceNamesEveryFamily() {
        let text = MetricsReference.markdown()
        for family in MetricFamily.all { #expect(text.contains("| `\(family.name)` | ")) }
        #expect(text.split(separator: "\n").count == MetricFamily.all.count + 2)
    }

    @Test func theProcessIsRead() {
        let before = ProcessStatistics.read()
        #expect(before.cpuNanoseconds > 0)
        #expect(before.residentBytes > 1 << 20)
        #expect(before.virtualBytes >= before.residentBytes)
        #expect(before.openDescriptors >= 3)
        // Other tests open and close files meanwhile.
        let counted = Int64(ProcessStatistics.countDescriptorsOneByOne())
        #expect(abs(counted - Int64(before.openDescriptors)) < 100)
        #expect(before.maxDescriptors >= before.openDescriptors)
        let age = ProcessClock.wallNanoseconds() - before.startNanoseconds
        #expect(age >= 0 && age < 3_600_000_000_000, "started \(age) ns ago")
        #expect(ProcessStatistics.read().startNanoseconds == before.startNanoseconds)
    }
}
