/* SPDX-License-Identifier: MIT
 *
 * Conversions of struct timespec and timeval.
 */
#include "time.h"

#include <arch/uaccess.h>
#include <core/clock.h>
#include <lib/errno.h>

#define NS_MAX ((uint64_t)INT64_MAX)

static uint64_t saturated(int64_t seconds, uint64_t ns)
{
    if ((uint64_t)seconds >= NS_MAX / NS_PER_SECOND)
        return NS_MAX;
    return (uint64_t)seconds * NS_PER_SECOND + ns;
}

int abi64_timespec_ns(const struct abi64_timespec *from, uint64_t *ns)
{
    if (from->seconds < 0 || from->nanoseconds < 0 || from->nanoseconds >= (int64_t)NS_PER_SECOND)
        return -EINVAL;
    *ns = saturated(from->seconds, (uint64_t)from->nanoseconds);
    return 0;
}

int abi64_timeval_ns(const struct abi64_timeval *from, uint64_t *ns)
{
    if (from->seconds < 0 || from->microseconds < 0 || from->microseconds >= 1000000)
        return -EINVAL;
    *ns = saturated(from->seconds, (uint64_t)from->microseconds * NS_PER_US);
    return 0;
}

int abi64_get_timespec(vaddr_t from, uint64_t *ns)
{
    struct abi64_timespec value;

    if (copy_from_user(&value, from, sizeof(value)))
        return -EFAULT;
    return abi64_timespec_ns(&value, ns);
}

int abi64_get_timeval(vaddr_t from, uint64_t *ns)
{
    struct abi64_timeval value;

    if (copy_from_user(&value, from, sizeof(value)))
        return -EFAULT;
    return abi64_timeval_ns(&value, ns);
}

int abi64_put_timespec(vaddr_t to, uint64_t ns)
{
    struct abi64_timespec value = {(int64_t)(ns / NS_PER_SECOND), (int64_t)(ns % NS_PER_SECOND)};

    return copy_to_user(to, &value, sizeof(value));
}

int abi64_put_timeval(vaddr_t to, uint64_t ns)
{
    struct abi64_timeval value = {(int64_t)(ns / NS_PER_SECOND),
                                  (int64_t)(ns % NS_PER_SECOND / NS_PER_US)};

    return copy_to_user(to, &value, sizeof(value));
}

uint64_t abi64_deadline(uint64_t now, uint64_t timeout)
{
    return timeout >= NS_MAX - now ? UINT64_MAX : now + timeout;
}
