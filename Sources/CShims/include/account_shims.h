// The machine's users and groups, as its name services know them.
#ifndef PENSTOCK_ACCOUNT_SHIMS_H
#define PENSTOCK_ACCOUNT_SHIMS_H

#include <stdint.h>

// The number of the user, or of the group, called `name`; -1 where there is none, and an errno's negative below that
// where it could not be found out.
int64_t penstock_user_number(const char *name);
int64_t penstock_group_number(const char *name);

#endif
