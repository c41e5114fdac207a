// SPDX-License-Identifier: MIT
// What single operations of the kernel cost. The same static program runs in Remora and in Linux.
// Each measurement does one operation n times between `hint #0x72` and `hint #0x73`, which the
// counting plugin turns into instructions; the time is taken too. Results are printed at the end,
// in the order of the marks:
//
//     bench NAME n=COUNT ns=TIME          (ns=-1: the operation failed)
//
// With arguments, only the operations that they name are measured.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE        4096ul
#define MAX_RESULTS 64

struct result {
    const char *name;
    long n;
    long long ns;
};

static struct result results[MAX_RESULTS];
static unsigned result_count;
static char own_path[4096];
static char buffer[65536];

static long long now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static inline void mark_start(void)
{
    __asm__ volatile("hint #0x72" ::: "memory");
}

static inline void mark_end(void)
{
    __asm__ volatile("hint #0x73" ::: "memory");
}

static char **wanted_names;

static int is_wanted(const char *name)
{
    for (char **p = wanted_names; *p; p++)
        if (!strcmp(*p, name))
            return 1;
    return !*wanted_names;
}

static void add_result(const char *name, long n, long long ns)
{
    if (result_count < MAX_RESULTS)
        results[result_count++] = (struct result){name, n, ns};
}

// Runs the statement n times between the marks; a warm-up run comes first. It says `failed = 1` on
// failure.
#define MEASURE(name, n, statement)            \
    do {                                       \
        int failed = 0;                        \
        if (!is_wanted(name))                  \
            break;                             \
        statement;                             \
        long long start = now_ns();            \
        mark_start();                          \
        for (long i = 0; i < (n); i++) {       \
            statement;                         \
        }                                      \
        mark_end();                            \
        long long ns = now_ns() - start;       \
        add_result(name, n, failed ? -1 : ns); \
    } while (0)

static void calls(void)
{
    struct timespec ts;
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    MEASURE("getppid", 20000, syscall(SYS_getppid));
    MEASURE("clock_gettime", 20000, clock_gettime(CLOCK_MONOTONIC, &ts));
    MEASURE("clock_gettime-call", 5000, syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts));
    MEASURE("read-zero-1", 10000, failed |= read(zero, buffer, 1) != 1);
    MEASURE("read-zero-64k", 200, failed |= read(zero, buffer, sizeof buffer) != sizeof buffer);
    MEASURE("write-null-1", 10000, failed |= write(null, buffer, 1) != 1);
    close(zero);
    close(null);
}

static void pipes_and_events(void)
{
    int fds[2], event = eventfd(0, 0), set = epoll_create1(0), pair[2];
    unsigned long long value = 1;
    struct epoll_event wanted = {.events = EPOLLIN}, got;
    if (pipe(fds) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return;
    MEASURE("pipe-write-read-1", 5000,
            failed |= write(fds[1], buffer, 1) != 1 || read(fds[0], buffer, 1) != 1);
    MEASURE("pipe-write-read-4k", 2000,
            failed |= write(fds[1], buffer, 4096) != 4096 || read(fds[0], buffer, 4096) != 4096);
    MEASURE("unix-write-read-1", 3000,
            failed |= write(pair[1], buffer, 1) != 1 || read(pair[0], buffer, 1) != 1);
    MEASURE("eventfd-write-read", 5000,
            failed |= write(event, &value, 8) != 8 || read(event, &value, 8) != 8);
    epoll_ctl(set, EPOLL_CTL_ADD, event, &wanted);
    MEASURE("epoll-cycle", 3000,
            failed |= write(event, &value, 8) != 8 || epoll_wait(set, &got, 1, -1) != 1 ||
                      read(event, &value, 8) != 8);
    close(fds[0]);
    close(fds[1]);
    close(pair[0]);
    close(pair[1]);
    close(event);
    close(set);
}

// Over loopback, by one thread.
static void sockets(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM, 0), ends[2],
        datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&name, size) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&name, &size))
        return;
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(ends[0], (struct sockaddr *)&name, size) ||
        (ends[1] = accept(listener, NULL, NULL)) < 0)
        return;
    MEASURE("tcp-loopback-rtt", 2000,
            failed |= write(ends[0], buffer, 1) != 1 || read(ends[1], buffer, 1) != 1 ||
                      write(ends[1], buffer, 1) != 1 || read(ends[0], buffer, 1) != 1);
    MEASURE("tcp-loopback-16k", 500,
            failed |= write(ends[0], buffer, 16384) != 16384 ||
                      recv(ends[1], buffer, 16384, MSG_WAITALL) != 16384);
    name.sin_port = 0;
    if (bind(datagrams, (struct sockaddr *)&name, size) ||
        getsockname(datagrams, (struct sockaddr *)&name, &size) ||
        connect(datagrams, (struct sockaddr *)&name, size))
        return;
    MEASURE("udp-loopback-1", 2000,
            failed |= write(datagrams, buffer, 1) != 1 || read(datagrams, buffer, 1) != 1);
    close(ends[0]);
    close(ends[1]);
    close(listener);
    close(datagrams);
}

static void files(void)
{
    struct stat st;
    int fd;
    MEASURE("open-close", 3000, fd = open(own_path, O_RDONLY); failed |= fd < 0; close(fd));
    MEASURE("stat", 3000, failed |= stat(own_path, &st));
    fd = open(own_path, O_RDONLY);
    MEASURE("fstat", 5000, failed |= fstat(fd, &st));
    MEASURE("pread-4k", 2000, failed |= pread(fd, buffer, 4096, 0) != 4096);
    MEASURE("lseek", 5000, failed |= lseek(fd, 0, SEEK_SET));
    close(fd);
    fd = open("/tmp/bench", O_RDWR | O_CREAT | O_TRUNC, 0600);
    MEASURE("pwrite-4k", 2000, failed |= pwrite(fd, buffer, 4096, 0) != 4096);
    close(fd);
}

static char *map(size_t length)
{
    return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void page_faults(void)
{
    enum { PAGES = 2048 };
    if (!is_wanted("page-fault") && !is_wanted("munmap-per-page"))
        return;
    char *p = map(PAGES * PAGE);
    if (p == MAP_FAILED)
        return;
    madvise(p, PAGES * PAGE, MADV_NOHUGEPAGE);
    long long start = now_ns();
    mark_start();
    for (long i = 0; i < PAGES; i++)
        ((volatile char *)p)[i * PAGE] = 1;
    mark_end();
    add_result("page-fault", PAGES, now_ns() - start);
    start = now_ns();
    mark_start();
    munmap(p, PAGES * PAGE);
    mark_end();
    add_result("munmap-per-page", PAGES, now_ns() - start);
}

static void memory(void)
{
    char *p;
    MEASURE("mmap-munmap", 2000, p = map(PAGE); failed |= p == MAP_FAILED; munmap(p, PAGE));
    MEASURE("mmap-touch-munmap", 2000, p = map(PAGE); failed |= p == MAP_FAILED;
            *(volatile char *)p = 1; munmap(p, PAGE));
    p = map(PAGE);
    *(volatile char *)p = 1;
    MEASURE("mprotect-twice", 2000,
            failed |= mprotect(p, PAGE, PROT_READ) || mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    munmap(p, PAGE);
    page_faults();
}

static void on_signal(int number)
{
    (void)number;
}

static char *protected_page;

static void on_fault(int number)
{
    (void)number;
    mprotect(protected_page, PAGE, PROT_READ | PROT_WRITE);
}

static void signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    int process = getpid(), thread = (int)syscall(SYS_gettid);
    MEASURE("sigaction", 5000, failed |= sigaction(SIGUSR1, &action, NULL));
    sigaction(SIGUSR1, &action, NULL);
    MEASURE("signal-self", 3000, failed |= syscall(SYS_tgkill, process, thread, SIGUSR1) != 0);
    protected_page = map(PAGE);
    action.sa_handler = on_fault;
    sigaction(SIGSEGV, &action, NULL);
    MEASURE("fault-handler-mprotect", 1000, mprotect(protected_page, PAGE, PROT_READ);
            *(volatile char *)protected_page = 1);
    action.sa_handler = SIG_DFL;
    sigaction(SIGSEGV, &action, NULL);
    munmap(protected_page, PAGE);
}

static void *nothing(void *argument)
{
    return argument;
}

static int turn;

static long futex(int op, int value)
{
    return syscall(SYS_futex, &turn, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void *answer(void *rounds)
{
    for (long i = 0; i < (long)rounds; i++) {
        while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != 1)
            futex(FUTEX_WAIT, 0);
        __atomic_store_n(&turn, 0, __ATOMIC_RELEASE);
        futex(FUTEX_WAKE, 1);
    }
    return NULL;
}

static void futex_ping_pong(void)
{
    enum { ROUNDS = 3000 };
    pthread_t thread;
    if (!is_wanted("futex-ping-pong"))
        return;
    if (pthread_create(&thread, NULL, answer, (void *)ROUNDS))
        return;
    long long start = now_ns();
    mark_start();
    for (long i = 0; i < ROUNDS; i++) {
        __atomic_store_n(&turn, 1, __ATOMIC_RELEASE);
        futex(FUTEX_WAKE, 1);
        while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != 0)
            futex(FUTEX_WAIT, 1);
    }
    mark_end();
    add_result("futex-ping-pong", ROUNDS, now_ns() - start);
    pthread_join(thread, NULL);
}

static int to_other[2], from_other[2];

static void *pipe_answer(void *rounds)
{
    char byte;
    for (long i = 0; i < (long)rounds; i++)
        if (read(to_other[0], &byte, 1) != 1 || write(from_other[1], &byte, 1) != 1)
            break;
    return NULL;
}

static void pipe_ping_pong(void)
{
    enum { ROUNDS = 3000 };
    pthread_t thread;
    char byte = 1;
    int failed = 0;
    if (!is_wanted("pipe-ping-pong"))
        return;
    if (pipe(to_other) || pipe(from_other) ||
        pthread_create(&thread, NULL, pipe_answer, (void *)ROUNDS))
        return;
    long long start = now_ns();
    mark_start();
    for (long i = 0; i < ROUNDS; i++)
        failed |= write(to_other[1], &byte, 1) != 1 || read(from_other[0], &byte, 1) != 1;
    mark_end();
    add_result("pipe-ping-pong", ROUNDS, failed ? -1 : now_ns() - start);
    pthread_join(thread, NULL);
}

static void threads(void)
{
    pthread_t thread;
    MEASURE("sched-yield", 5000, sched_yield());
    MEASURE("thread-create-join", 500, failed |= pthread_create(&thread, NULL, nothing, NULL);
            if (!failed) pthread_join(thread, NULL));
    futex_ping_pong();
    pipe_ping_pong();
}

int main(int argc, char **argv)
{
    (void)argc;
    wanted_names = argv + 1;
    ssize_t n = readlink("/proc/self/exe", own_path, sizeof own_path - 1);
    if (n <= 0)
        strcpy(own_path, "/bin/micro");
    memset(buffer, 1, sizeof buffer);
    calls();
    pipes_and_events();
    files();
    memory();
    signals();
    threads();
    sockets();
    for (unsigned i = 0; i < result_count; i++)
        printf("bench %s n=%ld ns=%lld\n", results[i].name, results[i].n, results[i].ns);
    printf("bench-end\n");
    return 0;
}
