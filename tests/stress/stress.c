// SPDX-License-Identifier: MIT
// Keeps all CPUs at one thing for some seconds and looks whether the results hold:
//
//     stress SECONDS [PART...]        PART: threads mutexes conditions signals memory shootdown
//     files pipes timers
//
// What it prints: parts.h.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "parts.h"

#define PAGE    4096ul
#define WORKERS THREADS_MAX

static void *nothing(void *argument)
{
    return argument;
}

static void *create_threads(void *unused)
{
    (void)unused;
    while (!stop) {
        pthread_t ids[4];
        void *result;
        for (uintptr_t i = 0; i < 4; i++)
            if (pthread_create(&ids[i], NULL, nothing, (void *)i))
                fail("pthread_create failing at", (long)i, "a thread");
        for (uintptr_t i = 0; i < 4 && !failed; i++) {
            pthread_join(ids[i], &result);
            if ((uintptr_t)result != i)
                fail("result", (long)result, "the argument");
        }
        add(4);
    }
    return NULL;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static volatile unsigned long guarded[2];
static volatile unsigned turn;

static void *lock_and_count(void *unused)
{
    (void)unused;
    while (!stop) {
        pthread_mutex_lock(&mutex);
        if (guarded[0] != guarded[1])
            fail("guarded values that differ by", (long)(guarded[0] - guarded[1]), "0");
        guarded[0]++;
        if (guarded[0] % 64 == 0)
            sched_yield();
        guarded[1]++;
        pthread_mutex_unlock(&mutex);
        add(1);
    }
    return NULL;
}

static void *take_turns(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;
    while (!stop) {
        pthread_mutex_lock(&mutex);
        while (turn != me && !stop)
            pthread_cond_wait(&changed, &mutex);
        turn = (me + 1) % WORKERS;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
        add(1);
    }
    return NULL;
}

static pthread_t peers[WORKERS];
static volatile bool peer_known[WORKERS];
static unsigned long sent, taken;

static void on_signal(int number)
{
    (void)number;
    volatile double x = (double)taken; // uses FP registers inside the handler
    x = x * 1.5 + 1;
    __atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED);
}

static void *signal_each_other(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;
    uint64_t pattern = (me + 1) * 0x0101010101010101ul, low, high;
    peers[me] = pthread_self();
    __atomic_store_n(&peer_known[me], true, __ATOMIC_RELEASE);
    while (!stop) {
        unsigned other = (me + 1 + (unsigned)(total % (WORKERS - 1))) % WORKERS;
        if (__atomic_load_n(&peer_known[other], __ATOMIC_ACQUIRE) &&
            pthread_kill(peers[other], SIGUSR1) == 0)
            __atomic_add_fetch(&sent, 1, __ATOMIC_RELAXED);
        // Registers must hold across handlers that run in between.
        __asm__ volatile("dup v20.2d, %2\n mov x9, #2000\n1: subs x9, x9, #1\n b.ne 1b\n"
                         "mov %0, v20.d[0]\n mov %1, v20.d[1]\n"
                         : "=r"(low), "=r"(high)
                         : "r"(pattern)
                         : "x9", "v20", "cc");
        if (low != pattern || high != pattern)
            fail("FP register", (long)low, "the thread's own value");
        add(1);
    }
    // Peers may still send: the thread must live until all have stopped.
    usleep(100000);
    return NULL;
}

static void *use_memory(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;
    uint64_t round = 0;
    while (!stop) {
        size_t pages = 1 + (round * 7 + me) % 40;
        uint64_t *p =
            mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) {
            fail("mmap failing for pages", (long)pages, "memory");
            break;
        }
        for (size_t i = 0; i < pages; i++) {
            if (p[i * 512 + 3])
                fail("fresh memory", (long)p[i * 512 + 3], "0");
            p[i * 512 + 3] = round ^ i ^ me;
        }
        if (pages > 4 &&
            (mprotect(p + 512, PAGE, PROT_READ) || madvise(p + 1024, PAGE, MADV_DONTNEED)))
            fail("mprotect or madvise failing", 0, "success");
        for (size_t i = 0; i < pages; i++)
            if (p[i * 512 + 3] != (pages > 4 && i == 2 ? 0 : round ^ i ^ me))
                fail("memory", (long)p[i * 512 + 3], "what was written");
        munmap(p, pages * PAGE);
        round++;
        add(1);
    }
    return NULL;
}

static volatile uint64_t *shared;
static _Thread_local sigjmp_buf escape;

static void on_fault(int number)
{
    (void)number;
    siglongjmp(escape, 1);
}

// One thread takes the right to write away; the others write as fast as they can. Once mprotect has
// returned, no CPU may write any more: that needs the invalidation of every CPU's TLB.
static void *shoot_down(void *argument)
{
    if (argument == NULL) {
        while (!stop) {
            mprotect((void *)shared, PAGE, PROT_READ);
            uint64_t before = shared[0];
            for (volatile int i = 0; i < 2000; i++)
                ;
            if (shared[0] != before)
                fail("writes after mprotect:", (long)(shared[0] - before), "none");
            mprotect((void *)shared, PAGE, PROT_READ | PROT_WRITE);
            for (volatile int i = 0; i < 2000; i++)
                ;
            add(1);
        }
        mprotect((void *)shared, PAGE, PROT_READ | PROT_WRITE);
        return NULL;
    }
    while (!stop) {
        if (sigsetjmp(escape, 1) == 0)
            while (!stop)
                shared[0]++;
    }
    return NULL;
}

static void *use_files(void *argument)
{
    char name[32], other[32], data[300], back[300];
    unsigned long round = 0;
    snprintf(name, sizeof name, "file-%lu", (unsigned long)(uintptr_t)argument);
    snprintf(other, sizeof other, "other-%lu", (unsigned long)(uintptr_t)argument);
    while (!stop) {
        memset(data, (int)(round + (uintptr_t)argument), sizeof data);
        int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || pwrite(fd, data, sizeof data, (off_t)(round % 5000)) != sizeof data)
            fail("open or write of a file failing", fd, "success");
        if (rename(name, other) ||
            pread(fd, back, sizeof back, (off_t)(round % 5000)) != sizeof back ||
            memcmp(data, back, sizeof data))
            fail("rename or contents of a file wrong", fd, "what was written");
        close(fd);
        if (unlink(other) || unlink(other) == 0)
            fail("unlink wrong", 0, "once success, then ENOENT");
        // One name for all threads: any of the results may come, but no other.
        int both = open("common", O_RDWR | O_CREAT | O_EXCL, 0600);
        if (both < 0 && errno != EEXIST)
            fail("open of a common file", both, "a descriptor or EEXIST");
        if (both >= 0) {
            close(both);
            if (unlink("common"))
                fail("unlink of the common file", -1, "success for who made it");
        }
        round++;
        add(1);
    }
    return NULL;
}

static int ring[WORKERS][2];

static void *pass_on(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;
    uint64_t value = 0;
    while (!stop) {
        ssize_t n = read(ring[me][0], &value, sizeof value);
        if (n != sizeof value)
            break;
        if (me == 0)
            add(1);
        value++;
        if (write(ring[(me + 1) % WORKERS][1], &value, sizeof value) != sizeof value)
            break;
        if (value % WORKERS != (me + 1) % WORKERS)
            fail("value", (long)value, "one more at each thread");
    }
    close(ring[(me + 1) % WORKERS][1]); // ends the next thread's read
    return NULL;
}

static void use_pipes(void)
{
    uint64_t value = 0;
    for (int i = 0; i < WORKERS; i++)
        if (pipe(ring[i])) {
            fail("pipe failing at", i, "a pipe");
            return;
        }
    if (write(ring[0][1], &value, sizeof value) != sizeof value)
        fail("write to a pipe failing", 0, "8 bytes");
    run(WORKERS, pass_on);
    for (int i = 0; i < WORKERS; i++)
        close(ring[i][0]);
}

static void *sleep_often(void *argument)
{
    struct timespec little = {0, 200000 * (long)((uintptr_t)argument + 1)}, before, after;
    while (!stop) {
        clock_gettime(CLOCK_MONOTONIC, &before);
        nanosleep(&little, NULL);
        clock_gettime(CLOCK_MONOTONIC, &after);
        long long ns =
            (after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec;
        if (ns < little.tv_nsec)
            fail("a sleep of ns", (long)ns, "not less than asked");
        if (ns > 5000000000ll)
            fail("a sleep of ns", (long)ns, "less than 5 s");
        add(1);
    }
    return NULL;
}

static void signals(void)
{
    signal(SIGUSR1, on_signal);
    run(WORKERS, signal_each_other);
    if (taken == 0 || taken > sent)
        fail("signals taken", (long)taken, "some, at most those sent");
}

static void shootdown(void)
{
    signal(SIGSEGV, on_fault);
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    shared[0] = 1;
    run(4, shoot_down);
    signal(SIGSEGV, SIG_DFL);
}

int main(int argc, char **argv)
{
    static const struct part parts[] = {
        {.name = "threads", .worker = create_threads, .threads = 4},
        {.name = "mutexes", .worker = lock_and_count, .threads = WORKERS},
        {.name = "conditions", .worker = take_turns, .threads = WORKERS},
        {.name = "signals", .run = signals},
        {.name = "memory", .worker = use_memory, .threads = WORKERS},
        {.name = "shootdown", .run = shootdown},
        {.name = "files", .worker = use_files, .threads = WORKERS},
        {.name = "pipes", .run = use_pipes},
        {.name = "timers", .worker = sleep_often, .threads = WORKERS},
    };
    mkdir("/tmp", 01777);
    if (chdir("/tmp"))
        return 2;
    return run_parts(parts, sizeof parts / sizeof parts[0], argc, argv);
}
