/* SPDX-License-Identifier: MIT */
/* Switching kernel contexts, and the first steps of a new one. */
#include <arch/alternative.h>
#include <arch/asm.h>
#include <arch/offsets.h>
#include <arch/registers.h>

    .text

/* clang-format off */
/*
 * The program's keys but IA, and which of them are in use, from the context at \context; uses x3-x6.
 * Without ISB: they are for EL0, and ERET synchronises. IA is the kernel's until vectors.S returns.
 */
    .macro load_program_keys context
    ldp     x3, x4, [\context, #CONTEXT_KEY_IB]
    msr     S3_0_C2_C1_2, x3
    msr     S3_0_C2_C1_3, x4
    ldp     x3, x4, [\context, #CONTEXT_KEY_DA]
    msr     S3_0_C2_C2_0, x3
    msr     S3_0_C2_C2_1, x4
    ldp     x3, x4, [\context, #CONTEXT_KEY_DB]
    msr     S3_0_C2_C2_2, x3
    msr     S3_0_C2_C2_3, x4
    ldp     x3, x4, [\context, #CONTEXT_KEY_GA]
    msr     S3_0_C2_C3_0, x3
    msr     S3_0_C2_C3_1, x4
    ldr     x3, [\context, #CONTEXT_PAC]
    mrs     x4, sctlr_el1
    mov     x5, #SCTLR_PAC_REST & 0xffff
    movk    x5, #SCTLR_PAC_REST >> 16, lsl #16
    and     x3, x3, x5
    bic     x6, x4, x5
    orr     x6, x6, x3
    cmp     x6, x4
    b.eq    .Lsame\@
    msr     sctlr_el1, x6
.Lsame\@:
    .endm
/* clang-format on */

/* void context_switch(struct thread *from, struct thread *to): interrupts masked. */
direct_function context_switch
    add     x9, x0, #THREAD_CONTEXT
    add     x10, x1, #THREAD_CONTEXT
    mov     x11, sp
    mrs     x12, tpidr_el0
    mrs     x13, tpidrro_el0
    stp     x19, x20, [x9, #CONTEXT_X19]
    stp     x21, x22, [x9, #CONTEXT_X19 + 16]
    stp     x23, x24, [x9, #CONTEXT_X19 + 32]
    stp     x25, x26, [x9, #CONTEXT_X19 + 48]
    stp     x27, x28, [x9, #CONTEXT_X19 + 64]
    stp     x29, x11, [x9, #CONTEXT_FP]
    str     x30, [x9, #CONTEXT_PC]
    stp     x12, x13, [x9, #CONTEXT_TPIDR_EL0]
    ldp     x19, x20, [x10, #CONTEXT_X19]
    ldp     x21, x22, [x10, #CONTEXT_X19 + 16]
    ldp     x23, x24, [x10, #CONTEXT_X19 + 32]
    ldp     x25, x26, [x10, #CONTEXT_X19 + 48]
    ldp     x27, x28, [x10, #CONTEXT_X19 + 64]
    ldp     x29, x11, [x10, #CONTEXT_FP]
    ldr     x30, [x10, #CONTEXT_PC]
    ldp     x12, x13, [x10, #CONTEXT_TPIDR_EL0]
    mov     sp, x11
    msr     tpidr_el0, x12
    msr     tpidrro_el0, x13
    msr     tpidr_el1, x1
    unless_capable CAP_PAUTH, 2f
    load_kernel_key x10
    ldr     x3, [x10, #CONTEXT_PAC]
    cbz     x3, 1f                          /* a kernel thread uses no other */
    load_program_keys x10
1:  isb                                     /* our callers authenticate by the new key */
2:  ret
end_function context_switch

/* void pac_load(const struct context *): for the running thread. */
function pac_load
    load_program_keys x0
    ret
end_function pac_load

/* void pac_start(const struct context *): the kernel's key is in use from the next instruction on. */
function pac_start
    load_kernel_key x0
    mrs     x3, sctlr_el1
    orr     x3, x3, #SCTLR_ENIA
    msr     sctlr_el1, x3
    isb
    ret
end_function pac_start

/* Where a new thread starts: context_prepare() left its entry in x19, the argument in x20. */
direct_function context_entry
    bl      sched_thread_entered
    mov     x0, x20
    blr     x19
    bl      thread_exit
end_function context_entry

/* _Noreturn void user_enter(const struct trapframe *): drops the kernel stack and enters EL0. */
function user_enter
    msr     daifset, #3
    mrs     x1, tpidr_el1
    ldr     x2, [x1, #THREAD_STACK]
    add     x2, x2, #STACK_SIZE
    sub     x2, x2, #FRAME_SIZE
    mov     x3, #FRAME_SIZE / 16
    mov     x4, x2
1:  ldp     x5, x6, [x0], #16
    stp     x5, x6, [x4], #16
    subs    x3, x3, #1
    b.ne    1b
    mov     sp, x2
    mov     x29, xzr
    b       return_to_user
end_function user_enter

/* _Noreturn void stack_enter(void *top, void (*function)(void)) */
function stack_enter
    mov     sp, x0
    mov     x29, xzr
    mov     x30, xzr
    mov     x16, x1                         /* a register whose branches land on functions */
    br      x16
end_function stack_enter
