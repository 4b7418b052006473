// Memory that only starting needed.
#ifndef PENSTOCK_MEMORY_SHIMS_H
#define PENSTOCK_MEMORY_SHIMS_H

/// Gives back what the process has touched once and may not touch again: free heap pages, and the pages of code and
/// constants, of the program and its libraries, that are mapped from files and were never written. Those that are needed
/// after all come back from the page cache by themselves.
void penstock_give_memory_back(void);

/// Gives back free heap pages, of all threads' heaps.
void penstock_give_freed_memory_back(void);

#endif
