// SPDX-License-Identifier: MIT
// UDP over loopback: datagrams, names, connected sockets, flags of messages, errors, waiting.
#include "inet.h"

static const int families[] = {AF_INET, AF_INET6};

static ssize_t send_to(int fd, int to, const void *data, size_t size)
{
    union name name = local_name(to);
    return sendto(fd, data, size, 0, &name.any, name_size(&name));
}

// a is bound, b is bound and connected to a.
static bool udp_pair(int family)
{
    a = bound(family, SOCK_DGRAM);
    b = bound(family, SOCK_DGRAM);
    return a >= 0 && b >= 0 && !connect_to(b, family, local_port(a));
}

static void *send_later(void *fd)
{
    usleep(50000);
    send(*(int *)fd, "late", 4, 0);
    return NULL;
}

CHECK(datagrams_and_names)
{
    for (unsigned i = 0; i < 2; i++) {
        union name from = {0}, expected;
        socklen_t size = sizeof from;
        char text[16];
        a = bound(families[i], SOCK_DGRAM);
        b = socket(families[i], SOCK_DGRAM, 0);
        EXPECT_EQ(send_to(b, a, "one", 3), 3);
        EXPECT(local_port(b) != 0);
        EXPECT_EQ(send_to(b, a, "three", 5), 5);
        EXPECT_EQ(recvfrom(a, text, sizeof text, 0, &from.any, &size), 3);
        expected = loopback(families[i], local_port(b));
        EXPECT_EQ(size, name_size(&expected));
        EXPECT(!memcmp(&from, &expected, size));
        EXPECT_EQ(recv(a, text, sizeof text, 0), 5);
        EXPECT_EQ(sendto(a, "back", 4, 0, &from.any, size), 4);
        EXPECT_EQ(recv(b, text, sizeof text, 0), 4);
        close_pair();
    }
}

CHECK(connected)
{
    union name name = {0};
    socklen_t size = sizeof name;
    char text[8];
    EXPECT(udp_pair(AF_INET));
    EXPECT_EQ(write(b, "abc", 3), 3);
    EXPECT_EQ(read(a, text, 8), 3);
    EXPECT_OK(getpeername(b, &name.any, &size));
    EXPECT_EQ(name.in.sin_port, local_name(a).in.sin_port);
    EXPECT_ERR(getpeername(a, &name.any, &size), ENOTCONN);
    int stranger = socket(AF_INET, SOCK_DGRAM, 0); // only the peer's datagrams arrive
    EXPECT_EQ(send_to(stranger, b, "no", 2), 2);
    EXPECT_EQ(send_to(a, b, "yes", 3), 3);
    EXPECT_EQ(recv(b, text, 8, 0), 3);
    EXPECT_ERR(recv(b, text, 8, MSG_DONTWAIT), EAGAIN);
    close(stranger);
    close_pair();
}

CHECK(connect_again_and_no_more)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    char text[8];
    EXPECT(udp_pair(AF_INET));
    int other = bound(AF_INET, SOCK_DGRAM);
    EXPECT_OK(connect_to(b, AF_INET, local_port(other)));
    EXPECT_EQ(write(b, "x", 1), 1);
    EXPECT_EQ(recv(other, text, 8, 0), 1);
    EXPECT_OK(connect(b, &none, sizeof none));
    EXPECT_ERR(write(b, "x", 1), EDESTADDRREQ);
    EXPECT_EQ(send_to(b, a, "x", 1), 1);
    EXPECT_EQ(recv(a, text, 8, 0), 1);
    close(other);
    close_pair();
}

CHECK(connected_sends_elsewhere_too)
{
    char text[8];
    EXPECT(udp_pair(AF_INET));
    int other = bound(AF_INET, SOCK_DGRAM);
    EXPECT_EQ(send_to(b, other, "x", 1), 1);
    EXPECT_EQ(recv(other, text, 8, 0), 1);
    close(other);
    close_pair();
}

CHECK(connect_chooses_the_address)
{
    b = socket(AF_INET, SOCK_DGRAM, 0);
    a = bound(AF_INET, SOCK_DGRAM);
    EXPECT_OK(connect_to(b, AF_INET, local_port(a)));
    EXPECT_EQ(local_name(b).in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    EXPECT(local_port(b) != 0);
    close_pair();
}

CHECK(connect_chooses_the_address_anew)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    union name name = {.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(7)}};
    b = socket(AF_INET6, SOCK_DGRAM, 0);
    EXPECT_OK(connect(b, &name.any, sizeof name.in6));
    name = local_name(b);
    EXPECT(IN6_IS_ADDR_LOOPBACK(&name.in6.sin6_addr));
    EXPECT_OK(connect(b, &none, sizeof none));
    name = local_name(b);
    EXPECT(IN6_IS_ADDR_UNSPECIFIED(&name.in6.sin6_addr));
    EXPECT_EQ(name.in6.sin6_port, 0);
    EXPECT_OK(connect_to(b, AF_INET, 7));
    name = local_name(b);
    EXPECT(IN6_IS_ADDR_V4MAPPED(&name.in6.sin6_addr));
    close(b);
    b = bound(AF_INET, SOCK_DGRAM); // what bind chose stays
    unsigned port = local_port(b);
    EXPECT_OK(connect_to(b, AF_INET, 7));
    EXPECT_OK(connect(b, &none, sizeof none));
    EXPECT_EQ(local_name(b).in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    EXPECT(local_port(b) == 0 || local_port(b) == port);
    close(b);
}

CHECK(refused_by_nobody)
{
    char text[4];
    for (unsigned i = 0; i < 2; i++) {
        EXPECT(udp_pair(families[i]));
        close(a);
        EXPECT_EQ(write(b, "x", 1), 1);
        EXPECT_EQ(wait_events(b, POLLIN) & POLLERR, POLLERR);
        EXPECT_ERR(recv(b, text, 4, MSG_DONTWAIT), ECONNREFUSED);
        EXPECT_ERR(recv(b, text, 4, MSG_DONTWAIT), EAGAIN);
        EXPECT_EQ(write(b, "x", 1), 1);
        usleep(1000);
        EXPECT_ERR(write(b, "x", 1), ECONNREFUSED);
        EXPECT_EQ(write(b, "x", 1), 1);
        usleep(1000);
        EXPECT_EQ(get_option(b, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
        close(b);
    }
}

CHECK(unconnected_hears_of_no_refusal)
{
    char text[4];
    a = bound(AF_INET, SOCK_DGRAM);
    union name name = local_name(a);
    close(a);
    b = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_EQ(sendto(b, "x", 1, 0, &name.any, sizeof name.in), 1);
    usleep(1000);
    EXPECT_ERR(recv(b, text, 4, MSG_DONTWAIT), EAGAIN);
    close(b);
}

CHECK(truncation)
{
    char text[4];
    struct iovec vector = {text, 4};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    EXPECT(udp_pair(AF_INET));
    write(b, "abcdefgh", 8);
    write(b, "abcdefgh", 8);
    write(b, "abcdefgh", 8);
    write(b, "ab", 2);
    EXPECT_EQ(recv(a, text, 4, 0), 4);
    EXPECT_EQ(recv(a, text, 4, MSG_TRUNC), 8);
    EXPECT_EQ(recvmsg(a, &message, 0), 4);
    EXPECT_EQ(message.msg_flags, MSG_TRUNC);
    EXPECT_EQ(recvmsg(a, &message, 0), 2);
    EXPECT_EQ(message.msg_flags, 0);
    close_pair();
}

CHECK(empty_datagram)
{
    char text[4];
    EXPECT(udp_pair(AF_INET));
    EXPECT_EQ(send(b, NULL, 0, 0), 0);
    EXPECT_EQ(wait_events(a, POLLIN), POLLIN);
    EXPECT_EQ(recv(a, text, 4, 0), 0);
    EXPECT_ERR(recv(a, text, 4, MSG_DONTWAIT), EAGAIN);
    close_pair();
}

CHECK(peek)
{
    union name from = {0};
    socklen_t size = sizeof from;
    char text[8];
    EXPECT(udp_pair(AF_INET));
    write(b, "abc", 3);
    write(b, "defg", 4);
    EXPECT_EQ(recvfrom(a, text, 2, MSG_PEEK, &from.any, &size), 2);
    EXPECT_EQ(from.in.sin_port, local_name(b).in.sin_port);
    EXPECT_EQ(recv(a, text, 8, MSG_PEEK), 3);
    EXPECT_EQ(recv(a, text, 8, 0), 3);
    EXPECT_EQ(recv(a, text, 8, 0), 4);
    close_pair();
}

CHECK(sizes)
{
    static char block[66000], back[66000];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)stream_byte(i, 3);
    for (unsigned i = 0; i < 2; i++) {
        EXPECT(udp_pair(families[i]));
        static const size_t sizes[] = {1, 1471, 1472, 1473, 8000, 5000, 65487};
        for (unsigned j = 0; j < ARRAY_SIZE(sizes); j++) {
            EXPECT_EQ(send(b, block, sizes[j], 0), sizes[j]);
            EXPECT_EQ(recv(a, back, sizeof back, 0), sizes[j]);
            EXPECT(!memcmp(block, back, sizes[j]));
        }
        EXPECT_ERR(send(b, block, sizeof block, 0), EMSGSIZE);
        close_pair();
    }
}

CHECK(send_errors)
{
    union name name = loopback(AF_INET, 0);
    a = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_ERR(write(a, "x", 1), EDESTADDRREQ);
    EXPECT_ERR(sendto(a, "x", 1, 0, &name.any, sizeof name.in), EINVAL); // port 0
    name.in.sin_port = htons(9);
    EXPECT_ERR(sendto(a, "x", 1, 0, &name.any, 6), EINVAL);
    name.any.sa_family = AF_INET6;
    EXPECT_ERR(sendto(a, "x", 1, 0, &name.any, sizeof name.in6), EAFNOSUPPORT);
    name.any.sa_family = AF_INET;
    EXPECT_ERR(sendto(a, BAD_POINTER, 8, 0, &name.any, sizeof name.in), EFAULT);
    EXPECT_ERR(sendto(a, "x", 1, MSG_OOB, &name.any, sizeof name.in), EOPNOTSUPP);
    EXPECT_ERR(listen(a, 1), EOPNOTSUPP);
    EXPECT_ERR(accept(a, NULL, NULL), EOPNOTSUPP);
    EXPECT_ERR(shutdown(a, SHUT_RD), ENOTCONN);
    close(a);
}

CHECK(bind_conflicts)
{
    a = bound(AF_INET, SOCK_DGRAM);
    b = socket(AF_INET, SOCK_DGRAM, 0);
    union name name = local_name(a);
    EXPECT_ERR(bind(b, &name.any, sizeof name.in), EADDRINUSE);
    EXPECT_ERR(bind(a, &name.any, sizeof name.in), EINVAL);
    close(a);
    EXPECT_OK(bind(b, &name.any, sizeof name.in));
    close(b);
    for (int option = 0; option < 2; option++) {
        int which = option ? SO_REUSEPORT : SO_REUSEADDR;
        a = socket(AF_INET, SOCK_DGRAM, 0);
        b = socket(AF_INET, SOCK_DGRAM, 0);
        set_option(a, SOL_SOCKET, which, 1);
        name = loopback(AF_INET, 0);
        EXPECT_OK(bind(a, &name.any, sizeof name.in));
        name = local_name(a);
        EXPECT_ERR(bind(b, &name.any, sizeof name.in), EADDRINUSE);
        set_option(b, SOL_SOCKET, which, 1);
        EXPECT_OK(bind(b, &name.any, sizeof name.in));
        close_pair();
    }
}

CHECK(reuseport_spreads)
{
    int fd[2], got[2] = {0, 0};
    union name name = loopback(AF_INET, 0);
    char text[4];
    for (int i = 0; i < 2; i++) {
        fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        set_option(fd[i], SOL_SOCKET, SO_REUSEPORT, 1);
        EXPECT_OK(bind(fd[i], &name.any, sizeof name.in));
        name = local_name(fd[i]);
    }
    for (int i = 0; i < 64; i++) {
        int from = socket(AF_INET, SOCK_DGRAM, 0);
        EXPECT_EQ(sendto(from, "x", 1, 0, &name.any, sizeof name.in), 1);
        close(from);
    }
    for (int i = 0; i < 2; i++) {
        while (recv(fd[i], text, 4, 0) == 1)
            got[i]++;
        close(fd[i]);
    }
    EXPECT_EQ(got[0] + got[1], 64);
    EXPECT(got[0] > 5 && got[1] > 5);
}

CHECK(dual_stack)
{
    union name any = {.in6 = {.sin6_family = AF_INET6}}, from = {0};
    socklen_t size = sizeof from;
    char text[8];
    a = socket(AF_INET6, SOCK_DGRAM, 0);
    EXPECT_OK(bind(a, &any.any, sizeof any.in6));
    b = socket(AF_INET, SOCK_DGRAM, 0);
    any = loopback(AF_INET, local_port(a));
    EXPECT_EQ(sendto(b, "four", 4, 0, &any.any, sizeof any.in), 4);
    EXPECT_EQ(recvfrom(a, text, 8, 0, &from.any, &size), 4);
    EXPECT(IN6_IS_ADDR_V4MAPPED(&from.in6.sin6_addr));
    EXPECT_EQ(sendto(a, "back", 4, 0, &from.any, size), 4);
    EXPECT_EQ(recv(b, text, 8, 0), 4);
    close(b);
    b = socket(AF_INET6, SOCK_DGRAM, 0);
    any = loopback(AF_INET6, local_port(a));
    EXPECT_EQ(sendto(b, "six", 3, 0, &any.any, sizeof any.in6), 3);
    EXPECT_EQ(recv(a, text, 8, 0), 3);
    close_pair();
}

CHECK(only_ipv6)
{
    union name any = {.in6 = {.sin6_family = AF_INET6}}, four = {.in = {.sin_family = AF_INET}};
    a = socket(AF_INET6, SOCK_DGRAM, 0);
    b = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_OK(set_option(a, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    EXPECT_OK(bind(a, &any.any, sizeof any.in6));
    four.in.sin_port = htons((uint16_t)local_port(a));
    EXPECT_OK(bind(b, &four.any, sizeof four.in));
    close_pair();
}

CHECK(any_and_specific)
{
    union name any = {.in = {.sin_family = AF_INET}};
    char text[4];
    a = socket(AF_INET, SOCK_DGRAM, 0);
    b = socket(AF_INET, SOCK_DGRAM, 0);
    set_option(a, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(b, SOL_SOCKET, SO_REUSEADDR, 1);
    EXPECT_OK(bind(a, &any.any, sizeof any.in));
    any.in.sin_port = local_name(a).in.sin_port;
    any.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_OK(bind(b, &any.any, sizeof any.in));
    int from = socket(AF_INET, SOCK_DGRAM, 0); // the closer match gets it
    EXPECT_EQ(sendto(from, "x", 1, 0, &any.any, sizeof any.in), 1);
    EXPECT_EQ(recv(b, text, 4, 0), 1);
    EXPECT_ERR(recv(a, text, 4, MSG_DONTWAIT), EAGAIN);
    close(from);
    close_pair();
}

CHECK(to_any_is_this_machine)
{
    char text[4];
    a = bound(AF_INET, SOCK_DGRAM);
    union name name = {.in = {.sin_family = AF_INET, .sin_port = local_name(a).in.sin_port}};
    b = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_EQ(sendto(b, "x", 1, 0, &name.any, sizeof name.in), 1);
    EXPECT_EQ(recv(a, text, 4, 0), 1);
    close_pair();
}

CHECK(too_many_are_lost)
{
    static char block[10000];
    int got = 0;
    EXPECT(udp_pair(AF_INET));
    for (int i = 0; i < 1000; i++)
        EXPECT_EQ(send(b, block, sizeof block, 0), sizeof block);
    while (recv(a, block, sizeof block, MSG_DONTWAIT) > 0)
        got++;
    EXPECT(got >= 8 && got < 200);
    EXPECT_EQ(send(b, block, 5, 0), 5);
    EXPECT_EQ(recv(a, block, sizeof block, 0), 5);
    close_pair();
}

CHECK(bytes_of_the_first)
{
    int count = -1;
    EXPECT(udp_pair(AF_INET));
    EXPECT_OK(ioctl(a, FIONREAD, &count));
    EXPECT_EQ(count, 0);
    write(b, "abc", 3);
    write(b, "defgh", 5);
    EXPECT_OK(ioctl(a, FIONREAD, &count));
    EXPECT_EQ(count, 3);
    close_pair();
}

CHECK(many_at_once)
{
    char text[4][8];
    struct iovec vectors[4];
    struct mmsghdr messages[4] = {0};
    EXPECT(udp_pair(AF_INET));
    for (int i = 0; i < 4; i++) {
        vectors[i] = (struct iovec){"abcdefgh", (size_t)i + 1};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    EXPECT_EQ(sendmmsg(b, messages, 4, 0), 4);
    EXPECT_EQ(messages[3].msg_len, 4);
    for (int i = 0; i < 4; i++)
        vectors[i] = (struct iovec){text[i], 8};
    EXPECT_EQ(recvmmsg(a, messages, 3, 0, NULL), 3);
    EXPECT_EQ(messages[2].msg_len, 3);
    EXPECT_EQ(recvmmsg(a, messages, 4, MSG_DONTWAIT, NULL), 1);
    EXPECT_ERR(recvmmsg(a, messages, 4, MSG_DONTWAIT, NULL), EAGAIN);
    close_pair();
}

CHECK(waiting)
{
    struct timeval limit = {.tv_usec = 5000};
    pthread_t thread;
    char text[8];
    EXPECT(udp_pair(AF_INET));
    EXPECT_EQ(events_of(a, POLLIN | POLLOUT), POLLOUT);
    pthread_create(&thread, NULL, send_later, &b);
    EXPECT_EQ(recv(a, text, 8, 0), 4);
    pthread_join(thread, NULL);
    setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_ERR(recv(a, text, 8, 0), EAGAIN);
    pthread_create(&thread, NULL, shut_down_later, &b);
    EXPECT_EQ(recv(b, text, 8, 0), 0);
    pthread_join(thread, NULL);
    EXPECT_ERR(send(b, "x", 1, MSG_NOSIGNAL), EPIPE);
    close_pair();
}

CHECK(epoll_edge)
{
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLET}, got;
    int set = epoll_create1(0);
    EXPECT(udp_pair(AF_INET));
    epoll_ctl(set, EPOLL_CTL_ADD, a, &wanted);
    write(b, "one", 3);
    EXPECT_EQ(epoll_wait(set, &got, 1, 1000), 1);
    EXPECT_EQ(got.events, EPOLLIN);
    EXPECT_EQ(epoll_wait(set, &got, 1, 0), 0);
    write(b, "two", 3);
    EXPECT_EQ(epoll_wait(set, &got, 1, 1000), 1);
    close_pair();
    close(set);
}

// ---- threads ----

static volatile bool echo_bad;

static void *echo(void *unused)
{
    char text[16];
    union name from;
    (void)unused;
    for (int i = 0; i < 50; i++) {
        socklen_t size = sizeof from;
        ssize_t got = recvfrom(a, text, sizeof text, 0, &from.any, &size);
        echo_bad |= got < 0 || sendto(a, text, (size_t)got, 0, &from.any, size) != got;
    }
    return NULL;
}

CHECK(echo_between_threads)
{
    pthread_t thread;
    EXPECT(udp_pair(AF_INET));
    echo_bad = false;
    pthread_create(&thread, NULL, echo, NULL);
    for (int i = 0; i < 50; i++) {
        int back = -1;
        EXPECT_EQ(send(b, &i, 4, 0), 4);
        EXPECT_EQ(recv(b, &back, 4, 0), 4);
        EXPECT_EQ(back, i);
    }
    pthread_join(thread, NULL);
    EXPECT(!echo_bad);
    close_pair();
}
