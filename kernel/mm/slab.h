/* SPDX-License-Identifier: MIT */
#ifndef MM_SLAB_PRIVATE_H
#define MM_SLAB_PRIVATE_H

#include <mm/slab.h>

struct cpu;

void slab_init(void);
int slab_cpu_init(struct cpu *cpu);
uint64_t slab_page_count(void);

#endif
