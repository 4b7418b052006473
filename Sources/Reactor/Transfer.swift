// How a value that cannot be copied travels between threads: in a box that a message can hold.

internal import Synchronization

/// A value that one thread leaves and another one takes; what nobody takes ends with the box.
package final class Transfer<Value: ~Copyable & Sendable>: Sendable {
    private let value: Mutex<Value?>

    /// A box with a value for somebody else.
    package init(_ value: consuming Value) { self.value = Mutex(consume value) }

    /// The value, for whoever comes first.
    package func take() -> Value? { value.withLock { $0.take() } }
}
