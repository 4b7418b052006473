// The copies of requests that a shard has under way, within bounds.

internal import Policy

/// Copies that wait for the end of the turn in which they were made, and copies that are being answered.
struct MirroredRequests {
    private var table = IndexedTable<MirroredRequest>()
    private var waiting: [MirroredRequest] = []
    /// Bytes of requests that they have in memory.
    private(set) var bytes = 0

    /// Whether any waits to be sent.
    var hasWaiting: Bool { !waiting.isEmpty }

    /// All that are under way.
    var all: [MirroredRequest] { table.all }

    /// Whether one more of `count` bytes may be made.
    func hasRoom(for count: Int, _ settings: Route.Mirror) -> Bool {
        table.count < settings.maxInFlight && bytes + count <= settings.maxBytes
    }

    /// Takes in one that was just made.
    mutating func add(_ request: MirroredRequest) {
        bytes += request.bytes
        table.insert(request)
        waiting.append(request)
    }

    /// Hands out those that wait to be sent.
    mutating func takeWaiting() -> [MirroredRequest] {
        defer { waiting.removeAll() }
        return waiting
    }

    /// Forgets one that has ended.
    mutating func remove(_ request: MirroredRequest) {
        guard request.tableIndex >= 0 else { return }
        bytes -= request.bytes
        table.remove(request)
    }
}
