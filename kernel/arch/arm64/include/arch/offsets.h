/* SPDX-License-Identifier: MIT */
/* Structure offsets for assembly; offsets.c asserts each. */
#ifndef ARCH_OFFSETS_H
#define ARCH_OFFSETS_H

#define THREAD_CANARY        0
#define THREAD_WORK          8
#define THREAD_PREEMPT_COUNT 12
#define THREAD_CPU           16
#define THREAD_STACK         24
#define THREAD_CONTEXT       32

#define CONTEXT_X19       0
#define CONTEXT_FP        80
#define CONTEXT_SP        88
#define CONTEXT_PC        96
#define CONTEXT_TPIDR_EL0 104
#define CONTEXT_KEY_IA    120
#define CONTEXT_KEY_IB    136
#define CONTEXT_KEY_DA    152
#define CONTEXT_KEY_DB    168
#define CONTEXT_KEY_GA    184
#define CONTEXT_PAC       200
#define CONTEXT_KERNEL    208

#define FPSIMD_FPSR 512 /* and FPCR */

#define FRAME_X       0
#define FRAME_X30     240
#define FRAME_SP      248
#define FRAME_PC      256
#define FRAME_PSTATE  264
#define FRAME_ORIG_X0 272
#define FRAME_SYSCALL 280
#define FRAME_SIZE    288

/* Kernel stacks: the lower half of an aligned 2 * STACK_SIZE, so that one bit of SP tells an
 * overflow. */
#define STACK_SHIFT 14
#define STACK_SIZE  (1 << STACK_SHIFT)

/* Until there is memory: small, and lying so that the same bit is clear (kernel.lds.S). */
#define BOOT_STACK_SIZE 0x2000

#endif
