/* SPDX-License-Identifier: MIT
 *
 * Names of the arm64 system calls, for the ledger and for traces.
 */
#include <linux/syscalls.h>

#include "numbers.h"

/* An array of arrays needs no relocation at boot, as pointers would. */
static const char names[SYSCALL_COUNT][24] = {
#define ABI64_NAME(number, name) [number] = #name,
    ABI64_SYSCALLS(ABI64_NAME)
#undef ABI64_NAME
};

const char *abi64_syscall_name(unsigned number)
{
    return number < SYSCALL_COUNT && names[number][0] ? names[number] : "?";
}
