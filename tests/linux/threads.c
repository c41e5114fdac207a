// SPDX-License-Identifier: MIT
// Threads: clone(2) with the flags that pthreads use, thread ids, TLS, exit of threads, affinity,
// yield.
#include "check.h"
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/times.h>

#define THREAD_FLAGS \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static char stack[65536] __attribute__((aligned(16)));
static volatile int ran, child_tid, parent_tid;

static int raw_child(void *argument)
{
    ran = (int)(long)argument;
    syscall(SYS_exit, 0);
    return 0;
}

static void wait_until_zero(volatile int *word)
{
    int value;
    while ((value = *word) != 0)
        syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

CHECK(clone_thread_settid_and_cleartid)
{
    int flags = THREAD_FLAGS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID;
    ran = 0;
    child_tid = -1;
    parent_tid = 0;
    int id =
        clone(raw_child, stack + sizeof stack, flags, (void *)5, &parent_tid, NULL, &child_tid);
    EXPECT(id > 0);
    EXPECT_EQ(parent_tid, id);
    wait_until_zero(&child_tid);
    EXPECT_EQ(ran, 5);
}

CHECK(clone_flag_errors)
{
    EXPECT_ERR(syscall(SYS_clone, CLONE_THREAD, stack, 0, 0, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_clone, CLONE_SIGHAND, stack, 0, 0, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS, stack, 0, 0, 0), EINVAL);
}

static void *return_argument(void *argument)
{
    return argument;
}

CHECK(thread_create_and_join)
{
    pthread_t thread;
    void *result;
    EXPECT_EQ(pthread_create(&thread, NULL, return_argument, (void *)77), 0);
    EXPECT_EQ(pthread_join(thread, &result), 0);
    EXPECT_EQ((long)result, 77);
}

CHECK(thread_create_many_in_turn)
{
    for (long i = 0; i < 200; i++) {
        pthread_t thread;
        void *result;
        EXPECT_EQ(pthread_create(&thread, NULL, return_argument, (void *)i), 0);
        EXPECT_EQ(pthread_join(thread, &result), 0);
        EXPECT_EQ((long)result, i);
    }
}

static pthread_barrier_t barrier;

static void *meet(void *argument)
{
    pthread_barrier_wait(&barrier);
    return argument;
}

CHECK(thread_create_many_at_once)
{
    enum { COUNT = 64 };
    pthread_t threads[COUNT];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    pthread_barrier_init(&barrier, NULL, COUNT);
    for (int i = 0; i < COUNT; i++)
        EXPECT_EQ(pthread_create(&threads[i], &attributes, meet, NULL), 0);
    for (int i = 0; i < COUNT; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
}

static void *ids(void *result)
{
    ((int *)result)[0] = (int)syscall(SYS_getpid);
    ((int *)result)[1] = (int)syscall(SYS_gettid);
    return NULL;
}

CHECK(thread_ids)
{
    int id[2];
    pthread_t thread;
    EXPECT_EQ(syscall(SYS_gettid), getpid());
    EXPECT_EQ(pthread_create(&thread, NULL, ids, id), 0);
    pthread_join(thread, NULL);
    EXPECT_EQ(id[0], getpid());
    EXPECT(id[1] != getpid());
}

static _Thread_local long local = 11;

static void *use_local(void *unused)
{
    (void)unused;
    long before = local;
    local = 99;
    sched_yield();
    return (void *)(before * 1000 + local);
}

CHECK(thread_local_storage)
{
    pthread_t threads[8];
    void *result;
    local = 5;
    for (int i = 0; i < 8; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, use_local, NULL), 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], &result);
        EXPECT_EQ((long)result, 11099);
    }
    EXPECT_EQ(local, 5);
}

CHECK(thread_pointer_register)
{
    uintptr_t pointer, kept;
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(pointer));
    EXPECT(pointer != 0);
    __asm__ volatile("msr tpidr_el0, %1\n mov x8, #124\n svc #0\n mrs %0, tpidr_el0\n"
                     "msr tpidr_el0, %2\n"
                     : "=&r"(kept)
                     : "r"(0x1234567890ul), "r"(pointer)
                     : "x0", "x8", "memory");
    EXPECT_EQ(kept, 0x1234567890);
}

static volatile uint64_t fp_errors;
static pthread_barrier_t fp_start; // they take turns only if none has ended before the last begins

static void *fp_thread(void *argument)
{
    uint64_t mine = (uint64_t)(long)argument * 0x0101010101010101ul, low, high;
    pthread_barrier_wait(&fp_start);
    for (int i = 0; i < 300; i++) {
        __asm__ volatile("dup v10.2d, %2\n dup v30.2d, %2\n mov x8, #124\n svc #0\n"
                         "mov %0, v10.d[1]\n mov %1, v30.d[0]\n"
                         : "=&r"(low), "=&r"(high)
                         : "r"(mine)
                         : "x0", "x8", "v10", "v30", "memory");
        if (low != mine || high != mine)
            __atomic_add_fetch(&fp_errors, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

CHECK(thread_fp_registers_are_its_own)
{
    pthread_t threads[4];
    fp_errors = 0;
    EXPECT_EQ(pthread_barrier_init(&fp_start, NULL, 4), 0);
    for (long i = 0; i < 4; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, fp_thread, (void *)(i + 1)), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&fp_start);
    EXPECT_EQ(fp_errors, 0);
}

static volatile int spinning;

static void *spin(void *unused)
{
    (void)unused;
    spinning = 1;
    while (spinning)
        ;
    return NULL;
}

CHECK(thread_is_preempted)
{
    // Three threads that never call the kernel: the main thread still runs.
    pthread_t threads[3];
    struct timespec start, end;
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, spin, NULL), 0);
    clock_gettime(CLOCK_MONOTONIC, &start);
    usleep(50000);
    spinning = 0;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    EXPECT(end.tv_sec - start.tv_sec < 3);
}

static volatile bool spinners_stop;

static void *spin_and_count(void *count)
{
    while (!spinners_stop)
        ++*(volatile unsigned long *)count;
    return NULL;
}

// The thread that is there first never enters the kernel of its own will, and no CPU is idle for
// long enough to help.
CHECK(thread_joins_a_busy_cpu)
{
    cpu_set_t all, here, busy;
    EXPECT_OK(sched_getaffinity(0, sizeof all, &all));
    CPU_ZERO(&here);
    CPU_ZERO(&busy);
    CPU_SET(0, &here);
    CPU_SET(CPU_COUNT(&all) - 1, &busy);
    EXPECT_OK(sched_setaffinity(0, sizeof here, &here));
    pthread_attr_t pinned;
    EXPECT_EQ(pthread_attr_init(&pinned), 0);
    EXPECT_EQ(pthread_attr_setaffinity_np(&pinned, sizeof busy, &busy), 0);
    for (int round = 0; round < 10; round++) {
        volatile unsigned long counts[2] = {0, 0};
        pthread_t spinners[2];
        spinners_stop = false;
        for (int i = 0; i < 2; i++) {
            EXPECT_EQ(pthread_create(&spinners[i], &pinned, spin_and_count, (void *)&counts[i]), 0);
            while (counts[i] == 0)
                usleep(1000);
        }
        spinners_stop = true;
        pthread_join(spinners[0], NULL);
        pthread_join(spinners[1], NULL);
    }
    pthread_attr_destroy(&pinned);
    EXPECT_OK(sched_setaffinity(0, sizeof all, &all));
}

CHECK(thread_detached)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(pthread_create(&thread, &attributes, return_argument, NULL), 0);
    usleep(20000);
}

static void clean(void *flag)
{
    *(int *)flag = 1;
}

static void *sleep_for_ever(void *flag)
{
    pthread_cleanup_push(clean, flag);
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return NULL;
}

CHECK(thread_cancel)
{
    pthread_t thread;
    int cleaned = 0;
    void *result;
    EXPECT_EQ(pthread_create(&thread, NULL, sleep_for_ever, &cleaned), 0);
    usleep(20000);
    EXPECT_EQ(pthread_cancel(thread), 0);
    pthread_join(thread, &result);
    EXPECT_EQ((long)result, (long)PTHREAD_CANCELED);
    EXPECT_EQ(cleaned, 1);
}

CHECK(thread_name)
{
    char name[16] = "";
    EXPECT_OK(prctl(PR_SET_NAME, "a name that is too long"));
    EXPECT_OK(prctl(PR_GET_NAME, name));
    EXPECT_STR(name, "a name that is ");
    EXPECT_EQ(pthread_setname_np(pthread_self(), "short"), 0);
    EXPECT_EQ(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    EXPECT_STR(name, "short");
}

static void *make_file_and_move(void *fd)
{
    *(int *)fd = open("by-thread", O_RDWR | O_CREAT, 0600);
    mkdir("inner", 0700);
    chdir("inner");
    umask(027);
    return NULL;
}

CHECK(thread_shares_files_folder_and_umask)
{
    int fd = -1;
    char name[256];
    pthread_t thread;
    mode_t old = umask(022);
    EXPECT_EQ(pthread_create(&thread, NULL, make_file_and_move, &fd), 0);
    pthread_join(thread, NULL);
    EXPECT_EQ(write(fd, "x", 1), 1);
    EXPECT(getcwd(name, sizeof name) != NULL);
    EXPECT_STR(strrchr(name, '/'), "/inner");
    EXPECT_EQ(umask(old), 027);
    EXPECT_OK(chdir(".."));
    close(fd);
}

CHECK(sched_affinity)
{
    cpu_set_t set, now;
    EXPECT_OK(sched_getaffinity(0, sizeof set, &set));
    EXPECT(CPU_COUNT(&set) >= 1);
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof set, &now);
    EXPECT(bytes >= 8 && bytes % 8 == 0);
    CPU_ZERO(&now);
    CPU_SET(0, &now);
    EXPECT_OK(sched_setaffinity(0, sizeof now, &now));
    unsigned cpu = 99, node = 99;
    EXPECT_OK(syscall(SYS_getcpu, &cpu, &node, NULL));
    EXPECT_EQ(cpu, 0);
    EXPECT_EQ(node, 0);
    EXPECT_EQ(sched_getcpu(), 0);
    EXPECT_OK(sched_setaffinity(0, sizeof set, &set));
    CPU_ZERO(&now);
    EXPECT_ERR(sched_setaffinity(0, sizeof now, &now), EINVAL);
    EXPECT_ERR(sched_setaffinity(999999, sizeof set, &set), ESRCH);
    EXPECT_ERR(syscall(SYS_sched_getaffinity, 0, 4, &now), EINVAL);
    EXPECT_ERR(syscall(SYS_sched_getaffinity, 0, sizeof now, BAD_POINTER), EFAULT);
    EXPECT_ERR(syscall(SYS_sched_setaffinity, 0, sizeof now, BAD_POINTER), EFAULT);
}

// It waits behind an equal of its own CPU; the other one becomes idle and takes it over.
CHECK(sched_idle_cpu_takes_realtime_thread)
{
    cpu_set_t all, first, second;
    struct sched_param ten = {.sched_priority = 10}, twenty = {.sched_priority = 20}, zero = {0};
    volatile unsigned long counts[2] = {0, 0};
    pthread_t spinners[2];
    pthread_attr_t pinned;

    EXPECT_OK(sched_getaffinity(0, sizeof all, &all));
    if (CPU_COUNT(&all) < 2)
        SKIP("one CPU");
    CPU_ZERO(&first);
    CPU_ZERO(&second);
    CPU_SET(0, &first);
    CPU_SET(1, &second);
    EXPECT_OK(sched_setaffinity(0, sizeof first, &first));
    EXPECT_OK(sched_setscheduler(0, SCHED_FIFO, &twenty));
    EXPECT_EQ(pthread_attr_init(&pinned), 0);
    EXPECT_EQ(pthread_attr_setaffinity_np(&pinned, sizeof second, &second), 0);
    EXPECT_EQ(pthread_attr_setinheritsched(&pinned, PTHREAD_EXPLICIT_SCHED), 0);
    EXPECT_EQ(pthread_attr_setschedpolicy(&pinned, SCHED_FIFO), 0);
    EXPECT_EQ(pthread_attr_setschedparam(&pinned, &ten), 0);
    spinners_stop = false;
    // A new thread has its maker's priority for a moment, and could get ahead of one that has not
    // run yet.
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(pthread_create(&spinners[i], &pinned, spin_and_count, (void *)&counts[i]), 0);
        while (i == 0 && counts[0] == 0)
            usleep(1000);
    }
    EXPECT_EQ(pthread_setaffinity_np(spinners[1], sizeof all, &all), 0);
    while (counts[1] == 0)
        usleep(1000);
    spinners_stop = true;
    pthread_join(spinners[0], NULL);
    pthread_join(spinners[1], NULL);
    pthread_attr_destroy(&pinned);
    EXPECT_OK(sched_setscheduler(0, SCHED_OTHER, &zero));
    EXPECT_OK(sched_setaffinity(0, sizeof all, &all));
}

CHECK(sched_policies)
{
    struct sched_param zero = {0}, ten = {.sched_priority = 10}, now;
    EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
    EXPECT_OK(sched_getparam(0, &now));
    EXPECT_EQ(now.sched_priority, 0);
    EXPECT_OK(sched_setscheduler(0, SCHED_BATCH, &zero));
    EXPECT_EQ(sched_getscheduler(0), SCHED_BATCH);
    EXPECT_OK(sched_setscheduler(0, SCHED_FIFO, &ten));
    EXPECT_EQ(sched_getscheduler(0), SCHED_FIFO);
    EXPECT_OK(sched_getparam(0, &now));
    EXPECT_EQ(now.sched_priority, 10);
    EXPECT_OK(sched_setscheduler(0, SCHED_RR, &ten));
    EXPECT_OK(sched_setscheduler(0, SCHED_OTHER, &zero));
    EXPECT_OK(sched_setparam(0, &zero));
    EXPECT_ERR(sched_setparam(0, &ten), EINVAL);
    EXPECT_ERR(sched_setparam(999999, &zero), ESRCH);
    EXPECT_ERR(syscall(SYS_sched_setparam, 0, BAD_POINTER), EFAULT);
    EXPECT_ERR(sched_setscheduler(0, SCHED_OTHER, &ten), EINVAL);
    EXPECT_ERR(sched_setscheduler(0, SCHED_FIFO, &zero), EINVAL);
    EXPECT_ERR(sched_setscheduler(0, 77, &zero), EINVAL);
    EXPECT_ERR(sched_setscheduler(999999, SCHED_OTHER, &zero), ESRCH);
    EXPECT_ERR(sched_getscheduler(-1), EINVAL);
}

CHECK(sched_priority_ranges)
{
    EXPECT_EQ(sched_get_priority_max(SCHED_FIFO), 99);
    EXPECT_EQ(sched_get_priority_min(SCHED_FIFO), 1);
    EXPECT_EQ(sched_get_priority_max(SCHED_OTHER), 0);
    EXPECT_ERR(sched_get_priority_max(99), EINVAL);
    struct timespec interval;
    EXPECT_OK(sched_rr_get_interval(0, &interval));
    EXPECT_OK(sched_yield());
}

CHECK(sched_getattr)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t rest[4];
    } attributes = {0};
    EXPECT_OK(syscall(SYS_sched_getattr, 0, &attributes, 48, 0));
    EXPECT(attributes.size >= 48);
    EXPECT_EQ(attributes.policy, SCHED_OTHER);
    EXPECT_ERR(syscall(SYS_sched_getattr, 0, &attributes, 10, 0), EINVAL);
    attributes.nice = 3;
    EXPECT_OK(syscall(SYS_sched_setattr, 0, &attributes, 0));
    EXPECT_EQ(getpriority(PRIO_PROCESS, 0), 3);
    attributes.nice = 0;
    EXPECT_OK(syscall(SYS_sched_setattr, 0, &attributes, 0));
}

CHECK(sched_setattr_flags)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t rest[20];
    } attributes = {.size = 48, .policy = SCHED_FIFO, .nice = 7, .priority = 3};

    EXPECT_OK(setpriority(PRIO_PROCESS, 0, 4));
    EXPECT_OK(syscall(SYS_sched_setattr, 0, &attributes, 0));
    EXPECT_OK(syscall(SYS_sched_getattr, 0, &attributes, 48, 0));
    EXPECT_EQ(attributes.priority, 3);
    EXPECT_EQ(attributes.nice, 0);
    attributes.priority = 5;
    attributes.policy = SCHED_OTHER;
    attributes.flags = 0x08; // SCHED_FLAG_KEEP_POLICY
    EXPECT_OK(syscall(SYS_sched_setattr, 0, &attributes, 0));
    EXPECT_EQ(sched_getscheduler(0), SCHED_FIFO);
    attributes.policy = SCHED_RR;
    attributes.priority = 9;
    attributes.flags = 0x11; // SCHED_FLAG_KEEP_PARAMS, SCHED_FLAG_RESET_ON_FORK
    EXPECT_OK(syscall(SYS_sched_setattr, 0, &attributes, 0));
    EXPECT_EQ(sched_getscheduler(0), SCHED_FIFO | 0x40000000); // the policy is kept with them
    EXPECT_OK(syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0));
    EXPECT_EQ(attributes.size, 56);
    EXPECT_EQ(attributes.priority, 5);
    EXPECT_EQ(attributes.flags, 1);
    attributes.flags = 0x100;
    EXPECT_ERR(syscall(SYS_sched_setattr, 0, &attributes, 0), EINVAL);
    attributes.flags = 0;
    attributes.policy = -1;
    EXPECT_ERR(syscall(SYS_sched_setattr, 0, &attributes, 0), EINVAL);
    attributes.policy = SCHED_OTHER;
    attributes.priority = 0;
    EXPECT_ERR(syscall(SYS_sched_setattr, 999999, &attributes, 0), ESRCH);
    EXPECT_ERR(syscall(SYS_sched_setattr, -1, &attributes, 0), EINVAL);
    attributes.size = 40;
    EXPECT_ERR(syscall(SYS_sched_setattr, 0, &attributes, 0), E2BIG);
    EXPECT_EQ(attributes.size, 56);
    attributes.size = sizeof attributes;
    attributes.rest[19] = 1;
    EXPECT_ERR(syscall(SYS_sched_setattr, 0, &attributes, 0), E2BIG);
    attributes.size = sizeof attributes;
    attributes.rest[19] = 0;
    EXPECT_OK(syscall(SYS_sched_setattr, 0, &attributes, 0));
    EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
    EXPECT_OK(setpriority(PRIO_PROCESS, 0, 0));
}

static void *own_policy(void *unused)
{
    (void)unused;
    return (void *)(long)sched_getscheduler(0);
}

CHECK(reset_on_fork)
{
    struct sched_param none = {0}, first = {1};
    pthread_t thread;
    void *policy;

    EXPECT_OK(sched_setscheduler(0, SCHED_BATCH | 0x40000000, &none));
    EXPECT_EQ(pthread_create(&thread, NULL, own_policy, NULL), 0);
    EXPECT_EQ(pthread_join(thread, &policy), 0);
    EXPECT_EQ((long)policy, SCHED_BATCH); // only real-time threads' children begin anew
    EXPECT_OK(sched_setscheduler(0, SCHED_FIFO | 0x40000000, &first));
    EXPECT_EQ(pthread_create(&thread, NULL, own_policy, NULL), 0);
    EXPECT_EQ(pthread_join(thread, &policy), 0);
    EXPECT_EQ((long)policy, SCHED_OTHER);
    EXPECT_OK(sched_setscheduler(0, SCHED_OTHER, &none));
}

CHECK(nice_values)
{
    EXPECT_OK(setpriority(PRIO_PROCESS, 0, 5));
    EXPECT_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 15);
    EXPECT_OK(setpriority(PRIO_PROCESS, 0, 100));
    EXPECT_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 1);
    EXPECT_OK(setpriority(PRIO_PROCESS, 0, 0));
    EXPECT_ERR(setpriority(9, 0, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_getpriority, PRIO_PROCESS, 999999), ESRCH);
}

static void *unshare_all(void *fd)
{
    if (syscall(SYS_unshare, CLONE_VM) != -1 || errno != EINVAL)
        return "CLONE_VM with two threads";
    if (syscall(SYS_unshare, CLONE_FS | CLONE_FILES | CLONE_SYSVSEM))
        return "unshare";
    umask(0777);
    if (chdir("/") || close((int)(long)fd) || close((int)(long)fd) != -1)
        return "chdir or close";
    return NULL;
}

CHECK(unshare)
{
    char before[PATH_MAX], after[PATH_MAX];
    int fd = open("/dev/null", O_RDONLY);
    pthread_t thread;
    void *wrong;
    EXPECT(getcwd(before, sizeof before) != NULL);
    umask(022);
    EXPECT_EQ(pthread_create(&thread, NULL, unshare_all, (void *)(long)fd), 0);
    EXPECT_EQ(pthread_join(thread, &wrong), 0);
    EXPECT_STR(wrong ? wrong : "nothing", "nothing");
    EXPECT(getcwd(after, sizeof after) != NULL);
    EXPECT_STR(after, before);
    EXPECT_EQ(umask(022), 022);
    EXPECT_OK(close(fd));
    EXPECT_OK(syscall(SYS_unshare, 0));
    EXPECT_OK(syscall(SYS_unshare, CLONE_FS));
    EXPECT_OK(syscall(SYS_unshare, CLONE_FILES));
    EXPECT_ERR(syscall(SYS_unshare, 1), EINVAL);
    EXPECT_ERR(syscall(SYS_unshare, CLONE_VFORK), EINVAL);
    EXPECT_ERR(syscall(SYS_unshare, CLONE_SETTLS | CLONE_FS), EINVAL);
}

CHECK(set_tid_address_returns_the_thread)
{
    static int word;
    EXPECT_EQ(syscall(SYS_set_tid_address, &word), gettid());
}

CHECK(membarrier)
{
    int supported = (int)syscall(SYS_membarrier, 0, 0, 0);
    EXPECT(supported > 0);
    EXPECT_EQ(supported & (1 << 3), 1 << 3);
    EXPECT_ERR(syscall(SYS_membarrier, 1 << 5, 0, 0), EPERM); /* not registered */
    EXPECT_OK(syscall(SYS_membarrier, 1 << 6, 0, 0));
    EXPECT_OK(syscall(SYS_membarrier, 1 << 5, 0, 0));
    EXPECT_OK(syscall(SYS_membarrier, 1 << 4, 0, 0));
    EXPECT_OK(syscall(SYS_membarrier, 1 << 3, 0, 0));
    EXPECT_OK(syscall(SYS_membarrier, 1, 0, 0));
    EXPECT_ERR(syscall(SYS_membarrier, 1 << 20, 0, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_membarrier, 0, 5, 0), EINVAL);
}

CHECK(rusage_of_thread_and_process)
{
    struct rusage usage;
    struct tms times_now;
    EXPECT_OK(getrusage(RUSAGE_SELF, &usage));
    EXPECT(usage.ru_maxrss > 0);
    EXPECT_OK(getrusage(RUSAGE_THREAD, &usage));
    EXPECT_OK(getrusage(RUSAGE_CHILDREN, &usage));
    EXPECT_ERR(getrusage(77, &usage), EINVAL);
    EXPECT_ERR(syscall(SYS_getrusage, RUSAGE_SELF, BAD_POINTER), EFAULT);
    EXPECT(times(&times_now) != -1);
}

CHECK(rseq_is_registered_once)
{
    static struct {
        uint32_t cpu_start, cpu;
        uint64_t cs;
        uint32_t flags, pad[3];
    } area __attribute__((aligned(32)));
    // glibc has registered its own area already: another is refused.
    long result = syscall(SYS_rseq, &area, 32, 0, 0x53053053);
    EXPECT(result == -1 && (errno == EINVAL || errno == EBUSY || errno == ENOSYS));
}
