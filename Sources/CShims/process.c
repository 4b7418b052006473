// See process_shims.h. Swift's own list of the arguments is read from /proc/self/cmdline, which is not there in every
// chroot and container; the GNU C library hands them to each constructor (elf/dl-init.c).
#include "process_shims.h"

static int count;
static char **words;

__attribute__((constructor)) static void take(int given, char **arguments) {
    count = given;
    words = arguments;
}

int penstock_argument_count(void) { return count; }

const char *penstock_argument(int index) { return words[index]; }
