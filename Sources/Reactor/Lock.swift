// The lock of what reactors share: a plain mutex of the C library, which is free in the moment it is
// let go of, for whoever runs. Swift's `Mutex` is one that the kernel hands from waiter to waiter
// (FUTEX_LOCK_PI): with more threads than processors the next holder is mostly one that does not
// run, and all of them go at the pace of the scheduler, at a hundredth of what a plain mutex does.

internal import Glibc

/// A value that one thread at a time may look at and change.
@safe package struct Lock<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    /// Made in `init`, gone in `deinit`; a mutex may not move.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    /// Reached only while `mutex` is held.
    private let value: UnsafeMutablePointer<Value>

    /// A lock around `value` that nobody holds.
    package init(_ value: consuming Value) {
        unsafe mutex = .allocate(capacity: 1)
        var attributes = pthread_mutexattr_t()
        unsafe pthread_mutexattr_init(&attributes)
        // A holder needs it for less than a microsecond: it is worth looking a few times before
        // sleeping.
        unsafe pthread_mutexattr_settype(&attributes, CInt(PTHREAD_MUTEX_ADAPTIVE_NP))
        unsafe pthread_mutex_init(mutex, &attributes)
        unsafe pthread_mutexattr_destroy(&attributes)
        unsafe self.value = .allocate(capacity: 1)
        unsafe self.value.initialize(to: value)
    }

    deinit {
        unsafe value.deinitialize(count: 1)
        unsafe value.deallocate()
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Runs `body` with the value to itself.
    ///
    /// It must not take the same lock again, nor hand the value on.
    package func withLock<Result: ~Copyable>(_ body: (inout Value) -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return unsafe body(&value.pointee)
    }
}
