/* SPDX-License-Identifier: MIT */
/* Where frames for page tables come from, through start and later. */
#ifndef MM_TABLES_H
#define MM_TABLES_H

#include <lib/types.h>

/* Tables come out of unused ranges in [low, high): at first by the fixmap, then mapped. */
void tables_start(paddr_t low, paddr_t high);
void tables_from_ranges(void);
void tables_from_pages(void); /* the frame allocator is up */

/* Around changes of kernel tables made with page_lock held: tables then come from below the lock.
 */
void tables_begin_locked(void);
void tables_end_locked(void);

uint64_t tables_count(void); /* frames that are tables of programs and the kernel */

#endif
