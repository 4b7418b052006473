// What the tests of the observability code share: buffers as text, one gateway with known numbers,
// and files that go away.

import Admission
import Bytes
import Foundation
import HTTP1
import Inference
import Policy
import Reactor

@testable import Gateway
@testable import Telemetry

/// The bytes that `render` appends to an empty buffer, as text.
func rendered(_ render: (inout ByteBuffer) -> Void) -> String {
    var buffer = ByteBuffer()
    render(&buffer)
    return buffer.text
}

extension ByteBuffer {
    /// The readable bytes as an array.
    var array: [UInt8] {
        let bytes = self.bytes
        return (0..<bytes.count).map { bytes[$0] }
    }

    /// The readable bytes as text.
    var text: String { String(decoding: array, as: UTF8.self) }
}

/// One pool with one backend whose numbers are all different from 0 where they can be.
func sampleSnapshot() -> GatewaySnapshot {
    let gateway = GatewayMetrics(version: "1.2.3", startNanoseconds: 1_700_000_000_000_000_000)
    for _ in 0..<5 { gateway.countConnectionAccepted() }
    for _ in 0..<2 { gateway.countConnectionClosed() }
    gateway.connectionsRejected = 1
    gateway.acceptPauses = 2
    gateway.countUnrouted(.noRoute)
    gateway.countUnrouted(.headTooLarge)
    gateway.note(PolicySources(file: "policy.yaml", included: ["chat.yaml"]))
    gateway.countReload(atNanoseconds: 1_700_000_100_500_000_000)
    gateway.countReloadFailure("policy.yaml:1:1: error")
    gateway.countHandshake(isResumed: false, nanoseconds: 30_000_000)
    gateway.countHandshake(isResumed: true, nanoseconds: 3_000_000)
    gateway.countHandshake(failed: .nameUnknown)
    gateway.countCertificateReload(failed: false)
    gateway.countCertificateReload(failed: true)

    let pool = PoolMetrics(name: "chat", backends: ["http://10.0.0.11:8000"])
    pool.countForwarded(afterNanoseconds: 0)
    pool.countForwarded(afterNanoseconds: 30_000_000)
    pool.countRejected(.queueFull, retryAfterSeconds: 4)
    pool.countAbandoned(.clientGone)
    pool.countObserved(.wouldBeRefused, .queueFull)
    pool.countEnded(status: 200, reason: .none, totalNanoseconds: 1_250_000_000)
    pool.countEnded(status: 503, reason: .queueFull, totalNanoseconds: 50_000)
    pool.countEnded(status: 0, reason: .clientGone, totalNanoseconds: 7_000_000_001)
    pool.observeConnect(nanoseconds: 400_000)
    pool.observeFirstByte(nanoseconds: 90_000_000)
    pool.retries = 3
    pool.clientRetries = 31
    pool.fallbacks = 32
    pool.splits = 6
    pool.spills = 1
    for _ in 0..<2 { pool.countMirrorBegun() }
    for outcome in [MirrorOutcome.answered, .refused, .refused] { pool.countMirror(outcome) }
    let traffic = pool.traffic(
        pool.model(Array("llama".utf8)), pool.classes[0], tenant: pool.tenantSlot("acme"))
    traffic.streams.observeFirstToken(nanoseconds: 120_000_000)
    traffic.streams.observeInterToken(nanoseconds: 30_000_000, times: 33)
    // The fence post that has no gap behind it.
    traffic.streams.observeStream(tokens: 34, nanoseconds: 2_000_000_000)
    traffic.streams.observeStream(tokens: 1, nanoseconds: 2_000_000_000)
    traffic.streams.observeStream(tokens: 3, nanoseconds: 0)
    var usage = TokenUsage()
    usage.input = 340
    usage.output = 34
    traffic.countResponse(isInTime: true)
    traffic.countResponse(isInTime: false)
    traffic.countTokens(usage)
    traffic.countCost(nanoseconds: 1_500_000_000, units: 3)
    traffic.countShed(.waitTooLong)
    pool.clientReceivedBytes = 1_001
    pool.clientSentBytes = 2_002
    pool.upstreamReceivedBytes = 3_003
    pool.upstreamSentBytes = 4_004
    pool.backends[0].connectionsOpened = 6
    pool.backends[0].connectionsReused = 7
    pool.backends[0].ejections = 1
    pool.backends[0].unreadableSignals = 4
    pool.backends[0].countAgentPoll(.failed)
    pool.backends[0].reports = 5
    pool.backends[0].unreadableReports = 2
    pool.backends[0].countConnectionFailed(.connectFailed)

    var backend = BackendSnapshot(metrics: pool.backends[0])
    backend.limit = 24
    backend.inFlight = 11
    backend.openConnections = 13
    backend.idleConnections = 2
    backend.evidence.elasticity = 0.25
    backend.evidence.holder = .objective
    backend.boundSeconds = 1.5
    var signal = BackendSignal()
    signal.ceiling = 30
    signal.end = Instant(nanoseconds: 12_000_000_000)
    backend.weight = 3
    backend.signals = [
        SignalSnapshot(
            HeardSignal(
                source: .field, signal: signal, heardAt: Instant(nanoseconds: 2_000_000_000)),
            now: Instant(nanoseconds: 2_500_000_000))
    ]
    backend.report = ReportStatus(
        load: ReportedLoad(queued: 3, cacheUse: 0.97), ageNanoseconds: 250_000_000, cap: 9,
        holdsGrowth: true, isBelieved: true)
    backend.cacheTokens = 900_000
    backend.lastMove = (
        LastMove(from: 20, to: 24, reason: .growth, at: Instant(nanoseconds: 0)), 3_500_000_000
    )
    backend.limitMoves = [
        LimitMoveCount(.up, "room", count: 9), LimitMoveCount(.down, "drop", count: 8),
    ]
    var snapshot = PoolSnapshot(metrics: pool, backends: [backend])
    var discovery = DiscoverySnapshot(source: "file")
    discovery.backends = 1
    discovery.unready = 1
    discovery.goodNanoseconds = 1_700_000_100_500_000_000
    discovery.errors = 2
    discovery.changes = 3
    snapshot.discovery = discovery
    snapshot.affinity = sampleAffinity()
    snapshot.workers = (3, 24)
    pool.workerReturns = 2
    pool.workersLost = 1
    snapshot.hasByteRates = true
    pool.countPaced(.down, bytes: 5_000_000)
    pool.countPaced(.up, bytes: 7)
    pool.countPaced(.down, nanoseconds: 1_250_000_000)
    snapshot.queueRequests = 5
    snapshot.queueBytes = 6_000
    snapshot.oldestWaitNanoseconds = 1_500_000
    snapshot.maxQueueRequests = 256
    snapshot.maxQueueBytes = 1 << 20
    snapshot.drainRatePerSecond = 12.5
    snapshot.maxWaitSeconds = 2.5
    snapshot.recent = sampleRecent()
    snapshot.wanted.wanted = 1.75
    snapshot.isObserving = true
    snapshot.classes = [ClassSnapshot(inFlight: 11, queued: 5)]
    var counts = TenantCounts()
    counts.requests = 90
    counts.retries = 30
    counts.refused = 20
    counts.tokens = 4000
    snapshot.tenants = [
        TenantStatus(name: "acme", inFlight: 7, queued: 4, share: 12, counts: counts)
    ]
    var all = GatewaySnapshot(
        metrics: gateway, wallNanoseconds: 1_700_000_123_456_789_000, pools: [snapshot])
    all.takesWorkers = true
    all.takesBulk = true
    var topic = TopicFigures()
    topic.isUp = true
    topic.readCount = 9
    topic.completedCount = 4
    topic.failedCount = 1
    topic.deadCount = 2
    topic.openCount = 2
    topic.commitCount = 3
    topic.rebalanceCount = 1
    topic.errorCount = 5
    topic.lastError = "a broker is \"away\""
    topic.lags = [3: 7, 0: 1]
    topic.partitionCount = 2
    all.topics = [TopicSnapshot(name: "questions", figures: topic)]
    for status in [101, 101, 401] {
        gateway.countWorkerHandshake(WorkerHandshakeResult(status: status))
    }
    all.maxConnections = 100
    all.certificates = [
        CertificateSnapshot(
            listener: "0.0.0.0:8443", name: "a.example", endSeconds: 1_700_000_000),
        CertificateSnapshot(listener: "[::]:8443", name: "b\"", endSeconds: nil),
    ]
    all.alive.exchanges = 4
    all.alive.dials = 1
    all.alive.timers = 6
    all.uptimeNanoseconds = 123_900_000_000
    all.logs = [("access", LogWriter.Statistics())]
    return all
}

/// What came of late, with numbers that are all different.
private func sampleRecent() -> RecentFigures {
    var recent = RecentFigures()
    recent.seconds = 9
    recent.asked = 80
    recent.refused[Int(Reason.queueFull.rawValue)] = 16
    recent.failed[Int(Reason.upstreamClosed.rawValue)] = 2
    var tenant = TenantCounts()
    tenant.requests = 44
    tenant.refused = 10
    recent.tenants = [tenant]
    var backend = RecentBackend()
    backend.requests = 190
    backend.errors = 5
    backend.firstBytes = [UInt64](repeating: 0, count: Histogram.durationBounds.count + 1)
    backend.firstBytes[3] = 10
    recent.backends = [backend]
    return recent
}

/// Affinity whose numbers are all different.
private func sampleAffinity() -> AffinityStatus {
    var counts = AffinityCounts()
    // Pages tell whole tokens.
    counts.promptBytes = 4_003
    counts.predictedBytes = 3_000
    counts.answeredBytes = 2_000
    counts.reportedBytes = 1_200
    counts.homeStarts = 40
    counts.otherStarts = 3
    counts.newStarts = 7
    counts.forcedStarts = 2
    counts.passes = [30, 5, 4, 0, 1, 0, 0, 0, 0, 0]
    counts.passesSum = 25
    counts.mostPasses = 11
    return AffinityStatus(counts: counts, entries: 1_234, capacity: 65_536)
}

/// A process whose numbers are known.
func sampleProcess() -> ProcessStatistics {
    var process = ProcessStatistics()
    process.cpuNanoseconds = 12_340_000_000
    process.residentBytes = 20_480
    process.virtualBytes = 40_960
    process.openDescriptors = 17
    process.maxDescriptors = 1_024
    process.startNanoseconds = 1_700_000_000_250_000_000
    return process
}

/// The JSON object in `text`, which must be one.
func jsonObject(_ text: some StringProtocol) throws -> [String: Any] {
    let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
    return value as? [String: Any] ?? [:]
}

/// A folder that lives as long as this object.
final class TemporaryFolder {
    /// Its path.
    let path: String

    /// Makes an empty folder.
    init() throws {
        path = NSTemporaryDirectory() + "penstock-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of `name` in it.
    func file(_ name: String) -> String { path + "/" + name }

    /// The lines of the file `name`, without the line feeds; the last must be ended by one.
    func lines(_ name: String) throws -> [Substring] {
        let text = try String(contentsOfFile: file(name), encoding: .utf8)
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    }
}

/// Runs `program` with `input` and returns its output and status.
func run(
    _ program: String, _ arguments: [String] = [], input: [UInt8]
) throws -> (output: [UInt8], status: Int32) {
    let folder = try TemporaryFolder()
    let inputPath = folder.file("input")
    try Data(input).write(to: URL(fileURLWithPath: inputPath))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.standardInput = FileHandle(forReadingAtPath: inputPath)
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return ([UInt8](output), process.terminationStatus)
}

/// A bulk request under way.
func sampleBulk() -> BulkSnapshot {
    BulkSnapshot(
        client: "192.0.2.7", requestID: "a1", ageNanoseconds: 140_000_000_000, linesRead: 40,
        linesCompleted: 30, linesFailed: 2)
}
