/* SPDX-License-Identifier: MIT
 *
 * What a dying thread owes to others: locks on its robust list are marked and one waiter is woken
 * (get_robust_list(2), Linux's robust-futex-ABI.rst), and the tid word of set_tid_address() is
 * cleared, for which pthread_join() waits.
 */
#include <arch/uaccess.h>
#include <core/defer.h>
#include <core/thread.h>
#include <lib/errno.h>
#include <linux/process.h>
#include <linux/syscalls.h>

#include "futex_internal.h"
#include "process_internal.h"

#define ROBUST_LIMIT 2048 /* entries; a longer list is a loop */

struct robust_head {
    uint64_t next;
    int64_t offset; /* from an entry to its lock word */
    uint64_t pending;
};

static void lock_is_orphaned(vaddr_t word, bool is_pi, bool is_pending, uint32_t tid)
{
    uint32_t value;

    if (word % sizeof(uint32_t) || get_user32(&value, word))
        return;
    /* Died between unlocking and waking: whoever waits must look again. */
    if (is_pending && !is_pi && value == 0) {
        futex_wake_address(word, 1);
        return;
    }
    while ((value & FUTEX_TID_MASK) == tid) {
        uint32_t seen = value;

        if (user_cmpxchg32(word, &seen, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED))
            return;
        if (seen == value) {
            if ((value & FUTEX_WAITERS) && !is_pi)
                futex_wake_address(word, 1);
            return;
        }
        value = seen;
    }
}

/* Bit 0 of a link says that the lock is a PI one. */
static void walk_robust_list(vaddr_t list, uint32_t tid)
{
    struct robust_head head;
    uint64_t entry;

    if (copy_from_user(&head, list, sizeof(head)))
        return;
    entry = head.next;
    for (unsigned i = 0; i < ROBUST_LIMIT && (entry & ~1ull) != list; i++) {
        uint64_t next;
        bool more = get_user64(&next, entry & ~1ull) == 0;

        if ((entry & ~1ull) != (head.pending & ~1ull))
            lock_is_orphaned((entry & ~1ull) + (uint64_t)head.offset, entry & 1, false, tid);
        if (!more)
            return;
        entry = next;
    }
    if (head.pending & ~1ull)
        lock_is_orphaned((head.pending & ~1ull) + (uint64_t)head.offset, head.pending & 1, true,
                         tid);
}

static void give_up_locks(struct task *task)
{
    vaddr_t list = task->robust_list;

    task->robust_list = 0;
    if (list)
        walk_robust_list(list, (uint32_t)task->tid);
}

void futex_exit(struct task *task)
{
    vaddr_t word = task->clear_child_tid;

    give_up_locks(task);
    futex_inherit_exit(task);
    task->clear_child_tid = 0;
    /* Nobody is left to look when the whole process ends. */
    if (!word || READ_ONCE(task->process->exiting))
        return;
    if (put_user32(word, 0) == 0)
        futex_wake_address(word, 1);
}

void futex_exec(struct task *task)
{
    give_up_locks(task);
}

long sys_set_robust_list(const reg_t arg[6])
{
    if (arg[1] != sizeof(struct robust_head))
        return -EINVAL;
    current_task()->robust_list = arg[0];
    return 0;
}

long sys_get_robust_list(const reg_t arg[6])
{
    struct task *task;
    vaddr_t list = 0;

    if ((int)arg[0] == 0) {
        list = current_task()->robust_list;
    } else {
        defer_read_begin();
        task = task_find((int)arg[0]);
        if (task)
            list = task->robust_list;
        defer_read_end();
        if (!task)
            return -ESRCH;
    }
    if (put_user64(arg[2], sizeof(struct robust_head)) || put_user64(arg[1], list))
        return -EFAULT;
    return 0;
}
