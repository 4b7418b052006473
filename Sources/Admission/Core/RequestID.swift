// Names that the caller and the controller use for one another's things. Both are plain numbers, so
// that holding or comparing one costs nothing.

/// A request's name, chosen by the caller; the controller only hands it back.
package struct RequestID: Hashable, Sendable {
    /// The number that the caller chose.
    package var rawValue: UInt64

    /// Names a request by `rawValue`.
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// A backend's slot in the controller's table.
///
/// It stays valid across `reconfigure` for backends that stay. The slot of a removed backend is
/// given to another one only after the last of its requests has ended.
package struct BackendID: Hashable, Sendable {
    /// Index into the table, from 0; at the start backends have the order they were given in.
    package var index: Int

    /// The backend at slot `index`.
    package init(index: Int) { self.index = index }
}
