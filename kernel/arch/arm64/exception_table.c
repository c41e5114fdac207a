/* SPDX-License-Identifier: MIT */
/* The table of instructions that may fault. It is short: a linear search costs less than sorting.
 */
#include <arch/exception_table.h>

extern const struct exception_entry __exception_table_start[], __exception_table_end[];

vaddr_t exception_table_find(vaddr_t pc)
{
    for (const struct exception_entry *e = __exception_table_start; e < __exception_table_end;
         e++) {
        if ((vaddr_t)&e->instruction + (vaddr_t)(intptr_t)e->instruction == pc)
            return (vaddr_t)&e->fixup + (vaddr_t)(intptr_t)e->fixup;
    }
    return 0;
}
