/* SPDX-License-Identifier: MIT
 *
 * The ledger of absent system calls: what a program asked for that Remora does not have, how often,
 * and from where first; printed when the guest ends.
 */
#ifndef LINUX_LEDGER_H
#define LINUX_LEDGER_H

#include <lib/types.h>

/* Counts one call from `pc` and returns -ENOSYS. Calling task only. */
long ledger_absent(unsigned number, vaddr_t pc);

/* Prints what was counted, at level warn; nothing if nothing was. */
void ledger_print(void);

#endif
