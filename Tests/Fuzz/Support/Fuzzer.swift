// What every target needs: the way from libFuzzer's pointer to an array, and a way to fail.

/// The `count` bytes at `pointer`, which libFuzzer lends for the call.
package func copied(_ pointer: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] {
    unsafe Array(UnsafeBufferPointer(start: pointer, count: count))
}

/// Ends the process, which libFuzzer takes for a crash and keeps the input of.
package func require(_ holds: Bool, _ message: @autoclosure () -> String) {
    if !holds { fatalError(message()) }
}
