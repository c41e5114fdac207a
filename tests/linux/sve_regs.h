// SPDX-License-Identifier: MIT
// The scalable registers as a block of memory: Z0..Z31, P0..P15, FFR, in the layout that signal
// frames have too (asm/sigcontext.h), and code that loads them, does something, and stores them.
#pragma once

#include "check.h"
#include <asm/hwcap.h>
#include <asm/sigcontext.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#define VQ_MAX       16u
#define REGS_BYTES   ((size_t)SVE_SIG_REGS_SIZE(VQ_MAX))
#define NO_CALL      (~0ul)
#define SPIN_FOREVER (~0ul)

struct sve_regs {
    _Alignas(16) uint8_t bytes[VQ_MAX * (32 * 16 + 17 * 2)];
};

// Loads `in`, makes the system call `number` (NO_CALL: none) and stores what is in the registers.
long sve_call(const struct sve_regs *in, struct sve_regs *out, unsigned long number, long a, long b,
              long c);

// Loads `in`, sets flags[1], turns in a loop until flags[0] is set or `turns` are over, stores. No
// system call in it.
void sve_spin(const struct sve_regs *in, struct sve_regs *out, volatile int flags[2],
              unsigned long turns);

unsigned sve_rdvl(void);

__asm__(".text\n"
        ".arch_extension sve\n"
        ".macro sve_enter\n"
        "    stp x29, x30, [sp, #-96]!\n"
        "    stp d8, d9, [sp, #16]\n stp d10, d11, [sp, #32]\n"
        "    stp d12, d13, [sp, #48]\n stp d14, d15, [sp, #64]\n"
        "    str x1, [sp, #80]\n"
        "    addvl x10, x0, #16\n addvl x10, x10, #16\n"
        "    ldr p0, [x10, #16, mul vl]\n wrffr p0.b\n"
        "    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    ldr p\\n, [x10, #\\n, mul vl]\n"
        "    .endr\n"
        "    .irp "
        "n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "    ldr z\\n, [x0, #\\n, mul vl]\n"
        "    .endr\n"
        ".endm\n"
        ".macro sve_leave\n"
        "    ldr x11, [sp, #80]\n"
        "    addvl x10, x11, #16\n addvl x10, x10, #16\n"
        "    .irp "
        "n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "    str z\\n, [x11, #\\n, mul vl]\n"
        "    .endr\n"
        "    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    str p\\n, [x10, #\\n, mul vl]\n"
        "    .endr\n"
        "    rdffr p0.b\n str p0, [x10, #16, mul vl]\n"
        "    ldp d8, d9, [sp, #16]\n ldp d10, d11, [sp, #32]\n"
        "    ldp d12, d13, [sp, #48]\n ldp d14, d15, [sp, #64]\n"
        "    ldp x29, x30, [sp], #96\n"
        "    ret\n"
        ".endm\n"
        ".globl sve_call, sve_spin, sve_rdvl\n"
        "sve_call:\n"
        "    sve_enter\n"
        "    mov x8, x2\n mov x0, x3\n mov x1, x4\n mov x2, x5\n"
        "    cmn x8, #1\n b.eq 1f\n"
        "    svc #0\n"
        "1:  sve_leave\n"
        "sve_spin:\n"
        "    sve_enter\n"
        "    mov w9, #1\n str w9, [x2, #4]\n"
        "2:  ldr w9, [x2]\n cbnz w9, 3f\n"
        "    subs x3, x3, #1\n b.ne 2b\n"
        "3:  sve_leave\n"
        ".balign 4\n"
        "sve_rdvl:\n"
        "    rdvl x0, #1\n ret\n");

__attribute__((unused)) static bool has_sve(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_SVE) != 0;
}

#define NEEDS_SVE()                     \
    do {                                \
        if (!has_sve())                 \
            SKIP("the CPU has no SVE"); \
    } while (0)

__attribute__((unused)) static unsigned vq_now(void)
{
    return (unsigned)(prctl(PR_SVE_GET_VL) & PR_SVE_VL_LEN_MASK) / 16;
}

static size_t regs_bytes(unsigned vq)
{
    return SVE_SIG_REGS_SIZE(vq);
}

// Bytes that differ from seed to seed; FFR must begin with ones, as many as the seed says.
__attribute__((unused)) static void sve_fill(struct sve_regs *regs, unsigned seed, unsigned vq)
{
    size_t ffr = regs_bytes(vq) - 2 * vq;
    for (size_t i = 0; i < ffr; i++)
        regs->bytes[i] = (uint8_t)((i * 31 + seed * 97) ^ (i >> 5) ^ seed);
    for (size_t i = 0; i < 2 * vq; i++)
        regs->bytes[ffr + i] = i < 1 + seed % (2 * vq) ? 0xff : 0;
}

__attribute__((unused)) static bool sve_same(const struct sve_regs *a, const struct sve_regs *b,
                                             unsigned vq)
{
    return memcmp(a, b, regs_bytes(vq)) == 0;
}

// Are the low 128 bits of Z those of `in`, and all other bits zero?
__attribute__((unused)) static bool sve_only_v(const struct sve_regs *in,
                                               const struct sve_regs *out, unsigned vq)
{
    struct sve_regs expected = {0};
    for (unsigned i = 0; i < 32; i++)
        memcpy(expected.bytes + i * vq * 16, in->bytes + i * vq * 16, 16);
    return sve_same(&expected, out, vq);
}

// Each vector length that the system has, the shortest first; returns how many.
__attribute__((unused)) static unsigned sve_lengths(unsigned vqs[VQ_MAX])
{
    unsigned count = 0;
    long before = prctl(PR_SVE_GET_VL);
    for (unsigned vq = 1; vq <= VQ_MAX; vq++)
        if ((prctl(PR_SVE_SET_VL, vq * 16) & PR_SVE_VL_LEN_MASK) == vq * 16)
            vqs[count++] = vq;
    prctl(PR_SVE_SET_VL, before & PR_SVE_VL_LEN_MASK);
    return count;
}
