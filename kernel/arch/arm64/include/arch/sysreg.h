/* SPDX-License-Identifier: MIT */
/* System registers by the manual's name, or by encoding where the assembler does not know the name.
 */
#ifndef ARCH_SYSREG_H
#define ARCH_SYSREG_H

#include <arch/barrier.h>
#include <lib/types.h>

#define sysreg_read(name)                                  \
    ({                                                     \
        reg_t value_;                                      \
        __asm__ volatile("mrs %0, " #name : "=r"(value_)); \
        value_;                                            \
    })

#define sysreg_write(name, value)                                         \
    do {                                                                  \
        reg_t value_ = (value);                                           \
        __asm__ volatile("msr " #name ", %x0" ::"rZ"(value_) : "memory"); \
    } while (0)

#endif
