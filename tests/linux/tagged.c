// SPDX-License-Identifier: MIT
// Pointers with a tag in bits 56 to 63 (Linux tagged-address-abi.rst): the CPU ignores it at EL0;
// memory calls always do; others only for a thread that asked by PR_SET_TAGGED_ADDR_CTRL. A fault
// tells its address without the tag, unless the handler asks for it. Ends in a chain of programs:
// the permission goes with execve, and the keys of pointer authentication are new.
#define CHECK_NO_MAIN
#include "check.h"
#include <asm/hwcap.h>
#include <poll.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#ifndef SA_EXPOSE_TAGBITS
#define SA_EXPOSE_TAGBITS 0x800
#endif
#define TAG                (0x5aul << 56)
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129

__asm__(".arch armv8.3-a");

static void *tagged(const volatile void *pointer)
{
    return (void *)((uintptr_t)pointer | TAG);
}

static int allow(bool on)
{
    return prctl(PR_SET_TAGGED_ADDR_CTRL, on ? PR_TAGGED_ADDR_ENABLE : 0, 0, 0, 0);
}

static int allowed(void)
{
    return prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0);
}

CHECK(tag_control_arguments)
{
    EXPECT_EQ(allowed(), 0);
    EXPECT_ERR(prctl(PR_SET_TAGGED_ADDR_CTRL, 1ul << 40, 0, 0, 0), EINVAL);
    EXPECT_ERR(prctl(PR_SET_TAGGED_ADDR_CTRL, PR_TAGGED_ADDR_ENABLE, 1, 0, 0), EINVAL);
    EXPECT_ERR(prctl(PR_SET_TAGGED_ADDR_CTRL, PR_TAGGED_ADDR_ENABLE, 0, 1, 0), EINVAL);
    EXPECT_ERR(prctl(PR_SET_TAGGED_ADDR_CTRL, PR_TAGGED_ADDR_ENABLE, 0, 0, 1), EINVAL);
    EXPECT_ERR(prctl(PR_GET_TAGGED_ADDR_CTRL, 1, 0, 0, 0), EINVAL);
    EXPECT_ERR(prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 1), EINVAL);
    EXPECT_EQ(allowed(), 0);
    EXPECT_EQ(allow(true), 0);
    EXPECT_EQ(allowed(), PR_TAGGED_ADDR_ENABLE);
    EXPECT_EQ(allow(false), 0);
    EXPECT_EQ(allowed(), 0);
}

CHECK(tag_is_ignored_by_loads_and_stores)
{
    volatile int word = 1, *other = tagged(&word);
    *other = 2;
    EXPECT_EQ(word, 2);
    EXPECT_EQ(__sync_fetch_and_add((int *)tagged(&word), 3), 2);
    EXPECT_EQ(word, 5);
}

static char buffer[64];

// A call of each way in which the kernel reaches memory: how many of them went wrong by EFAULT, and
// by anything else.
static void use_tags(int *faults, int *others)
{
    int pair[2], sockets[2], poll_fd = epoll_create1(0);
    struct timespec now;
    struct utsname name;
    struct iovec io = {tagged(buffer), 4};
    struct msghdr message = {.msg_iov = tagged(&io), .msg_iovlen = 1};
    struct epoll_event event = {.events = EPOLLOUT};
    struct stat status;
    *faults = *others = 0;
    if (pipe(pair) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) || poll_fd < 0) {
        *others = 100;
        return;
    }
    struct pollfd ready = {.fd = pair[1], .events = POLLOUT};
    long results[] = {
        // String, structure out and in, words, vectors, and buffers.
        syscall(SYS_openat, AT_FDCWD, tagged("."), O_RDONLY | O_DIRECTORY, 0),
        syscall(SYS_newfstatat, AT_FDCWD, tagged("."), tagged(&status), 0),
        syscall(SYS_uname, tagged(&name)),
        syscall(SYS_clock_gettime, CLOCK_MONOTONIC, tagged(&now)),
        syscall(SYS_nanosleep, tagged(&(struct timespec){0, 1}), NULL),
        syscall(SYS_getrandom, tagged(buffer), 8, 0),
        syscall(SYS_write, pair[1], tagged(buffer), 8),
        syscall(SYS_read, pair[0], tagged(buffer), 4),
        syscall(SYS_readv, pair[0], tagged(&io), 1),
        syscall(SYS_sendmsg, sockets[0], tagged(&message), 0),
        syscall(SYS_recvmsg, sockets[1], tagged(&message), MSG_DONTWAIT),
        syscall(SYS_sendto, sockets[0], tagged(buffer), 4, 0, NULL, 0),
        syscall(SYS_recvfrom, sockets[1], tagged(buffer), 4, MSG_DONTWAIT, NULL, NULL),
        syscall(SYS_ppoll, tagged(&ready), 1, tagged(&(struct timespec){0}), NULL, 8),
        syscall(SYS_epoll_ctl, poll_fd, EPOLL_CTL_ADD, pair[1], tagged(&event)),
        syscall(SYS_epoll_pwait, poll_fd, tagged(&event), 1, 0, NULL, 8),
        syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, tagged(buffer), 8),
        syscall(SYS_sched_getaffinity, 0, sizeof(buffer), tagged(buffer)),
        syscall(SYS_getcwd, tagged(buffer), sizeof(buffer)),
        syscall(SYS_pipe2, tagged(buffer), 0),
    };
    int made[2];
    memcpy(made, buffer, sizeof(made));
    for (unsigned i = 0; i < ARRAY_SIZE(results); i++)
        *others += results[i] < 0;
    *faults = *others;
    close((int)results[0]);
    if (results[ARRAY_SIZE(results) - 1] == 0)
        close(made[0]), close(made[1]);
    close(pair[0]), close(pair[1]), close(sockets[0]), close(sockets[1]), close(poll_fd);
}

CHECK(tags_are_refused_unless_allowed)
{
    int pair[2];
    EXPECT_OK(pipe(pair));
    EXPECT_EQ(write(pair[1], "abcd", 4), 4);
    EXPECT_ERR(syscall(SYS_read, pair[0], tagged(buffer), 4), EFAULT);
    EXPECT_ERR(syscall(SYS_openat, AT_FDCWD, tagged("."), O_RDONLY, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, tagged(buffer)), EFAULT);
    EXPECT_ERR(syscall(SYS_readv, pair[0], &(struct iovec){tagged(buffer), 4}, 1), EFAULT);
    EXPECT_ERR(syscall(SYS_futex, tagged(buffer), FUTEX_WAKE_PRIVATE, 1, 0, 0, 0), EFAULT);
    EXPECT_EQ(syscall(SYS_read, pair[0], buffer, 4), 4);
    close(pair[0]), close(pair[1]);
}

CHECK(tags_are_taken_when_allowed)
{
    int faults, others;
    EXPECT_EQ(allow(true), 0);
    use_tags(&faults, &others);
    int result = allow(false);
    EXPECT_EQ(others, 0);
    EXPECT_EQ(result, 0);
    use_tags(&faults, &others);
    EXPECT_EQ(faults, 20);
}

CHECK(tags_do_not_reach_over_the_top)
{
    EXPECT_EQ(allow(true), 0);
    long top = syscall(SYS_clock_gettime, CLOCK_MONOTONIC, tagged((void *)((1ul << 48) - 8)));
    int first = errno;
    long high = syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (void *)(0xffffffff00000000ul));
    int second = errno;
    long beyond = syscall(SYS_clock_gettime, CLOCK_MONOTONIC, tagged((void *)(1ul << 50)));
    int third = errno;
    long ends = syscall(SYS_openat, AT_FDCWD, tagged((void *)((1ul << 48) - 4)), O_RDONLY, 0);
    int fourth = errno;
    allow(false);
    EXPECT_EQ(top, -1);
    EXPECT_EQ(first, EFAULT);
    EXPECT_EQ(high, -1);
    EXPECT_EQ(second, EFAULT);
    EXPECT_EQ(beyond, -1);
    EXPECT_EQ(third, EFAULT);
    EXPECT_EQ(ends, -1);
    EXPECT_EQ(fourth, EFAULT);
}

CHECK(memory_calls_ignore_tags)
{
    char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char in[2];
    EXPECT(page != MAP_FAILED);
    page[0] = 1;
    EXPECT_EQ(mprotect(tagged(page), PAGE, PROT_READ), 0);
    EXPECT_EQ(madvise(tagged(page), PAGE, MADV_WILLNEED), 0);
    EXPECT_EQ(mincore(tagged(page), PAGE, in), 0);
    EXPECT_EQ(in[0] & 1, 1);
    EXPECT_ERR(syscall(SYS_mincore, page, PAGE, tagged(in)), EFAULT);
    EXPECT_EQ(mlock(tagged(page), PAGE), 0);
    EXPECT_EQ(munlock(tagged(page), PAGE), 0);
    EXPECT_EQ(msync(tagged(page), PAGE, MS_ASYNC), 0);
    EXPECT_EQ((long)mremap(tagged(page), 2 * PAGE, PAGE, 0), (long)page);
    EXPECT_EQ(munmap(tagged(page), PAGE), 0);
}

CHECK(new_addresses_take_no_tag)
{
    EXPECT_EQ(allow(true), 0);
    char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *fixed =
        mmap(tagged(page), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    int first = errno;
    void *hinted = mmap(tagged(page), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *moved = mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, tagged(page + 16 * PAGE));
    int second = errno;
    long end = syscall(SYS_brk, 0), raised = syscall(SYS_brk, tagged((void *)(end + (long)PAGE)));
    allow(false);
    EXPECT(page != MAP_FAILED);
    EXPECT(fixed == MAP_FAILED);
    EXPECT_EQ(first, ENOMEM);
    EXPECT(hinted != MAP_FAILED && (uintptr_t)hinted >> 48 == 0);
    EXPECT(moved == MAP_FAILED);
    EXPECT_EQ(second, EINVAL);
    EXPECT_EQ(raised, end);
}

struct other {
    int inherited, after, round;
};

static void *other_thread(void *argument)
{
    struct other *other = argument;
    other->inherited = allowed();
    allow(!other->inherited);
    other->after = allowed();
    return NULL;
}

CHECK(permission_is_the_threads)
{
    pthread_t thread;
    struct other other;
    for (int on = 0; on < 2; on++) {
        EXPECT_EQ(allow(on), 0);
        EXPECT_EQ(pthread_create(&thread, NULL, other_thread, &other), 0);
        EXPECT_EQ(pthread_join(thread, NULL), 0);
        EXPECT_EQ(other.inherited, on);
        EXPECT_EQ(other.after, !on);
        EXPECT_EQ(allowed(), on);
    }
    allow(false);
}

static volatile int word;

static void *wakes(void *argument)
{
    (void)argument;
    allow(true);
    for (int i = 0; i < 200 && word == 0; i++) {
        usleep(10000);
        if (syscall(SYS_futex, tagged(&word), FUTEX_WAKE_PRIVATE, 1, 0, 0, 0) == 1)
            word = 1;
    }
    return NULL;
}

CHECK(futex_waits_and_wakes_by_tagged_words)
{
    pthread_t thread;
    EXPECT_EQ(allow(true), 0);
    word = 0;
    EXPECT_EQ(pthread_create(&thread, NULL, wakes, NULL), 0);
    long result = syscall(SYS_futex, tagged(&word), FUTEX_WAIT_PRIVATE, 0,
                          tagged(&(struct timespec){5, 0}), 0, 0);
    word = 2;
    pthread_join(thread, NULL);
    long again = syscall(SYS_futex, tagged(&word), FUTEX_WAIT_PRIVATE, 0, NULL, 0, 0);
    int error = errno;
    allow(false);
    EXPECT_EQ(result, 0);
    EXPECT_EQ(again, -1);
    EXPECT_EQ(error, EAGAIN);
}

static volatile uintptr_t fault_address;
static sigjmp_buf back;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    fault_address = (uintptr_t)info->si_addr;
    siglongjmp(back, 1);
}

static uintptr_t faults_at(void *pointer, int flags)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | flags}, before;
    sigaction(SIGSEGV, &action, &before);
    fault_address = 0;
    if (sigsetjmp(back, 1) == 0)
        *(volatile char *)pointer = 1;
    sigaction(SIGSEGV, &before, NULL);
    return fault_address;
}

CHECK(fault_tells_the_address_without_its_tag)
{
    char *page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_EQ(faults_at(tagged(page), 0), (uintptr_t)page);
    EXPECT_EQ(faults_at(tagged(page), SA_EXPOSE_TAGBITS), (uintptr_t)page | TAG);
    EXPECT_EQ(faults_at(page, SA_EXPOSE_TAGBITS), (uintptr_t)page);
    munmap(page, PAGE);
}

// Signatures by the program's keys of a few values, as text.
static void signatures(char *text, size_t size)
{
    size_t length = 0;
    text[0] = 0;
    if (!(getauxval(AT_HWCAP) & HWCAP_PACA))
        return;
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t a = 0x400000 + 4096 * i, b = a;
        __asm__ volatile("pacia %0, %2\n\tpacib %1, %2" : "+r"(a), "+r"(b) : "r"(i));
        length += (size_t)snprintf(text + length, size - length, "%lx,%lx;", a, b);
    }
}

int main(int argc, char **argv)
{
    char mine[400];
    signatures(mine, sizeof(mine));
    if (argc == 3) {
        int now = allowed();
        printf(now ? "FAIL execve_ends_the_permission: found %d, expected 0\n"
                   : "ok execve_ends_the_permission\n",
               now);
        bool same = mine[0] != 0 && strcmp(mine, argv[2]) == 0;
        if (mine[0] == 0)
            printf("skip execve_makes_new_keys: the CPU has none\n");
        else if (same)
            printf("FAIL execve_makes_new_keys: found %s again, expected others\n", mine);
        else
            printf("ok execve_makes_new_keys\n");
        return now || same;
    }
    int failed = check_main(argc, argv);
    if (failed || argc > 1)
        return failed;
    allow(true);
    char *words[] = {argv[0], "after", mine, NULL}, *environment[] = {NULL};
    execve("/proc/self/exe", words, environment);
    printf("FAIL execve_ends_the_permission: found errno %d, expected a new program\n", errno);
    return 1;
}
