/* SPDX-License-Identifier: MIT */
/*
 * Single words of the program's memory, for structures that are written field by field (a signal
 * frame): one unprivileged instruction each. The caller has passed the whole of it through
 * user_range_ok(); else as arch/uaccess.h says: it may sleep. A word that cannot be reached goes on
 * at the label `fault`. `offset` is a constant from -256 to 248.
 */
#ifndef ARCH_USER_WORD_H
#define ARCH_USER_WORD_H

#include <lib/types.h>

/* As on_fault of arch/asm.h. */
#define USER_WORD_FAULT(label)                   \
    "    .pushsection .exception_table, \"a\"\n" \
    "    .balign 4\n"                            \
    "    .word   1b - ., " label " - .\n"        \
    "    .popsection\n"

#define user_store_word(base, offset, value, fault)                       \
    asm goto("1:  sttr    %x0, [%1, %2]\n" USER_WORD_FAULT("%l3")         \
             : /* nothing */                                              \
             : "rZ"((uint64_t)(value)), "r"((vaddr_t)(base)), "i"(offset) \
             : "memory"                                                   \
             : fault)

#define user_load_word(value, base, offset, fault)                \
    asm goto("1:  ldtr    %x0, [%1, %2]\n" USER_WORD_FAULT("%l3") \
             : "=r"(*(uint64_t *)(value))                         \
             : "r"((vaddr_t)(base)), "i"(offset)                  \
             : "memory"                                           \
             : fault)

#endif
