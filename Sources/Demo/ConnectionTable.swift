// Connections that have to be found again when everything is to be closed, and requests that are
// found by number.

/// Open connections, each at a number that stays while it is open.
struct ConnectionTable<Connection: LoopbackConnection> {
    private var slots: [Connection?] = []
    private var freeSlots: [Int] = []

    /// Connections in the table.
    var count: Int { slots.count - freeSlots.count }

    /// The connection at a number, if it is still there.
    subscript(index: Int) -> Connection? { slots.indices.contains(index) ? slots[index] : nil }

    /// Takes a connection in and gives it its number.
    mutating func insert(_ connection: Connection) {
        if let slot = freeSlots.popLast() {
            connection.tableIndex = slot
            slots[slot] = connection
        } else {
            connection.tableIndex = slots.count
            slots.append(connection)
        }
    }

    /// Lets a connection go.
    mutating func remove(_ connection: Connection) {
        guard connection.tableIndex >= 0 else { return }
        slots[connection.tableIndex] = nil
        freeSlots.append(connection.tableIndex)
        connection.tableIndex = -1
    }

    /// The connections, as they are now.
    var all: [Connection] { slots.compactMap { $0 } }
}
