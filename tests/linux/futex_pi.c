// SPDX-License-Identifier: MIT
// futex(2): locks whose owner inherits the priority of those who wait (FUTEX_LOCK_PI), and the
// order in which waiters are woken.
#include "futex_threads.h"

// A thread that takes locks one after the other, holds them until it is told, and gives them back.
struct holder {
    unsigned *words[2];
    int priority; // 0: not real-time
    const struct timespec *timeout;
    volatile int tid, held, error, may_go, order;
    pthread_t thread;
};

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
