/* SPDX-License-Identifier: MIT */
/* Where frames for page tables come from, through start and later. */
#ifndef MM_TABLES_H
#define MM_TABLES_H

#include <lib/types.h>

/* At first tables come out of `count` frames next to each other, and are reached at their address
 * plus what *offset becomes. -ENOMEM. */
int tables_start(unsigned count, uintptr_t *offset);
void tables_from_pages(void); /* the linear map is there: gives back what is left of them */

/* Around changes of kernel tables made with page_lock held: tables then come from below the lock.
 */
void tables_begin_locked(void);
void tables_end_locked(void);

uint64_t tables_count(void); /* frames that are tables of programs and the kernel */

#endif
