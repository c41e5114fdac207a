/* SPDX-License-Identifier: MIT */
/*
 * The program's FP and SIMD registers. The kernel uses none, so they stay in the CPU across
 * exceptions. A thread has no state until its first FP instruction traps. When it leaves the CPU
 * its registers are saved if it used any since it came; when it comes back, its first FP
 * instruction traps again, and loads them unless this CPU still holds them. A thread that used FP
 * in several turns in a row has them loaded on its way back to the program instead (WORK_FPU).
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
    struct fpsimd regs;
    struct cpu *cpu;     /* where the registers were loaded last */
    bool live;           /* they are in the CPU now, and newer than `regs` */
    uint8_t uses;        /* turns in a row with FP */
    uint8_t eager_turns; /* loaded without being asked */
};

/* Trap of a first FP instruction, thread context. 0 or -ENOMEM. */
int fpu_first_use(void);

/* With interrupts masked, for a thread with WORK_FPU: puts its state into the registers. */
void fpu_load(void);

/* In the switch, interrupts masked: saves `from`, readies `to`. */
void fpu_switch(struct thread *from, struct thread *to);

/* Copies the current thread's state out (zeros if it has none), or replaces it. 0 or -ENOMEM. */
void fpu_user_get(__uint128_t v[32], uint32_t *fpsr, uint32_t *fpcr);
int fpu_user_set(const __uint128_t v[32], uint32_t fpsr, uint32_t fpcr);

/*
 * The same to and from 512 bytes of the program's memory, for signal frames. 0, -EFAULT or -ENOMEM;
 * after an error of the second the registers are undefined.
 */
int fpu_store_user(vaddr_t v, uint32_t *fpsr, uint32_t *fpcr);
int fpu_load_user(vaddr_t v, uint32_t fpsr, uint32_t fpcr);

/* A new thread starts with a copy of the current one's state. 0 or -ENOMEM. */
int fpu_inherit(struct thread *child);

/* execve: the current thread's registers are zero again. */
void fpu_user_reset(void);

/* Frees the state of a thread that will not run again. */
void fpu_free(struct thread *thread);

#endif
