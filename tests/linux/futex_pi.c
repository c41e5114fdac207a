// SPDX-License-Identifier: MIT
// futex(2): locks whose owner inherits the priority of those who wait (FUTEX_LOCK_PI), waiting for
// a word and then for such a lock (FUTEX_WAIT_REQUEUE_PI), and waiting for several words
// (futex_waitv).
#include "check.h"
#include <linux/futex.h>
#include <sched.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static long futex(void *word, int op, unsigned value, const void *timeout, void *word2,
                  unsigned value3)
{
    return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

static struct timespec in_ms(int clock, long ms)
{
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += ms % 1000 * 1000000;
    time.tv_sec += ms / 1000 + time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

// Field 18 of /proc/self/task/TID/stat: 20 + nice, or -1 - the real-time priority in effect.
static int priority_in_effect(int tid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    int fd = open(path, O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    close(fd);
    if (length < 0)
        return -1000;
    text[length] = 0;
    char *at = strrchr(text, ')');
    for (int field = 2; field < 18 && at; field++)
        at = strchr(at + 1, ' ');
    return at ? atoi(at) : -1000;
}

// Waits until the thread has told its number and sleeps: so long it may take on a busy machine.
static bool sleeps(volatile int *tid)
{
    for (int i = 0; i < 2000; i++) {
        char path[64], text[512] = "";
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", *tid);
        int fd = *tid ? open(path, O_RDONLY) : -1;
        if (fd >= 0 && read(fd, text, sizeof text - 1) < 0)
            text[0] = 0;
        if (fd >= 0)
            close(fd);
        const char *state = strrchr(text, ')');
        if (state && state[2] == 'S')
            return true;
        usleep(2000);
    }
    return false;
}

static bool comes_to(int tid, int priority)
{
    for (int i = 0; i < 200; i++) {
        if (priority_in_effect(tid) == priority)
            return true;
        usleep(5000);
    }
    return false;
}

// A thread that takes locks one after the other, holds them until it is told, and gives them back.
struct holder {
    unsigned *words[2];
    int priority; // 0: not real-time
    const struct timespec *timeout;
    volatile int tid, held, error, may_go, order;
    pthread_t thread;
};

static volatile int turns;

static int make_realtime(int priority)
{
    struct sched_param parameters = {.sched_priority = priority};
    return sched_setscheduler(0, priority ? SCHED_FIFO : SCHED_OTHER, &parameters);
}

static void *hold(void *data)
{
    struct holder *holder = data;
    int tid = (int)syscall(SYS_gettid);
    if (make_realtime(holder->priority))
        holder->error = errno;
    holder->tid = tid;
    int taken = 0;
    while (taken < 2 && holder->words[taken]) {
        if (futex(holder->words[taken], FUTEX_LOCK_PI_PRIVATE, 0, holder->timeout, NULL, 0)) {
            holder->error = errno;
            break;
        }
        holder->held = ++taken;
    }
    holder->order = __atomic_add_fetch(&turns, 1, __ATOMIC_SEQ_CST);
    while (!holder->may_go)
        usleep(2000);
    while (taken-- > 0)
        if (futex(holder->words[taken], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0))
            holder->error = errno;
    return NULL;
}

static bool start(struct holder *holder, int held)
{
    if (pthread_create(&holder->thread, NULL, hold, holder))
        return false;
    for (int i = 0; i < 1000 && (!holder->tid || holder->held < held) && !holder->error; i++)
        usleep(2000);
    return holder->tid && holder->held >= held;
}

static int finish(struct holder *holder)
{
    holder->may_go = 1;
    pthread_join(holder->thread, NULL);
    return holder->error;
}

CHECK(pi_owner_inherits)
{
    static unsigned word;
    struct holder low = {.words = {&word}}, high = {.words = {&word}, .priority = 20};
    struct sched_param parameters;
    word = 0;
    EXPECT(start(&low, 1));
    EXPECT_EQ(priority_in_effect(low.tid), 20);
    EXPECT(start(&high, 0));
    EXPECT(comes_to(low.tid, -21));
    EXPECT_EQ(sched_getscheduler(low.tid), SCHED_OTHER); // what it was given does not change
    EXPECT_OK(sched_getparam(low.tid, &parameters));
    EXPECT_EQ(parameters.sched_priority, 0);
    EXPECT_EQ(word, (unsigned)low.tid | FUTEX_WAITERS);
    low.may_go = 1;
    EXPECT_EQ(finish(&low), 0);
    EXPECT_EQ(finish(&high), 0);
    EXPECT_EQ(high.held, 1);
    EXPECT_EQ(word & FUTEX_TID_MASK, 0);
}

CHECK(pi_priority_goes_with_the_lock)
{
    static unsigned word, other;
    struct holder low = {.words = {&other, &word}}, high = {.words = {&word}, .priority = 20};
    word = other = 0;
    EXPECT(start(&low, 2));
    EXPECT(start(&high, 0));
    EXPECT(comes_to(low.tid, -21));
    low.may_go = 1;
    EXPECT_EQ(finish(&low), 0); // it gave up `word` first, and ran on as what it was
    EXPECT_EQ(finish(&high), 0);
    EXPECT_EQ(word | other, 0);
}

CHECK(pi_chain)
{
    static unsigned first, second, third;
    struct holder a = {.words = {&first}}, b = {.words = {&second, &first}},
                  c = {.words = {&third, &second}}, d = {.words = {&third}, .priority = 30};
    first = second = third = 0;
    EXPECT(start(&a, 1));
    EXPECT(start(&b, 1));
    EXPECT(start(&c, 1));
    EXPECT(sleeps(&b.tid) && sleeps(&c.tid)); // b waits for a, c for b
    EXPECT(start(&d, 0));
    EXPECT(comes_to(c.tid, -31));
    EXPECT(comes_to(b.tid, -31));
    EXPECT(comes_to(a.tid, -31));
    EXPECT_EQ(finish(&a), 0);
    EXPECT_EQ(finish(&b), 0);
    EXPECT_EQ(finish(&c), 0);
    EXPECT_EQ(finish(&d), 0);
}

CHECK(pi_highest_of_several)
{
    static unsigned word;
    struct timespec soon = in_ms(CLOCK_REALTIME, 2000);
    struct holder low = {.words = {&word}}, middle = {.words = {&word}, .priority = 10},
                  high = {.words = {&word}, .priority = 40, .timeout = &soon};
    word = 0;
    EXPECT(start(&low, 1));
    EXPECT(start(&middle, 0));
    EXPECT(comes_to(low.tid, -11));
    EXPECT(start(&high, 0));
    EXPECT(comes_to(low.tid, -41));
    EXPECT_EQ(finish(&high), ETIMEDOUT); // who stops waiting takes its priority along
    EXPECT(comes_to(low.tid, -11));
    EXPECT_EQ(finish(&low), 0);
    EXPECT_EQ(finish(&middle), 0);
}

CHECK(pi_waiter_changes_priority)
{
    static unsigned word;
    struct holder low = {.words = {&word}}, other = {.words = {&word}, .priority = 5};
    struct sched_param parameters = {.sched_priority = 17};
    word = 0;
    EXPECT(start(&low, 1));
    EXPECT(start(&other, 0));
    EXPECT(comes_to(low.tid, -6));
    EXPECT_OK(sched_setscheduler(other.tid, SCHED_RR, &parameters));
    EXPECT(comes_to(low.tid, -18));
    parameters.sched_priority = 0;
    EXPECT_OK(sched_setscheduler(other.tid, SCHED_OTHER, &parameters));
    EXPECT(comes_to(low.tid, 20));
    EXPECT_EQ(finish(&low), 0);
    EXPECT_EQ(finish(&other), 0);
}

CHECK(pi_own_priority_below_the_inherited)
{
    static unsigned word;
    struct holder low = {.words = {&word}, .priority = 3}, high = {.words = {&word}, .priority = 9};
    struct sched_param parameters = {.sched_priority = 6};
    word = 0;
    EXPECT(start(&low, 1));
    EXPECT(start(&high, 0));
    EXPECT(comes_to(low.tid, -10));
    EXPECT_OK(sched_setparam(low.tid, &parameters));
    EXPECT_OK(sched_getparam(low.tid, &parameters));
    EXPECT_EQ(parameters.sched_priority, 6);
    EXPECT_EQ(priority_in_effect(low.tid), -10);
    parameters.sched_priority = 12;
    EXPECT_OK(sched_setparam(low.tid, &parameters));
    EXPECT_EQ(priority_in_effect(low.tid), -13);
    EXPECT_EQ(finish(&low), 0);
    EXPECT_EQ(finish(&high), 0);
}

CHECK(pi_highest_gets_the_lock)
{
    static unsigned word;
    struct holder owner = {.words = {&word}}, a = {.words = {&word}, .may_go = 1},
                  b = {.words = {&word}, .priority = 7, .may_go = 1},
                  c = {.words = {&word}, .priority = 3, .may_go = 1};
    word = 0;
    turns = 0;
    EXPECT(start(&owner, 1));
    EXPECT(start(&a, 0) && sleeps(&a.tid));
    EXPECT(start(&c, 0) && sleeps(&c.tid));
    EXPECT(start(&b, 0));
    EXPECT(comes_to(owner.tid, -8));
    EXPECT_EQ(finish(&owner), 0);
    EXPECT_EQ(finish(&a) | finish(&b) | finish(&c), 0);
    EXPECT_EQ(b.order, 2);
    EXPECT_EQ(c.order, 3);
    EXPECT_EQ(a.order, 4);
}

CHECK(pi_circle_is_refused)
{
    static unsigned first, second, third;
    struct holder b = {.words = {&second, &first}}, c = {.words = {&third, &second}};
    first = second = third = 0;
    EXPECT_OK(futex(&first, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    EXPECT_ERR(futex(&first, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
    EXPECT(start(&b, 1));
    EXPECT(start(&c, 1));
    EXPECT(sleeps(&b.tid) && sleeps(&c.tid));
    EXPECT_ERR(futex(&second, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
    EXPECT_ERR(futex(&third, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
    EXPECT_OK(futex(&first, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    EXPECT_EQ(finish(&b), 0);
    EXPECT_EQ(finish(&c), 0);
}

CHECK(pi_bad_arguments)
{
    static unsigned word;
    struct timespec bad = {0, 1000000000}, past = {0};
    word = 0;
    EXPECT_ERR(futex((char *)&word + 1, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EINVAL);
    EXPECT_ERR(futex(BAD_POINTER, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EFAULT);
    EXPECT_ERR(futex(&word, FUTEX_LOCK_PI, 0, &bad, NULL, 0), EINVAL);
    EXPECT_ERR(futex(&word, FUTEX_LOCK_PI, 0, BAD_POINTER, NULL, 0), EFAULT);
    EXPECT_ERR(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
    EXPECT_ERR(futex(BAD_POINTER, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EFAULT);
    word = 999999; // nobody
    EXPECT_ERR(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ESRCH);
    EXPECT_ERR(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
    word = 0;
    EXPECT_ERR(futex(&word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 0), ENOSYS);
}

CHECK(pi_trylock)
{
    static unsigned word;
    struct holder owner = {.words = {&word}};
    word = 0;
    EXPECT_OK(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    EXPECT_EQ(word, syscall(SYS_gettid));
    EXPECT_OK(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    EXPECT(start(&owner, 1));
    EXPECT_ERR(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EAGAIN);
    EXPECT_EQ(finish(&owner), 0);
}

CHECK(pi_lock_timeouts)
{
    static unsigned word;
    struct holder owner = {.words = {&word}};
    struct timespec end;
    word = 0;
    EXPECT(start(&owner, 1));
    end = in_ms(CLOCK_REALTIME, 30);
    EXPECT_ERR(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, &end, NULL, 0), ETIMEDOUT);
    end = in_ms(CLOCK_MONOTONIC, 30);
    EXPECT_ERR(futex(&word, FUTEX_LOCK_PI2_PRIVATE, 0, &end, NULL, 0), ETIMEDOUT);
    end = in_ms(CLOCK_REALTIME, 30);
    EXPECT_ERR(futex(&word, FUTEX_LOCK_PI2_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &end, NULL, 0),
               ETIMEDOUT);
    EXPECT_EQ(finish(&owner), 0);
}

static volatile int handled;

static void count_signal(int number)
{
    (void)number;
    handled++;
}

CHECK(pi_lock_goes_on_after_a_signal)
{
    static unsigned word;
    struct sigaction action = {.sa_handler = count_signal};
    struct holder owner = {.words = {&word}}, other = {.words = {&word}, .priority = 4};
    word = 0;
    handled = 0;
    sigaction(SIGUSR1, &action, NULL);
    EXPECT(start(&owner, 1));
    EXPECT(start(&other, 0));
    EXPECT(comes_to(owner.tid, -5));
    for (int i = 1; i <= 5; i++) {
        EXPECT_EQ(pthread_kill(other.thread, SIGUSR1), 0);
        for (int j = 0; j < 500 && handled < i; j++)
            usleep(2000);
        EXPECT_EQ(handled, i);
        EXPECT(comes_to(owner.tid, -5));
    }
    EXPECT_EQ(finish(&owner), 0);
    EXPECT_EQ(finish(&other), 0);
    EXPECT_EQ(other.held, 1);
}

CHECK(pi_waiters_are_not_for_wake)
{
    static unsigned word, other;
    struct holder owner = {.words = {&word}}, waits = {.words = {&word}, .priority = 2};
    word = 0;
    EXPECT(start(&owner, 1));
    EXPECT(start(&waits, 0));
    EXPECT(comes_to(owner.tid, -3));
    EXPECT_ERR(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
    EXPECT_ERR(futex(&word, FUTEX_REQUEUE_PRIVATE, 1, (void *)1, &other, 0), EINVAL);
    EXPECT_EQ(finish(&owner), 0);
    EXPECT_EQ(finish(&waits), 0);
}

// On one CPU: low holds the lock, middle spins above it, high waits for the lock. Without
// inheritance low never runs while middle spins.
static volatile int spun_out;
static int one_cpu;

static void pin(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)one_cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static unsigned inverted;
static volatile int low_has_it, high_has_it;

static void *invert_low(void *unused)
{
    (void)unused;
    pin();
    futex(&inverted, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    low_has_it = 1;
    struct timespec now, end = in_ms(CLOCK_THREAD_CPUTIME_ID, 100);
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
    futex(&inverted, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    return NULL;
}

static void *invert_middle(void *unused)
{
    (void)unused;
    pin();
    make_realtime(10);
    struct timespec now, end = in_ms(CLOCK_MONOTONIC, 6000);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while (!high_has_it && now.tv_sec <= end.tv_sec);
    spun_out = !high_has_it;
    return NULL;
}

static void *invert_high(void *unused)
{
    (void)unused;
    pin();
    make_realtime(20);
    futex(&inverted, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    high_has_it = 1;
    futex(&inverted, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    return NULL;
}

CHECK(pi_no_inversion)
{
    pthread_t low, middle, high;
    inverted = 0;
    low_has_it = high_has_it = spun_out = 0;
    one_cpu = sched_getcpu();
    pthread_create(&low, NULL, invert_low, NULL);
    while (!low_has_it)
        usleep(1000);
    make_realtime(30);
    pthread_create(&high, NULL, invert_high, NULL);
    pthread_create(&middle, NULL, invert_middle, NULL);
    make_realtime(0);
    pthread_join(middle, NULL);
    pthread_join(high, NULL);
    pthread_join(low, NULL);
    EXPECT_EQ(spun_out, 0);
    EXPECT_EQ(high_has_it, 1);
}

// --- waits by priority ---

struct sleeper {
    int *word, priority;
    volatile int tid, order;
    pthread_t thread;
};

static void *sleep_on(void *data)
{
    struct sleeper *sleeper = data;
    make_realtime(sleeper->priority);
    sleeper->tid = (int)syscall(SYS_gettid);
    futex(sleeper->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    sleeper->order = __atomic_add_fetch(&turns, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

CHECK(futex_wakes_by_priority)
{
    static int word;
    struct sleeper sleepers[4] = {{.word = &word},
                                  {.word = &word, .priority = 5},
                                  {.word = &word, .priority = 9},
                                  {.word = &word, .priority = 5}};
    static const int order[4] = {4, 2, 1, 3};
    turns = 0;
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(pthread_create(&sleepers[i].thread, NULL, sleep_on, &sleepers[i]), 0);
        EXPECT(sleeps(&sleepers[i].tid));
    }
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
        while (turns <= i)
            usleep(2000);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(sleepers[i].thread, NULL);
        EXPECT_EQ(sleepers[i].order, order[i]);
    }
}

// --- FUTEX_WAIT_REQUEUE_PI ---

struct requeued {
    unsigned *word, *lock;
    int priority;
    const struct timespec *timeout;
    volatile int tid, order, error, ended, may_go;
    unsigned lock_was;
    pthread_t thread;
};

static void *wait_requeue(void *data)
{
    struct requeued *r = data;
    make_realtime(r->priority);
    r->tid = (int)syscall(SYS_gettid);
    errno = 0;
    if (futex(r->word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, r->timeout, r->lock, 0))
        r->error = errno;
    r->order = __atomic_add_fetch(&turns, 1, __ATOMIC_SEQ_CST);
    r->lock_was = *r->lock;
    r->ended = 1;
    while (!r->may_go)
        usleep(2000);
    if (!r->error && futex(r->lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0))
        r->error = errno;
    return NULL;
}

static bool start_requeued(struct requeued *r)
{
    if (pthread_create(&r->thread, NULL, wait_requeue, r))
        return false;
    return sleeps(&r->tid) && !r->ended;
}

static int finish_requeued(struct requeued *r)
{
    r->may_go = 1;
    pthread_join(r->thread, NULL);
    return r->error;
}

CHECK(requeue_pi_gives_a_free_lock)
{
    static unsigned word, lock;
    struct requeued r = {.word = &word, .lock = &lock, .may_go = 1};
    word = lock = 0;
    EXPECT(start_requeued(&r));
    EXPECT_EQ(futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)10, &lock, 0), 1);
    EXPECT_EQ(finish_requeued(&r), 0);
    EXPECT_EQ(r.lock_was & FUTEX_TID_MASK, (unsigned)r.tid);
    EXPECT_EQ(lock, 0);
    EXPECT_EQ(futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)10, &lock, 0), 0);
}

CHECK(requeue_pi_waits_for_the_lock)
{
    static unsigned word, lock;
    struct requeued r[3] = {{.word = &word, .lock = &lock, .may_go = 1},
                            {.word = &word, .lock = &lock, .priority = 8, .may_go = 1},
                            {.word = &word, .lock = &lock, .priority = 4, .may_go = 1}};
    int me = (int)syscall(SYS_gettid);
    word = lock = 0;
    turns = 0;
    EXPECT_OK(futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    for (int i = 0; i < 3; i++)
        EXPECT(start_requeued(&r[i]));
    EXPECT_EQ(futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)INT_MAX, &lock, 0), 3);
    EXPECT_EQ(lock, (unsigned)me | FUTEX_WAITERS);
    EXPECT_EQ(priority_in_effect(me), -9); // the owner inherits from them at once
    usleep(20000);
    EXPECT_EQ(turns, 0);
    EXPECT_OK(futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    EXPECT_EQ(priority_in_effect(me), 20);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(finish_requeued(&r[i]), 0);
    EXPECT_EQ(r[1].order, 1);
    EXPECT_EQ(r[2].order, 2);
    EXPECT_EQ(r[0].order, 3);
}

CHECK(requeue_pi_only_some)
{
    static unsigned word, lock;
    struct requeued r[3] = {{.word = &word, .lock = &lock, .may_go = 1},
                            {.word = &word, .lock = &lock, .may_go = 1},
                            {.word = &word, .lock = &lock, .may_go = 1}};
    word = lock = 0;
    turns = 0;
    for (int i = 0; i < 3; i++)
        EXPECT(start_requeued(&r[i]));
    EXPECT_EQ(futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)0, &lock, 0), 1);
    while (turns < 1)
        usleep(2000);
    usleep(20000);
    EXPECT_EQ(turns, 1);
    EXPECT_EQ(futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &lock, 0), 2);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(finish_requeued(&r[i]), 0);
    EXPECT_EQ(turns, 3);
}

CHECK(requeue_pi_timeouts)
{
    static unsigned word, lock;
    struct timespec end = in_ms(CLOCK_MONOTONIC, 30), later;
    int op = FUTEX_WAIT_REQUEUE_PI_PRIVATE;
    word = lock = 0;
    EXPECT_ERR(futex(&word, op, 0, &end, &lock, 0), ETIMEDOUT);
    end = in_ms(CLOCK_REALTIME, 30);
    EXPECT_ERR(futex(&word, op | FUTEX_CLOCK_REALTIME, 0, &end, &lock, 0), ETIMEDOUT);
    later = in_ms(CLOCK_MONOTONIC, 2000);
    struct requeued r = {
        .word = &word, .lock = &lock, .priority = 3, .timeout = &later, .may_go = 1};
    EXPECT_OK(futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    EXPECT(start_requeued(&r));
    EXPECT_EQ(futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &lock, 0), 1);
    EXPECT_EQ(priority_in_effect((int)syscall(SYS_gettid)), -4);
    EXPECT_EQ(finish_requeued(&r), ETIMEDOUT); // while it waits for the lock
    EXPECT_EQ(priority_in_effect((int)syscall(SYS_gettid)), 20);
    EXPECT_OK(futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    EXPECT_EQ(lock, 0);
}

CHECK(requeue_pi_signals)
{
    static unsigned word, lock;
    struct sigaction action = {.sa_handler = count_signal};
    struct requeued r = {.word = &word, .lock = &lock, .may_go = 1};
    word = lock = 0;
    handled = 0;
    sigaction(SIGUSR1, &action, NULL);
    EXPECT(start_requeued(&r));
    pthread_kill(r.thread, SIGUSR1); // before the requeue: the call goes on
    for (int i = 0; i < 500 && !handled; i++)
        usleep(2000);
    EXPECT_EQ(handled, 1);
    EXPECT(sleeps(&r.tid));
    EXPECT_EQ(r.ended, 0);
    EXPECT_OK(futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    EXPECT_EQ(futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &lock, 0), 1);
    pthread_kill(r.thread, SIGUSR1); // after it: it ends
    EXPECT_EQ(finish_requeued(&r), EAGAIN);
    EXPECT_EQ(handled, 2);
    EXPECT_OK(futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
}

CHECK(requeue_pi_bad_arguments)
{
    static unsigned word, lock, other;
    int requeue = FUTEX_CMP_REQUEUE_PI_PRIVATE, wait = FUTEX_WAIT_REQUEUE_PI_PRIVATE;
    struct requeued r = {.word = &word, .lock = &lock, .may_go = 1};
    struct sleeper plain = {.word = (int *)&other};
    word = lock = other = 0;
    EXPECT_ERR(futex(&word, wait, 0, NULL, &word, 0), EINVAL);
    EXPECT_ERR(futex(&word, wait, 1, NULL, &lock, 0), EAGAIN);
    EXPECT_ERR(futex(BAD_POINTER, wait, 0, NULL, &lock, 0), EFAULT);
    EXPECT_ERR(futex(&word, wait, 0, NULL, (char *)&lock + 2, 0), EINVAL);
    EXPECT_ERR(futex(&word, requeue, 1, (void *)1, &word, 0), EINVAL);
    EXPECT_ERR(futex(&word, requeue, 2, (void *)1, &lock, 0), EINVAL);
    EXPECT_ERR(futex(&word, requeue, 1, (void *)-1L, &lock, 0), EINVAL);
    EXPECT_ERR(futex(&word, requeue, 1, (void *)1, &lock, 5), EAGAIN);
    EXPECT_ERR(futex(BAD_POINTER, requeue, 1, (void *)1, &lock, 0), EFAULT);
    EXPECT(start_requeued(&r));
    EXPECT_ERR(futex(&word, requeue, 1, (void *)1, &other, 0), EINVAL); // not the lock it said
    EXPECT_ERR(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
    EXPECT_ERR(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &lock, 0), EINVAL);
    lock = 999999; // nobody
    EXPECT_ERR(futex(&word, requeue, 1, (void *)1, &lock, 0), ESRCH);
    lock = (unsigned)r.tid;
    EXPECT_ERR(futex(&word, requeue, 1, (void *)1, &lock, 0), EDEADLK);
    lock = 0;
    EXPECT_EQ(futex(&word, requeue, 1, (void *)1, &lock, 0), 1);
    EXPECT_EQ(finish_requeued(&r), 0);
    pthread_create(&plain.thread, NULL, sleep_on, &plain);
    EXPECT(sleeps(&plain.tid));
    EXPECT_ERR(futex(&other, requeue, 1, (void *)1, &lock, 0), EINVAL); // who waits without a lock
    EXPECT_EQ(futex(&other, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
    pthread_join(plain.thread, NULL);
}

// --- futex_waitv ---

struct entry {
    uint64_t value, address;
    uint32_t flags, reserved;
};
#define WORD_32 2u
#define PRIVATE 128u

static long waitv(struct entry *entries, unsigned count, unsigned flags,
                  const struct timespec *timeout, int clock)
{
    return syscall(SYS_futex_waitv, entries, count, flags, timeout, clock);
}

#define ENTRY(word)                                \
    (struct entry)                                 \
    {                                              \
        0, (uintptr_t)(word), WORD_32 | PRIVATE, 0 \
    }

CHECK(waitv_bad_arguments)
{
    int word = 0;
    struct timespec bad = {0, 1000000000}, end = in_ms(CLOCK_MONOTONIC, 20);
    struct entry one = ENTRY(&word), entries[129];
    for (int i = 0; i < 129; i++)
        entries[i] = one;
    EXPECT_ERR(waitv(&one, 1, 1, NULL, CLOCK_MONOTONIC), EINVAL);
    EXPECT_ERR(waitv(&one, 0, 0, NULL, CLOCK_MONOTONIC), EINVAL);
    EXPECT_ERR(waitv(NULL, 1, 0, NULL, CLOCK_MONOTONIC), EINVAL);
    EXPECT_ERR(waitv(entries, 129, 0, NULL, CLOCK_MONOTONIC), EINVAL);
    EXPECT_ERR(waitv(BAD_POINTER, 1, 0, &end, CLOCK_MONOTONIC), EFAULT);
    EXPECT_ERR(waitv(&one, 1, 0, &bad, CLOCK_MONOTONIC), EINVAL);
    EXPECT_ERR(waitv(&one, 1, 0, BAD_POINTER, CLOCK_MONOTONIC), EFAULT);
    EXPECT_ERR(waitv(&one, 1, 0, &end, CLOCK_BOOTTIME), EINVAL);
    one.flags = PRIVATE;
    EXPECT_ERR(waitv(&one, 1, 0, &end, CLOCK_MONOTONIC), EINVAL);
    one.flags = WORD_32 | 4;
    EXPECT_ERR(waitv(&one, 1, 0, &end, CLOCK_MONOTONIC), EINVAL);
    one = ENTRY(&word);
    one.reserved = 1;
    EXPECT_ERR(waitv(&one, 1, 0, &end, CLOCK_MONOTONIC), EINVAL);
    one = ENTRY((char *)&word + 1);
    EXPECT_ERR(waitv(&one, 1, 0, &end, CLOCK_MONOTONIC), EINVAL);
    one = ENTRY(BAD_POINTER);
    EXPECT_ERR(waitv(&one, 1, 0, &end, CLOCK_MONOTONIC), EFAULT);
    one = ENTRY(&word);
    one.value = 3;
    EXPECT_ERR(waitv(&one, 1, 0, NULL, CLOCK_MONOTONIC), EAGAIN);
    EXPECT_ERR(waitv(entries, 128, 0, &end, CLOCK_MONOTONIC), ETIMEDOUT);
}

CHECK(waitv_times_out)
{
    int words[3] = {0};
    struct entry entries[3] = {ENTRY(&words[0]), ENTRY(&words[1]), ENTRY(&words[2])};
    struct timespec end = in_ms(CLOCK_MONOTONIC, 30), now;
    EXPECT_ERR(waitv(entries, 3, 0, &end, CLOCK_MONOTONIC), ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &now);
    EXPECT(now.tv_sec > end.tv_sec || now.tv_nsec >= end.tv_nsec);
    end = in_ms(CLOCK_REALTIME, 30);
    EXPECT_ERR(waitv(entries, 3, 0, &end, CLOCK_REALTIME), ETIMEDOUT);
    entries[2].value = 1;
    EXPECT_ERR(waitv(entries, 3, 0, NULL, CLOCK_MONOTONIC), EAGAIN);
    EXPECT_EQ(futex(&words[0], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0); // it waits no more
}

struct vector_wait {
    struct entry entries[100];
    unsigned count;
    volatile int tid, result, error, ended;
};

static void *wait_vector(void *data)
{
    struct vector_wait *w = data;
    w->tid = (int)syscall(SYS_gettid);
    errno = 0;
    w->result = (int)waitv(w->entries, w->count, 0, NULL, CLOCK_MONOTONIC);
    w->error = errno;
    w->ended = 1;
    return NULL;
}

CHECK(waitv_tells_which)
{
    static int words[100];
    struct vector_wait w = {.count = 100};
    pthread_t thread;
    for (int which = 0; which < 100; which += 33) {
        for (int i = 0; i < 100; i++)
            w.entries[i] = ENTRY(&words[i]);
        w.tid = 0;
        EXPECT_EQ(pthread_create(&thread, NULL, wait_vector, &w), 0);
        EXPECT(sleeps(&w.tid));
        EXPECT_EQ(futex(&words[which], FUTEX_WAKE_PRIVATE, 5, NULL, NULL, 0), 1);
        pthread_join(thread, NULL);
        EXPECT_EQ(w.result, which);
        for (int i = 0; i < 100; i++)
            EXPECT_EQ(futex(&words[i], FUTEX_WAKE_PRIVATE, 5, NULL, NULL, 0), 0);
    }
}

CHECK(waitv_shared_and_private)
{
    int *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    static int word;
    struct vector_wait w = {.count = 2, .entries = {ENTRY(&word), {0, 0, WORD_32, 0}}};
    pthread_t thread;
    EXPECT(shared != MAP_FAILED);
    w.entries[1].address = (uintptr_t)shared;
    w.tid = 0;
    EXPECT_EQ(pthread_create(&thread, NULL, wait_vector, &w), 0);
    EXPECT(sleeps(&w.tid));
    EXPECT_EQ(futex(shared, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
    EXPECT_EQ(futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
    pthread_join(thread, NULL);
    EXPECT_EQ(w.result, 1);
    munmap(shared, PAGE);
}

CHECK(waitv_and_signals)
{
    static int word;
    struct sigaction action = {.sa_handler = count_signal};
    struct vector_wait w = {.count = 1, .entries = {ENTRY(&word)}};
    pthread_t thread;
    handled = 0;
    sigaction(SIGUSR1, &action, NULL);
    w.tid = 0;
    EXPECT_EQ(pthread_create(&thread, NULL, wait_vector, &w), 0);
    EXPECT(sleeps(&w.tid));
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, NULL);
    EXPECT_EQ(w.result, -1);
    EXPECT_EQ(w.error, EINTR);
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, NULL);
    w.ended = 0;
    w.tid = 0;
    EXPECT_EQ(pthread_create(&thread, NULL, wait_vector, &w), 0);
    EXPECT(sleeps(&w.tid));
    pthread_kill(thread, SIGUSR1);
    while (handled < 2)
        usleep(2000);
    EXPECT(sleeps(&w.tid));
    EXPECT_EQ(w.ended, 0);
    EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
    pthread_join(thread, NULL);
    EXPECT_EQ(w.result, 0);
}
