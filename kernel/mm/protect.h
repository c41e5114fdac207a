/* SPDX-License-Identifier: MIT */
/* Changes of a part of an area; vmspace->lock is write-held. */
#ifndef MM_PROTECT_H
#define MM_PROTECT_H

#include "area.h"

/* Cuts *area so that it is exactly [start, end), which lies in it. */
int area_isolate(struct vmspace *vs, struct vm_area **area, vaddr_t start, vaddr_t end);

int area_change_flags(struct vmspace *vs, struct vm_area *area, vaddr_t start, vaddr_t end,
                      unsigned clear, unsigned set, struct list_node *dead);

#endif
