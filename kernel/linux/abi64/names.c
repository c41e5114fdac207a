/* SPDX-License-Identifier: MIT
 *
 * Names of the arm64 system calls, for the ledger and for traces: numbers, and the names in the
 * same order as one string, which takes neither relocations nor padding.
 */
#include <lib/compiler.h>
#include <lib/string.h>
#include <linux/syscalls.h>

#include "numbers.h"

static const uint16_t numbers[] = {
#define ABI64_LISTED(number, name) number,
    ABI64_SYSCALLS(ABI64_LISTED)
#undef ABI64_LISTED
};

static const char names[] =
#define ABI64_NAME(number, name) #name "\0"
    ABI64_SYSCALLS(ABI64_NAME)
#undef ABI64_NAME
    ;

const char *abi64_syscall_name(unsigned number)
{
    const char *name = names;

    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (numbers[i] == number)
            return name;
        name += strlen(name) + 1;
    }
    return "?";
}
