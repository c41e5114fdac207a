/* SPDX-License-Identifier: MIT */
/* Called by boot.S only. */
#ifndef ARCH_EARLY_H
#define ARCH_EARLY_H

#include <lib/types.h>

vaddr_t early_map_image(paddr_t image, const void *tree);
void early_relocate(uint64_t slide);

#endif
