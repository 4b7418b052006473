// See account_shims.h. An entry's texts need room of the caller's, and nobody says how much: a group has all its members
// in it.
#include "account_shims.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

static const size_t first_bytes = 1 << 12, most_bytes = 1 << 24;

// Asks with as much room as it takes; `ask` answers an errno, and writes the number where there is one.
static int64_t find(const char *name, int (*ask)(const char *, char *, size_t, int64_t *)) {
    for (size_t bytes = first_bytes; bytes <= most_bytes; bytes *= 2) {
        char *room = malloc(bytes);
        if (room == NULL) return -1 - ENOMEM;
        int64_t number = -1;
        int code = ask(name, room, bytes, &number);
        free(room);
        switch (code) {
        case ERANGE: continue;
        // What different services say of a name that they do not have: see getpwnam(3).
        case 0: case ENOENT: case ESRCH: case EBADF: case EPERM: return number;
        default: return -1 - code;
        }
    }
    return -1 - ERANGE;
}

static int ask_user(const char *name, char *room, size_t bytes, int64_t *number) {
    struct passwd entry, *found = NULL;
    int code = getpwnam_r(name, &entry, room, bytes, &found);
    if (found != NULL) *number = entry.pw_uid;
    return code;
}

static int ask_group(const char *name, char *room, size_t bytes, int64_t *number) {
    struct group entry, *found = NULL;
    int code = getgrnam_r(name, &entry, room, bytes, &found);
    if (found != NULL) *number = entry.gr_gid;
    return code;
}

int64_t penstock_user_number(const char *name) { return find(name, ask_user); }

int64_t penstock_group_number(const char *name) { return find(name, ask_group); }
