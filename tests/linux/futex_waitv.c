// SPDX-License-Identifier: MIT
// futex(2): waiting for several words (futex_waitv).
#include "futex_threads.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

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
