// SPDX-License-Identifier: MIT
// A stress is a list of parts, each of which keeps all CPUs at one thing for some seconds and looks
// whether the results hold:
//
//     PROGRAM SECONDS [PART...]
//
// Prints "ok PART COUNT" or "FAIL PART: found X, expected Y"; the status is 1 when one failed.
#pragma once

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 8

struct part {
    const char *name;
    void (*run)(void);       // returns when `seconds` are over; or,
    void *(*worker)(void *); // until `stop`, in so many threads, told their number
    unsigned threads;
};

static const char *what;
static volatile bool failed, stop;
static unsigned long total;
static unsigned seconds;

static void fail(const char *found, long number, const char *expected)
{
    int error = errno;
    if (!__atomic_exchange_n(&failed, true, __ATOMIC_SEQ_CST))
        printf("FAIL %s: found %s %ld (errno %d), expected %s\n", what, found, number, error,
               expected);
    stop = true;
}

static long long now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

static void add(unsigned long n)
{
    __atomic_add_fetch(&total, n, __ATOMIC_RELAXED);
}

// Runs the worker in n threads until the time is over.
static void run(unsigned n, void *(*worker)(void *))
{
    pthread_t ids[THREADS_MAX];
    long long end = now_ms() + seconds * 1000;
    stop = false;
    for (uintptr_t i = 0; i < n; i++)
        if (pthread_create(&ids[i], NULL, worker, (void *)i)) {
            fail("pthread_create failing at", (long)i, "a thread");
            n = (unsigned)i;
        }
    while (!stop && now_ms() < end)
        usleep(20000);
    stop = true;
    for (unsigned i = 0; i < n; i++)
        pthread_join(ids[i], NULL);
}

static bool run_part(const struct part *part)
{
    what = part->name;
    failed = stop = false;
    total = 0;
    if (part->worker)
        run(part->threads, part->worker);
    else
        part->run();
    if (!failed)
        printf("ok %s %lu\n", what, total);
    fflush(stdout);
    return !failed;
}

static int run_parts(const struct part *parts, unsigned count, int argc, char **argv)
{
    bool bad = false;
    seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 3;
    for (unsigned i = 0; argc < 3 && i < count; i++)
        bad |= !run_part(&parts[i]);
    for (int i = 2; i < argc; i++) {
        unsigned at = 0;
        while (at < count && strcmp(parts[at].name, argv[i]))
            at++;
        if (at == count)
            printf("FAIL %s: found no such part, expected one of the list\n", argv[i]);
        bad |= at == count || !run_part(&parts[at]);
    }
    return bad;
}
