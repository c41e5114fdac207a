/* SPDX-License-Identifier: MIT */
/*
 * The records in a signal frame (asm/sigcontext.h), for sigframe.c and sigframe_records.c: each
 * begins with its kind and size; they follow one another from `reserved` on, up to a terminator.
 */
#ifndef LINUX_ABI64_SIGFRAME_H
#define LINUX_ABI64_SIGFRAME_H

#include <lib/types.h>

#include "../signal_internal.h"

struct record_head {
    uint32_t magic, size;
};

#define FPSIMD_MAGIC 0x46508001u
#define ESR_MAGIC    0x45535201u
#define SVE_MAGIC    0x53564501u
#define EXTRA_MAGIC  0x45585401u

struct fpsimd_record {
    struct record_head head;
    uint32_t fpsr, fpcr;
    __uint128_t vregs[32];
};

struct esr_record {
    struct record_head head;
    uint64_t esr;
};

/* The head of a record in one piece. */
#define RECORD_WORD(magic, type) ((uint64_t)sizeof(type) << 32 | (magic))

/* Offsets in the frame: siginfo, ucontext, and in it sigcontext (asm/sigcontext.h). */
#define AT_UCONTEXT   ABI64_SIGINFO_SIZE
#define AT_FAULT      (AT_UCONTEXT + 176) /* fault_address */
#define AT_REGS       (AT_FAULT + 8)      /* x0..x30, sp, pc, pstate, as in struct trapframe */
#define AT_RESERVED   (AT_FAULT + 288)
#define AT_VREGS      (AT_RESERVED + 16)
#define AT_TAIL       (AT_RESERVED + sizeof(struct fpsimd_record))
#define RESERVED_SIZE 4096
#define SIGFRAME_SIZE (AT_RESERVED + RESERVED_SIZE)
#define FRAME_RECORD  16 /* frame pointer and return address, AAPCS64 6.4.6 */

/* Bytes from siginfo to the end of the frame for `info`; more than usual with long SVE registers.
 */
size_t sigframe_size(const struct signal_info *info);

/*
 * Ends the records of the frame for `info`, which is at `frame` and has its FPSIMD and ESR records:
 * an SVE record if there is SVE, the terminator. 0 or -EFAULT.
 */
int sigframe_write_sve(vaddr_t frame, const struct signal_info *info);

/*
 * Takes FP and SVE registers from the records of the frame at `frame`, whatever the program made of
 * them: 0, -EINVAL, -EFAULT or -ENOMEM.
 */
int sigframe_restore_records(vaddr_t frame);

#endif
