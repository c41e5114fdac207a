/* SPDX-License-Identifier: MIT */
/*
 * timerfd(2). The timer runs on the monotonic clock; an absolute time of the real-time clock is
 * translated when it is set and again after the clock was set. Expirations are counted when read.
 */
#include <arch/barrier.h>
#include <core/clock.h>
#include <core/lock.h>
#include <core/timer.h>
#include <core/wait.h>
#include <file/timerfd.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <mm/slab.h>

struct timerfd {
    struct spinlock lock; /* interrupts off; guards what follows, and starts of the timer */
    struct timer timer;
    struct waitq waiters;
    int clock_id;
    bool is_realtime; /* counts on the real-time clock */
    bool is_absolute;
    bool cancel_on_set;
    bool was_cancelled;   /* the clock was set, nobody was told yet */
    bool has_expired;     /* at deadline_ns; periods after that are worked out when read */
    uint64_t deadline_ns; /* monotonic, 0 = disarmed */
    uint64_t realtime_ns; /* of the first expiration, if absolute on the real-time clock */
    uint64_t interval_ns;
    struct list_node node; /* realtime_timers, under realtime_lock */
};

static const struct file_ops timerfd_ops;
static struct mutex realtime_lock = MUTEX_INIT(RANK_EPOLL);
static struct list_node realtime_timers = LIST_INIT(realtime_timers);

/* Interrupt context. A periodic timer stays stopped until it is read: poll needs no more. */
static void timerfd_fire(struct timer *timer)
{
    struct timerfd *tfd = container_of(timer, struct timerfd, timer);
    reg_t flags = spin_lock_irq(&tfd->lock);
    bool is_due = tfd->deadline_ns != 0 && clock_monotonic_ns() >= tfd->deadline_ns;

    if (is_due)
        tfd->has_expired = true;
    spin_unlock_irq(&tfd->lock, flags);
    if (is_due)
        waitq_wake(&tfd->waiters, 1, POLL_READABLE);
}

/* Where a real-time instant lies on the monotonic clock; the past is now. */
static uint64_t monotonic_of_realtime(uint64_t realtime_ns)
{
    uint64_t now = clock_realtime_ns();

    return clock_monotonic_ns() + (realtime_ns > now ? realtime_ns - now : 0);
}

/*
 * Expirations since the last read, 0 if none; the timer then aims at the next one. Returns the
 * deadline to start the timer with, 0 for none.
 */
static uint64_t take_locked(struct timerfd *tfd, uint64_t *ticks)
{
    uint64_t now = clock_monotonic_ns();

    *ticks = 0;
    if (!tfd->has_expired)
        return 0;
    tfd->has_expired = false;
    *ticks = 1;
    if (tfd->interval_ns == 0) {
        tfd->deadline_ns = 0;
        return 0;
    }
    *ticks += (now - tfd->deadline_ns) / tfd->interval_ns;
    tfd->deadline_ns += *ticks * tfd->interval_ns;
    return tfd->deadline_ns;
}

/* 0: nothing to read yet; -ECANCELED; or 1 with *ticks. */
static int take(struct timerfd *tfd, uint64_t *ticks)
{
    reg_t flags = spin_lock_irq(&tfd->lock);
    uint64_t next = 0;
    int result;

    if (tfd->was_cancelled) {
        tfd->was_cancelled = false;
        result = -ECANCELED;
    } else {
        next = take_locked(tfd, ticks);
        result = *ticks != 0;
    }
    if (next != 0)
        timer_start(&tfd->timer, next);
    spin_unlock_irq(&tfd->lock, flags);
    return result;
}

static ssize_t timerfd_read(struct file *file, struct io *io)
{
    struct timerfd *tfd = file->data;
    uint64_t ticks;
    int taken, error;

    if (io_left(io) < sizeof(ticks))
        return -EINVAL;
    taken = take(tfd, &ticks);
    if (taken == 0) {
        if (io->flags & IO_NOWAIT)
            return -EAGAIN;
        error = wait_event_exclusive(&tfd->waiters, (taken = take(tfd, &ticks)) != 0, WAIT_FOREVER,
                                     WAIT_INTERRUPTIBLE);
        if (error != 0)
            return error;
    }
    if (taken < 0)
        return taken;
    return io_put(io, &ticks, sizeof(ticks)) != 0 ? -EFAULT : (ssize_t)sizeof(ticks);
}

static unsigned timerfd_poll(struct file *file, struct poll_waiter *pw)
{
    struct timerfd *tfd = file->data;

    poll_add(pw, &tfd->waiters);
    return READ_ONCE(tfd->has_expired) || READ_ONCE(tfd->was_cancelled) ? POLLIN : 0;
}

/* What is left of the current period, as timerfd_gettime tells it. */
static void get_locked(struct timerfd *tfd, struct timerfd_setting *now)
{
    uint64_t time = clock_monotonic_ns();
    uint64_t next = tfd->deadline_ns;

    now->interval_ns = tfd->interval_ns;
    now->value_ns = 0;
    if (next == 0)
        return;
    if (next <= time && tfd->interval_ns != 0)
        next += ((time - next) / tfd->interval_ns + 1) * tfd->interval_ns;
    if (next > time)
        now->value_ns = next - time;
    else if (!tfd->has_expired)
        now->value_ns = 1; /* armed, and about to fire */
}

void timerfd_get(struct file *file, struct timerfd_setting *now)
{
    struct timerfd *tfd = file->data;
    reg_t flags = spin_lock_irq(&tfd->lock);

    get_locked(tfd, now);
    spin_unlock_irq(&tfd->lock, flags);
}

static uint64_t first_deadline(const struct timerfd *tfd, bool absolute, uint64_t value_ns)
{
    uint64_t deadline;

    if (!absolute) {
        if (__builtin_add_overflow(clock_monotonic_ns(), value_ns, &deadline))
            deadline = UINT64_MAX - 1;
    } else {
        deadline = tfd->is_realtime ? monotonic_of_realtime(value_ns) : value_ns;
    }
    return deadline != 0 ? deadline : 1;
}

void timerfd_set(struct file *file, bool absolute, bool cancel_on_set,
                 const struct timerfd_setting *setting, struct timerfd_setting *old)
{
    struct timerfd *tfd = file->data;
    uint64_t deadline = 0;
    reg_t flags;

    (void)timer_cancel(&tfd->timer);
    flags = spin_lock_irq(&tfd->lock);
    get_locked(tfd, old);
    if (setting->value_ns != 0)
        deadline = first_deadline(tfd, absolute, setting->value_ns);
    tfd->deadline_ns = deadline;
    tfd->interval_ns = setting->interval_ns;
    tfd->is_absolute = absolute;
    tfd->realtime_ns = setting->value_ns;
    tfd->cancel_on_set = cancel_on_set && absolute && tfd->is_realtime;
    tfd->was_cancelled = false;
    tfd->has_expired = false;
    if (deadline != 0)
        timer_start(&tfd->timer, deadline);
    spin_unlock_irq(&tfd->lock, flags);
}

/* Under realtime_lock. */
static void clock_was_set(struct timerfd *tfd)
{
    reg_t flags = spin_lock_irq(&tfd->lock);
    uint64_t deadline = 0;

    if (tfd->deadline_ns != 0 && tfd->is_absolute && !tfd->has_expired) {
        deadline = first_deadline(tfd, true, tfd->realtime_ns);
        tfd->deadline_ns = deadline;
    }
    if (tfd->cancel_on_set)
        tfd->was_cancelled = true;
    if (deadline != 0)
        timer_start(&tfd->timer, deadline);
    spin_unlock_irq(&tfd->lock, flags);
    waitq_wake(&tfd->waiters, UINT32_MAX, POLL_READABLE);
}

void timerfd_clock_was_set(void)
{
    struct timerfd *tfd;

    mutex_lock(&realtime_lock);
    list_for_each_entry (tfd, &realtime_timers, node)
        clock_was_set(tfd);
    mutex_unlock(&realtime_lock);
}

static void timerfd_show(struct file *file, struct text_sink *sink)
{
    struct timerfd *tfd = file->data;
    struct timerfd_setting now;

    timerfd_get(file, &now);
    sink->print(sink, "clockid: %d\nticks: %d\nsettime flags: 0%o\n", tfd->clock_id,
                tfd->has_expired, (tfd->is_absolute ? 1u : 0u) | (tfd->cancel_on_set ? 2u : 0u));
    sink->print(sink, "it_value: (%llu, %llu)\nit_interval: (%llu, %llu)\n",
                (unsigned long long)(now.value_ns / NS_PER_SECOND),
                (unsigned long long)(now.value_ns % NS_PER_SECOND),
                (unsigned long long)(now.interval_ns / NS_PER_SECOND),
                (unsigned long long)(now.interval_ns % NS_PER_SECOND));
}

static void timerfd_release(struct file *file)
{
    struct timerfd *tfd = file->data;

    if (tfd->is_realtime) {
        mutex_lock(&realtime_lock);
        list_del(&tfd->node);
        mutex_unlock(&realtime_lock);
    }
    (void)timer_cancel(&tfd->timer);
    kfree(tfd);
}

static const struct file_ops timerfd_ops = {
    .name = "anon_inode:[timerfd]",
    .mode = 0600,
    .flags = FILE_OPS_STREAM,
    .read = timerfd_read,
    .poll = timerfd_poll,
    .show = timerfd_show,
    .release = timerfd_release,
};

struct file *timerfd_create(bool realtime, int clock_id, unsigned flags)
{
    struct timerfd *tfd = kzalloc(sizeof(*tfd));
    struct file *file;

    if (tfd == NULL)
        return NULL;
    spin_init(&tfd->lock, RANK_SIGNAL);
    timer_init(&tfd->timer, timerfd_fire);
    waitq_init(&tfd->waiters);
    list_init(&tfd->node);
    tfd->is_realtime = realtime;
    tfd->clock_id = clock_id;
    file = file_create(&timerfd_ops, tfd, O_RDWR | (flags & O_NONBLOCK));
    if (file == NULL) {
        kfree(tfd);
        return NULL;
    }
    if (realtime) {
        mutex_lock(&realtime_lock);
        list_add_tail(&realtime_timers, &tfd->node);
        mutex_unlock(&realtime_lock);
    }
    return file;
}

bool timerfd_is(const struct file *file)
{
    return file->ops == &timerfd_ops;
}
