// Counts heap allocations of the process that it is preloaded into, and on demand notes where they come from.
//
// Everything lies in a file that ALLOCATIONS_FILE names and that is mapped shared: the harness reads the counters and turns
// the noting of call stacks on and off while the process runs, without a signal or a message. allocations.py holds the
// same layout.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

enum { FRAMES = 14, SITES = 4096 };
enum kind { ALLOCATE, RESIZE };

struct site {
    _Atomic uint64_t hash; // 0: free.
    _Atomic uint64_t count, bytes;
    uint64_t frames[FRAMES];
};

struct shared {
    _Atomic uint64_t allocations, resizes, frees, bytes, is_noting, lost;
    struct site sites[SITES];
};

static struct shared *shared;
static _Thread_local int depth;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

__attribute__((constructor)) static void map_counters(void) {
    const char *path = getenv("ALLOCATIONS_FILE");
    if (!path) return;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct shared)) != 0) return;
    void *memory = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory != MAP_FAILED) shared = memory;
}

struct walk {
    uint64_t frames[FRAMES];
    int count, skip;
};

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *argument) {
    struct walk *walk = argument;
    if (walk->skip-- > 0) return _URC_NO_REASON;
    walk->frames[walk->count++] = _Unwind_GetIP(context);
    return walk->count == FRAMES ? _URC_END_OF_STACK : _URC_NO_REASON;
}

__attribute__((noinline)) static void note(size_t bytes) {
    struct walk walk = {.skip = 3};
    _Unwind_Backtrace(step, &walk);
    uint64_t hash = 1469598103934665603ull;
    for (int i = 0; i < walk.count; i++) hash = (hash ^ walk.frames[i]) * 1099511628211ull;
    if (!hash) hash = 1;
    for (size_t probe = 0; probe < SITES; probe++) {
        struct site *site = &shared->sites[(hash + probe) % SITES];
        uint64_t expected = 0;
        if (atomic_compare_exchange_strong(&site->hash, &expected, hash))
            memcpy(site->frames, walk.frames, sizeof walk.frames);
        else if (expected != hash)
            continue;
        site->count++;
        site->bytes += bytes;
        return;
    }
    shared->lost++;
}

__attribute__((noinline)) static void count(enum kind kind, size_t bytes) {
    if (!shared || depth) return;
    depth = 1;
    if (kind == RESIZE) shared->resizes++;
    else shared->allocations++;
    shared->bytes += bytes;
    if (shared->is_noting) note(bytes);
    depth = 0;
}

void *malloc(size_t bytes) {
    count(ALLOCATE, bytes);
    return __libc_malloc(bytes);
}

void *calloc(size_t items, size_t bytes) {
    count(ALLOCATE, items * bytes);
    return __libc_calloc(items, bytes);
}

// With no memory to resize it is an allocation, otherwise it counts as a resize.
void *realloc(void *memory, size_t bytes) {
    count(memory ? RESIZE : ALLOCATE, bytes);
    return __libc_realloc(memory, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
    count(ALLOCATE, bytes);
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    count(ALLOCATE, bytes);
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    count(ALLOCATE, bytes);
    *memory = __libc_memalign(alignment, bytes);
    return *memory ? 0 : 12; // ENOMEM
}

void free(void *memory) {
    if (memory && shared && !depth) shared->frees++;
    __libc_free(memory);
}
