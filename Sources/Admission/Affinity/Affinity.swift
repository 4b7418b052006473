// What a pool knows of where prompts are known: which backend has seen which beginning, what is read there
// now, and what a request would cost at each. Pure, as all of the controller.
//
// The cost of a request r at a backend b is the delay that it causes to everybody there, itself included:
//
//     J(r, b) = a u (n + 1) + q + o (2 n + 1) / (L (1 + k))
//
// with a the seconds of a byte that has to be read and u those bytes, n the requests in flight there, q the
// time until what was sent there before has been read, o the seconds of a usual answer, L the backend's
// limit, and k = e / (1 - e), with e the elasticity at which limits stop. Without prompts in common that is
// the least share of the limit in flight; with them a backend may have as many more than the others as what
// its cache saves is worth.

/// The state of a pool's affinity; without one it is empty, and nothing looks at it.
struct Affinity: Sendable {
    /// Costs within this share of the least count as the same, and a hash decides, by which all gateways
    /// that share the backends decide alike.
    static let tie = 1.02
    /// e / (1 - e) of the default elasticity.
    private static let elasticityTerm = 0.15 / 0.85
    /// Requests by which what a backend reports of its cache is judged.
    private static let judged = 100
    /// Bytes that should have been known from which on a report says something: engines keep prompts in blocks, of
    /// up to 128 tokens, and know nothing of less than one.
    private static let judgedBytes = 2_048
    /// How often nothing at all was known of what should have been, until the backend is taken for a new one.
    private static let misses = 3

    /// What is kept of one backend.
    private struct Row: Sendable {
        /// A hash of its name, the same at all gateways.
        var hash: UInt64 = 0
        /// When all that was sent there will have been read.
        var readBy = Instant(nanoseconds: .min / 2)
        /// Shares of prompts that should have been known and that were, over the requests counted.
        var predicted = 0.0
        var reported = 0.0
        var count = 0
        var missesInRow = 0
    }

    /// What is kept of a request that waits, by its slot in the queue.
    struct Parked: Sendable {
        var keys: PrefixKeys?
        var match = PrefixMatch()
        /// Requests that were started before it although it was its turn.
        var passes = 0
        /// Whether it starts because these are enough.
        var isForced = false
    }

    private(set) var settings: AffinitySettings?
    private(set) var index = PrefixIndex()
    private var rows: [Row] = []
    private var time = PromptTime()
    /// The share of prompts that was known somewhere, of about the last hundred started requests.
    private(set) var knownShare = 0.0
    private static let knownStep = 0.01
    /// The prompt of the request that comes next, the one that was looked up last, and what is known of that.
    var prepared: PrefixKeys?
    var keys: PrefixKeys?
    var current = PrefixMatch()
    private var parked: [Parked] = []
    /// What requests in flight were expected to find, by the slot that their permits name, and the free slots.
    private var running: [PromptShare] = []
    private var freeSlots: [Int32] = []
    /// What the request was expected to find whose permit was spent last.
    private var ended = PromptShare()
    var counts = AffinityCounts()
    /// Where choices are worked out; kept so that nothing is allocated for one.
    var options: [AffinityOption] = []
    var candidates: [FairQueue.Candidate] = []

    /// Whether the pool has affinity.
    var isOn: Bool { settings != nil }

    /// Puts settings in force; what is known stays if they are the same.
    mutating func reconfigure(
        _ new: AffinitySettings?, backends keys: [String], random: inout SplitMix64
    ) {
        guard new != settings else { return }
        settings = new
        index.reset(entries: new?.entries ?? 0, salt: new == nil ? 0 : random.next())
        rows = []
        parked = []
        guard new != nil else { return }
        for (backend, key) in keys.enumerated() { add(backend, key: key) }
    }

    /// A backend's row is that of another one from now on.
    mutating func add(_ backend: Int, key: String) {
        guard let settings else { return }
        while rows.count <= backend { rows.append(Row()) }
        rows[backend] = Row(hash: key.nameHash)
        index.add(backend, capacityBytes: settings.capacityBytes)
    }

    /// A backend's cache is gone: it was started anew, or will not be asked for long.
    mutating func forget(_ backend: Int) {
        guard isOn else { return }
        index.forget(backend)
        rows[backend].missesInRow = 0
    }

    /// Which backends know a prompt.
    mutating func match(_ keys: PrefixKeys?) -> PrefixMatch {
        guard isOn, let keys else { return PrefixMatch() }
        time.expect(size: Double(keys.bytes))
        return index.match(keys)
    }

    /// Keeps what is known of a request that waits.
    mutating func park(_ slot: Int32) {
        while parked.count <= Int(slot) { parked.append(Parked()) }
        parked[Int(slot)] = Parked(keys: keys, match: current)
    }

    /// What is known of a request that waits; nothing of one that came before the pool had affinity.
    func waiting(_ slot: Int32) -> Parked {
        Int(slot) < parked.count ? parked[Int(slot)] : Parked()
    }

    /// Another request was started before one whose turn it was.
    mutating func pass(_ slot: Int32) {
        if Int(slot) < parked.count { parked[Int(slot)].passes += 1 }
    }

    /// Enough others were started before a request: it starts now, wherever.
    mutating func force(_ slot: Int32) {
        if Int(slot) < parked.count { parked[Int(slot)].isForced = true }
    }

    /// What a request that waited is known by, which is forgotten with that.
    mutating func takeParked(_ slot: Int32) -> Parked {
        guard Int(slot) < parked.count else { return Parked() }
        defer { parked[Int(slot)] = Parked() }
        return parked[Int(slot)]
    }

    /// Works out what decides at a backend with so many in flight of that limit.
    func load(at backend: Int, inFlight: Int, limit: Int, now: Instant) -> AffinityLoad {
        let backlog = max(0, rows[backend].readBy.seconds(since: now))
        let each = time.answerSeconds / (Double(max(1, limit)) * (1 + Self.elasticityTerm))
        return AffinityLoad(
            secondsPerByte: time.secondsPerByte * Double(inFlight + 1),
            seconds: backlog + each * Double(2 * inFlight + 1))
    }

    /// What orders backends whose costs are the same: the highest random weight (Thaler, Ravishankar: "Using
    /// Name-Based Mappings to Increase Hit Rates", 1998).
    func rank(of backend: Int, for key: UInt64) -> UInt64 {
        var mixed = SplitMix64(seed: rows[backend].hash ^ key)
        return mixed.next()
    }

    /// The request whose prompt was looked up last goes to a backend.
    ///
    /// The slot is for the permit; -1 where nothing is known of the prompt.
    mutating func begin(
        at backend: Int, answerTokens: Int, isForced: Bool, now: Instant
    ) -> Int32 {
        let match = current
        guard let keys, !match.isEmpty else { return -1 }
        let known = match.knownBytes(at: backend)
        let unknown = match.bytes - min(match.bytes, known)
        countStart(match, known, isForced: isForced)
        counts.promptBytes += Int(match.bytes)
        counts.predictedBytes += Int(known)
        let start = max(now, rows[backend].readBy)
        let ahead = Double(start.nanoseconds(since: now)) / 1e9
        let seconds = min(time.secondsPerByte * Double(unknown), 3_600)
        rows[backend].readBy = start.advanced(byNanoseconds: Int64(seconds * 1e9))
        let before = time.secondsPerByte > 0 ? min(ahead / time.secondsPerByte, 1e9) : 0
        index.record(keys, at: backend, answerBytes: AffinitySettings.bytesPerToken * answerTokens)
        return run(PromptShare(bytes: match.bytes, known: known, ahead: Float(before)))
    }

    private mutating func run(_ share: PromptShare) -> Int32 {
        guard let slot = freeSlots.popLast() else {
            running.append(share)
            return Int32(running.count - 1)
        }
        running[Int(slot)] = share
        return slot
    }

    /// A permit was spent.
    mutating func end(_ slot: Int32) {
        ended = running[Int(slot)]
        freeSlots.append(slot)
    }

    private mutating func countStart(_ match: PrefixMatch, _ known: UInt32, isForced: Bool) {
        knownShare += (Double(match.mostBytes) / Double(match.bytes) - knownShare) * Self.knownStep
        if isForced {
            counts.forcedStarts += 1
        } else if match.count == 0 {
            counts.newStarts += 1
        } else if known == match.mostBytes {
            counts.homeStarts += 1
        } else {
            counts.otherStarts += 1
        }
    }

    /// The request whose permit was spent last was answered well, and its backend said this of its cache.
    mutating func learn(
        at backend: Int, _ work: ServedWork, firstByteSeconds: Double, totalSeconds: Double
    ) {
        let share = ended
        guard isOn, share.bytes > 0, rows.indices.contains(backend) else { return }
        var known = Double(share.known)
        if work.promptTokens > 0 {
            let part = min(1, Double(work.cachedTokens) / Double(work.promptTokens))
            counts.answeredBytes += Int(share.bytes)
            counts.reportedBytes += Int(part * Double(share.bytes))
            if share.known >= Self.judgedBytes {
                judge(Double(share.known) / Double(share.bytes), part, at: backend)
            }
            known = part * Double(share.bytes)
        }
        if time.isUnknown {
            // What was taken for the time of reading was a guess.
            for row in rows.indices { rows[row].readBy = Instant(nanoseconds: .min / 2) }
        }
        time.learn(
            size: Double(share.bytes), own: Double(share.bytes) - known,
            ahead: Double(share.ahead), firstByteSeconds: firstByteSeconds,
            totalSeconds: totalSeconds)
    }

    /// Compares what a backend should have known with what it says: a cache that is smaller than it was
    /// taken for is taken for smaller, and one that knows nothing any more for empty.
    private mutating func judge(_ predicted: Double, _ reported: Double, at backend: Int) {
        guard let settings else { return }
        if predicted > 0.5 {
            rows[backend].missesInRow = reported == 0 ? rows[backend].missesInRow + 1 : 0
            if rows[backend].missesInRow >= Self.misses { forget(backend) }
        }
        rows[backend].predicted += predicted
        rows[backend].reported += min(reported, predicted)
        rows[backend].count += 1
        guard rows[backend].count >= Self.judged else { return }
        let most = settings.capacityBytes
        let capacity = index.capacityBytes(of: backend)
        if rows[backend].reported < 0.7 * rows[backend].predicted {
            index.setCapacity(of: backend, bytes: max(capacity * 0.9, most / 1_000))
        } else if rows[backend].reported > 0.9 * rows[backend].predicted {
            index.setCapacity(of: backend, bytes: min(capacity * 1.05, most))
        }
        rows[backend].predicted = 0
        rows[backend].reported = 0
        rows[backend].count = 0
    }

    /// Tokens that a backend's cache is taken to hold.
    func capacityTokens(of backend: Int) -> Int {
        Int(index.capacityBytes(of: backend) / Double(AffinitySettings.bytesPerToken))
    }
}

/// What a request that runs was expected to find.
struct PromptShare: Sendable {
    /// Bytes of its prompt, and how many its backend was taken to know.
    var bytes: UInt32 = 0
    var known: UInt32 = 0
    /// Bytes of others that were read before.
    var ahead: Float = 0
}

/// What decides at one backend: a prompt of which u bytes are not known costs `seconds` + u `secondsPerByte`.
struct AffinityLoad: Sendable {
    var secondsPerByte = 0.0
    var seconds = 0.0

    /// The cost of a request there, in seconds of everybody's.
    func cost(of match: PrefixMatch, at backend: Int) -> Double {
        let unknown = match.bytes - min(match.bytes, match.knownBytes(at: backend))
        return seconds + secondsPerByte * Double(unknown)
    }
}

/// What affinity came to, since the controller was made.
package struct AffinityCounts: Equatable, Sendable {
    /// Bytes of prompts of started requests, and how many of them their backends were taken to know.
    package var promptBytes = 0
    package var predictedBytes = 0
    /// Bytes of those prompts of which backends have said how much they knew, and how many they said.
    package var answeredBytes = 0
    package var reportedBytes = 0
    /// Requests that were started where most of their prompt is known of all, and elsewhere.
    package var homeStarts = 0
    package var otherStarts = 0
    /// Requests that were known nowhere.
    package var newStarts = 0
    /// Requests that were started because enough others had passed them, wherever that was; each request counts
    /// in one of these four.
    package var forcedStarts = 0
    /// Requests that had waited, by how many others had passed them: none, 1, 2 to 3, 4 to 7 and so on.
    package var passes = [Int](repeating: 0, count: 10)
    /// All of these passes together, and the most by which any one was passed.
    package var passesSum = 0
    package var mostPasses = 0

    /// The most passes that count in each entry of `passes` but the last, which has no bound.
    package var passBounds: [Int] { (0..<passes.count - 1).map { (1 << $0) - 1 } }

    /// Nothing yet.
    package init() {}

    mutating func countPasses(_ count: Int) {
        let bucket = count == 0 ? 0 : Int.bitWidth - count.leadingZeroBitCount
        passes[min(bucket, passes.count - 1)] += 1
        passesSum += count
        mostPasses = max(mostPasses, count)
    }
}
