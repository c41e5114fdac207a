/* SPDX-License-Identifier: MIT */
/* Whole pages, by the widest means that need no FP registers. Both addresses are page-aligned. */
#ifndef ARCH_PAGE_OPS_H
#define ARCH_PAGE_OPS_H

#include <lib/types.h>

void page_clear(void *page);                   /* PAGE_SIZE bytes */
void page_copy(void *to, const void *from);    /* PAGE_SIZE bytes */
void memory_clear(void *start, size_t length); /* any multiple of PAGE_SIZE */

#endif
