/* SPDX-License-Identifier: MIT */
/* A fault under way, between fault.c (areas, anonymous memory, what is there) and fault_object.c.
 */
#ifndef MM_FAULT_H
#define MM_FAULT_H

#include <mm/page.h>
#include <mm/vmspace.h>

#define FAULT_AGAIN 1 /* as TRY_AGAIN in fault.c: positive, no errno */

struct fault_state {
    struct vmspace *vs;
    struct vm_area *area; /* valid while vs->lock is held */
    vaddr_t va;           /* of the page */
    unsigned access;
    struct pt_slot
        *slot;         /* free place for the page, NULL if tables are missing; valid as the area */
    bool unlocked;     /* vs->lock was let go on the way */
    struct page *kept; /* reference to drop at the end */
};

int fault_init(void);
int fault_object(struct fault_state *f);
int fault_install(struct fault_state *f, struct page *page, bool writable);
unsigned fault_leaf_prot(const struct fault_state *f, const struct page *page, bool writable);
void fault_make_executable(struct page *page);
void fault_count(struct fault_state *f, uint64_t pages);

/* page.c: enough free memory to spend 2 MiB on one fault */
bool memory_is_plentiful(void);

#endif
