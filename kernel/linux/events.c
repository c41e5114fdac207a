/* SPDX-License-Identifier: MIT */
/* pipe2, eventfd2 and the timerfd calls; signalfd is in signalfd.c. */
#include <arch/uaccess.h>
#include <core/clock.h>
#include <file/eventfd.h>
#include <file/pipe.h>
#include <file/timerfd.h>
#include <fs/cred.h>
#include <lib/errno.h>
#include <linux/syscalls.h>

#include "abi64/time.h"
#include "files.h"

#define EFD_SEMAPHORE 1u

#define CLOCK_REALTIME       0
#define CLOCK_MONOTONIC      1
#define CLOCK_BOOTTIME       7
#define CLOCK_REALTIME_ALARM 8
#define CLOCK_BOOTTIME_ALARM 9

#define TFD_TIMER_ABSTIME       1u
#define TFD_TIMER_CANCEL_ON_SET 2u

/* Two descriptors or none; the files are consumed. `user` gets both numbers. */
int fd_publish_pair(struct file *files[2], bool cloexec, vaddr_t user)
{
    struct fd_table *table = current_files();
    int32_t numbers[2];
    int error;

    numbers[0] = fd_reserve(table, 0, fd_limit(), cloexec);
    error = numbers[0];
    if (error < 0)
        goto drop_files;
    numbers[1] = fd_reserve(table, 0, fd_limit(), cloexec);
    error = numbers[1];
    if (error < 0)
        goto cancel_first;
    error = copy_to_user(user, numbers, sizeof(numbers));
    if (error != 0)
        goto cancel_both;
    fd_install(table, (unsigned)numbers[0], files[0]);
    fd_install(table, (unsigned)numbers[1], files[1]);
    return 0;

cancel_both:
    fd_cancel(table, (unsigned)numbers[1]);
cancel_first:
    fd_cancel(table, (unsigned)numbers[0]);
drop_files:
    file_unref(files[0]);
    file_unref(files[1]);
    return error;
}

static long do_pipe2(vaddr_t user, unsigned flags)
{
    struct file *ends[2];
    int error;

    if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
        return -EINVAL;
    error = pipe_create(ends, flags);
    return error != 0 ? error : fd_publish_pair(ends, (flags & O_CLOEXEC) != 0, user);
}

long sys_pipe2(const reg_t arg[6])
{
    return do_pipe2(arg[0], (unsigned)arg[1]);
}

static long do_eventfd2(uint32_t initial, unsigned flags)
{
    struct file *file;

    if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    file = eventfd_create(initial, (flags & EFD_SEMAPHORE) != 0, flags);
    return file == NULL ? -ENOMEM : fd_publish(file, (flags & O_CLOEXEC) != 0);
}

long sys_eventfd2(const reg_t arg[6])
{
    return do_eventfd2((uint32_t)arg[0], (unsigned)arg[1]);
}

/* ---- timerfd ---- */

static long do_timerfd_create(int clock, unsigned flags)
{
    bool is_alarm = clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
    bool is_realtime = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
    struct file *file;

    if (flags & ~(O_CLOEXEC | O_NONBLOCK) ||
        (!is_alarm && !is_realtime && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME))
        return -EINVAL;
    if (is_alarm && !cred_capable(cred_current(), 35 /* CAP_WAKE_ALARM */))
        return -EPERM;
    file = timerfd_create(is_realtime, clock, flags);
    return file == NULL ? -ENOMEM : fd_publish(file, (flags & O_CLOEXEC) != 0);
}

long sys_timerfd_create(const reg_t arg[6])
{
    return do_timerfd_create((int)arg[0], (unsigned)arg[1]);
}

static struct abi64_timespec timespec_of(uint64_t ns)
{
    return (struct abi64_timespec){(int64_t)(ns / NS_PER_SECOND), (int64_t)(ns % NS_PER_SECOND)};
}

static int setting_to_user(vaddr_t user, const struct timerfd_setting *setting)
{
    struct abi64_itimerspec spec = {timespec_of(setting->interval_ns),
                                    timespec_of(setting->value_ns)};

    return copy_to_user(user, &spec, sizeof(spec));
}

static long do_timerfd_settime(unsigned fd, unsigned flags, vaddr_t user_new, vaddr_t user_old)
{
    struct timerfd_setting setting, old;
    struct abi64_itimerspec spec;
    struct fd found;
    long result = -EINVAL;

    if (copy_from_user(&spec, user_new, sizeof(spec)) != 0)
        return -EFAULT;
    if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) ||
        abi64_timespec_ns(&spec.value, &setting.value_ns) != 0 ||
        abi64_timespec_ns(&spec.interval, &setting.interval_ns) != 0)
        return -EINVAL;
    found = fd_get(current_files(), fd);
    if (found.file == NULL)
        return -EBADF;
    if (timerfd_is(found.file)) {
        timerfd_set(found.file, (flags & TFD_TIMER_ABSTIME) != 0,
                    (flags & TFD_TIMER_CANCEL_ON_SET) != 0, &setting, &old);
        result = user_old != 0 ? setting_to_user(user_old, &old) : 0;
    }
    fd_put(found);
    return result;
}

long sys_timerfd_settime(const reg_t arg[6])
{
    return do_timerfd_settime((unsigned)arg[0], (unsigned)arg[1], arg[2], arg[3]);
}

static long do_timerfd_gettime(unsigned fd, vaddr_t user)
{
    struct fd found = fd_get(current_files(), fd);
    struct timerfd_setting now;
    long result = -EINVAL;

    if (found.file == NULL)
        return -EBADF;
    if (timerfd_is(found.file)) {
        timerfd_get(found.file, &now);
        result = setting_to_user(user, &now);
    }
    fd_put(found);
    return result;
}

long sys_timerfd_gettime(const reg_t arg[6])
{
    return do_timerfd_gettime((unsigned)arg[0], arg[1]);
}
