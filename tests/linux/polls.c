// SPDX-License-Identifier: MIT
// Readiness: poll, ppoll, select, pselect, epoll, eventfd, signalfd.
#include "check.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static long long now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

CHECK(poll_pipe_events)
{
    int fds[2];
    EXPECT_OK(pipe(fds));
    struct pollfd p[2] = {{fds[0], POLLIN, 0}, {fds[1], POLLOUT, 0}};
    EXPECT_EQ(poll(p, 2, 0), 1);
    EXPECT_EQ(p[0].revents, 0);
    EXPECT_EQ(p[1].revents, POLLOUT);
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(poll(p, 2, 0), 2);
    EXPECT_EQ(p[0].revents, POLLIN);
    close(fds[1]);
    p[1].fd = -1;
    EXPECT_EQ(poll(p, 2, 0), 1);
    EXPECT_EQ(p[0].revents, POLLIN | POLLHUP);
    EXPECT_EQ(p[1].revents, 0);
    close(fds[0]);
}

CHECK(poll_write_end_without_readers)
{
    int fds[2];
    EXPECT_OK(pipe(fds));
    close(fds[0]);
    struct pollfd p = {fds[1], POLLOUT, 0};
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLOUT | POLLERR);
    close(fds[1]);
}

CHECK(poll_bad_descriptor_and_plain_file)
{
    int fd = open("plain", O_RDWR | O_CREAT, 0600);
    struct pollfd p[2] = {{555, POLLIN, 0}, {fd, POLLIN | POLLOUT, 0}};
    EXPECT_EQ(poll(p, 2, -1), 2);
    EXPECT_EQ(p[0].revents, POLLNVAL);
    EXPECT_EQ(p[1].revents, POLLIN | POLLOUT);
    close(fd);
}

CHECK(poll_timeout)
{
    long long start = now_ns();
    EXPECT_EQ(poll(NULL, 0, 30), 0);
    EXPECT(now_ns() - start >= 30000000);
    EXPECT_ERR(syscall(SYS_ppoll, BAD_POINTER, 1, NULL, NULL, 8), EFAULT);
    struct timespec bad = {0, -1};
    EXPECT_ERR(syscall(SYS_ppoll, NULL, 0, &bad, NULL, 8), EINVAL);
    struct pollfd p = {0, 0, 0};
    EXPECT_ERR(syscall(SYS_ppoll, &p, 1u << 30, &(struct timespec){0}, NULL, 8), EINVAL);
}

static void *write_later(void *fd)
{
    usleep(30000);
    (void)!write(*(int *)fd, "12345678", 8);
    return NULL;
}

CHECK(poll_wakes_up)
{
    int fds[2];
    pthread_t thread;
    EXPECT_OK(pipe(fds));
    struct pollfd p = {fds[0], POLLIN, 0};
    EXPECT_EQ(pthread_create(&thread, NULL, write_later, &fds[1]), 0);
    EXPECT_EQ(poll(&p, 1, 5000), 1);
    EXPECT_EQ(p.revents, POLLIN);
    pthread_join(thread, NULL);
    close(fds[0]);
    close(fds[1]);
}

static volatile int count;

static void on_signal(int number)
{
    (void)number;
    count++;
}

CHECK(ppoll_unblocks_a_signal_for_its_time)
{
    sigset_t set, none, now;
    count = 0;
    signal(SIGUSR1, on_signal);
    sigemptyset(&set);
    sigemptyset(&none);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    EXPECT_EQ(count, 0);
    EXPECT_ERR(ppoll(NULL, 0, NULL, &none), EINTR);
    EXPECT_EQ(count, 1);
    sigprocmask(SIG_BLOCK, NULL, &now);
    EXPECT_EQ(sigismember(&now, SIGUSR1), 1);
    struct timespec moment = {0, 1000};
    EXPECT_EQ(ppoll(NULL, 0, &moment, &none), 0);
}

CHECK(select_sets)
{
    int fds[2];
    fd_set in, out;
    struct timeval none = {0, 0};
    EXPECT_OK(pipe(fds));
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(fds[0], &in);
    FD_SET(fds[1], &out);
    EXPECT_EQ(select(fds[1] + 1, &in, &out, NULL, &none), 1);
    EXPECT_EQ(FD_ISSET(fds[0], &in) != 0, 0);
    EXPECT_EQ(FD_ISSET(fds[1], &out) != 0, 1);
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    FD_SET(fds[0], &in);
    EXPECT_EQ(select(fds[1] + 1, &in, &out, NULL, NULL), 2);
    close(fds[0]);
    close(fds[1]);
    FD_ZERO(&in);
    FD_SET(fds[0], &in);
    EXPECT_ERR(select(fds[0] + 1, &in, NULL, NULL, &none), EBADF);
    EXPECT_ERR(select(-1, NULL, NULL, NULL, &none), EINVAL);
}

CHECK(select_timeout_is_counted_down)
{
    struct timeval wait = {0, 30000};
    long long start = now_ns();
    EXPECT_EQ(select(0, NULL, NULL, NULL, &wait), 0);
    EXPECT(now_ns() - start >= 30000000);
    EXPECT_EQ(wait.tv_sec, 0);
    EXPECT_EQ(wait.tv_usec, 0);
}

CHECK(pselect_mask)
{
    sigset_t set, none;
    count = 0;
    signal(SIGUSR1, on_signal);
    sigemptyset(&set);
    sigemptyset(&none);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    EXPECT_ERR(pselect(0, NULL, NULL, NULL, NULL, &none), EINTR);
    EXPECT_EQ(count, 1);
}

CHECK(eventfd_counts)
{
    int fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
    uint64_t value = 4;
    EXPECT_EQ(write(fd, &value, 8), 8);
    EXPECT_EQ(read(fd, &value, 8), 8);
    EXPECT_EQ(value, 7);
    EXPECT_ERR(read(fd, &value, 8), EAGAIN);
    EXPECT_ERR(read(fd, &value, 4), EINVAL);
    value = UINT64_MAX;
    EXPECT_ERR(write(fd, &value, 8), EINVAL);
    value = UINT64_MAX - 1;
    EXPECT_EQ(write(fd, &value, 8), 8);
    value = 1;
    EXPECT_ERR(write(fd, &value, 8), EAGAIN);
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLIN);
    close(fd);
    EXPECT_ERR(eventfd(0, 77), EINVAL);
}

CHECK(eventfd_semaphore)
{
    int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    uint64_t value;
    EXPECT_EQ(read(fd, &value, 8), 8);
    EXPECT_EQ(value, 1);
    EXPECT_EQ(read(fd, &value, 8), 8);
    EXPECT_EQ(value, 1);
    EXPECT_ERR(read(fd, &value, 8), EAGAIN);
    close(fd);
}

CHECK(eventfd_blocking_read)
{
    int fd = eventfd(0, 0);
    uint64_t value;
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, NULL, write_later, &fd), 0);
    EXPECT_EQ(read(fd, &value, 8), 8);
    EXPECT(value != 0);
    pthread_join(thread, NULL);
    close(fd);
}

static int add(int epoll, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = 0x1122334455667700ul + (unsigned)fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

CHECK(epoll_level_triggered)
{
    int ep = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(0, 0);
    uint64_t one = 1;
    struct epoll_event event;
    EXPECT_OK(add(ep, fd, EPOLLIN));
    EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 0);
    EXPECT_EQ(write(fd, &one, 8), 8);
    EXPECT_EQ(epoll_wait(ep, &event, 1, -1), 1);
    EXPECT_EQ(event.events, EPOLLIN);
    EXPECT_EQ(event.data.u64, 0x1122334455667700ul + (unsigned)fd);
    EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 1);
    EXPECT_EQ(read(fd, &one, 8), 8);
    EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 0);
    close(fd);
    close(ep);
}

CHECK(epoll_edge_triggered)
{
    int ep = epoll_create1(0), fd = eventfd(0, 0);
    uint64_t one = 1;
    struct epoll_event event;
    EXPECT_OK(add(ep, fd, EPOLLIN | EPOLLET));
    EXPECT_EQ(write(fd, &one, 8), 8);
    EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 1);
    EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 0);
    EXPECT_EQ(write(fd, &one, 8), 8);
    EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 1);
    close(fd);
    close(ep);
}

CHECK(epoll_oneshot_and_modify)
{
    int ep = epoll_create1(0), fd = eventfd(1, 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
    EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 1);
    EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 0);
    event.events = EPOLLIN;
    event.data.u32 = 99;
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &event));
    EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 1);
    EXPECT_EQ(event.data.u32, 99);
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
    EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 0);
    close(fd);
    close(ep);
}

CHECK(epoll_errors)
{
    int ep = epoll_create1(0), fd = eventfd(0, 0), file = open("ep", O_RDWR | O_CREAT, 0600);
    struct epoll_event event = {.events = EPOLLIN};
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
    EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event), EEXIST);
    EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, file, &event), EPERM);
    EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &event), EINVAL);
    int other = eventfd(0, 0);
    EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, other, &event), ENOENT);
    EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, other, NULL), ENOENT);
    close(other);
    EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, 555, &event), EBADF);
    EXPECT_ERR(epoll_ctl(fd, EPOLL_CTL_ADD, ep, &event), EINVAL);
    EXPECT_ERR(epoll_ctl(ep, 77, fd, &event), EINVAL);
    EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, fd, BAD_POINTER), EFAULT);
    EXPECT_ERR(epoll_wait(ep, &event, 0, 0), EINVAL);
    EXPECT_ERR(epoll_wait(fd, &event, 1, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_epoll_pwait, ep, &event, -1, 0, NULL, 8), EINVAL);
    EXPECT_ERR(epoll_create1(77), EINVAL);
    close(file);
    close(fd);
    close(ep);
}

CHECK(epoll_closed_descriptor_leaves)
{
    int ep = epoll_create1(0), fd = eventfd(1, 0), other = dup(fd);
    struct epoll_event event;
    EXPECT_OK(add(ep, fd, EPOLLIN));
    close(fd);
    EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 1); // the open file lives on through the other
    close(other);
    EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 0);
    close(ep);
}

CHECK(epoll_of_epoll)
{
    int outer = epoll_create1(0), inner = epoll_create1(0), fd = eventfd(0, 0);
    uint64_t one = 1;
    struct epoll_event event;
    EXPECT_OK(add(inner, fd, EPOLLIN));
    EXPECT_OK(add(outer, inner, EPOLLIN));
    EXPECT_ERR(add(inner, outer, EPOLLIN), ELOOP);
    EXPECT_EQ(epoll_wait(outer, &event, 1, 0), 0);
    EXPECT_EQ(write(fd, &one, 8), 8);
    EXPECT_EQ(epoll_wait(outer, &event, 1, 0), 1);
    struct pollfd p = {inner, POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 0), 1);
    close(fd);
    close(inner);
    close(outer);
}

CHECK(epoll_reports_hangup_and_many)
{
    int ep = epoll_create1(0), fds[2], count_ready;
    struct epoll_event events[8];
    int many[5];
    EXPECT_OK(pipe(fds));
    EXPECT_OK(add(ep, fds[0], EPOLLIN));
    close(fds[1]);
    EXPECT_EQ(epoll_wait(ep, events, 8, 0), 1);
    EXPECT_EQ(events[0].events, EPOLLHUP);
    close(fds[0]);
    for (int i = 0; i < 5; i++) {
        many[i] = eventfd(1, 0);
        EXPECT_OK(add(ep, many[i], EPOLLIN | EPOLLOUT));
    }
    EXPECT_EQ(epoll_wait(ep, events, 3, 0), 3);
    count_ready = epoll_wait(ep, events, 8, 0);
    EXPECT_EQ(count_ready, 5);
    EXPECT_EQ(events[0].events, EPOLLIN | EPOLLOUT);
    for (int i = 0; i < 5; i++)
        close(many[i]);
    close(ep);
}

CHECK(epoll_wait_times_out_and_wakes)
{
    int ep = epoll_create1(0), fd = eventfd(0, 0);
    struct epoll_event event;
    pthread_t thread;
    long long start = now_ns();
    EXPECT_OK(add(ep, fd, EPOLLIN));
    EXPECT_EQ(epoll_wait(ep, &event, 1, 20), 0);
    EXPECT(now_ns() - start >= 20000000);
    EXPECT_EQ(pthread_create(&thread, NULL, write_later, &fd), 0);
    EXPECT_EQ(epoll_wait(ep, &event, 1, 5000), 1);
    pthread_join(thread, NULL);
    struct timespec wait = {0, 1000000};
    EXPECT_EQ(syscall(SYS_epoll_pwait2, ep, &event, 1, &wait, NULL, 8), 1);
    close(fd);
    close(ep);
}

CHECK(epoll_with_timerfd)
{
    int ep = epoll_create1(0), fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec when = {.it_value = {0, 10000000}};
    struct epoll_event event;
    EXPECT_OK(add(ep, fd, EPOLLIN));
    EXPECT_OK(timerfd_settime(fd, 0, &when, NULL));
    EXPECT_EQ(epoll_wait(ep, &event, 1, 2000), 1);
    close(fd);
    close(ep);
}

CHECK(signalfd_reads_signals)
{
    sigset_t set;
    struct signalfd_siginfo info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    EXPECT(fd >= 0);
    EXPECT_ERR(read(fd, &info, sizeof info), EAGAIN);
    struct pollfd p = {fd, POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 0), 0);
    raise(SIGUSR1);
    sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 8});
    EXPECT_EQ(poll(&p, 1, 0), 1);
    struct signalfd_siginfo both[2];
    EXPECT_EQ(read(fd, both, sizeof both), (ssize_t)sizeof both);
    EXPECT_EQ(both[0].ssi_signo, SIGUSR1);
    EXPECT_EQ(both[0].ssi_pid, getpid());
    EXPECT_EQ(both[1].ssi_signo, SIGUSR2);
    EXPECT_EQ(both[1].ssi_int, 8);
    EXPECT_ERR(read(fd, &info, 10), EINVAL);
    sigdelset(&set, SIGUSR1);
    EXPECT_EQ(signalfd(fd, &set, 0), fd);
    raise(SIGUSR1);
    EXPECT_ERR(read(fd, &info, sizeof info), EAGAIN);
    EXPECT_ERR(signalfd(-1, &set, 77), EINVAL);
    EXPECT_ERR(signalfd(0, &set, 0), EINVAL);
    close(fd);
}
