// SPDX-License-Identifier: MIT
// TCP over loopback: streams, ends, flags of messages, errors, waiting.
#include "inet.h"
#include <sys/sendfile.h>

static const int families[] = {AF_INET, AF_INET6};

static void *write_later(void *fd)
{
    usleep(50000);
    write(*(int *)fd, "late", 4);
    return NULL;
}

// ---- streams ----

CHECK(stream_both_ways)
{
    char text[8] = "";
    for (unsigned i = 0; i < 2; i++) {
        EXPECT(tcp_pair(families[i]));
        EXPECT_EQ(write(a, "there", 5), 5);
        EXPECT_EQ(read(b, text, 8), 5);
        EXPECT(!memcmp(text, "there", 5));
        EXPECT_EQ(send(b, "back", 4, 0), 4);
        EXPECT_EQ(recv(a, text, 8, 0), 4);
        EXPECT(!memcmp(text, "back", 4));
        close_pair();
    }
}

// ---- ends ----

CHECK(half_close)
{
    char text[8];
    EXPECT(tcp_pair(AF_INET));
    EXPECT_OK(shutdown(a, SHUT_WR));
    EXPECT_EQ(wait_events(b, POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
    EXPECT_EQ(read(b, text, 8), 0);
    EXPECT_EQ(read(b, text, 8), 0);
    EXPECT_EQ(write(b, "still", 5), 5);
    EXPECT_EQ(read(a, text, 8), 5);
    EXPECT_ERR(send(a, "x", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_EQ(events_of(a, POLLIN | POLLOUT | POLLRDHUP), POLLOUT);
    EXPECT_OK(shutdown(b, SHUT_WR));
    EXPECT_EQ(wait_events(a, POLLIN), POLLIN | POLLHUP);
    EXPECT_EQ(events_of(a, POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
    EXPECT_EQ(read(a, text, 8), 0);
    close_pair();
}

CHECK(shutdown_for_reading)
{
    char text[8];
    EXPECT(tcp_pair(AF_INET));
    EXPECT_EQ(write(b, "queued", 6), 6);
    EXPECT_OK(shutdown(a, SHUT_RD));
    EXPECT_EQ(events_of(a, POLLIN | POLLRDHUP) & (POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
    EXPECT_EQ(read(a, text, 8), 6);
    EXPECT_EQ(read(a, text, 8), 0);
    EXPECT_EQ(write(b, "more", 4), 4); // Linux does not refuse it
    EXPECT_EQ(write(a, "out", 3), 3);
    EXPECT_EQ(read(b, text, 8), 3);
    close_pair();
}

CHECK(shutdown_wakes_a_reader)
{
    pthread_t thread;
    char text[4];
    EXPECT(tcp_pair(AF_INET));
    pthread_create(&thread, NULL, shut_down_later, &a);
    EXPECT_EQ(read(a, text, 4), 0);
    pthread_join(thread, NULL);
    close_pair();
}

CHECK(end_after_data)
{
    static char text[100000];
    ssize_t got, all = 0;
    EXPECT(tcp_pair(AF_INET6));
    EXPECT_EQ(write(a, text, 60000), 60000);
    close(a);
    while ((got = read(b, text, sizeof text)) > 0)
        all += got;
    EXPECT_EQ(got, 0);
    EXPECT_EQ(all, 60000);
    close(b);
}

CHECK(write_to_a_closed_end)
{
    char text[4];
    catch_signal(SIGPIPE);
    EXPECT(tcp_pair(AF_INET));
    close(b);
    EXPECT_EQ(wait_events(a, POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
    EXPECT_EQ(write(a, "x", 1), 1); // answered by a reset
    EXPECT(wait_events(a, POLLHUP) & POLLHUP);
    EXPECT_ERR(write(a, "x", 1), EPIPE);
    EXPECT_EQ(signals_seen, 1);
    EXPECT_EQ(read(a, text, 4), 0);
    close(a);
}

CHECK(close_with_unread_data_resets)
{
    char text[4];
    EXPECT(tcp_pair(AF_INET));
    EXPECT_EQ(write(a, "unread", 6), 6);
    EXPECT_EQ(wait_events(b, POLLIN), POLLIN);
    close(b);
    EXPECT_EQ(wait_events(a, POLLIN), POLLIN | POLLERR | POLLHUP);
    EXPECT_EQ(get_option(a, SOL_SOCKET, SO_ERROR), ECONNRESET);
    EXPECT_EQ(read(a, text, 4), 0);
    close(a);
}

CHECK(reset_by_linger_zero)
{
    struct linger linger = {.l_onoff = 1};
    char text[4];
    EXPECT(tcp_pair(AF_INET));
    EXPECT_EQ(write(a, "lost", 4), 4);
    setsockopt(a, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(a);
    EXPECT_EQ(wait_events(b, POLLIN | POLLRDHUP) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
    EXPECT_EQ(recv(b, text, 4, MSG_DONTWAIT), 4); // what was there stays
    EXPECT_ERR(recv(b, text, 4, MSG_DONTWAIT), ECONNRESET);
    EXPECT_EQ(read(b, text, 4), 0);
    EXPECT_ERR(send(b, "x", 1, MSG_NOSIGNAL), EPIPE);
    close(b);
}

CHECK(reset_wakes_a_reader)
{
    struct linger linger = {.l_onoff = 1};
    char text[4];
    EXPECT(tcp_pair(AF_INET));
    setsockopt(a, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(a);
    EXPECT_ERR(read(b, text, 4), ECONNRESET);
    close(b);
}

// ---- flags of messages ----

CHECK(peek)
{
    char text[8] = "";
    EXPECT(tcp_pair(AF_INET));
    write(a, "abc", 3);
    write(a, "def", 3);
    EXPECT_EQ(wait_events(b, POLLIN), POLLIN);
    EXPECT_EQ(recv(b, text, 2, MSG_PEEK), 2);
    EXPECT_EQ(recv(b, text, 8, MSG_PEEK), 6);
    EXPECT_EQ(recv(b, text, 4, 0), 4);
    EXPECT_EQ(recv(b, text, 8, MSG_PEEK), 2);
    EXPECT(!memcmp(text, "ef", 2));
    close_pair();
}

CHECK(dont_wait)
{
    char text[8];
    EXPECT(tcp_pair(AF_INET));
    EXPECT_ERR(recv(a, text, 8, MSG_DONTWAIT), EAGAIN);
    fcntl(a, F_SETFL, O_NONBLOCK);
    EXPECT_ERR(read(a, text, 8), EAGAIN);
    EXPECT_EQ(read(a, text, 0), 0);
    EXPECT_EQ(send(a, text, 0, 0), 0);
    close_pair();
}

CHECK(wait_for_all)
{
    pthread_t thread;
    char text[16];
    EXPECT(tcp_pair(AF_INET));
    write(a, "first", 5);
    pthread_create(&thread, NULL, write_later, &a);
    EXPECT_EQ(recv(b, text, 9, MSG_WAITALL), 9);
    EXPECT(!memcmp(text, "firstlate", 9));
    pthread_join(thread, NULL);
    write(a, "end", 3);
    shutdown(a, SHUT_WR);
    EXPECT_EQ(recv(b, text, 9, MSG_WAITALL), 3);
    close_pair();
}

CHECK(truncate_drops_bytes)
{
    char text[8] = "";
    EXPECT(tcp_pair(AF_INET));
    write(a, "abcdef", 6);
    EXPECT_EQ(wait_events(b, POLLIN), POLLIN);
    EXPECT_EQ(recv(b, NULL, 4, MSG_TRUNC), 4);
    EXPECT_EQ(read(b, text, 8), 2);
    EXPECT(!memcmp(text, "ef", 2));
    close_pair();
}

CHECK(more_is_held_back)
{
    char text[8];
    EXPECT(tcp_pair(AF_INET));
    EXPECT_EQ(send(a, "one", 3, MSG_MORE), 3);
    EXPECT_ERR(recv(b, text, 8, MSG_DONTWAIT), EAGAIN);
    EXPECT_EQ(send(a, "two", 3, 0), 3);
    EXPECT_EQ(recv(b, text, 8, 0), 6);
    EXPECT_OK(set_option(a, IPPROTO_TCP, TCP_CORK, 1));
    EXPECT_EQ(write(a, "one", 3), 3);
    EXPECT_EQ(write(a, "two", 3), 3);
    EXPECT_ERR(recv(b, text, 8, MSG_DONTWAIT), EAGAIN);
    EXPECT_OK(set_option(a, IPPROTO_TCP, TCP_CORK, 0));
    EXPECT_EQ(recv(b, text, 8, 0), 6);
    close_pair();
}

CHECK(held_back_no_longer_than_200_ms)
{
    char text[8];
    EXPECT(tcp_pair(AF_INET));
    EXPECT_OK(set_option(a, IPPROTO_TCP, TCP_CORK, 1));
    EXPECT_EQ(write(a, "held", 4), 4);
    EXPECT_EQ(wait_events(b, POLLIN), POLLIN);
    EXPECT_EQ(read(b, text, 8), 4);
    close_pair();
}

CHECK(vectors_and_messages)
{
    char one[3], two[8];
    struct iovec out[2] = {{"abc", 3}, {"defgh", 5}}, in[2] = {{one, 3}, {two, 8}};
    struct msghdr message = {.msg_iov = out, .msg_iovlen = 2};
    EXPECT(tcp_pair(AF_INET));
    EXPECT_EQ(writev(a, out, 2), 8);
    EXPECT_EQ(readv(b, in, 2), 8);
    EXPECT(!memcmp(one, "abc", 3) && !memcmp(two, "defgh", 5));
    EXPECT_EQ(sendmsg(a, &message, 0), 8);
    union name from;
    message = (struct msghdr){
        .msg_iov = in, .msg_iovlen = 2, .msg_name = &from, .msg_namelen = sizeof from};
    EXPECT_EQ(recvmsg(b, &message, 0), 8);
    EXPECT_EQ(message.msg_namelen, 0); // a stream tells no names
    EXPECT_EQ(message.msg_flags, 0);
    close_pair();
}

CHECK(bad_memory)
{
    char text[8];
    EXPECT(tcp_pair(AF_INET));
    EXPECT_ERR(write(a, BAD_POINTER, 8), EFAULT);
    write(a, "abc", 3);
    EXPECT_EQ(wait_events(b, POLLIN), POLLIN);
    EXPECT_ERR(read(b, BAD_POINTER, 8), EFAULT);
    EXPECT_EQ(read(b, text, 8), 3); // nothing was lost
    close_pair();
}

CHECK(bytes_waiting)
{
    int count = -1;
    EXPECT(tcp_pair(AF_INET));
    write(a, "abcdef", 6);
    EXPECT_EQ(wait_events(b, POLLIN), POLLIN);
    EXPECT_OK(ioctl(b, FIONREAD, &count));
    EXPECT_EQ(count, 6);
    close_pair();
    int fd = listening(AF_INET, 1);
    EXPECT_ERR(ioctl(fd, FIONREAD, &count), EINVAL);
    close(fd);
}

CHECK(file_to_socket)
{
    static char text[70000], back[70000];
    int fd = open("data", O_RDWR | O_CREAT, 0600);
    off_t at = 10;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)stream_byte(i, 1);
    EXPECT_EQ(write(fd, text, sizeof text), sizeof text);
    EXPECT(tcp_pair(AF_INET));
    ssize_t sent = sendfile(a, fd, &at, 60000);
    EXPECT_EQ(sent, 60000);
    EXPECT_EQ(at, 60010);
    EXPECT_EQ(recv(b, back, 60000, MSG_WAITALL), 60000);
    EXPECT(!memcmp(back, text + 10, 60000));
    close_pair();
    close(fd);
}

// ---- waiting ----

CHECK(time_outs)
{
    struct timeval limit = {.tv_usec = 30000};
    char text[4];
    int fd = listening(AF_INET, 1);
    EXPECT(tcp_pair(AF_INET));
    setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_ERR(read(a, text, 4), EAGAIN);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_ERR(accept(fd, NULL, NULL), EAGAIN);
    setsockopt(a, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    static char block[100000];
    ssize_t sent, all = 0;
    while ((sent = write(a, block, sizeof block)) > 0 && all < 50000000)
        all += sent;
    EXPECT_EQ(sent, -1);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT(all > 0);
    close_pair();
    close(fd);
}

CHECK(signal_ends_a_read)
{
    struct itimerval soon = {.it_value = {.tv_usec = 30000}};
    char text[4];
    EXPECT(tcp_pair(AF_INET));
    catch_signal(SIGALRM);
    setitimer(ITIMER_REAL, &soon, NULL);
    EXPECT_ERR(read(a, text, 4), EINTR);
    EXPECT_EQ(signals_seen, 1);
    close_pair();
}

CHECK(full_then_writable_again)
{
    static char block[65536];
    ssize_t sent, all = 0, got, back = 0;
    EXPECT(tcp_pair(AF_INET));
    fcntl(a, F_SETFL, O_NONBLOCK);
    fcntl(b, F_SETFL, O_NONBLOCK);
    EXPECT_EQ(events_of(a, POLLOUT), POLLOUT);
    while ((sent = write(a, block, sizeof block)) > 0)
        all += sent;
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(events_of(a, POLLOUT), 0);
    EXPECT(all >= 65536);
    while (back < all) {
        EXPECT(wait_events(b, POLLIN) & POLLIN);
        while ((got = read(b, block, sizeof block)) > 0)
            back += got;
    }
    EXPECT_EQ(back, all);
    EXPECT_EQ(wait_events(a, POLLOUT), POLLOUT);
    close_pair();
}

CHECK(epoll_level)
{
    struct epoll_event wanted = {.events = EPOLLIN}, got;
    char text[8];
    int set = epoll_create1(0);
    EXPECT(tcp_pair(AF_INET));
    epoll_ctl(set, EPOLL_CTL_ADD, b, &wanted);
    EXPECT_EQ(epoll_wait(set, &got, 1, 0), 0);
    write(a, "abcd", 4);
    EXPECT_EQ(epoll_wait(set, &got, 1, 1000), 1);
    EXPECT_EQ(got.events, EPOLLIN);
    read(b, text, 2);
    EXPECT_EQ(epoll_wait(set, &got, 1, 0), 1);
    read(b, text, 2);
    EXPECT_EQ(epoll_wait(set, &got, 1, 0), 0);
    close(a);
    EXPECT_EQ(epoll_wait(set, &got, 1, 1000), 1);
    EXPECT_EQ(got.events, EPOLLIN);
    close(b);
    close(set);
}

CHECK(epoll_edge_in)
{
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET}, got;
    char text[8];
    int set = epoll_create1(0);
    EXPECT(tcp_pair(AF_INET));
    epoll_ctl(set, EPOLL_CTL_ADD, b, &wanted);
    write(a, "abcd", 4);
    EXPECT_EQ(epoll_wait(set, &got, 1, 1000), 1);
    EXPECT_EQ(got.events, EPOLLIN);
    EXPECT_EQ(epoll_wait(set, &got, 1, 0), 0);
    read(b, text, 2);
    EXPECT_EQ(epoll_wait(set, &got, 1, 0), 0);
    write(a, "x", 1); // news, though unread data was there
    EXPECT_EQ(epoll_wait(set, &got, 1, 1000), 1);
    shutdown(a, SHUT_WR);
    EXPECT_EQ(epoll_wait(set, &got, 1, 1000), 1);
    EXPECT_EQ(got.events, EPOLLIN | EPOLLRDHUP);
    EXPECT_EQ(epoll_wait(set, &got, 1, 0), 0);
    close_pair();
    close(set);
}

CHECK(epoll_edge_out)
{
    static char block[65536];
    struct epoll_event wanted = {.events = EPOLLOUT | EPOLLET}, got;
    int set = epoll_create1(0);
    ssize_t all = 0, sent, back = 0, read_now;
    EXPECT(tcp_pair(AF_INET));
    fcntl(a, F_SETFL, O_NONBLOCK);
    fcntl(b, F_SETFL, O_NONBLOCK);
    epoll_ctl(set, EPOLL_CTL_ADD, a, &wanted);
    EXPECT_EQ(epoll_wait(set, &got, 1, 0), 1);
    EXPECT_EQ(epoll_wait(set, &got, 1, 0), 0);
    while ((sent = write(a, block, sizeof block)) > 0)
        all += sent;
    while (back < all) {
        EXPECT(wait_events(b, POLLIN) & POLLIN);
        while ((read_now = read(b, block, sizeof block)) > 0)
            back += read_now;
    }
    EXPECT_EQ(epoll_wait(set, &got, 1, 1000), 1);
    EXPECT_EQ(got.events, EPOLLOUT);
    close_pair();
    close(set);
}

CHECK(epoll_listener_and_connecting)
{
    struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = 1}, got[4];
    int set = epoll_create1(0), fd = listening(AF_INET, 5);
    a = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &wanted);
    wanted = (struct epoll_event){.events = EPOLLOUT | EPOLLET, .data.u32 = 2};
    EXPECT_ERR(connect_to(a, AF_INET, local_port(fd)), EINPROGRESS);
    epoll_ctl(set, EPOLL_CTL_ADD, a, &wanted);
    usleep(1000);
    EXPECT_EQ(epoll_wait(set, got, 4, 1000), 2);
    EXPECT_EQ(got[0].data.u32 + got[1].data.u32, 3);
    EXPECT_EQ(get_option(a, SOL_SOCKET, SO_ERROR), 0);
    close(a);
    close(fd);
    close(set);
}

// ---- options, kinds ----

CHECK(what_a_socket_is)
{
    a = socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP);
    EXPECT_EQ(get_option(a, SOL_SOCKET, SO_DOMAIN), AF_INET6);
    EXPECT_EQ(get_option(a, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    EXPECT_EQ(get_option(a, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    close(a);
    EXPECT_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    EXPECT_ERR(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
    EXPECT_ERR(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
    int fds[2];
    EXPECT_ERR(socketpair(AF_INET, SOCK_STREAM, 0, fds), EOPNOTSUPP);
}

CHECK(many_connections)
{
    static int client[300], server[300];
    int fd = listening(AF_INET, 5);
    char text[4];
    for (int i = 0; i < 300; i++) {
        client[i] = socket(AF_INET, SOCK_STREAM, 0);
        EXPECT_OK(connect_to(client[i], AF_INET, local_port(fd)));
        server[i] = accept(fd, NULL, NULL);
        EXPECT(server[i] >= 0);
    }
    for (int i = 0; i < 300; i++)
        EXPECT_EQ(write(client[i], &i, 4), 4);
    for (int i = 0; i < 300; i++) {
        EXPECT_EQ(read(server[i], text, 4), 4);
        EXPECT(!memcmp(text, &i, 4));
        close(client[i]);
    }
    for (int i = 0; i < 300; i++) {
        EXPECT_EQ(read(server[i], text, 4), 0);
        close(server[i]);
    }
    close(fd);
}

// ---- much data ----

#define MUCH (8ul << 20)

static volatile bool stream_bad;

static void stream_wrong(const char *what, uint64_t at, ssize_t got)
{
    int error = errno;
    if (!stream_bad)
        printf("note: %s at %llu found %zd (errno %d)\n", what, (unsigned long long)at, got, error);
    stream_bad = true;
}

static void *write_much(void *fd)
{
    static __thread uint8_t block[40000];
    unsigned seed = *(int *)fd == a;
    for (uint64_t at = 0; at < MUCH;) {
        size_t n = 1 + at * 7919 % sizeof block;
        if (n > MUCH - at)
            n = MUCH - at;
        for (size_t i = 0; i < n; i++)
            block[i] = stream_byte(at + i, seed);
        ssize_t sent = write(*(int *)fd, block, n);
        if (sent <= 0) {
            stream_wrong("write", at, sent);
            break;
        }
        at += (uint64_t)sent;
    }
    shutdown(*(int *)fd, SHUT_WR);
    return NULL;
}

static void *read_much(void *fd)
{
    static __thread uint8_t block[50000];
    unsigned seed = *(int *)fd == b;
    uint64_t at = 0;
    ssize_t got;
    while ((got = read(*(int *)fd, block, 1 + at * 104729 % sizeof block)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            if (block[i] != stream_byte(at + (uint64_t)i, seed))
                stream_wrong("byte", at + (uint64_t)i, block[i]);
        at += (uint64_t)got;
    }
    if (got != 0 || at != MUCH)
        stream_wrong("end", at, got);
    return NULL;
}

static void much_both_ways(int family)
{
    pthread_t threads[4];
    stream_bad = false;
    EXPECT(tcp_pair(family));
    pthread_create(&threads[0], NULL, write_much, &a);
    pthread_create(&threads[1], NULL, write_much, &b);
    pthread_create(&threads[2], NULL, read_much, &a);
    pthread_create(&threads[3], NULL, read_much, &b);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    EXPECT(!stream_bad);
    close_pair();
}

CHECK(much_both_ways_ipv4)
{
    much_both_ways(AF_INET);
}

CHECK(much_both_ways_ipv6)
{
    much_both_ways(AF_INET6);
}
