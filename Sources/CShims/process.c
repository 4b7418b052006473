// See process_shims.h. Swift's own list of the arguments is read from /proc/self/cmdline, which is not there in every
// chroot and container; the GNU C library hands them to each constructor (elf/dl-init.c).
#define _GNU_SOURCE
#include "process_shims.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int count;
static char **words;

__attribute__((constructor)) static void take(int given, char **arguments) {
    count = given;
    words = arguments;
}

int penstock_argument_count(void) { return count; }

const char *penstock_argument(int index) { return words[index]; }

const char *penstock_variable(int index) { return environ[index]; }

// What runs between fork and exec may call nothing that takes a lock: another thread may have held it.
static void become(
    const char *path, char *const *words, char *const *variables, char *listen_pid, const int *descriptors, int count) {
    int copies[4096];
    if (count > (int)(sizeof copies / sizeof *copies)) _exit(126);
    // Out of the way of the places that are wanted first.
    for (int index = 0; index < count; index++) {
        copies[index] = fcntl(descriptors[index], F_DUPFD_CLOEXEC, 3 + count);
        if (copies[index] < 0) _exit(126);
    }
    for (int index = 0; index < count; index++) {
        if (dup2(copies[index], 3 + index) < 0) _exit(126);
    }
    char digits[12];
    int length = 0;
    for (pid_t rest = getpid(); rest > 0; rest /= 10) digits[length++] = (char)('0' + rest % 10);
    for (int index = 0; index < length; index++) listen_pid[index] = digits[length - 1 - index];
    listen_pid[length] = 0;
    execve(path, words, variables);
    _exit(127);
}

pid_t penstock_start(
    const char *path, char *const *words, char *const *variables, char *listen_pid, const int *descriptors, int count) {
    pid_t number = fork();
    if (number == 0) become(path, words, variables, listen_pid, descriptors, count);
    return number;
}

int penstock_ended(pid_t number) {
    int status = 0;
    pid_t found;
    do {
        found = waitpid(number, &status, WNOHANG);
    } while (found < 0 && errno == EINTR);
    return found == number ? status : found == 0 ? -1 : 0;
}

int penstock_memory_file(void) { return memfd_create("penstock-handover", MFD_CLOEXEC); }

int penstock_adopt(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL, 0);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) return -1;
    return fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

int penstock_accepts(int descriptor) {
    int accepts = 0;
    socklen_t length = sizeof accepts;
    return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) == 0 && accepts;
}
