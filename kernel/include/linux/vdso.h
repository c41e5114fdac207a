/* SPDX-License-Identifier: MIT
 *
 * The vDSO: a small shared object that the kernel maps into every program, so that reading a clock
 * needs no system call (vdso(7)). Its code is linked on its own from kernel/linux/vdso/.
 */
#ifndef LINUX_VDSO_H
#define LINUX_VDSO_H

#include <lib/types.h>

struct vmspace;

/* Once at boot, after the clock is set up. Without memory programs get no vDSO. */
void vdso_init(void);

/* Maps data page and code; *base is where its ELF header is, 0 if there is none. */
int vdso_map(struct vmspace *vs, vaddr_t *base);

/* Address of __kernel_rt_sigreturn in the running process. */
vaddr_t vdso_sigreturn(void);

#endif
