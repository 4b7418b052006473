// See memory_shims.h. The walk over the loaded objects is an extension of the C library's.
#define _GNU_SOURCE
#include "memory_shims.h"
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

// Drops the pages of an object's segments that cannot be written. What the linker writes while it loads an object, and
// then protects, lies in segments that can be, so nothing is lost: a page that is read again is the file's again.
static int drop_unwritten(struct dl_phdr_info *object, size_t size, void *page_bytes) {
    (void)size;
    uintptr_t page = *(uintptr_t *)page_bytes;
    for (int index = 0; index < object->dlpi_phnum; index++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
        // An object whose code is patched while it is loaded says so, and is left alone.
        if (segment->p_type == PT_DYNAMIC) {
            const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(object->dlpi_addr + segment->p_vaddr);
            for (; entry->d_tag != DT_NULL; entry++)
                if (entry->d_tag == DT_TEXTREL) return 0;
        }
    }
    for (int index = 0; index < object->dlpi_phnum; index++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W)) continue;
        uintptr_t begin = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz) & ~(page - 1);
        // Refused for the kernel's own object, which is no file; that is no loss.
        if (begin < end) madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
    return 0;
}

void penstock_give_freed_memory_back(void) {
    malloc_trim(0);
}

void penstock_give_memory_back(void) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    penstock_give_freed_memory_back();
    dl_iterate_phdr(drop_unwritten, &page);
}
