/* SPDX-License-Identifier: MIT
 *
 * arm64: which function answers which number. Sorted by number, one line a call.
 */
#include <linux/syscalls.h>

#include "numbers.h"

syscall_fn *const abi64_syscall_table[SYSCALL_COUNT] = {
    [__NR_getppid] = sys_getppid,
};
