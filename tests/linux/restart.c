// SPDX-License-Identifier: MIT
// Which calls go on after a handler and which return EINTR (signal(7)): SA_RESTART,
// restart_syscall.
#include "check.h"
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>

static volatile int count;

static void on_alarm(int number)
{
    (void)number;
    count++;
}

// A SIGALRM every 20 ms, with or without SA_RESTART.
static void alarm_every_20_ms(int flags)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};
    struct itimerval timer = {{0, 20000}, {0, 20000}};
    count = 0;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void stop(void)
{
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
}

static void *write_later(void *fd)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    usleep(120000);
    (void)!write(*(int *)fd, "12345678", 8);
    return NULL;
}

// Runs read on a pipe that gets data after 120 ms; returns what read returned, errno kept.
static ssize_t read_pipe_under_alarms(int flags)
{
    int fds[2];
    char buffer[16];
    pthread_t thread;
    sigset_t alarm_set;
    if (pipe(fds))
        return -2;
    sigemptyset(&alarm_set);
    sigaddset(&alarm_set, SIGALRM);
    pthread_create(&thread, NULL, write_later, &fds[1]);
    alarm_every_20_ms(flags);
    ssize_t n = read(fds[0], buffer, sizeof buffer);
    int error = errno;
    stop();
    pthread_join(thread, NULL);
    close(fds[0]);
    close(fds[1]);
    errno = error;
    return n;
}

CHECK(restart_read_goes_on)
{
    EXPECT_EQ(read_pipe_under_alarms(SA_RESTART), 8);
    EXPECT(count >= 2);
}

CHECK(restart_read_is_interrupted_without_flag)
{
    EXPECT_ERR(read_pipe_under_alarms(0), EINTR);
    EXPECT_EQ(count, 1);
}

CHECK(restart_never_for_poll_and_select)
{
    int fds[2];
    EXPECT_OK(pipe(fds));
    struct pollfd poll_fd = {fds[0], POLLIN, 0};
    fd_set set;
    alarm_every_20_ms(SA_RESTART);
    EXPECT_ERR(poll(&poll_fd, 1, 1000), EINTR);
    EXPECT_ERR(poll(&poll_fd, 1, -1), EINTR);
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    EXPECT_ERR(select(fds[0] + 1, &set, NULL, NULL, NULL), EINTR);
    stop();
    close(fds[0]);
    close(fds[1]);
}

CHECK(restart_never_for_epoll_wait)
{
    struct epoll_event event;
    int fd = epoll_create1(0);
    alarm_every_20_ms(SA_RESTART);
    EXPECT_ERR(epoll_wait(fd, &event, 1, 1000), EINTR);
    stop();
    close(fd);
}

CHECK(restart_never_for_nanosleep_and_remaining_time)
{
    struct timespec second = {1, 0}, rest = {0};
    alarm_every_20_ms(SA_RESTART);
    EXPECT_ERR(nanosleep(&second, &rest), EINTR);
    stop();
    EXPECT_EQ(rest.tv_sec, 0);
    EXPECT(rest.tv_nsec > 500000000 && rest.tv_nsec < 1000000000);
}

CHECK(restart_never_for_pause_and_sigtimedwait)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    alarm_every_20_ms(SA_RESTART);
    EXPECT_ERR(pause(), EINTR);
    EXPECT_ERR(sigwaitinfo(&set, NULL), EINTR);
    stop();
}

CHECK(restart_clock_nanosleep_absolute)
{
    struct timespec end;
    alarm_every_20_ms(SA_RESTART);
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += 1;
    EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL), EINTR);
    stop();
}

static void *wake_later(void *word)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    usleep(120000);
    *(volatile int *)word = 1;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    return NULL;
}

CHECK(restart_futex_wait_goes_on_with_flag)
{
    static int word;
    pthread_t thread;
    word = 0;
    EXPECT_EQ(pthread_create(&thread, NULL, wake_later, &word), 0);
    alarm_every_20_ms(SA_RESTART);
    long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    stop();
    int error = errno;
    pthread_join(thread, NULL);
    // EAGAIN: the word changed between a handler and the restart, which compares again.
    EXPECT(result == 0 || error == EAGAIN);
    EXPECT(count >= 2);
}

CHECK(restart_futex_wait_with_timeout)
{
    static int word;
    struct timespec timeout = {0, 200000000}, start, end;
    word = 0;
    alarm_every_20_ms(SA_RESTART);
    clock_gettime(CLOCK_MONOTONIC, &start);
    EXPECT_ERR(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &timeout, NULL, 0), EINTR);
    stop();
    clock_gettime(CLOCK_MONOTONIC, &end);
    EXPECT(end.tv_sec - start.tv_sec <= 1);
}

CHECK(restart_socket_read_and_accept)
{
    int fds[2];
    char byte;
    pthread_t thread;
    EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    EXPECT_EQ(pthread_create(&thread, NULL, write_later, &fds[1]), 0);
    alarm_every_20_ms(SA_RESTART);
    ssize_t n = read(fds[0], &byte, 1);
    stop();
    pthread_join(thread, NULL);
    EXPECT_EQ(n, 1);
    EXPECT(count >= 2);
    close(fds[0]);
    close(fds[1]);
}

CHECK(restart_eventfd_read)
{
    int fd = eventfd(0, 0);
    uint64_t value;
    alarm_every_20_ms(0);
    EXPECT_ERR(read(fd, &value, 8), EINTR);
    stop();
    close(fd);
}

CHECK(restart_write_returns_what_was_written)
{
    int fds[2];
    static char data[300000];
    EXPECT_OK(pipe(fds));
    alarm_every_20_ms(0);
    ssize_t n = write(fds[1], data, sizeof data);
    stop();
    EXPECT_EQ(n, 65536);
    close(fds[0]);
    close(fds[1]);
}

CHECK(restart_syscall_called_directly)
{
    EXPECT_ERR(syscall(SYS_restart_syscall), EINTR);
}
