// Waiting that always ends: nothing in these tests waits longer than `patience`.

import Dispatch
import Foundation
import Synchronization
import Testing

@testable import TestSupport

/// Looks until `condition` holds; records an issue when it does not within `seconds`, with what is there
/// `otherwise`.
func eventually(
    _ what: String, within seconds: Double = patience,
    sourceLocation: SourceLocation = #_sourceLocation, otherwise: () -> String = { "" },
    _ condition: () throws -> Bool
) rethrows {
    let end = Date().addingTimeInterval(seconds)
    while true {
        if try condition() { return }
        guard Date() < end else {
            Issue.record(
                "did not come true: \(what) \(otherwise())", sourceLocation: sourceLocation)
            return
        }
        // What another thread does is looked at now and then.
        usleep(2_000)
    }
}

/// Runs `body` on a thread of its own.
func onThread(_ body: @escaping @Sendable () -> Void) {
    let thread = Thread(block: body)
    thread.stackSize = 1 << 20
    thread.start()
}

/// One value that a thread hands to another.
final class Handover<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let arrived = DispatchSemaphore(value: 0)

    func give(_ value: Value) {
        self.value.withLock { $0 = value }
        arrived.signal()
    }

    /// The value; throws when nobody gives one in time.
    func take(_ what: String, within seconds: Double = patience) throws -> Value {
        guard arrived.wait(timeout: .now() + seconds) == .success else {
            throw TimedOut(description: "waited in vain for \(what)")
        }
        // A value given is there for whoever asks again.
        arrived.signal()
        guard let value = value.withLock({ $0 }) else {
            throw TimedOut(description: "nothing was given for \(what)")
        }
        return value
    }
}

/// A door that stays open once opened: how a test lets a backend's script go on.
final class Door: Sendable {
    private let handover = Handover<Bool>()

    func open() { handover.give(true) }

    /// Waits until the door is open.
    func pass(_ what: String = "a door", within seconds: Double = patience) throws {
        _ = try handover.take(what, within: seconds)
    }
}

/// Seconds that `body` takes.
func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    try body()
    return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
}
