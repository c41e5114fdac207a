// SPDX-License-Identifier: MIT
// Clocks and timers: clock_*, gettimeofday, nanosleep, POSIX timers, interval timers, alarm,
// timerfd, vDSO.
#include "check.h"
#include <elf.h>
#include <sys/auxv.h>
#include <sys/timerfd.h>
#include <sys/timex.h>

static long long ns(const struct timespec *ts)
{
    return ts->tv_sec * 1000000000ll + ts->tv_nsec;
}

static long long now(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return ns(&ts);
}

static volatile int count, last_code, last_value, last_overrun;

static void on_timer(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    count++;
    last_code = info->si_code;
    last_value = info->si_value.sival_int;
    last_overrun = info->si_overrun;
}

static void handle(int number)
{
    struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
    sigaction(number, &action, NULL);
    count = 0;
}

// Sleeps until the handler ran n times; the check's own limit ends a wait for ever.
static void wait_for(int n)
{
    while (count < n)
        usleep(1000);
}

CHECK(clock_gettime_all_clocks)
{
    static const clockid_t clocks[] = {
        CLOCK_REALTIME,          CLOCK_MONOTONIC,     CLOCK_PROCESS_CPUTIME_ID,
        CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
        CLOCK_MONOTONIC_COARSE,  CLOCK_BOOTTIME,      CLOCK_TAI};
    struct timespec ts;
    for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
        ts.tv_nsec = -1;
        EXPECT_OK(clock_gettime(clocks[i], &ts));
        EXPECT(ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
        EXPECT_OK(syscall(SYS_clock_gettime, clocks[i], &ts));
    }
}

CHECK(clock_gettime_errors)
{
    struct timespec ts;
    EXPECT_ERR(clock_gettime(77, &ts), EINVAL);
    EXPECT_ERR(syscall(SYS_clock_gettime, CLOCK_REALTIME, BAD_POINTER), EFAULT);
    EXPECT_ERR(syscall(SYS_clock_gettime, 77, &ts), EINVAL);
}

CHECK(clock_monotonic_does_not_go_back)
{
    long long last = now(CLOCK_MONOTONIC);
    for (int i = 0; i < 20000; i++) {
        long long t = now(CLOCK_MONOTONIC);
        EXPECT(t >= last);
        last = t;
    }
}

CHECK(clock_library_and_call_agree)
{
    struct timespec a, b, c;
    clock_gettime(CLOCK_MONOTONIC, &a);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b);
    clock_gettime(CLOCK_MONOTONIC, &c);
    EXPECT(ns(&a) <= ns(&b) && ns(&b) <= ns(&c));
}

CHECK(clock_getres)
{
    struct timespec ts;
    EXPECT_OK(clock_getres(CLOCK_MONOTONIC, &ts));
    EXPECT_EQ(ts.tv_sec, 0);
    EXPECT_EQ(ts.tv_nsec, 1);
    EXPECT_OK(syscall(SYS_clock_getres, CLOCK_REALTIME, NULL));
    EXPECT_OK(clock_getres(CLOCK_MONOTONIC_COARSE, &ts));
    EXPECT(ts.tv_nsec >= 1000000);
    EXPECT_ERR(clock_getres(77, &ts), EINVAL);
}

CHECK(clock_settime_errors)
{
    struct timespec bad = {0, 2000000000}, good = {0, 0};
    EXPECT_ERR(clock_settime(CLOCK_MONOTONIC, &good), EINVAL);
    EXPECT_ERR(clock_settime(CLOCK_REALTIME, &bad), EINVAL);
    EXPECT_ERR(syscall(SYS_clock_settime, CLOCK_REALTIME, BAD_POINTER), EFAULT);
}

CHECK(clock_settime_moves_realtime_only)
{
    struct timespec old, new;
    long long monotonic = now(CLOCK_MONOTONIC);
    clock_gettime(CLOCK_REALTIME, &old);
    new = (struct timespec){1900000000, 0};
    EXPECT_OK(clock_settime(CLOCK_REALTIME, &new));
    EXPECT_EQ(now(CLOCK_REALTIME) / 10000000000, 190000000);
    EXPECT(now(CLOCK_MONOTONIC) - monotonic < 2000000000ll);
    EXPECT_EQ(time(NULL) / 10, 190000000);
    EXPECT_OK(clock_settime(CLOCK_REALTIME, &old));
}

CHECK(clock_cpu_time_grows_with_work)
{
    long long start = now(CLOCK_THREAD_CPUTIME_ID), process = now(CLOCK_PROCESS_CPUTIME_ID);
    long long wall = now(CLOCK_MONOTONIC);
    while (now(CLOCK_MONOTONIC) - wall < 50000000)
        ;
    EXPECT(now(CLOCK_THREAD_CPUTIME_ID) - start > 5000000);
    EXPECT(now(CLOCK_PROCESS_CPUTIME_ID) - process > 5000000);
    start = now(CLOCK_THREAD_CPUTIME_ID);
    usleep(100000);
    EXPECT(now(CLOCK_THREAD_CPUTIME_ID) - start < 60000000);
}

CHECK(gettimeofday_and_time)
{
    struct timeval tv;
    EXPECT_OK(gettimeofday(&tv, NULL));
    EXPECT(tv.tv_usec >= 0 && tv.tv_usec < 1000000);
    EXPECT(llabs((long long)tv.tv_sec - time(NULL)) <= 1);
    struct timezone zone = {1, 1};
    EXPECT_OK(syscall(SYS_gettimeofday, &tv, &zone));
    EXPECT_EQ(zone.tz_minuteswest, 0);
    EXPECT_ERR(syscall(SYS_gettimeofday, BAD_POINTER, NULL), EFAULT);
}

CHECK(nanosleep_sleeps)
{
    long long start = now(CLOCK_MONOTONIC);
    struct timespec ts = {0, 20000000};
    EXPECT_OK(nanosleep(&ts, NULL));
    long long slept = now(CLOCK_MONOTONIC) - start;
    EXPECT(slept >= 20000000);
    EXPECT(slept < 1000000000);
}

CHECK(nanosleep_errors)
{
    struct timespec bad = {0, 1000000000}, negative = {-1, 0};
    EXPECT_ERR(nanosleep(&bad, NULL), EINVAL);
    EXPECT_ERR(nanosleep(&negative, NULL), EINVAL);
    EXPECT_ERR(syscall(SYS_nanosleep, BAD_POINTER, NULL), EFAULT);
    EXPECT_EQ(clock_nanosleep(77, 0, &bad, NULL), EINVAL);
    EXPECT_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &negative, NULL), EINVAL);
}

CHECK(clock_nanosleep_absolute)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += 15000000;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL), 0);
    EXPECT(now(CLOCK_MONOTONIC) >= ns(&end));
    EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL), 0);
    clock_gettime(CLOCK_REALTIME, &end);
    EXPECT_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &end, NULL), 0);
}

CHECK(itimer_real_repeats)
{
    struct itimerval timer = {{0, 10000}, {0, 10000}}, old;
    handle(SIGALRM);
    EXPECT_OK(setitimer(ITIMER_REAL, &timer, NULL));
    wait_for(3);
    EXPECT(count >= 3);
    EXPECT_EQ(last_code, SI_KERNEL);
    EXPECT_OK(getitimer(ITIMER_REAL, &old));
    EXPECT_EQ(old.it_interval.tv_usec, 10000);
    timer = (struct itimerval){0};
    EXPECT_OK(setitimer(ITIMER_REAL, &timer, &old));
    EXPECT(old.it_value.tv_usec <= 10000);
    EXPECT_OK(getitimer(ITIMER_REAL, &old));
    EXPECT_EQ(old.it_value.tv_usec, 0);
}

CHECK(itimer_errors)
{
    struct itimerval bad = {{0, 0}, {0, 1000000}}, old;
    EXPECT_ERR(setitimer(ITIMER_REAL, &bad, NULL), EINVAL);
    EXPECT_ERR(setitimer(9, &bad, NULL), EINVAL);
    EXPECT_ERR(getitimer(9, &old), EINVAL);
    EXPECT_ERR(syscall(SYS_getitimer, ITIMER_REAL, BAD_POINTER), EFAULT);
}

CHECK(itimer_virtual_and_prof_count_cpu_time)
{
    struct itimerval timer = {{0, 0}, {0, 20000}};
    handle(SIGPROF);
    EXPECT_OK(setitimer(ITIMER_PROF, &timer, NULL));
    long long start = now(CLOCK_MONOTONIC);
    while (!count && now(CLOCK_MONOTONIC) - start < 2000000000ll)
        ;
    EXPECT_EQ(count, 1);
    handle(SIGVTALRM);
    EXPECT_OK(setitimer(ITIMER_VIRTUAL, &timer, NULL));
    start = now(CLOCK_MONOTONIC);
    volatile unsigned work = 0;
    while (!count && (++work & 0xffff || now(CLOCK_MONOTONIC) - start < 3000000000ll))
        ;
    EXPECT_EQ(count, 1);
}

CHECK(alarm_returns_what_was_left)
{
    handle(SIGALRM);
    EXPECT(alarm(100) <= CHECK_LIMIT_S);
    unsigned left = alarm(0);
    EXPECT(left == 100 || left == 99);
    EXPECT_EQ(alarm(0), 0);
}

static timer_t make_timer(int kind, int number)
{
    struct sigevent event = {.sigev_notify = kind, .sigev_signo = number};
    timer_t timer = NULL;
    event.sigev_value.sival_int = 31;
    return timer_create(CLOCK_MONOTONIC, &event, &timer) ? (timer_t)-1 : timer;
}

CHECK(posix_timer_signal)
{
    handle(SIGUSR1);
    timer_t timer = make_timer(SIGEV_SIGNAL, SIGUSR1);
    EXPECT(timer != (timer_t)-1);
    struct itimerspec late = {.it_value = {100, 0}}, when = {.it_value = {0, 10000000}}, left;
    EXPECT_OK(timer_settime(timer, 0, &late, NULL));
    EXPECT_OK(timer_gettime(timer, &left));
    EXPECT(left.it_value.tv_sec > 0 && left.it_value.tv_sec <= 100);
    EXPECT_OK(timer_settime(timer, 0, &when, NULL));
    wait_for(1);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(last_code, SI_TIMER);
    EXPECT_EQ(last_value, 31);
    EXPECT_OK(timer_gettime(timer, &left));
    EXPECT_EQ(left.it_value.tv_nsec, 0);
    EXPECT_OK(timer_delete(timer));
    EXPECT_ERR(syscall(SYS_timer_delete, 1234), EINVAL);
}

CHECK(posix_timer_overrun)
{
    sigset_t set;
    siginfo_t info;
    handle(SIGUSR1);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    timer_t timer = make_timer(SIGEV_SIGNAL, SIGUSR1);
    struct itimerspec when = {{0, 5000000}, {0, 5000000}};
    EXPECT_OK(timer_settime(timer, 0, &when, NULL));
    usleep(52000);
    EXPECT_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    EXPECT(info.si_overrun >= 5);
    EXPECT(timer_getoverrun(timer) >= 5);
    timer_delete(timer);
}

// However short the period, the program gets on.
CHECK(posix_timer_shortest_period)
{
    sigset_t set;
    siginfo_t info;
    handle(SIGUSR1);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    timer_t timer = make_timer(SIGEV_SIGNAL, SIGUSR1);
    struct itimerspec when = {{0, 1}, {0, 1}};
    EXPECT_OK(timer_settime(timer, 0, &when, NULL));
    usleep(20000);
    EXPECT_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    EXPECT(info.si_overrun >= 5);
    EXPECT_OK(timer_delete(timer));
}

CHECK(itimer_shortest_period)
{
    struct itimerval timer = {{0, 1}, {0, 1}};
    sigset_t set;
    int number = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    EXPECT_OK(setitimer(ITIMER_REAL, &timer, NULL));
    usleep(20000);
    EXPECT_OK(sigwait(&set, &number));
    EXPECT_EQ(number, SIGALRM);
    EXPECT_OK(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL));
}

// Readers of one timer that each start it again.
static int shared_timer;

static void *read_timer(void *argument)
{
    uint64_t ticks;
    for (int i = 0; i < 300; i++)
        (void)!read(shared_timer, &ticks, sizeof(ticks));
    return argument;
}

CHECK(timerfd_of_several_readers)
{
    struct itimerspec when = {{0, 1000}, {0, 1000}};
    pthread_t readers[4];
    shared_timer = timerfd_create(CLOCK_MONOTONIC, 0);
    EXPECT_OK(timerfd_settime(shared_timer, 0, &when, NULL));
    for (int i = 0; i < 4; i++)
        EXPECT_OK(pthread_create(&readers[i], NULL, read_timer, NULL));
    for (int i = 0; i < 300; i++)
        timerfd_settime(shared_timer, 0, &when, NULL);
    for (int i = 0; i < 4; i++)
        EXPECT_OK(pthread_join(readers[i], NULL));
    close(shared_timer);
}

CHECK(posix_timer_none_and_absolute)
{
    timer_t timer = make_timer(SIGEV_NONE, 0);
    struct itimerspec when = {0}, left;
    EXPECT(timer != (timer_t)-1);
    clock_gettime(CLOCK_MONOTONIC, &when.it_value);
    when.it_value.tv_sec += 100;
    EXPECT_OK(timer_settime(timer, TIMER_ABSTIME, &when, NULL));
    EXPECT_OK(timer_gettime(timer, &left));
    EXPECT(left.it_value.tv_sec >= 98 && left.it_value.tv_sec <= 100);
    timer_delete(timer);
}

CHECK(posix_timer_thread_id)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
    timer_t timer;
    event._sigev_un._tid = gettid();
    handle(SIGUSR2);
    EXPECT_OK(timer_create(CLOCK_REALTIME, &event, &timer));
    struct itimerspec when = {.it_value = {0, 5000000}};
    EXPECT_OK(timer_settime(timer, 0, &when, NULL));
    wait_for(1);
    EXPECT_EQ(count, 1);
    timer_delete(timer);
}

CHECK(posix_timer_errors)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = 77};
    EXPECT_ERR(timer_create(77, NULL, &timer), EINVAL);
    EXPECT_ERR(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
    struct itimerspec bad = {.it_value = {0, 1000000000}};
    EXPECT_OK(timer_create(CLOCK_MONOTONIC, NULL, &timer));
    EXPECT_ERR(timer_settime(timer, 0, &bad, NULL), EINVAL);
    timer_delete(timer);
}

CHECK(timerfd_relative)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec when = {{0, 10000000}, {0, 10000000}}, left;
    uint64_t expirations = 0;
    EXPECT(fd >= 0);
    EXPECT_OK(timerfd_settime(fd, 0, &when, NULL));
    EXPECT_OK(timerfd_gettime(fd, &left));
    EXPECT_EQ(left.it_interval.tv_nsec, 10000000);
    EXPECT_EQ(read(fd, &expirations, 8), 8);
    EXPECT(expirations >= 1);
    usleep(35000);
    EXPECT_EQ(read(fd, &expirations, 8), 8);
    EXPECT(expirations >= 2);
    close(fd);
}

CHECK(timerfd_nonblock_and_errors)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    uint64_t value;
    struct itimerspec bad = {.it_value = {0, -1}};
    EXPECT_ERR(read(fd, &value, 8), EAGAIN);
    EXPECT_ERR(read(fd, &value, 4), EINVAL);
    EXPECT_ERR(timerfd_settime(fd, 0, &bad, NULL), EINVAL);
    EXPECT_ERR(timerfd_settime(fd, 77, &bad, NULL), EINVAL);
    EXPECT_ERR(timerfd_settime(0, 0, &(struct itimerspec){0}, NULL), EINVAL);
    EXPECT_ERR(timerfd_create(CLOCK_MONOTONIC, 77), EINVAL);
    EXPECT_ERR(timerfd_create(CLOCK_THREAD_CPUTIME_ID, 0), EINVAL);
    EXPECT_ERR(timerfd_gettime(fd, BAD_POINTER), EFAULT);
    close(fd);
}

CHECK(timerfd_absolute_realtime)
{
    int fd = timerfd_create(CLOCK_REALTIME, 0);
    struct itimerspec when = {0};
    uint64_t expirations;
    clock_gettime(CLOCK_REALTIME, &when.it_value);
    EXPECT_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL));
    EXPECT_EQ(read(fd, &expirations, 8), 8);
    EXPECT_EQ(expirations, 1);
    close(fd);
}

CHECK(clock_adjtime_reads)
{
    struct timex timex = {0};
    EXPECT(adjtimex(&timex) >= 0);
    EXPECT(timex.tick >= 9000 && timex.tick <= 11000);
    EXPECT(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &timex) >= 0);
}

// The address of a symbol in the vDSO, by its dynamic symbol table.
static void *vdso_symbol(const char *name)
{
    const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
    if (!base)
        return NULL;
    const Elf64_Ehdr *header = (const void *)base;
    const Elf64_Phdr *segment = (const void *)(base + header->e_phoff);
    const Elf64_Dyn *dynamic = NULL;
    const char *strings = NULL;
    const Elf64_Sym *symbols = NULL;
    const uint32_t *hash = NULL;
    intptr_t slide = 0;
    for (int i = 0; i < header->e_phnum; i++) {
        if (segment[i].p_type == PT_DYNAMIC)
            dynamic = (const void *)(base + segment[i].p_offset);
        if (segment[i].p_type == PT_LOAD)
            slide = base + segment[i].p_offset - (const char *)segment[i].p_vaddr;
    }
    for (; dynamic && dynamic->d_tag; dynamic++) {
        const char *address = (const char *)(dynamic->d_un.d_ptr + (uint64_t)slide);
        if (dynamic->d_tag == DT_STRTAB)
            strings = address;
        if (dynamic->d_tag == DT_SYMTAB)
            symbols = (const void *)address;
        if (dynamic->d_tag == DT_HASH)
            hash = (const void *)address;
    }
    for (uint32_t i = 0; strings && symbols && hash && i < hash[1]; i++)
        if (symbols[i].st_shndx && !strcmp(strings + symbols[i].st_name, name))
            return (void *)(symbols[i].st_value + (uint64_t)slide);
    return NULL;
}

CHECK(vdso_is_an_elf_file)
{
    const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
    EXPECT(base != NULL);
    EXPECT_EQ(memcmp(base, ELFMAG, SELFMAG), 0);
    const Elf64_Ehdr *header = (const void *)base;
    EXPECT_EQ(header->e_machine, EM_AARCH64);
    EXPECT_EQ(header->e_type, ET_DYN);
}

CHECK(vdso_symbols)
{
    EXPECT(vdso_symbol("__kernel_clock_gettime") != NULL);
    EXPECT(vdso_symbol("__kernel_gettimeofday") != NULL);
    EXPECT(vdso_symbol("__kernel_clock_getres") != NULL);
    EXPECT(vdso_symbol("__kernel_rt_sigreturn") != NULL);
}

CHECK(vdso_calls)
{
    int (*get)(clockid_t, struct timespec *) = vdso_symbol("__kernel_clock_gettime");
    int (*resolution)(clockid_t, struct timespec *) = vdso_symbol("__kernel_clock_getres");
    int (*day)(struct timeval *, void *) = vdso_symbol("__kernel_gettimeofday");
    struct timespec ts, direct;
    struct timeval tv;
    EXPECT(get && resolution && day);
    for (clockid_t clock = 0; clock < 8; clock++) {
        EXPECT_EQ(get(clock, &ts), 0);
        syscall(SYS_clock_gettime, clock, &direct);
        EXPECT(ns(&direct) - ns(&ts) < 1000000000ll && ns(&direct) >= ns(&ts));
    }
    EXPECT_EQ(get(77, &ts), -EINVAL);
    EXPECT_EQ(resolution(CLOCK_MONOTONIC, &ts), 0);
    EXPECT_EQ(ts.tv_nsec, 1);
    EXPECT_EQ(day(&tv, NULL), 0);
    EXPECT(llabs((long long)tv.tv_sec - time(NULL)) <= 1);
}

CHECK(counter_is_readable)
{
    uint64_t a, b, frequency;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
    __asm__ volatile("isb\n mrs %0, cntvct_el0" : "=r"(a)::"memory");
    usleep(10000);
    __asm__ volatile("isb\n mrs %0, cntvct_el0" : "=r"(b)::"memory");
    EXPECT(frequency >= 1000000);
    EXPECT((b - a) * 1000 / frequency >= 9);
}

CHECK(settimeofday_sets_the_time)
{
    struct timeval old, set = {1800000000, 5};
    struct timezone zone = {0, 0};
    gettimeofday(&old, NULL);
    EXPECT_OK(settimeofday(&set, NULL));
    EXPECT_EQ(time(NULL) / 100, 18000000);
    EXPECT_OK(settimeofday(&old, NULL));
    EXPECT_OK(syscall(SYS_settimeofday, NULL, &zone));
    set.tv_usec = 1000000;
    EXPECT_ERR(syscall(SYS_settimeofday, &set, NULL), EINVAL);
    EXPECT_ERR(syscall(SYS_settimeofday, BAD_POINTER, NULL), EFAULT);
}
