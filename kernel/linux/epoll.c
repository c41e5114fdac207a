/* SPDX-License-Identifier: MIT */
/* The epoll system calls; file/epoll.c has the mechanism. */
#include <arch/uaccess.h>
#include <core/clock.h>
#include <core/wait.h>
#include <file/epoll.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <linux/signal.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#include "abi64/time.h"
#include "deadline.h"
#include "files.h"

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3

/* struct epoll_event is packed on x86 only. */
struct abi64_epoll_event {
    uint32_t events;
    uint32_t pad;
    uint64_t data;
};
_Static_assert(sizeof(struct abi64_epoll_event) == 16, "struct epoll_event");

#define EVENTS_MAX    (INT32_MAX / (int)sizeof(struct abi64_epoll_event))
#define EVENTS_INLINE 16u
#define EVENTS_BATCH  65536u /* the most that one call reports */

static long do_epoll_create1(unsigned flags)
{
    struct file *file;

    if (flags & ~O_CLOEXEC)
        return -EINVAL;
    file = epoll_create();
    return file == NULL ? -ENOMEM : fd_publish(file, (flags & O_CLOEXEC) != 0);
}

long sys_epoll_create1(const reg_t arg[6])
{
    return do_epoll_create1((unsigned)arg[0]);
}

static long control(struct file *set, int op, struct file *target, int number,
                    const struct epoll_event_data *event)
{
    switch (op) {
    case EPOLL_CTL_ADD:
        return epoll_add(set, target, number, event);
    case EPOLL_CTL_DEL:
        return epoll_remove(set, target, number);
    case EPOLL_CTL_MOD:
        return epoll_modify(set, target, number, event);
    default:
        return -EINVAL;
    }
}

static long do_epoll_ctl(unsigned epfd, int op, unsigned fd, vaddr_t user)
{
    struct abi64_epoll_event from = {0};
    struct epoll_event_data event;
    struct fd set, target;
    long result = -EBADF;

    if (op != EPOLL_CTL_DEL && copy_from_user(&from, user, sizeof(from)) != 0)
        return -EFAULT;
    event = (struct epoll_event_data){.events = from.events, .data = from.data};
    set = fd_get(current_files(), epfd);
    if (set.file == NULL)
        return -EBADF;
    target = fd_get(current_files(), fd);
    if (target.file != NULL) {
        if (!(target.file->access & FILE_PATH))
            result = control(set.file, op, target.file, (int)fd, &event);
        fd_put(target);
    }
    fd_put(set);
    return result;
}

__cold long sys_epoll_ctl(const reg_t arg[6])
{
    return do_epoll_ctl((unsigned)arg[0], (int)arg[1], (unsigned)arg[2], arg[3]);
}

_Static_assert(sizeof(struct epoll_event_data) == sizeof(struct abi64_epoll_event) &&
                   offsetof(struct epoll_event_data, data) == 8,
               "events reach the program as they are");

static long events_to_user(vaddr_t user, const struct epoll_event_data *from, int count)
{
    size_t size = (size_t)count * sizeof(*from);
    size_t left = copy_to_user_partial(user, from, size);

    if (unlikely(left != 0))
        count = (int)((size - left) / sizeof(*from));
    return count != 0 ? count : -EFAULT;
}

/* More than a few events, if that many are ready now: after a sleep the next call brings the rest.
 */
static __noinline long collect_many(struct file *set, vaddr_t user, unsigned max)
{
    struct epoll_event_data *events;
    long result;

    max = min(max, EVENTS_BATCH);
    max = min(max, epoll_ready_count(set));
    events = kmalloc_array(max, sizeof(*events));
    if (events == NULL)
        return 0;
    result = epoll_collect(set, events, max, 0);
    if (result > 0)
        result = events_to_user(user, events, (int)result);
    kfree(events);
    return result;
}

static long collect(struct file *set, vaddr_t user, unsigned max, uint64_t deadline_ns)
{
    struct epoll_event_data events[EVENTS_INLINE];
    long result = 0;

    if (unlikely(max > EVENTS_INLINE && epoll_ready_count(set) > EVENTS_INLINE))
        result = collect_many(set, user, max);
    if (result != 0)
        return result;
    result = epoll_collect(set, events, min(max, EVENTS_INLINE), deadline_ns);
    return result > 0 ? events_to_user(user, events, (int)result) : result;
}

static long do_epoll_wait(unsigned epfd, vaddr_t user, int max, uint64_t deadline_ns)
{
    struct fd set;
    long result = -EINVAL;

    if (max <= 0 || max > EVENTS_MAX)
        return -EINVAL;
    if (!user_access_ok(user, (size_t)max * sizeof(struct abi64_epoll_event)))
        return -EFAULT;
    set = fd_get(current_files(), epfd);
    if (set.file == NULL)
        return -EBADF;
    if (epoll_is(set.file))
        result = collect(set.file, user, (unsigned)max, deadline_ns);
    fd_put(set);
    return result;
}

/* With a signal set: as its mask while waiting. */
static long masked_epoll_wait(const reg_t arg[6], uint64_t deadline_ns)
{
    long result;

    if (likely(arg[4] == 0))
        return do_epoll_wait((unsigned)arg[0], arg[1], (int)arg[2], deadline_ns);
    result = signal_mask_temporary(arg[4], arg[5]);
    if (result != 0)
        return result;
    result = do_epoll_wait((unsigned)arg[0], arg[1], (int)arg[2], deadline_ns);
    return signal_mask_restore(result);
}

long sys_epoll_pwait(const reg_t arg[6])
{
    uint64_t deadline_ns = deadline_of_ms((int)arg[3]);

    if (likely(arg[4] == 0))
        return do_epoll_wait((unsigned)arg[0], arg[1], (int)arg[2], deadline_ns);
    return masked_epoll_wait(arg, deadline_ns);
}

long sys_epoll_pwait2(const reg_t arg[6])
{
    uint64_t deadline_ns;
    long result = deadline_from_user(arg[3], &deadline_ns);

    return result != 0 ? result : masked_epoll_wait(arg, deadline_ns);
}
