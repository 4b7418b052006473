// What the C library tells a process of itself at its start.
#ifndef PENSTOCK_PROCESS_SHIMS_H
#define PENSTOCK_PROCESS_SHIMS_H

#include <sys/types.h>

// How many words the process was started with, the program's name included; 0 where nobody told.
int penstock_argument_count(void);

// The word at `index`, which is below the count; it lives as long as the process.
const char *penstock_argument(int index);

// The variable of the environment at `index`, with its name; NULL behind the last one.
const char *penstock_variable(int index);

// Starts the program at `path` as a process of its own, which finds `descriptors` as 3, 4 and so on, and nothing else that is
// open but the standard streams; its number, or -1. `words` and `variables` end with NULL. `listen_pid` is a place of 12 bytes
// in one of the variables, where the new process writes its own number before it becomes the program.
pid_t penstock_start(
    const char *path, char *const *words, char *const *variables, char *listen_pid, const int *descriptors, int count);

// Whether the process that was started has ended: its status as waitpid has it, or -1 while it runs.
int penstock_ended(pid_t number);

// A file in memory that a process that is started can read; -1 on failure.
int penstock_memory_file(void);

// Has a descriptor be closed when the process becomes another program, and never wait; -1 on failure.
int penstock_adopt(int descriptor);

// Whether the descriptor is a socket that accepts connections.
int penstock_accepts(int descriptor);

#endif
