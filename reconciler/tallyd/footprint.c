/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/tallyd/footprint.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * MADV_DONTNEED throws changes of private pages away. A segment that is loaded without PF_W has none: what
 * relocation writes to (RELRO) lies in the segments with PF_W, and we are not linked with text relocations.
 */
static int drop_clean(struct dl_phdr_info *info, size_t size, void *userdata) {
        const uintptr_t *mask = userdata;

        for (size_t i = 0; i < info->dlpi_phnum; i++) {
                const ElfW(Phdr) *p = &info->dlpi_phdr[i];
                uintptr_t start = (uintptr_t)(info->dlpi_addr + p->p_vaddr), end = start + p->p_filesz;

                if (p->p_type != PT_LOAD || (p->p_flags & PF_W))
                        continue;
                start &= ~*mask;
                (void)madvise((void *)start, end - start, MADV_DONTNEED);
        }
        return 0;
}

void footprint_shrink(void) {
        uintptr_t mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;

        (void)malloc_trim(0);
        (void)dl_iterate_phdr(drop_clean, &mask);
}
