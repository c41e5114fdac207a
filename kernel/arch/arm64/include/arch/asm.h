/* SPDX-License-Identifier: MIT */
/* Assembler helpers. */
#ifndef ARCH_ASM_H
#define ARCH_ASM_H

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

    .macro function name
    .type   \name, %function
    .globl  \name
    .balign 16
\name:
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
    .word   .Lplain\@ - ., .Lbetter\@ - .
    .hword  4, \capability
    .popsection
    .pushsection .alternatives.code, "ax"
.Lbetter\@:
    nop
    .popsection
    .endm
/* clang-format on */

#define lr x30

#endif
