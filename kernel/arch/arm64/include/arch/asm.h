/* SPDX-License-Identifier: MIT */
/* Assembler helpers. */
#ifndef ARCH_ASM_H
#define ARCH_ASM_H

#include <arch/offsets.h>

/* clang-format off */
    .macro adr_l register, symbol
    adrp    \register, \symbol
    add     \register, \register, :lo12:\symbol
    .endm

    .macro mov_l register, value
    movz    \register, #(((\value) >> 48) & 0xffff), lsl #48
    movk    \register, #(((\value) >> 32) & 0xffff), lsl #32
    movk    \register, #(((\value) >> 16) & 0xffff), lsl #16
    movk    \register, #((\value) & 0xffff)
    .endm

/* Reached by B, BL and RET only. */
    .macro direct_function name
    .type   \name, %function
    .globl  \name
    .balign 16
\name:
    .endm

/* BLR and tail calls (BR x16, x17) may land here, too (FEAT_BTI: Arm ARM, PSTATE.BTYPE). */
    .macro function name
    direct_function \name
    bti_c
    .endm

/* BTI c and BTI j by their numbers: HINTs, which older CPUs take for NOPs. */
    .macro bti_c
    hint    #34
    .endm
    .macro bti_j
    hint    #36
    .endm

    .macro end_function name
    .size   \name, . - \name
    .endm

/* A fault at `at` continues at `fixup` (struct exception_entry of trap.c). */
    .macro on_fault at, fixup
    .pushsection .exception_table, "a"
    .balign 4
    .word   \at - ., \fixup - .
    .popsection
    .endm
/* Goes to `label` unless all CPUs have the capability: a branch that boot makes a nop. */
    .macro unless_capable capability, label
.Lplain\@:
    b       \label
    .pushsection .alternatives, "a"
    .word   .Lplain\@ - ., 0
    .byte   4, 0
    .hword  \capability
    .popsection
    .endm

/* The kernel's key of the thread whose context is at \context + \offset; an ISB must follow. Uses x3, x4. */
    .macro load_kernel_key context, offset=0
    ldp     x3, x4, [\context, #\offset + CONTEXT_KERNEL]
    msr     S3_0_C2_C1_0, x3                /* APIAKeyLo_EL1, APIAKeyHi_EL1 */
    msr     S3_0_C2_C1_1, x4
    .endm
/* clang-format on */

#define lr x30

#endif
