// Connections that have to be found again when everything is to be closed, and requests that are
// found by number.

/// Open connections, each at a number that stays while it is open.
struct ConnectionTable<Connection: LoopbackConnection> {
    private var places: [Connection?] = []
    private var freePlaces: [Int] = []

    /// Connections in the table.
    var count: Int { places.count - freePlaces.count }

    /// The connection at a number, if it is still there.
    subscript(index: Int) -> Connection? { places.indices.contains(index) ? places[index] : nil }

    /// Takes a connection in and gives it its number.
    mutating func insert(_ connection: Connection) {
        if let place = freePlaces.popLast() {
            connection.tableIndex = place
            places[place] = connection
        } else {
            connection.tableIndex = places.count
            places.append(connection)
        }
    }

    /// Lets a connection go.
    mutating func remove(_ connection: Connection) {
        guard connection.tableIndex >= 0 else { return }
        places[connection.tableIndex] = nil
        freePlaces.append(connection.tableIndex)
        connection.tableIndex = -1
    }

    /// The connections, as they are now.
    var all: [Connection] { places.compactMap { $0 } }
}
