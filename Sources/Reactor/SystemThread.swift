// Threads, for the few things that need one of their own.

internal import CShims
internal import Glibc

/// A running thread that can be waited for, or let go.
package struct SystemThread: Sendable {
    private let thread: pthread_t

    /// What the thread is to do, as an object whose reference C can carry.
    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Starts a thread, named `name` for debuggers (at most 15 bytes), that runs `body`; throws when
    /// the process may not have another one.
    ///
    /// Signals are one thread's business: this one is born with all of them blocked.
    package init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        var all = sigset_t()
        var before = sigset_t()
        var thread = pthread_t()
        // All three are locals that outlive the calls; the reference given to the thread is balanced
        // by its `takeRetainedValue`, or by `release` below.
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        let reference = unsafe Unmanaged.passRetained(Work(body))
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                if let argument = unsafe argument {
                    unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
                }
                return nil
            }, reference.toOpaque())
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        guard code == 0 else {
            unsafe reference.release()
            throw SystemError("start a thread", code: code)
        }
        // The string is borrowed as a C string; the thread exists until it is joined.
        _ = unsafe penstock_name_thread(thread, name)
        self.thread = thread
    }

    /// Lets the thread end by itself; called once, instead of `join`.
    package func detach() { pthread_detach(thread) }

    /// Waits for the thread's end; called once.
    package func join() { _ = pthread_join(thread, nil) }
}
