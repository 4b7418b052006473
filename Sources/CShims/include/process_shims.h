// What the C library tells a process of itself at its start.
#ifndef PENSTOCK_PROCESS_SHIMS_H
#define PENSTOCK_PROCESS_SHIMS_H

// How many words the process was started with, the program's name included; 0 where nobody told.
int penstock_argument_count(void);

// The word at `index`, which is below the count; it lives as long as the process.
const char *penstock_argument(int index);

#endif
