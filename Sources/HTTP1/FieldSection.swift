// A trailer section on its own: the bytes it came in and its fields.

internal import Bytes

/// Fields with the bytes that their offsets point into; reused from message to message.
package struct FieldSection: Sendable {
    /// The section as received.
    package internal(set) var bytes: [UInt8] = []
    /// The field lines in order.
    package internal(set) var fields: [Field] = []
    /// Field lines that are for this hop, which go no further, in order.
    package internal(set) var ownFields: [Field] = []

    /// Makes an empty section.
    package init() {}

    /// The name of `field`, as received.
    @_lifetime(borrow self)
    package func name(of field: Field) -> Span<UInt8> {
        bytes.span.extracting(field.name)
    }

    /// The value of `field`, as received.
    @_lifetime(borrow self)
    package func value(of field: Field) -> Span<UInt8> {
        bytes.span.extracting(field.value)
    }

    /// Becomes empty and keeps its storage.
    @inline(__always)
    mutating func removeAll() {
        // As a rule there are no trailers, and emptying even an empty array is many calls.
        if !bytes.isEmpty { bytes.removeAll(keepingCapacity: true) }
        if !fields.isEmpty { fields.removeAll(keepingCapacity: true) }
        if !ownFields.isEmpty { ownFields.removeAll(keepingCapacity: true) }
    }
}

extension [UInt8] {
    /// Becomes a copy of `source`, in the storage that is there if it suffices.
    package mutating func replaceAll(with source: Span<UInt8>) {
        // Requests of one client are often as long as the one before.
        if count != source.count {
            removeAll(keepingCapacity: true)
            append(addingCapacity: source.count) { output in
                output.append(repeating: 0, count: source.count)
            }
        }
        var copy = mutableSpan
        copy.write(source, at: 0)
    }
}
