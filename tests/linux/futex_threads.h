// SPDX-License-Identifier: MIT
// What the checks of futexes share: the call itself, times, and what is known of a thread that
// waits.
#pragma once

#include "check.h"
#include <linux/futex.h>
#include <sched.h>

static inline long futex(void *word, int op, unsigned value, const void *timeout, void *word2,
                         unsigned value3)
{
    return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

static inline struct timespec in_ms(int clock, long ms)
{
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += ms % 1000 * 1000000;
    time.tv_sec += ms / 1000 + time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

// Field 18 of /proc/self/task/TID/stat: 20 + nice, or -1 - the real-time priority in effect.
static inline int priority_in_effect(int tid)
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
static inline bool sleeps(volatile int *tid)
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

static inline bool comes_to(int tid, int priority)
{
    for (int i = 0; i < 200; i++) {
        if (priority_in_effect(tid) == priority)
            return true;
        usleep(5000);
    }
    return false;
}

static volatile int turns; // the order in which threads came to it

static inline int make_realtime(int priority)
{
    struct sched_param parameters = {.sched_priority = priority};
    return sched_setscheduler(0, priority ? SCHED_FIFO : SCHED_OTHER, &parameters);
}

static volatile int handled;

static inline void count_signal(int number)
{
    (void)number;
    handled++;
}

struct sleeper {
    int *word, priority;
    volatile int tid, order;
    pthread_t thread;
};

static inline void *sleep_on(void *data)
{
    struct sleeper *sleeper = data;
    make_realtime(sleeper->priority);
    sleeper->tid = (int)syscall(SYS_gettid);
    futex(sleeper->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    sleeper->order = __atomic_add_fetch(&turns, 1, __ATOMIC_SEQ_CST);
    return NULL;
}
