/* SPDX-License-Identifier: MIT */
/*
 * Code in two forms: the one that every CPU runs, and one that boot puts in its place, once, where
 * all CPUs have the capability. The second is not longer, which the assembler checks; boot fills
 * up with NOPs. Neither may hold a branch that leaves the form or a PC-relative operand.
 */
#ifndef ARCH_ALTERNATIVE_H
#define ARCH_ALTERNATIVE_H

/* Capabilities; features.c says what each stands for. */
#define CAP_LSE   0
#define CAP_PAN   1
#define CAP_PAUTH 2 /* address authentication, by the same algorithm everywhere */
#define CAP_BTI   3
#define CAP_COUNT 4

/* struct alternative of features.c: where, replacement (both relative to the field), the bytes of
 * each, capability. */
#define ALTERNATIVE(plain, better, capability) ALTERNATIVE_(plain, better, capability)
#define ALTERNATIVE_(plain, better, capability)                                        \
    "661:\n" plain "662:\n"                                                            \
    ".pushsection .alternatives, \"a\"\n"                                              \
    ".word 661b - .\n .word 663f - .\n .byte 662b - 661b, 664f - 663f\n"               \
    ".hword " #capability "\n"                                                         \
    ".popsection\n"                                                                    \
    ".pushsection .alternatives.code, \"a\"\n"                                         \
    ".arch_extension lse\n"                                                            \
    "663:\n" better "664:\n"                                                           \
    ".popsection\n"                                                                    \
    ".pushsection .discard\n"                                                          \
    ".org . - (664b - 663b) + (662b - 661b)\n" /* an error where `better` is longer */ \
    ".popsection\n"

/* One of two numbers (of MOV's), by one instruction. */
#define ALTERNATIVE_VALUE(plain, better, capability)                                       \
    ({                                                                                     \
        unsigned long value_;                                                              \
        __asm__(ALTERNATIVE("mov %0, #" #plain "\n", "mov %0, #" #better "\n", capability) \
                : "=r"(value_));                                                           \
        value_;                                                                            \
    })

#endif
