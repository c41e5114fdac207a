/* SPDX-License-Identifier: MIT */
/* Instructions that may fault, and where to go on if they do; built by `on_fault` of arch/asm.h. */
#ifndef ARCH_EXCEPTION_TABLE_H
#define ARCH_EXCEPTION_TABLE_H

#include <lib/types.h>

struct exception_entry {
    int32_t instruction, fixup; /* each relative to its own address */
};

/* Where to go on after a fault at `pc`, 0 if nowhere. */
vaddr_t exception_table_find(vaddr_t pc);

#endif
