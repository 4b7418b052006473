// Files that are changed by what was found, and not by a name that somebody else may have given to another file since.
#ifndef PENSTOCK_FILE_SHIMS_H
#define PENSTOCK_FILE_SHIMS_H

#include <sys/types.h>

// Opens what lies at `path` to be looked at, without following a link or waking anybody; -1 with errno where there is
// nothing.
int penstock_find_file(const char *path);

// Changes the owner and group of what a call above found; 0, or -1 with errno.
int penstock_change_owner(int file, uid_t owner, gid_t group);

// Changes the permissions of what a call above found at `path`; 0, or -1 with errno.
int penstock_change_mode(int file, const char *path, mode_t mode);

#endif
