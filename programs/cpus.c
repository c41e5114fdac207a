/* SPDX-License-Identifier: MIT */
/*
 * A thread pinned to every CPU sleeps a few times and tells how many timer interrupts its CPU took
 * meanwhile, by /proc/interrupts. Fails if a thread runs elsewhere or a CPU has no timer.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CPUS_MAX = 512, SLEEPS = 10, SLEEP_NS = 2000000 };

struct worker {
    pthread_t thread;
    unsigned cpu;
    long interrupts;
    bool strayed;
};

/* The count of line `...: n0 n1 ... timer` in column `column`, -1 if there is none. */
static long timer_interrupts(unsigned column)
{
    FILE *file = fopen("/proc/interrupts", "r");
    char *line = NULL;
    size_t size = 0;
    long count = -1;

    if (!file)
        return -1;
    while (count < 0 && getline(&line, &size, file) > 0) {
        char *at = strchr(line, ':');

        if (!at || !strstr(line, "timer"))
            continue;
        at++;
        for (unsigned i = 0; i <= column && at; i++) {
            char *end;

            count = strtol(at, &end, 10);
            at = end == at ? NULL : end;
        }
        if (!at)
            count = -1;
    }
    free(line);
    fclose(file);
    return count;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(worker->cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        perror("sched_setaffinity");
        worker->strayed = true;
        return NULL;
    }
    long before = timer_interrupts(worker->cpu);

    for (int i = 0; i < SLEEPS; i++) {
        struct timespec time = {.tv_nsec = SLEEP_NS};

        nanosleep(&time, NULL);
        if (sched_getcpu() != (int)worker->cpu)
            worker->strayed = true;
    }
    worker->interrupts = before < 0 ? -1 : timer_interrupts(worker->cpu) - before;
    return NULL;
}

int main(void)
{
    static struct worker workers[CPUS_MAX];
    cpu_set_t set;
    unsigned count = 0;
    int status = 0;

    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        perror("sched_getaffinity");
        return 1;
    }
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        if (!CPU_ISSET(cpu, &set))
            continue;
        workers[count].cpu = cpu;
        int error = pthread_create(&workers[count].thread, NULL, work, &workers[count]);

        if (error) {
            fprintf(stderr, "pthread_create for cpu %u: %s\n", cpu, strerror(error));
            return 1;
        }
        count++;
    }
    for (unsigned i = 0; i < count; i++) {
        struct worker *worker = &workers[i];

        pthread_join(worker->thread, NULL);
        printf("cpu %u: %ld timer interrupts%s\n", worker->cpu, worker->interrupts,
               worker->strayed ? ", but its thread ran elsewhere" : "");
        if (worker->strayed || worker->interrupts <= 0)
            status = 1;
    }
    return status;
}
