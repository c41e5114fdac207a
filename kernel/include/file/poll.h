/* SPDX-License-Identifier: MIT */
/*
 * Readiness. A file's `poll` returns the events that hold now and, when it is given a poll_waiter,
 * first registers it with every wait queue whose wake-up can change that answer. Registration comes
 * first so that an event between the test and the sleep is not lost.
 *
 * Who changes readiness calls waitq_wake(wq, max, events) with the events that may have become true
 * (0 = any); waiters filter on them.
 */
#ifndef FILE_POLL_H
#define FILE_POLL_H

#include <core/wait.h>
#include <lib/types.h>

#define POLLIN     0x0001u
#define POLLPRI    0x0002u
#define POLLOUT    0x0004u
#define POLLERR    0x0008u
#define POLLHUP    0x0010u
#define POLLNVAL   0x0020u
#define POLLRDNORM 0x0040u
#define POLLRDBAND 0x0080u
#define POLLWRNORM 0x0100u
#define POLLWRBAND 0x0200u
#define POLLMSG    0x0400u
#define POLLRDHUP  0x2000u

/* Beside the events of a wake: they are not new, it is passed on. No signal is sent for it. */
#define POLL_QUIET 0x80000000u

#define POLL_READABLE (POLLIN | POLLRDNORM)
#define POLL_WRITABLE (POLLOUT | POLLWRNORM)

/* Given to file_ops.poll; the waiting side (poll, select, epoll) embeds it. */
struct poll_waiter {
    void (*add)(struct poll_waiter *, struct waitq *); /* may run under no lock of the file's */
    unsigned events; /* what the caller asks for, plus ERR and HUP */
};

/* For use in file_ops.poll; pw may be NULL. No spinlock held. The queue outlives the open file. */
static inline void poll_add(struct poll_waiter *pw, struct waitq *wq)
{
    if (pw)
        pw->add(pw, wq);
}

struct file;

/* One entry of a poll() call. `file` NULL: revents 0. The caller owns the references. */
struct poll_entry {
    struct file *file;
    unsigned events;
    unsigned revents;
};

/*
 * Wait until an entry has an event (POLLERR and POLLHUP are always asked for), or until deadline_ns
 * (absolute monotonic, WAIT_FOREVER, or 0 to only look). Returns the number of entries with
 * revents, 0 on time-out, -EINTR on a signal, -ENOMEM. May sleep.
 */
int poll_wait(struct poll_entry *entries, unsigned count, uint64_t deadline_ns);

#endif
