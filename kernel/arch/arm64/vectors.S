/* SPDX-License-Identifier: MIT */
/*
 * Exception vectors (Arm ARM D1.4). Every entry saves the whole context in a struct trapframe on the
 * kernel stack; entries from the kernel first make sure that there is stack left. On the way back to
 * the program one word is tested: thread.work.
 */
#include <arch/alternative.h>
#include <arch/asm.h>
#include <arch/offsets.h>
#include <arch/registers.h>

/* clang-format off */
    .macro save_general
    stp     x0, x1, [sp, #FRAME_X]
    stp     x2, x3, [sp, #FRAME_X + 16]
    stp     x4, x5, [sp, #FRAME_X + 32]
    stp     x6, x7, [sp, #FRAME_X + 48]
    stp     x8, x9, [sp, #FRAME_X + 64]
    stp     x10, x11, [sp, #FRAME_X + 80]
    stp     x12, x13, [sp, #FRAME_X + 96]
    stp     x14, x15, [sp, #FRAME_X + 112]
    stp     x16, x17, [sp, #FRAME_X + 128]
    stp     x18, x19, [sp, #FRAME_X + 144]
    stp     x20, x21, [sp, #FRAME_X + 160]
    stp     x22, x23, [sp, #FRAME_X + 176]
    stp     x24, x25, [sp, #FRAME_X + 192]
    stp     x26, x27, [sp, #FRAME_X + 208]
    stp     x28, x29, [sp, #FRAME_X + 224]
    .endm

    .macro restore_general
    ldp     x0, x1, [sp, #FRAME_X]
    ldp     x2, x3, [sp, #FRAME_X + 16]
    ldp     x4, x5, [sp, #FRAME_X + 32]
    ldp     x6, x7, [sp, #FRAME_X + 48]
    ldp     x8, x9, [sp, #FRAME_X + 64]
    ldp     x10, x11, [sp, #FRAME_X + 80]
    ldp     x12, x13, [sp, #FRAME_X + 96]
    ldp     x14, x15, [sp, #FRAME_X + 112]
    ldp     x16, x17, [sp, #FRAME_X + 128]
    ldp     x18, x19, [sp, #FRAME_X + 144]
    ldp     x20, x21, [sp, #FRAME_X + 160]
    ldp     x22, x23, [sp, #FRAME_X + 176]
    ldp     x24, x25, [sp, #FRAME_X + 192]
    ldp     x26, x27, [sp, #FRAME_X + 208]
    ldp     x28, x29, [sp, #FRAME_X + 224]
    .endm

/*
 * Entry from EL0: SP is the empty kernel stack. Leaves ESR_EL1 in x24. Key IA is shared by EL0 and EL1
 * (Arm ARM D8.10): the kernel's own is loaded before the first C function signs with it, and switched on
 * for a program that has switched it off.
 */
    .macro enter_from_user
    sub     sp, sp, #FRAME_SIZE
    save_general
    mrs     x21, sp_el0
    mrs     x22, elr_el1
    mrs     x23, spsr_el1
    mrs     x24, esr_el1
    stp     x30, x21, [sp, #FRAME_X30]
    stp     x22, x23, [sp, #FRAME_PC]
    mov     x29, xzr
    unless_capable CAP_PAUTH, .Lentered\@
    mrs     x20, tpidr_el1
    load_kernel_key x20, THREAD_CONTEXT
    ldr     w3, [x20, #THREAD_CONTEXT + CONTEXT_PAC]
    tbnz    w3, #SCTLR_ENIA_SHIFT, .Lin_use\@
    mrs     x3, sctlr_el1
    orr     x3, x3, #SCTLR_ENIA
    msr     sctlr_el1, x3
.Lin_use\@:
    isb
.Lentered\@:
    .endm

/*
 * Entry from EL1. A kernel stack is the lower half of an aligned 2 * STACK_SIZE, so the bit of weight
 * STACK_SIZE in SP is clear on a stack and set just below one. No register is free: SP itself is used.
 */
    .macro enter_from_kernel
    sub     sp, sp, #FRAME_SIZE
    add     sp, sp, x0
    sub     x0, sp, x0
    tbnz    x0, #STACK_SHIFT, stack_overflow
    sub     x0, sp, x0
    sub     sp, sp, x0
    save_general
    add     x21, sp, #FRAME_SIZE
    mrs     x22, elr_el1
    mrs     x23, spsr_el1
    mrs     x24, esr_el1
    stp     x30, x21, [sp, #FRAME_X30]
    stp     x22, x23, [sp, #FRAME_PC]
    mov     w0, #-1
    str     w0, [sp, #FRAME_SYSCALL]
    .endm

    .macro vector label
    .balign 128
    b       \label
    .endm

    .section .text.vectors, "ax"
    .balign 2048
    .globl vectors
vectors:
    .irp kind, sync, irq, fiq, serror
    vector  invalid_\kind                   /* EL1 with SP_EL0: never used */
    .endr
    vector  kernel_sync
    vector  kernel_irq
    vector  kernel_irq
    vector  kernel_serror
    vector  user_sync
    vector  user_irq
    vector  user_irq
    vector  user_serror
    .irp kind, sync, irq, fiq, serror
    vector  invalid32_\kind                 /* EL0 in AArch32: not offered */
    .endr
    .balign 128

user_sync:
    enter_from_user
    lsr     x25, x24, #ESR_EC_SHIFT
    cmp     x25, #EC_SVC64
    b.ne    1f
    msr     daifclr, #0xf
    mov     x0, sp
    bl      trap_syscall
    b       return_to_user
1:  mov     w0, #-1
    str     w0, [sp, #FRAME_SYSCALL]
    mov     x0, sp
    mov     x1, x24
    mrs     x2, far_el1
    bl      trap_user_sync
    b       return_to_user

user_irq:
    enter_from_user
    mov     w0, #-1
    str     w0, [sp, #FRAME_SYSCALL]
    mov     x0, sp
    bl      trap_irq
    b       return_to_user

user_serror:
    enter_from_user
    mov     w0, #-1
    str     w0, [sp, #FRAME_SYSCALL]
    mov     x0, sp
    mov     x1, x24
    bl      trap_serror
    b       return_to_user

/*
 * The frame is at SP. Nothing may become pending between the test of the work word and ERET, no C code
 * follow the program's IA key, and no SError write over ELR_EL1 and SPSR_EL1.
 */
direct_function return_to_user
    msr     daifset, #7
    mrs     x20, tpidr_el1
    ldr     w2, [x20, #THREAD_WORK]
    cbnz    w2, 4f
1:  unless_capable CAP_PAUTH, 3f
    ldp     x3, x4, [x20, #THREAD_CONTEXT + CONTEXT_KEY_IA]
    msr     S3_0_C2_C1_0, x3                /* APIAKeyLo_EL1, APIAKeyHi_EL1 */
    msr     S3_0_C2_C1_1, x4
    ldr     w3, [x20, #THREAD_CONTEXT + CONTEXT_PAC]
    tbz     w3, #SCTLR_ENIA_SHIFT, 5f
3:  ldp     x22, x23, [sp, #FRAME_PC]
    ldp     x30, x21, [sp, #FRAME_X30]
    msr     elr_el1, x22
    msr     spsr_el1, x23
    msr     sp_el0, x21
    restore_general
    add     sp, sp, #FRAME_SIZE
    eret
    dsb     nsh                             /* no speculation past the return */
    isb
4:  mov     x0, sp
    bl      return_work
    b       1b
5:  mrs     x3, sctlr_el1                   /* switched off at EL0 by PR_PAC_SET_ENABLED_KEYS */
    bic     x3, x3, #SCTLR_ENIA
    msr     sctlr_el1, x3
    b       3b
end_function return_to_user

kernel_sync:
    enter_from_kernel
    mov     x0, sp
    mov     x1, x24
    mrs     x2, far_el1
    bl      trap_kernel_sync
    b       return_to_kernel

kernel_irq:
    enter_from_kernel
    mov     x0, sp
    bl      trap_irq
    b       return_to_kernel

kernel_serror:
    enter_from_kernel
    mov     x0, sp
    mov     x1, x24
    bl      trap_serror

return_to_kernel:
    msr     daifset, #7
    ldp     x22, x23, [sp, #FRAME_PC]
    ldr     x30, [sp, #FRAME_X30]
    msr     elr_el1, x22
    msr     spsr_el1, x23
    restore_general
    add     sp, sp, #FRAME_SIZE
    eret
    dsb     nsh
    isb

/* SP points below a stack: x0 holds SP, SP the sum. TPIDR_EL0 and TPIDRRO_EL0 are given up, we do not return. */
stack_overflow:
    msr     tpidr_el0, x0
    sub     x0, sp, x0
    msr     tpidrro_el0, x0
    adr_l   x0, overflow_stack_top
    mov     sp, x0
    sub     sp, sp, #FRAME_SIZE
    mrs     x0, tpidrro_el0
    save_general
    mrs     x21, tpidr_el0
    add     x21, x21, #FRAME_SIZE
    mrs     x22, elr_el1
    mrs     x23, spsr_el1
    stp     x30, x21, [sp, #FRAME_X30]
    stp     x22, x23, [sp, #FRAME_PC]
    mov     x0, sp
    mrs     x1, esr_el1
    mrs     x2, far_el1
    bl      trap_stack_overflow

    .irp kind, sync, irq, fiq, serror
invalid_\kind:
invalid32_\kind:
    mov     x0, #0
    .endr
    sub     sp, sp, #FRAME_SIZE
    save_general
    mrs     x22, elr_el1
    mrs     x23, spsr_el1
    stp     x22, x23, [sp, #FRAME_PC]
    mov     x0, sp
    mrs     x1, esr_el1
    mrs     x2, far_el1
    bl      trap_invalid

/*
 * EL2 and EL3, when they were ours to leave. EL2: nobody calls it; a call returns -1 as SMCCC says of
 * unknown functions. EL3: one service until boot is done, since the GIC's group registers are
 * secure. SMC with x0 = EL3_WRITE32: stores w2 at physical x1; EL3_SEAL ends the service; others
 * get -1. x3 is clobbered. Anything else stops the CPU where a debugger finds it. docs/boot.md.
 */
    .balign 2048
    .globl monitor_vectors
monitor_vectors:
    .rept 8
    .balign 128
    b       .
    .endr
    .balign 128
    b       monitor_call
    .rept 7
    .balign 128
    b       .
    .endr
monitor_call:
    mrs     x3, CurrentEL
    tbz     x3, #2, 1f                      /* EL2 is 2 << 2, EL3 3 << 2 */
    mrs     x3, tpidr_el3
    cbnz    x3, 1f
    mov_l   x3, EL3_WRITE32
    cmp     x0, x3
    b.ne    2f
    str     w2, [x1]
    dsb     sy
    mov     x0, #0
    eret
2:  mov_l   x3, EL3_SEAL
    cmp     x0, x3
    b.ne    1f
    mov     x3, #1
    msr     tpidr_el3, x3
    mov     x0, #0
    eret
1:  mov     x0, #-1
    eret

    .section .bss, "aw", %nobits
    .balign 16
overflow_stack:
    .skip 4096
overflow_stack_top:
