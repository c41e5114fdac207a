/* SPDX-License-Identifier: MIT */
/* Two threads that sleep on one CPU: the first of them is switched away, the second may rest where
 * it is. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define SECONDS 8

static void *sleeper(void *argument)
{
    sleep(SECONDS);
    return argument;
}

int main(void)
{
    pthread_t thread;
    cpu_set_t first;

    CPU_ZERO(&first);
    CPU_SET(0, &first);
    if (sched_setaffinity(0, sizeof(first), &first) != 0 ||
        pthread_create(&thread, NULL, sleeper, NULL) != 0)
        return 1;
    usleep(50000);
    puts("idle");
    fflush(stdout);
    sleep(SECONDS);
    return pthread_join(thread, NULL);
}
