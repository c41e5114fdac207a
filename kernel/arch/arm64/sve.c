/* SPDX-License-Identifier: MIT */
/* Vector lengths of SVE: what CPUs have, what threads choose. (Arm ARM B1.4.2, D19.2.155 ZCR_EL1.)
 */
#include <arch/features.h>
#include <arch/fpu.h>
#include <arch/registers.h>
#include <arch/sve.h>
#include <arch/sysreg.h>
#include <core/thread.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>

#include "sve_registers.h"

#define VQ_DEFAULT  4 /* programs that do not ask meet no larger signal frames than this gives */
#define ALL_LENGTHS 0xffffu
#define LENGTH(vq)  (1u << ((vq)-1))

static uint32_t lengths = ALL_LENGTHS; /* bit n: n + 1 quadwords */
static uint8_t default_vq;             /* 0: VQ_DEFAULT */

/* A length that a CPU lacks gives the next shorter one. */
static uint32_t probe(void)
{
    reg_t access = sysreg_read(cpacr_el1);
    uint32_t found = 0;

    sysreg_write(cpacr_el1, CPACR_FP_OPEN | CPACR_SVE_OPEN);
    isb();
    for (unsigned vq = SVE_VQ_MAX; vq > 0; vq--) {
        sysreg_write(S3_0_C1_C2_0, vq - 1); /* ZCR_EL1 */
        isb();
        vq = sve_vector_bytes() / SVE_VQ_BYTES;
        found |= LENGTH(vq);
    }
    sysreg_write(cpacr_el1, access);
    isb();
    return found;
}

void sve_cpu_init(void)
{
    lengths &= probe();
}

bool sve_supported(void)
{
    return id_field(ID_PFR0, ID_AA64PFR0_SVE_SHIFT) != 0 && lengths != 0;
}

unsigned sve_longest(void)
{
    return sve_choose(SVE_VQ_MAX);
}

unsigned sve_choose(unsigned vq)
{
    while (vq > 1 && (lengths & LENGTH(vq)) == 0)
        vq--;
    return vq;
}

unsigned sve_default(void)
{
    unsigned vq = READ_ONCE(default_vq);

    return vq != 0 ? vq : sve_choose(VQ_DEFAULT);
}

void sve_set_default(unsigned vq)
{
    WRITE_ONCE(default_vq, (uint8_t)vq);
}

void sve_length_exec(void)
{
    struct sve_length *length = &current()->sve;

    if (!sve_supported())
        return;
    length->vq = length->vq_on_exec != 0 ? length->vq_on_exec : (uint8_t)sve_default();
    if (!length->inherit)
        length->vq_on_exec = 0;
}

int sve_length_set(unsigned bytes, bool inherit, bool on_exec)
{
    struct sve_length *length = &current()->sve;

    if (!sve_supported() || bytes == 0 || bytes % SVE_VQ_BYTES != 0 || bytes > SVE_VL_SETTABLE)
        return -EINVAL;
    uint8_t vq = (uint8_t)sve_choose(min(bytes / SVE_VQ_BYTES, (unsigned)SVE_VQ_MAX));

    length->inherit = inherit;
    length->vq_on_exec = inherit || on_exec ? vq : 0;
    if (!on_exec && vq != length->vq) {
        fpu_sve_drop();
        length->vq = vq;
    }
    return vq * SVE_VQ_BYTES;
}
