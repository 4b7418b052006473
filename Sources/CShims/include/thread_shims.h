// eventfd, which Swift's Glibc module leaves out: how threads wake each other.
#ifndef PENSTOCK_THREAD_SHIMS_H
#define PENSTOCK_THREAD_SHIMS_H

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
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

#endif
