// eventfd, which Swift's Glibc module leaves out: how threads wake each other. And what is known of threads and
// processors only under _GNU_SOURCE.
#ifndef PENSTOCK_THREAD_SHIMS_H
#define PENSTOCK_THREAD_SHIMS_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Makes an event counter at 0; the caller closes it. -1 and errno when the process is out of
/// descriptors.
static inline int penstock_event_make(void) {
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/// Adds 1 to the counter, which wakes its waiter. Never blocks: a full counter is as good a signal.
static inline void penstock_event_signal(int event) {
    uint64_t one = 1;
    ssize_t ignored;
    do { ignored = write(event, &one, sizeof one); } while (ignored < 0 && errno == EINTR);
}

/// Waits until the counter is above 0, at most `milliseconds` (-1: for ever), and sets it to 0.
/// Returns whether it was above 0.
static inline int penstock_event_wait(int event, int milliseconds) {
    struct pollfd waiting = { .fd = event, .events = POLLIN };
    int ready;
    do { ready = poll(&waiting, 1, milliseconds); } while (ready < 0 && errno == EINTR);
    uint64_t count;
    return ready > 0 && read(event, &count, sizeof count) == (ssize_t)sizeof count;
}

// Both are only declared under _GNU_SOURCE, which would give C types other shapes than Swift's Glibc module has.
extern int pthread_setname_np(pthread_t thread, const char *name);
extern long syscall(long number, ...);

/// Names a thread for debuggers; at most 15 bytes. 0, or an error number.
static inline int penstock_name_thread(pthread_t thread, const char *name) {
    return pthread_setname_np(thread, name);
}

/// Processors that the calling thread may run on; 0 where the kernel does not tell.
static inline int penstock_bound_processors(void) {
    unsigned long set[1024 / sizeof(unsigned long)] = {0};
    // The kernel itself answers with the bytes that it has written.
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof set, set);
    int count = 0;
    for (long index = 0; index < bytes / (long)sizeof set[0]; index++) count += __builtin_popcountl(set[index]);
    return count;
}

#endif
