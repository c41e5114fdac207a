/* SPDX-License-Identifier: MIT */
/*
 * The program's FP and SIMD registers. The kernel uses none, so they stay in the CPU across
 * exceptions. A thread has no state until its first FP instruction traps. When it leaves the CPU
 * its registers are saved if it used any since it came; when it comes back, its first FP
 * instruction traps again, and loads them unless this CPU still holds them. A thread that used FP
 * in several turns in a row has them loaded on its way back to the program instead (WORK_FPU).
 *
 * SVE is the same once more: the first SVE instruction traps, from then on the thread is "wide" and
 * all of Z, P and FFR are kept, until its next system call, after which all but the V registers is
 * zero (Linux sve.rst). A wide thread has WORK_SVE, so that other threads' calls pay nothing.
 */
#ifndef ARCH_FPU_H
#define ARCH_FPU_H

#include <lib/compiler.h>
#include <lib/types.h>

struct thread;
struct cpu;

/* The layout of struct user_fpsimd_state of Linux. */
struct fpsimd {
    __uint128_t v[32];
    uint32_t fpsr, fpcr;
};

struct fpu {
    struct fpsimd regs;  /* of a wide thread only FPSR and FPCR; V is in `sve` */
    void *sve;           /* Z, P, FFR at the thread's vector length; NULL until first used */
    struct cpu *cpu;     /* where the registers were loaded last */
    bool live;           /* they are in the CPU now, and newer than `regs` */
    uint8_t uses;        /* turns in a row with FP */
    uint8_t eager_turns; /* loaded without being asked */
    bool wide;           /* SVE registers are in use */
    uint8_t wide_calls;  /* system calls after which SVE stayed open */
};

/* Trap of a first FP instruction, thread context. 0 or -ENOMEM. */
int fpu_first_use(void);

/* The same of a first SVE instruction. -EINVAL without SVE. */
int fpu_first_sve_use(void);

/* With interrupts masked, for a thread with WORK_FPU: puts its state into the registers. */
void fpu_load(void);

/* In the switch, interrupts masked: saves `from`, readies `to`. */
void fpu_switch(struct thread *from, struct thread *to);

/* A wide thread is about to return from a system call: zeroes all but V. Interrupts masked. */
void fpu_sve_call_ends(void);

/* In a system call: the current thread is not wide any more and has no buffer. */
void fpu_sve_drop(void);

/*
 * The V registers to and from 512 bytes of the program's memory, for signal frames. 0, -EFAULT or
 * -ENOMEM; after an error of the second the registers are undefined. The second makes the thread
 * narrow.
 */
int fpu_store_user(vaddr_t v, uint32_t *fpsr, uint32_t *fpcr);
int fpu_load_user(vaddr_t v, uint32_t fpsr, uint32_t fpcr);

/* Bytes of the current thread's SVE registers, 0 unless it is wide. */
size_t fpu_sve_bytes(void);

/*
 * Those to and from the program's memory. The second follows fpu_load_user(), keeps the V registers
 * that it set, and makes the thread wide. 0, -EFAULT or -ENOMEM.
 */
int fpu_sve_store_user(vaddr_t to);
int fpu_sve_load_user(vaddr_t from);

/* A new thread starts with a copy of the current one's V registers and vector length. 0 or -ENOMEM.
 */
int fpu_inherit(struct thread *child);

/* execve: the registers that the thread's program has used are zero again. */
void fpu_user_reset(void);

/* Frees the state of a thread that will not run again. */
void fpu_free(struct thread *thread);

#endif
