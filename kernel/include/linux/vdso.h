/* SPDX-License-Identifier: MIT
 *
 * The vDSO: a small shared object that the kernel maps into every program, so that reading a clock
 * needs no system call (vdso(7)). Its code is linked on its own from kernel/linux/vdso/.
 */
#ifndef LINUX_VDSO_H
#define LINUX_VDSO_H

#include <lib/types.h>

struct vmspace;

/* Once at boot, after the clock is set up. */
void vdso_init(void);

/* First of all in a new address space: maps data page and code at the top of what mmap gives, which
 * ends below them from then on. *base is where its ELF header is. */
int vdso_map(struct vmspace *vs, vaddr_t *base);

/* Address of __kernel_rt_sigreturn in the running process. */
vaddr_t vdso_sigreturn(void);

#endif
