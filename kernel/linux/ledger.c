/* SPDX-License-Identifier: MIT
 *
 * The ledger of absent system calls. A fixed array, filled without locks: a slot is taken by an
 * exchange of its number, so that two CPUs with the same number meet in one slot or, in a race, in
 * two, which only splits the count.
 */
#include <arch/atomic.h>
#include <core/log.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <linux/ledger.h>
#include <linux/program.h>
#include <linux/syscalls.h>

#include "abi64/numbers.h"

#define LEDGER_SLOTS 64

/* number_plus_one: 0 while the slot is free. */
static struct {
    atomic_t number_plus_one;
    atomic_t count;
    char caller[56];
} slots[LEDGER_SLOTS];

long ledger_absent(unsigned number, vaddr_t pc)
{
    for (unsigned i = 0; i < LEDGER_SLOTS; i++) {
        int key = (int)number + 1;
        int found = atomic_read(&slots[i].number_plus_one);

        if (found == 0) {
            found = atomic_cmpxchg(&slots[i].number_plus_one, 0, key);
            if (found == 0) {
                program_describe_address(pc, slots[i].caller, sizeof(slots[i].caller));
                found = key;
            }
        }
        if (found == key) {
            atomic_inc(&slots[i].count);
            break;
        }
    }
    return -ENOSYS;
}

void ledger_print(void)
{
    for (unsigned i = 0; i < LEDGER_SLOTS; i++) {
        int number = atomic_read(&slots[i].number_plus_one) - 1, count;

        if (number < 0)
            break;
        count = atomic_read(&slots[i].count);
        log_warn("absent system call %s (%d): %d time%s, first from %s%s",
                 abi64_syscall_name((unsigned)number), number, count, count == 1 ? "" : "s",
                 slots[i].caller,
                 number == __NR_clone
                     ? "; a guest has one process: look for an option that keeps the program in one"
                     : "");
    }
}
