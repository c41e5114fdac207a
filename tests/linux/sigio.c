// SPDX-License-Identifier: MIT
// Signal-driven I/O: O_ASYNC, F_SETOWN, F_SETOWN_EX, F_SETSIG, FIOASYNC (fcntl(2), ioctl_tty(2)).
#include "check.h"
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SIGNAL (SIGRTMIN + 3)

static sigset_t set_of(int a, int b)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, a);
    if (b)
        sigaddset(&set, b);
    return set;
}

// Blocks the signals that the checks wait for: they are taken by sigtimedwait.
static void block_signals(void)
{
    sigset_t set = set_of(SIGIO, SIGNAL);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

// The next signal that came for the descriptor's owner; 0: none.
static int take(siginfo_t *info, int wait_ms)
{
    sigset_t set = set_of(SIGIO, SIGNAL);
    struct timespec timeout = {0, wait_ms * 1000000};
    memset(info, 0, sizeof *info);
    int number = sigtimedwait(&set, info, &timeout);
    return number < 0 ? 0 : number;
}

static int make_async(int fd, int signal_number)
{
    if (fcntl(fd, F_SETOWN, getpid()) || fcntl(fd, F_SETSIG, signal_number))
        return -1;
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC);
}

static int drain(void)
{
    siginfo_t info;
    int count = 0;
    while (take(&info, 0))
        count++;
    return count;
}

CHECK(sigio_owner)
{
    int ends[2];
    struct f_owner_ex owner = {-5, -5};
    EXPECT_OK(pipe(ends));
    EXPECT_EQ(fcntl(ends[0], F_GETOWN), 0);
    EXPECT_OK(fcntl(ends[0], F_GETOWN_EX, &owner));
    EXPECT_EQ(owner.type, F_OWNER_TID);
    EXPECT_EQ(owner.pid, 0);
    EXPECT_OK(fcntl(ends[0], F_SETOWN, getpid()));
    EXPECT_EQ(fcntl(ends[0], F_GETOWN), getpid());
    EXPECT_EQ(fcntl(ends[1], F_GETOWN), 0);
    EXPECT_OK(fcntl(ends[0], F_GETOWN_EX, &owner));
    EXPECT_EQ(owner.type, F_OWNER_PID);
    EXPECT_EQ(owner.pid, getpid());
    EXPECT_ERR(fcntl(ends[0], F_SETOWN, 999999), ESRCH);
    EXPECT_ERR(fcntl(ends[0], F_SETOWN, -999999), ESRCH);
    EXPECT_ERR(fcntl(ends[0], F_SETOWN, INT_MIN), EINVAL);
    EXPECT_EQ(fcntl(ends[0], F_GETOWN), getpid());
    EXPECT_OK(fcntl(ends[0], F_SETOWN, 0));
    EXPECT_EQ(fcntl(ends[0], F_GETOWN), 0);
    owner = (struct f_owner_ex){F_OWNER_TID, (int)syscall(SYS_gettid)};
    EXPECT_OK(fcntl(ends[0], F_SETOWN_EX, &owner));
    owner = (struct f_owner_ex){-5, -5};
    EXPECT_OK(fcntl(ends[0], F_GETOWN_EX, &owner));
    EXPECT_EQ(owner.type, F_OWNER_TID);
    EXPECT_EQ(owner.pid, syscall(SYS_gettid));
    owner = (struct f_owner_ex){F_OWNER_PID, 999999};
    EXPECT_ERR(fcntl(ends[0], F_SETOWN_EX, &owner), ESRCH);
    owner = (struct f_owner_ex){7, getpid()};
    EXPECT_ERR(fcntl(ends[0], F_SETOWN_EX, &owner), EINVAL);
    EXPECT_ERR(fcntl(ends[0], F_SETOWN_EX, BAD_POINTER), EFAULT);
    EXPECT_ERR(fcntl(ends[0], F_GETOWN_EX, BAD_POINTER), EFAULT);
    close(ends[0]);
    close(ends[1]);
    EXPECT_ERR(fcntl(ends[0], F_SETOWN, getpid()), EBADF);
}

CHECK(sigio_signal_number)
{
    int ends[2];
    EXPECT_OK(pipe(ends));
    EXPECT_EQ(fcntl(ends[0], F_GETSIG), 0);
    EXPECT_OK(fcntl(ends[0], F_SETSIG, SIGNAL));
    EXPECT_EQ(fcntl(ends[0], F_GETSIG), SIGNAL);
    EXPECT_ERR(fcntl(ends[0], F_SETSIG, 65), EINVAL);
    EXPECT_ERR(fcntl(ends[0], F_SETSIG, -1), EINVAL);
    EXPECT_OK(fcntl(ends[0], F_SETSIG, 0));
    EXPECT_EQ(fcntl(ends[0], F_GETSIG), 0);
    close(ends[0]);
    close(ends[1]);
}

static volatile int caught, caught_code;

static void catch (int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    caught++;
    caught_code = info->si_code;
}

CHECK(sigio_comes_before_write_returns)
{
    struct sigaction action = {.sa_sigaction = catch, .sa_flags = SA_SIGINFO};
    int ends[2];
    char byte;
    EXPECT_OK(pipe(ends));
    sigaction(SIGIO, &action, NULL);
    EXPECT_OK(make_async(ends[0], 0));
    EXPECT_EQ(fcntl(ends[0], F_GETFL) & O_ASYNC, O_ASYNC);
    caught = 0;
    for (int i = 1; i <= 100; i++) {
        EXPECT_EQ(write(ends[1], "x", 1), 1);
        EXPECT_EQ(caught, i);
        EXPECT_EQ(read(ends[0], &byte, 1), 1);
    }
    EXPECT_EQ(caught_code, SI_KERNEL);
    EXPECT_OK(fcntl(ends[0], F_SETFL, 0));
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(caught, 100);
    close(ends[0]);
    close(ends[1]);
}

CHECK(sigio_tells_descriptor_and_band)
{
    int ends[2];
    siginfo_t info;
    char buffer[8];
    block_signals();
    EXPECT_OK(pipe(ends));
    EXPECT_OK(make_async(ends[0], SIGNAL));
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(write(ends[1], "x", 1), 1); // each tells, read or not
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(take(&info, 900), SIGNAL);
        EXPECT_EQ(info.si_code, POLL_IN);
        EXPECT_EQ(info.si_fd, ends[0]);
        EXPECT_EQ(info.si_band, 0x41);
    }
    EXPECT_EQ(read(ends[0], buffer, 1), 1);
    EXPECT_EQ(take(&info, 20), 0); // what is left is not news
    EXPECT_EQ(read(ends[0], buffer, 8), 2);
    EXPECT_EQ(take(&info, 20), 0);
    EXPECT_OK(fcntl(ends[0], F_SETSIG, SIGIO));
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(take(&info, 900), SIGIO);
    EXPECT_EQ(info.si_code, POLL_IN);
    EXPECT_EQ(info.si_fd, ends[0]);
    close(ends[1]);
    close(ends[0]);
    drain();
}

CHECK(sigio_pipe_has_room)
{
    int ends[2];
    siginfo_t info;
    static char buffer[65536];
    block_signals();
    EXPECT_OK(pipe(ends));
    EXPECT_OK(make_async(ends[1], SIGNAL));
    EXPECT_EQ(write(ends[1], buffer, sizeof buffer), (long)sizeof buffer);
    EXPECT_EQ(take(&info, 20), 0);
    EXPECT_EQ(read(ends[0], buffer, sizeof buffer), (long)sizeof buffer);
    EXPECT_EQ(take(&info, 900), SIGNAL);
    EXPECT_EQ(info.si_code, POLL_OUT);
    EXPECT_EQ(info.si_fd, ends[1]);
    EXPECT_EQ(info.si_band, 0x304);
    EXPECT_EQ(write(ends[1], buffer, 1), 1);
    EXPECT_EQ(read(ends[0], buffer, 1), 1);
    drain(); // Linux tells though there was room before
    close(ends[0]);
    EXPECT_EQ(take(&info, 900), SIGNAL); // nobody reads any more
    EXPECT_EQ(info.si_code, POLL_OUT);
    close(ends[1]);
}

CHECK(sigio_pipe_ends)
{
    int ends[2];
    siginfo_t info;
    block_signals();
    EXPECT_OK(pipe(ends));
    EXPECT_OK(make_async(ends[0], SIGNAL));
    close(ends[1]);
    EXPECT_EQ(take(&info, 900), SIGNAL);
    EXPECT_EQ(info.si_code, POLL_IN);
    close(ends[0]);
    EXPECT_EQ(take(&info, 20), 0);
}

CHECK(sigio_sockets)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    siginfo_t info;
    char buffer[8];
    block_signals();
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        int ends[2];
        EXPECT_OK(socketpair(AF_UNIX, types[i], 0, ends));
        EXPECT_OK(make_async(ends[0], SIGNAL));
        EXPECT_EQ(send(ends[1], "abc", 3, 0), 3);
        EXPECT_EQ(take(&info, 900), SIGNAL);
        EXPECT_EQ(info.si_code, POLL_IN);
        EXPECT_EQ(info.si_fd, ends[0]);
        EXPECT_EQ(info.si_band, 0x41);
        EXPECT_EQ(recv(ends[0], buffer, 8, 0), 3);
        EXPECT_EQ(send(ends[0], "abc", 3, 0), 3);
        EXPECT_EQ(recv(ends[1], buffer, 8, 0), 3);
        EXPECT_EQ(drain(), 0);
        close(ends[1]);
        if (types[i] != SOCK_DGRAM) {
            EXPECT_EQ(take(&info, 900), SIGNAL);
            EXPECT_EQ(info.si_code, POLL_HUP);
        }
        close(ends[0]);
        drain();
    }
}

CHECK(sigio_socket_has_room)
{
    int ends[2], size = 0;
    siginfo_t info;
    static char buffer[4096];
    block_signals();
    EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
    EXPECT_OK(make_async(ends[0], SIGNAL));
    while (send(ends[0], buffer, sizeof buffer, 0) > 0)
        size++;
    EXPECT_EQ(take(&info, 20), 0);
    while (size > 0 && recv(ends[1], buffer, sizeof buffer, 0) > 0)
        size--;
    EXPECT_EQ(take(&info, 900), SIGNAL);
    EXPECT_EQ(info.si_code, POLL_OUT);
    close(ends[0]);
    close(ends[1]);
    drain();
}

CHECK(sigio_listening_socket)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "listening"};
    siginfo_t info;
    block_signals();
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_OK(bind(listener, (struct sockaddr *)&name, sizeof name));
    EXPECT_OK(listen(listener, 5));
    EXPECT_OK(make_async(listener, SIGNAL));
    EXPECT_OK(connect(client, (struct sockaddr *)&name, sizeof name));
    EXPECT_EQ(take(&info, 900), SIGNAL);
    EXPECT_EQ(info.si_code, POLL_IN);
    EXPECT_EQ(info.si_fd, listener);
    close(client);
    close(listener);
    drain();
}

CHECK(sigio_set_by_ioctl)
{
    int ends[2], on = 1, off = 0;
    siginfo_t info;
    block_signals();
    EXPECT_OK(pipe(ends));
    EXPECT_OK(fcntl(ends[0], F_SETOWN, getpid()));
    EXPECT_OK(ioctl(ends[0], FIOASYNC, &on));
    EXPECT_EQ(fcntl(ends[0], F_GETFL) & O_ASYNC, O_ASYNC);
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(take(&info, 900), SIGIO);
    EXPECT_OK(ioctl(ends[0], FIOASYNC, &off));
    EXPECT_EQ(fcntl(ends[0], F_GETFL) & O_ASYNC, 0);
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(take(&info, 20), 0);
    EXPECT_ERR(ioctl(ends[0], FIOASYNC, BAD_POINTER), EFAULT);
    close(ends[0]);
    close(ends[1]);
}

CHECK(sigio_socket_owner_by_ioctl)
{
    int ends[2], owner = getpid(), found = 0;
    EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    EXPECT_OK(ioctl(ends[0], FIOSETOWN, &owner));
    EXPECT_EQ(fcntl(ends[0], F_GETOWN), getpid());
    EXPECT_OK(ioctl(ends[0], FIOGETOWN, &found));
    EXPECT_EQ(found, getpid());
    owner = 0;
    EXPECT_OK(ioctl(ends[0], SIOCSPGRP, &owner));
    EXPECT_OK(ioctl(ends[0], SIOCGPGRP, &found));
    EXPECT_EQ(found, 0);
    close(ends[0]);
    close(ends[1]);
}

CHECK(sigio_files_that_never_signal)
{
    int on = 1, event = eventfd(0, 0), regular = open("regular", O_RDWR | O_CREAT, 0600);
    uint64_t one = 1;
    siginfo_t info;
    block_signals();
    EXPECT_OK(make_async(event, SIGNAL));
    EXPECT_EQ(write(event, &one, 8), 8);
    EXPECT_OK(make_async(regular, SIGNAL));
    EXPECT_EQ(write(regular, &one, 8), 8);
    EXPECT_EQ(take(&info, 20), 0);
    EXPECT_ERR(ioctl(event, FIOASYNC, &on), ENOTTY);
    close(event);
    close(regular);
}

CHECK(sigio_without_owner)
{
    int ends[2];
    siginfo_t info;
    block_signals();
    EXPECT_OK(pipe(ends));
    EXPECT_OK(fcntl(ends[0], F_SETFL, O_ASYNC));
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(take(&info, 20), 0);
    EXPECT_OK(fcntl(ends[0], F_SETOWN, getpid())); // told later, it is known from then on
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(take(&info, 900), SIGIO);
    close(ends[0]);
    close(ends[1]);
    drain();
}

CHECK(sigio_through_another_descriptor)
{
    int ends[2], copy;
    siginfo_t info;
    block_signals();
    EXPECT_OK(pipe(ends));
    EXPECT_OK(make_async(ends[0], SIGNAL));
    EXPECT_OK(copy = dup(ends[0]));
    EXPECT_EQ(fcntl(copy, F_GETFL) & O_ASYNC, O_ASYNC);
    EXPECT_EQ(fcntl(copy, F_GETSIG), SIGNAL);
    close(ends[0]);
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(take(&info, 900), SIGNAL);
    EXPECT_EQ(info.si_fd, ends[0]); // the one it was set by
    close(copy);
    close(ends[1]);
    drain();
}

CHECK(sigio_full_queue)
{
    struct rlimit none = {0, RLIM_INFINITY}, old;
    int ends[2];
    siginfo_t info;
    block_signals();
    EXPECT_OK(pipe(ends));
    EXPECT_OK(make_async(ends[0], SIGNAL));
    EXPECT_OK(getrlimit(RLIMIT_SIGPENDING, &old));
    none.rlim_max = old.rlim_max;
    EXPECT_OK(setrlimit(RLIMIT_SIGPENDING, &none));
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_OK(setrlimit(RLIMIT_SIGPENDING, &old));
    EXPECT_EQ(take(&info, 900), SIGIO); // look at all of them
    close(ends[0]);
    close(ends[1]);
    drain();
}

// --- owners that are threads ---

static volatile int receiver_tid, receiver_got, receiver_may_go;

static void *receive_signals(void *unused)
{
    (void)unused;
    siginfo_t info;
    receiver_tid = (int)syscall(SYS_gettid);
    while (!receiver_may_go)
        if (take(&info, 50) == SIGNAL)
            receiver_got++;
    return NULL;
}

CHECK(sigio_to_a_thread)
{
    int ends[2];
    pthread_t thread;
    siginfo_t info;
    receiver_tid = receiver_got = receiver_may_go = 0;
    block_signals();
    EXPECT_EQ(pthread_create(&thread, NULL, receive_signals, NULL), 0);
    while (!receiver_tid)
        usleep(1000);
    struct f_owner_ex owner = {F_OWNER_TID, receiver_tid};
    EXPECT_OK(pipe(ends));
    EXPECT_OK(make_async(ends[0], SIGNAL));
    EXPECT_OK(fcntl(ends[0], F_SETOWN_EX, &owner));
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(take(&info, 100), 0);
    for (int i = 0; i < 800 && receiver_got < 10; i++)
        usleep(5000);
    EXPECT_EQ(receiver_got, 10);
    receiver_may_go = 1;
    pthread_join(thread, NULL);
    EXPECT_EQ(write(ends[1], "x", 1), 1); // its owner is gone
    EXPECT_EQ(take(&info, 20), 0);
    EXPECT_EQ(fcntl(ends[0], F_GETOWN), 0);
    close(ends[0]);
    close(ends[1]);
}

// A reader that only its signals wake; the writer is often in the middle of a long write.
static int long_pipe[2];
static volatile long long_read;

static void read_some(int number)
{
    static char buffer[8192];
    (void)number;
    int saved = errno;
    ssize_t n;
    while ((n = read(long_pipe[0], buffer, sizeof buffer)) > 0)
        long_read += n;
    errno = saved;
}

static void *write_long(void *unused)
{
    (void)unused;
    static char buffer[300000];
    sigset_t set = set_of(SIGIO, 0);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return (void *)write(long_pipe[1], buffer, sizeof buffer);
}

CHECK(sigio_during_a_long_write)
{
    struct sigaction action = {.sa_handler = read_some, .sa_flags = SA_RESTART};
    pthread_t thread;
    void *written;
    long_read = 0;
    EXPECT_OK(pipe(long_pipe));
    sigaction(SIGIO, &action, NULL);
    EXPECT_OK(fcntl(long_pipe[0], F_SETFL, O_NONBLOCK));
    EXPECT_OK(make_async(long_pipe[0], 0));
    EXPECT_EQ(pthread_create(&thread, NULL, write_long, NULL), 0);
    for (int i = 0; i < 1000 && long_read < 300000; i++)
        usleep(5000);
    pthread_join(thread, &written);
    EXPECT_EQ((long)written, 300000);
    EXPECT_EQ(long_read, 300000);
    signal(SIGIO, SIG_IGN);
    close(long_pipe[0]);
    close(long_pipe[1]);
}
