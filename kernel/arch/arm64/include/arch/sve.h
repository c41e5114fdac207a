/* SPDX-License-Identifier: MIT */
/*
 * Scalable vectors (SVE): which vector lengths all CPUs have, and which one each thread has chosen
 * (Linux sve.rst). Lengths are counted in quadwords of 16 bytes, "vq", as in ZCR_EL1.LEN + 1. The
 * registers themselves belong to arch/fpu.h.
 */
#ifndef ARCH_SVE_H
#define ARCH_SVE_H

#include <lib/types.h>

#define SVE_VQ_MAX   16 /* 2048 bits */
#define SVE_VQ_BYTES 16

#define SVE_VL_SETTABLE 8192 /* bytes that prctl takes: more than any CPU has */

/* In struct thread; the thread's own, set by execve and prctl, inherited by clone. */
struct sve_length {
    uint8_t vq;         /* now; 0 before the first execve, or without SVE */
    uint8_t vq_on_exec; /* of the next program; 0: the default then */
    bool inherit;       /* vq_on_exec stays across execve */
};

/* Z0..Z31, P0..P15 and FFR, in the layout that signal frames have too. */
static inline size_t sve_bytes(unsigned vq)
{
    return vq * (32u * 16 + 17 * 2);
}

/* Every CPU that has SVE once, before programs run: keeps the lengths that all have. */
void sve_cpu_init(void);

bool sve_supported(void);
unsigned sve_longest(void);

/* The longest length that is not longer than `vq`; one quadword is always there. */
unsigned sve_choose(unsigned vq);

/* What execve gives where nothing else is asked for: 512 bits at most, unless set otherwise. */
unsigned sve_default(void);
void sve_set_default(unsigned vq);

/* execve of the current thread. */
void sve_length_exec(void);

/*
 * prctl(PR_SVE_SET_VL, `bytes` | flags): the new length in bytes, or the one that execve will set
 * if `on_exec`. The registers beyond V are lost if the length changes. -EINVAL.
 */
int sve_length_set(unsigned bytes, bool inherit, bool on_exec);

#endif
