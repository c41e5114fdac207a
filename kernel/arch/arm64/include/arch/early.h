/* SPDX-License-Identifier: MIT */
/* The image's own tables. The first two are called by boot.S only. */
#ifndef ARCH_EARLY_H
#define ARCH_EARLY_H

#include <lib/types.h>

vaddr_t early_map_image(paddr_t image, const void *tree);
void early_relocate(uint64_t slide);

/* Where all CPUs have BTI: the kernel's text becomes guarded. Once, when all CPUs have reported. */
void image_guard_text(void);

#endif
