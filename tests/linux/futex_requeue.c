// SPDX-License-Identifier: MIT
// futex(2): waiting for a word and then for a lock that inherits priority (FUTEX_WAIT_REQUEUE_PI,
// FUTEX_CMP_REQUEUE_PI).
#include "futex_threads.h"

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
