// SPDX-License-Identifier: MIT
// Calls the kernel with arguments that make little sense, from several threads on one set of
// descriptors:
//
//     calls SEED CALLS [THREADS]
//
// The same seed gives the same calls. What a call returns does not matter: the kernel must neither
// stop nor hang, and must write nowhere but into the play area. Left out are calls that would end
// the test itself (exit, exec, signals that kill), take away its ground (unmapping the program) or
// need another machine (reboot).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define PAGE        4096ul
#define AREA_PAGES  64
#define FIRST_FD    10
#define MAX_THREADS 16

enum kind {
    INT,
    FD,
    NEWFD,
    POINTER,
    PATH,
    LENGTH,
    FLAGS,
    ADDRESS,
    PAGES,
    SIGNAL,
    PID,
    NULLS,
    OFFSET
};

struct call {
    short number;
    unsigned char arguments[6];
};

// What each argument of a call is; calls that are not here get anything, if they are not on the
// list of forbidden ones.
static const struct call calls[] = {
    {SYS_read, {FD, POINTER, LENGTH}},
    {SYS_write, {FD, POINTER, LENGTH}},
    {SYS_readv, {FD, POINTER, LENGTH}},
    {SYS_writev, {FD, POINTER, LENGTH}},
    {SYS_pread64, {FD, POINTER, LENGTH, OFFSET}},
    {SYS_pwrite64, {FD, POINTER, LENGTH, OFFSET}},
    {SYS_preadv2, {FD, POINTER, LENGTH, OFFSET, INT, FLAGS}},
    {SYS_pwritev2, {FD, POINTER, LENGTH, OFFSET, INT, FLAGS}},
    {SYS_openat, {FD, PATH, FLAGS, INT}},
    {SYS_openat2, {FD, PATH, POINTER, LENGTH}},
    {SYS_close, {NEWFD}},
    {SYS_dup, {FD}},
    {SYS_dup3, {FD, NEWFD, FLAGS}},
    {SYS_fcntl, {FD, INT, POINTER}},
    {SYS_ioctl, {FD, INT, POINTER}},
    {SYS_lseek, {FD, OFFSET, INT}},
    {SYS_fstat, {FD, POINTER}},
    {SYS_newfstatat, {FD, PATH, POINTER, FLAGS}},
    {SYS_statx, {FD, PATH, FLAGS, FLAGS, POINTER}},
    {SYS_faccessat, {FD, PATH, INT}},
    {SYS_getdents64, {FD, POINTER, LENGTH}},
    {SYS_mkdirat, {FD, PATH, INT}},
    {SYS_unlinkat, {FD, PATH, FLAGS}},
    {SYS_linkat, {FD, PATH, FD, PATH, FLAGS}},
    {SYS_symlinkat, {PATH, FD, PATH}},
    {SYS_renameat2, {FD, PATH, FD, PATH, INT}},
    {SYS_readlinkat, {FD, PATH, POINTER, LENGTH}},
    {SYS_mknodat, {FD, PATH, INT, INT}},
    {SYS_fchmodat, {FD, PATH, INT}},
    {SYS_fchownat, {FD, PATH, INT, INT, FLAGS}},
    {SYS_utimensat, {FD, PATH, POINTER, FLAGS}},
    {SYS_truncate, {PATH, OFFSET}},
    {SYS_ftruncate, {FD, OFFSET}},
    {SYS_fallocate, {FD, INT, OFFSET, OFFSET}},
    {SYS_sendfile, {FD, FD, POINTER, LENGTH}},
    {SYS_copy_file_range, {FD, POINTER, FD, POINTER, LENGTH, INT}},
    {SYS_splice, {FD, POINTER, FD, POINTER, LENGTH, FLAGS}},
    {SYS_tee, {FD, FD, LENGTH, FLAGS}},
    {SYS_vmsplice, {FD, POINTER, LENGTH, FLAGS}},
    {SYS_flock, {FD, INT}},
    {SYS_fsync, {FD}},
    {SYS_setxattr, {PATH, POINTER, POINTER, LENGTH, INT}},
    {SYS_getxattr, {PATH, POINTER, POINTER, LENGTH}},
    {SYS_listxattr, {PATH, POINTER, LENGTH}},
    {SYS_statfs, {PATH, POINTER}},
    {SYS_chdir, {PATH}},
    {SYS_getcwd, {POINTER, LENGTH}},
    {SYS_pipe2, {POINTER, FLAGS}},
    {SYS_eventfd2, {INT, FLAGS}},
    {SYS_epoll_create1, {FLAGS}},
    {SYS_epoll_ctl, {FD, INT, FD, POINTER}},
    {SYS_epoll_pwait, {FD, POINTER, INT, INT, NULLS, INT}},
    {SYS_timerfd_create, {INT, FLAGS}},
    {SYS_timerfd_settime, {FD, FLAGS, POINTER, POINTER}},
    {SYS_timerfd_gettime, {FD, POINTER}},
    {SYS_ppoll, {POINTER, INT, POINTER, NULLS, INT}},
    {SYS_pselect6, {INT, POINTER, POINTER, POINTER, POINTER, NULLS}},
    {SYS_memfd_create, {PATH, FLAGS}},
    {SYS_socket, {INT, INT, INT}},
    {SYS_socketpair, {INT, INT, INT, POINTER}},
    {SYS_bind, {FD, POINTER, LENGTH}},
    {SYS_listen, {FD, INT}},
    {SYS_accept4, {FD, POINTER, POINTER, FLAGS}},
    {SYS_connect, {FD, POINTER, LENGTH}},
    {SYS_getsockname, {FD, POINTER, POINTER}},
    {SYS_getpeername, {FD, POINTER, POINTER}},
    {SYS_sendto, {FD, POINTER, LENGTH, FLAGS, POINTER, LENGTH}},
    {SYS_recvfrom, {FD, POINTER, LENGTH, FLAGS, POINTER, POINTER}},
    {SYS_sendmsg, {FD, POINTER, FLAGS}},
    {SYS_recvmsg, {FD, POINTER, FLAGS}},
    {SYS_recvmmsg, {FD, POINTER, INT, FLAGS, POINTER}},
    {SYS_sendmmsg, {FD, POINTER, INT, FLAGS}},
    {SYS_setsockopt, {FD, INT, INT, POINTER, LENGTH}},
    {SYS_getsockopt, {FD, INT, INT, POINTER, POINTER}},
    {SYS_shutdown, {FD, INT}},
    {SYS_munmap, {ADDRESS, PAGES}},
    {SYS_mprotect, {ADDRESS, PAGES, INT}},
    {SYS_madvise, {ADDRESS, PAGES, INT}},
    {SYS_mremap, {ADDRESS, PAGES, PAGES, INT, ADDRESS}},
    {SYS_msync, {ADDRESS, PAGES, INT}},
    {SYS_mincore, {ADDRESS, PAGES, POINTER}},
    {SYS_mlock, {ADDRESS, PAGES}},
    {SYS_mlock2, {ADDRESS, PAGES, INT}},
    {SYS_munlock, {ADDRESS, PAGES}},
    {SYS_mmap, {ADDRESS, PAGES, INT, FLAGS, FD, OFFSET}},
    {SYS_futex, {POINTER, INT, INT, POINTER, POINTER, INT}},
    {SYS_set_robust_list, {POINTER, INT}},
    {SYS_get_robust_list, {PID, POINTER, POINTER}},
    {SYS_nanosleep, {POINTER, POINTER}},
    {SYS_clock_gettime, {INT, POINTER}},
    {SYS_clock_getres, {INT, POINTER}},
    {SYS_clock_nanosleep, {INT, INT, POINTER, POINTER}},
    {SYS_gettimeofday, {POINTER, POINTER}},
    {SYS_getitimer, {INT, POINTER}},
    {SYS_timer_create, {INT, NULLS, POINTER}},
    {SYS_timer_gettime, {INT, POINTER}},
    {SYS_rt_sigpending, {POINTER, INT}},
    {SYS_rt_sigtimedwait, {NULLS, POINTER, POINTER, INT}},
    {SYS_signalfd4, {FD, POINTER, INT, FLAGS}},
    {SYS_kill, {PID, SIGNAL}},
    {SYS_tkill, {PID, SIGNAL}},
    {SYS_tgkill, {PID, PID, SIGNAL}},
    {SYS_rt_sigqueueinfo, {PID, SIGNAL, POINTER}},
    {SYS_sched_getaffinity, {PID, INT, POINTER}},
    {SYS_sched_getparam, {PID, POINTER}},
    {SYS_sched_getattr, {PID, POINTER, INT, INT}},
    {SYS_sched_rr_get_interval, {PID, POINTER}},
    {SYS_getcpu, {POINTER, POINTER, POINTER}},
    {SYS_get_mempolicy, {POINTER, POINTER, INT, POINTER, INT}},
    {SYS_set_mempolicy, {INT, POINTER, INT}},
    {SYS_mbind, {POINTER, LENGTH, INT, POINTER, INT, INT}},
    {SYS_migrate_pages, {PID, INT, POINTER, POINTER}},
    {SYS_move_pages, {PID, INT, POINTER, POINTER, POINTER, INT}},
    {SYS_getrusage, {INT, POINTER}},
    {SYS_times, {POINTER}},
    {SYS_uname, {POINTER}},
    {SYS_sysinfo, {POINTER}},
    {SYS_getrandom, {POINTER, LENGTH, INT}},
    {SYS_prlimit64, {PID, INT, NULLS, POINTER}},
    {SYS_getgroups, {INT, POINTER}},
    {SYS_getresuid, {POINTER, POINTER, POINTER}},
    {SYS_capget, {POINTER, POINTER}},
    {SYS_waitid, {INT, PID, POINTER, INT, POINTER}},
    {SYS_wait4, {PID, POINTER, INT, POINTER}},
    {SYS_membarrier, {INT, INT, INT}},
    {SYS_rseq, {POINTER, INT, INT, INT}},
    {SYS_process_vm_readv, {PID, POINTER, INT, POINTER, INT, INT}},
    {SYS_process_vm_writev, {PID, NULLS, INT, NULLS, INT, INT}},
    {SYS_pidfd_open, {PID, INT}},
    {SYS_sigaltstack, {NULLS, POINTER}},
    {SYS_getpriority, {INT, PID}},
    {SYS_inotify_init1, {FLAGS}},
    {SYS_inotify_add_watch, {FD, PATH, INT}},
    {SYS_name_to_handle_at, {FD, PATH, POINTER, POINTER, INT}},
};

// Never called, not even with random numbers.
static const short forbidden[] = {
    SYS_exit,
    SYS_exit_group,
    SYS_execve,
    SYS_execveat,
    SYS_clone,
    SYS_clone3,
    SYS_reboot,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_brk,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigsuspend,
    SYS_set_tid_address,
    SYS_mlockall,
    SYS_chroot,
    SYS_pivot_root,
    SYS_mount,
    SYS_umount2,
    SYS_unshare,
    SYS_setns,
    SYS_ptrace,
    SYS_seccomp,
    SYS_prctl,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_setgroups,
    SYS_capset,
    SYS_setrlimit,
    SYS_sched_setscheduler,
    SYS_sched_setparam,
    SYS_sched_setattr,
    SYS_sched_setaffinity,
    SYS_setpriority,
    SYS_clock_settime,
    SYS_settimeofday,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_setitimer,
    SYS_timer_settime,
    SYS_timer_delete,
    SYS_close_range,
    SYS_personality,
    SYS_userfaultfd,
    SYS_vhangup,
    SYS_syslog,
    SYS_swapon,
    SYS_swapoff,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_acct,
    SYS_io_uring_enter,
    SYS_setpgid,
    SYS_setsid,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_remap_file_pages,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_send_signal,
    SYS_pidfd_getfd,
    SYS_process_madvise,
    SYS_migrate_pages,
    SYS_move_pages,
    SYS_mbind,
    SYS_set_mempolicy,
    SYS_restart_syscall,
    SYS_mount_setattr,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsmount,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_quotactl,
    SYS_ioprio_set,
    SYS_sync,
    SYS_io_setup,
    SYS_shmat,
    SYS_msgrcv,
    SYS_semop,
    SYS_semtimedop,
    SYS_mq_timedreceive,
    SYS_landlock_restrict_self,
};

static const char *const paths[] = {
    "a",
    "b",
    "c/d",
    "c",
    "../x",
    "/proc/self/maps",
    "/proc/self/status",
    "/dev/null",
    ".",
    "..",
    "",
    "/dev/zero",
    "/dev/full",
    "/proc/self/fd/12",
    "link",
    "loop",
    "/",
    "c/",
    "/proc",
    "/tmp/stress",
    "/proc/self",
    "/no/such/place",
    "fifo",
    "/dev/urandom",
};

static const uint64_t wild[] = {
    0,
    1,
    2,
    7,
    8,
    16,
    255,
    4095,
    4096,
    4097,
    65536,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    1ul << 47,
    1ul << 48,
    0x7fffffffffffffff,
    1ul << 63,
    -1ul,
    -4096ul,
    -2ul,
    0xffff000000000000,
    0xffff800000000000,
};

static char *area;
static unsigned long seed, calls_each;
static volatile unsigned long done[MAX_THREADS];
static volatile short last[MAX_THREADS];

// xorshift64*: small, and the same everywhere.
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dul;
}

static uint64_t below(uint64_t *state, uint64_t limit)
{
    return (next_random(state) >> 16) % limit;
}

// Into the middle, to the end of a page, beyond, or nowhere.
static uint64_t pointer(uint64_t *state)
{
    uint64_t page = (uint64_t)area + below(state, AREA_PAGES) * PAGE;
    switch (below(state, 8)) {
    case 0:
        return wild[below(state, sizeof wild / sizeof wild[0])];
    case 1:
        return page + PAGE - 1 - below(state, 64);
    case 2:
        return page + below(state, PAGE);
    default:
        return page + below(state, PAGE / 16) * 16;
    }
}

static uint64_t path(uint64_t *state)
{
    // The texts are written anew each time: the area is written by the kernel, too.
    static const size_t count = sizeof paths / sizeof paths[0];
    if (below(state, 8) == 0)
        return pointer(state);
    return (uint64_t)paths[below(state, count)];
}

static uint64_t argument(enum kind kind, uint64_t *state)
{
    switch (kind) {
    case FD:
        return below(state, 6)   ? FIRST_FD + below(state, 40)
               : below(state, 2) ? (uint64_t)AT_FDCWD
                                 : 1000;
    case NEWFD:
        return FIRST_FD + below(state, 40);
    case POINTER:
        return pointer(state);
    case PATH:
        return path(state);
    case LENGTH:
        return below(state, 4) ? below(state, 9000)
                               : wild[below(state, sizeof wild / sizeof wild[0])];
    case FLAGS:
        return below(state, 3) ? 1ul << below(state, 23) | 1ul << below(state, 23)
                               : below(state, 4);
    case ADDRESS:
        return (uint64_t)area + below(state, AREA_PAGES) * PAGE +
               (below(state, 16) ? 0 : below(state, PAGE));
    case PAGES:
        return (1 + below(state, 4)) * PAGE - (below(state, 8) ? 0 : below(state, PAGE));
    case SIGNAL:
        return below(state, 2) ? 0 : SIGUSR2;
    case PID:
        return below(state, 3)   ? (uint64_t)getpid()
               : below(state, 2) ? 0
                                 : 100000 + below(state, 100000);
    case NULLS:
        return 0;
    case OFFSET:
        return below(state, 3) ? below(state, 1 << 20)
                               : wild[below(state, sizeof wild / sizeof wild[0])];
    case INT:
        break;
    }
    return below(state, 3) ? below(state, 20) : wild[below(state, sizeof wild / sizeof wild[0])];
}

// Keeps a mapping inside the area: it always replaces there, and a new one has a bounded length.
static void tame(long number, uint64_t *arguments)
{
    uint64_t end = (uint64_t)area + AREA_PAGES * PAGE;
    if (number == SYS_mmap)
        arguments[3] |= MAP_FIXED;
    if (number == SYS_mremap) {
        if (arguments[4] + arguments[2] > end)
            arguments[4] = (uint64_t)area;
        arguments[3] = (arguments[3] & ~4ul) | MREMAP_FIXED | MREMAP_MAYMOVE;
    }
    switch (number) {
    case SYS_mmap:
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_madvise:
    case SYS_mremap:
        if (arguments[0] + arguments[1] + PAGE > end)
            arguments[0] = (uint64_t)area;
    }
    if (number == SYS_kill && (int64_t)arguments[0] <= 0)
        arguments[0] = (uint64_t)getpid();
}

static bool is_forbidden(long number)
{
    for (unsigned i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        if (forbidden[i] == number)
            return true;
    return false;
}

static bool is_described(long number)
{
    for (unsigned i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (calls[i].number == number)
            return true;
    return false;
}

// A random number with random arguments; only what is neither described nor forbidden, without
// pointers to anything but the area.
static void call_unknown(unsigned thread, uint64_t *state)
{
    long number = below(state, 40) ? (long)below(state, 470) : (long)wild[below(state, 20)];
    uint64_t a[6];
    if ((number >= 0 && number < 470 && is_forbidden(number)) || is_described(number))
        return;
    for (int i = 0; i < 6; i++)
        a[i] = below(state, 2) ? pointer(state) : argument(INT, state);
    last[thread] = (short)number;
    syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void call_described(unsigned thread, uint64_t *state)
{
    const struct call *call = &calls[below(state, sizeof calls / sizeof calls[0])];
    uint64_t a[6];
    for (int i = 0; i < 6; i++)
        a[i] = argument(call->arguments[i], state);
    // An interval or a time in the area would make most waits long; the ticks end them.
    tame(call->number, a);
    last[thread] = call->number;
    syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void on_tick(int number)
{
    (void)number;
}

// Waits end at the ticks of a timer of the thread's own.
static void start_ticks(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    struct itimerspec every = {{0, 3000000}, {0, 3000000}};
    timer_t timer;
    event._sigev_un._tid = gettid();
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        timer_settime(timer, 0, &every, NULL);
}

static void *work(void *argument_)
{
    unsigned thread = (unsigned)(uintptr_t)argument_;
    uint64_t state = seed * 0x9e3779b97f4a7c15ul + thread + 1;
    start_ticks();
    for (unsigned long i = 0; i < calls_each; i++) {
        if (below(&state, 16) == 0)
            call_unknown(thread, &state);
        else
            call_described(thread, &state);
        done[thread] = i + 1;
    }
    return NULL;
}

// Some of everything that has a descriptor, at 10 and above.
static void open_descriptors(void)
{
    int pair[2], at = FIRST_FD;
    int fds[] = {open("a", O_RDWR | O_CREAT, 0600),
                 open("/dev/zero", O_RDWR),
                 open("/dev/null", O_RDWR),
                 open("/proc/self/status", O_RDONLY),
                 open(".", O_RDONLY | O_DIRECTORY),
                 eventfd(0, 0),
                 epoll_create1(0),
                 timerfd_create(CLOCK_MONOTONIC, 0),
                 memfd_create("m", 2),
                 open("/dev/urandom", O_RDONLY)};
    for (unsigned i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            dup3(fds[i], at++, 0);
    for (int type = 0; type < 3; type++) {
        int failed =
            type == 2 ? pipe(pair) : socketpair(AF_UNIX, type ? SOCK_DGRAM : SOCK_STREAM, 0, pair);
        if (!failed) {
            dup3(pair[0], at++, 0);
            dup3(pair[1], at++, 0);
        }
    }
}

static void prepare(void)
{
    struct rlimit size = {4 << 20, 4 << 20}, files = {64, 64};
    struct sigaction tick = {.sa_handler = on_tick};
    sigaction(SIGUSR1, &tick, NULL);
    sigaction(SIGUSR2, &tick, NULL);
    static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGALRM, SIGIO,  SIGURG,
                                  SIGTTOU, SIGTTIN, SIGTSTP, SIGHUP, SIGCHLD};
    for (unsigned i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    mkdir("/tmp", 01777);
    mkdir("/tmp/stress", 0700);
    if (chdir("/tmp/stress"))
        exit(2);
    mkdir("c", 0700);
    (void)!symlink("a", "link");
    (void)!symlink("loop", "loop");
    setrlimit(RLIMIT_FSIZE, &size);
    setrlimit(RLIMIT_NOFILE, &files);
    area =
        mmap(NULL, AREA_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED)
        exit(2);
    for (unsigned i = 0; i < AREA_PAGES * PAGE; i += 8)
        *(uint64_t *)(area + i) =
            i % 1024 ? wild[i / 8 % (sizeof wild / sizeof wild[0])] % 64 : (uint64_t)area + i;
    open_descriptors();
}

// Prints what each thread did last when none has got on for half a minute.
static int watch(unsigned threads)
{
    unsigned long before = 0;
    for (unsigned still = 0; still < 30;) {
        unsigned long sum = 0;
        for (unsigned i = 0; i < threads; i++)
            sum += done[i];
        if (sum == threads * calls_each)
            return 0;
        still = sum == before ? still + 1 : 0;
        before = sum;
        sleep(1);
    }
    for (unsigned i = 0; i < threads; i++)
        printf("FAIL calls: thread %u: found it at call %lu of %lu (number %d) for 30 s\n", i,
               done[i], calls_each, last[i]);
    fflush(stdout);
    return 1;
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
    calls_each = argc > 2 ? strtoul(argv[2], NULL, 0) : 10000;
    unsigned threads = argc > 3 ? (unsigned)atoi(argv[3]) : 3;
    pthread_t ids[MAX_THREADS];
    if (threads < 1 || threads > MAX_THREADS)
        return 2;
    prepare();
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, work, (void *)(uintptr_t)i))
            return 2;
    if (watch(threads))
        _exit(1);
    printf("ok calls seed %lu: %u threads, %lu calls each\n", seed, threads, calls_each);
    fflush(stdout);
    _exit(0);
}
