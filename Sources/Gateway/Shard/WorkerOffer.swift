// What a worker asks for with its handshake, and why it may not have it. Pure: bytes in, a decision out.

internal import Bytes
internal import HTTP1
internal import Policy

/// Why a worker is not taken.
struct WorkerRefusal: Error, Equatable {
    /// The status of the response.
    let status: Int
    /// What it says, for people.
    let text: String
    /// Seconds after which it is worth coming back; nil for never as things are.
    var retryAfterSeconds: Int?

    /// The policy has no such place, or nobody knows the key.
    static let noKey = WorkerRefusal(
        status: 401, text: "a worker shows its key: Authorization: Bearer pw_...")
    static let unknownKey = WorkerRefusal(status: 401, text: "the key is not known")
    static let otherPool = WorkerRefusal(status: 403, text: "the key is not for this pool")
    static let noPool = WorkerRefusal(
        status: 404, text: "ask for /v1/workers/POOL, a pool that takes workers")
    static let noUpgrade = WorkerRefusal(
        status: 426, text: "write Connection: upgrade and Upgrade: ptth")
    static let noName = WorkerRefusal(
        status: 400,
        text: "write Penstock-Worker: NAME; credits=N, a name of up to 64 letters, digits and .:_-")
    static let noCredits = WorkerRefusal(
        status: 400, text: "credits is a number from 1 to \(WorkerField.mostCredits)")
    static let otherProtocol = WorkerRefusal(
        status: 400, text: "after the upgrade HTTP/1.1 is spoken: ALPN: http%2F1.1")
    static let withBody = WorkerRefusal(status: 400, text: "a worker's handshake has no body")
    static let spokeEarly = WorkerRefusal(
        status: 400, text: "nothing may be sent before the first request")
    static let draining = WorkerRefusal(
        status: 503, text: "the gateway is shutting down", retryAfterSeconds: 1)
    static let tooManyWorkers = WorkerRefusal(
        status: 503, text: "the pool has as many workers as it takes", retryAfterSeconds: 30)
    static let tooManyConnections = WorkerRefusal(
        status: 503, text: "the worker has as many connections as it may", retryAfterSeconds: 5)
    static let late = WorkerRefusal(status: 408, text: "the handshake did not arrive in time")

    /// A head that is none.
    init(_ error: ParseError) {
        status = error.status
        text = error.message
    }

    private init(status: Int, text: String, retryAfterSeconds: Int? = nil) {
        self.status = status
        self.text = text
        self.retryAfterSeconds = retryAfterSeconds
    }
}

/// A worker that may come in.
struct WorkerOffer: Equatable {
    /// The pool that it is for.
    let pool: String
    /// What it says of itself.
    let field: WorkerField

    private static let path = "/v1/workers/"

    /// Reads the head of a handshake; `keys` are those that are known, `takers` the pools that take workers.
    init(
        _ head: borrowing RequestHead, keys: WorkerKeyTable, takers: Set<String>
    ) throws(WorkerRefusal) {
        // Who shows no key learns nothing of what there is.
        let pools = try WorkerOffer.pools(head, keys)
        guard let pool = WorkerOffer.pool(head), takers.contains(pool) else { throw .noPool }
        guard pools.contains(pool) else { throw .otherPool }
        guard head.asksForReverse else { throw .noUpgrade }
        if head.hasBody { throw .withBody }
        try WorkerOffer.checkProtocol(head)
        self.pool = pool
        field = try WorkerOffer.field(head)
    }

    private static func pools(
        _ head: borrowing RequestHead, _ keys: WorkerKeyTable
    ) throws(WorkerRefusal) -> [String] {
        guard let place = APIKey.place(in: head), place.rank == 0 else { throw .noKey }
        guard let digest = KeyDigest(of: head.span(place.range)), let pools = keys.pools(of: digest)
        else { throw .unknownKey }
        return pools
    }

    private static func pool(_ head: borrowing RequestHead) -> String? {
        let path = head.span(head.path)
        let start = WorkerOffer.path.utf8.count
        guard path.count > start, path.hasPrefix(WorkerOffer.path) else { return nil }
        return path.extracting(start...).text
    }

    /// What is spoken after the upgrade; a worker that does not say it means what there is.
    private static func checkProtocol(_ head: borrowing RequestHead) throws(WorkerRefusal) {
        var isSaid = false
        for field in head.fields where head.name(of: field).equals(lowercase: "alpn") {
            isSaid = true
            let value = head.value(of: field)
            var start = 0
            for end in 0...value.count where end == value.count || value[end] == 0x2c {
                let element = value.extracting(start..<end)
                if element.trimmedEquals(lowercase: "http%2f1.1") { return }
                start = end + 1
            }
        }
        if isSaid { throw .otherProtocol }
    }

    private static func field(_ head: borrowing RequestHead) throws(WorkerRefusal) -> WorkerField {
        for field in head.fields where head.name(of: field).equals(lowercase: "penstock-worker") {
            do throws(WorkerField.Fault) {
                return try WorkerField.read(head.value(of: field))
            } catch .credits {
                throw .noCredits
            } catch {
                throw .noName
            }
        }
        throw .noName
    }
}

/// The keys of workers by their digests.
struct WorkerKeyTable {
    private let byHash: [Int: [(digest: KeyDigest, pools: [String])]]

    /// The table of `keys`.
    init(_ keys: [WorkerKey]) {
        let all = keys.map { (digest: KeyDigest($0.digest.span), pools: $0.pools) }
        byHash = Dictionary(grouping: all) { $0.digest.hash }
    }

    /// The pools of the key with that digest; nil for nobody's.
    ///
    /// Nobody can choose a key by its digest, so the time tells nothing that helps to find one.
    func pools(of digest: KeyDigest) -> [String]? {
        byHash[digest.hash]?.first { $0.digest.isEqual(to: digest) }?.pools
    }
}

extension Span<UInt8> {
    /// Whether it is `text`, in lower case, in letters of any case and without white space around it.
    fileprivate func trimmedEquals(lowercase text: String) -> Bool {
        var start = 0
        var end = count
        while start < end, self[start] == 0x20 || self[start] == 0x09 { start += 1 }
        while end > start, self[end - 1] == 0x20 || self[end - 1] == 0x09 { end -= 1 }
        return extracting(start..<end).equals(lowercase: text)
    }
}
