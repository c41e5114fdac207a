// SPDX-License-Identifier: MIT
// How TCP connections are made, over loopback: names, connecting, listening, accepting.
#include "inet.h"
#include <stdatomic.h>

static const int families[] = {AF_INET, AF_INET6};

// ---- names ----

CHECK(names_of_both_ends)
{
    for (unsigned i = 0; i < 2; i++) {
        int listener = listening(families[i], 5);
        union name far = {0}, mine, accepted = {0};
        socklen_t size = sizeof far, accepted_size = sizeof accepted;
        a = socket(families[i], SOCK_STREAM, 0);
        EXPECT_EQ(local_port(a), 0);
        EXPECT_ERR(getpeername(a, &far.any, &size), ENOTCONN);
        EXPECT_OK(connect_to(a, families[i], local_port(listener)));
        b = accept(listener, &accepted.any, &accepted_size);
        EXPECT(b >= 0);
        mine = local_name(a);
        EXPECT_EQ(accepted_size, name_size(&mine));
        EXPECT(!memcmp(&mine, &accepted, accepted_size));
        EXPECT(local_port(a) != 0);
        EXPECT_OK(getpeername(a, &far.any, &size));
        mine = local_name(b);
        EXPECT(!memcmp(&mine, &far, name_size(&mine)));
        EXPECT_EQ(local_port(b), local_port(listener));
        close_pair();
        close(listener);
    }
}

CHECK(name_is_cut_to_its_room)
{
    union name name;
    socklen_t size = 4;
    EXPECT(tcp_pair(AF_INET));
    memset(&name, 0x55, sizeof name);
    EXPECT_OK(getsockname(a, &name.any, &size));
    EXPECT_EQ(size, sizeof name.in);
    EXPECT_EQ(((char *)&name)[4], 0x55);
    close_pair();
}

CHECK(bind_errors)
{
    int fd = bound(AF_INET, SOCK_STREAM), other = socket(AF_INET, SOCK_STREAM, 0);
    union name name = loopback(AF_INET, local_port(fd)), wrong;
    EXPECT_ERR(bind(fd, &name.any, sizeof name.in), EINVAL);
    EXPECT_ERR(bind(other, &name.any, sizeof name.in), EADDRINUSE);
    EXPECT_ERR(bind(other, &name.any, 8), EINVAL);
    wrong = name;
    wrong.in.sin_addr.s_addr = htonl(0xc0000201); // 192.0.2.1: nobody's
    wrong.in.sin_port = 0;
    EXPECT_ERR(bind(other, &wrong.any, sizeof wrong.in), EADDRNOTAVAIL);
    wrong.any.sa_family = AF_INET6;
    EXPECT_ERR(bind(other, &wrong.any, sizeof wrong.in6), EAFNOSUPPORT);
    EXPECT_ERR(bind(other, BAD_POINTER, sizeof name.in), EFAULT);
    close(fd);
    close(other);
}

CHECK(bind_to_any_and_a_port)
{
    union name any = {.in = {.sin_family = AF_INET}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(bind(fd, &any.any, sizeof any.in));
    EXPECT_EQ(local_name(fd).in.sin_addr.s_addr, INADDR_ANY);
    any.in.sin_port = local_name(fd).in.sin_port;
    any.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_ERR(bind(other, &any.any, sizeof any.in), EADDRINUSE);
    close(fd);
    EXPECT_OK(bind(other, &any.any, sizeof any.in));
    close(other);
}

CHECK(listen_takes_a_port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(listen(fd, 1));
    EXPECT(local_port(fd) != 0);
    EXPECT_EQ(get_option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect_to(a, AF_INET, local_port(fd)));
    EXPECT_OK(listen(fd, 9));
    close(a);
    close(fd);
}

CHECK(two_listen_on_one_port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
    union name name = loopback(AF_INET, 0);
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(other, SOL_SOCKET, SO_REUSEADDR, 1);
    EXPECT_OK(bind(fd, &name.any, sizeof name.in));
    name = local_name(fd);
    EXPECT_OK(bind(other, &name.any, sizeof name.in));
    EXPECT_OK(listen(fd, 1));
    EXPECT_ERR(listen(other, 1), EADDRINUSE);
    close(fd);
    close(other);
}

CHECK(dual_stack)
{
    union name any = {.in6 = {.sin6_family = AF_INET6}}, from = {0};
    socklen_t size = sizeof from;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    EXPECT_EQ(get_option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
    EXPECT_OK(bind(fd, &any.any, sizeof any.in6));
    EXPECT_OK(listen(fd, 5));
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect_to(a, AF_INET, local_port(fd)));
    b = accept(fd, &from.any, &size);
    EXPECT(b >= 0);
    EXPECT_EQ(size, sizeof from.in6);
    EXPECT(IN6_IS_ADDR_V4MAPPED(&from.in6.sin6_addr));
    EXPECT_EQ(from.in6.sin6_port, local_name(a).in.sin_port);
    EXPECT_EQ(write(b, "x", 1), 1);
    close_pair();
    a = socket(AF_INET6, SOCK_STREAM, 0);
    EXPECT_OK(connect_to(a, AF_INET6, local_port(fd)));
    close(a);
    close(fd);
}

CHECK(only_ipv6)
{
    union name any = {.in6 = {.sin6_family = AF_INET6}}, four = {.in = {.sin_family = AF_INET}};
    int fd = socket(AF_INET6, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    EXPECT_OK(bind(fd, &any.any, sizeof any.in6));
    EXPECT_OK(listen(fd, 5));
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_ERR(connect_to(a, AF_INET, local_port(fd)), ECONNREFUSED);
    four.in.sin_port = htons((uint16_t)local_port(fd));
    EXPECT_OK(bind(other, &four.any, sizeof four.in));
    close(a);
    close(fd);
    close(other);
}

CHECK(ipv4_mapped_address)
{
    int fd = listening(AF_INET, 5);
    union name name = {.in6 = {.sin6_family = AF_INET6, .sin6_port = local_name(fd).in.sin_port}};
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &name.in6.sin6_addr);
    a = socket(AF_INET6, SOCK_STREAM, 0);
    EXPECT_OK(connect(a, &name.any, sizeof name.in6));
    b = accept(fd, NULL, NULL);
    name = local_name(a);
    EXPECT(IN6_IS_ADDR_V4MAPPED(&name.in6.sin6_addr));
    EXPECT_EQ(write(a, "x", 1), 1);
    close_pair();
    close(fd);
}

CHECK(connect_to_any_is_this_machine)
{
    int fd = listening(AF_INET, 5);
    union name name = {.in = {.sin_family = AF_INET, .sin_port = local_name(fd).in.sin_port}};
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect(a, &name.any, sizeof name.in));
    close(a);
    close(fd);
}

CHECK(same_port_again_while_old_connections_end)
{
    union name name = loopback(AF_INET, 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0), again;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    EXPECT_OK(bind(fd, &name.any, sizeof name.in));
    EXPECT_OK(listen(fd, 5));
    name = local_name(fd);
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect_to(a, AF_INET, local_port(fd)));
    b = accept(fd, NULL, NULL);
    close(b); // this end waits for stray segments
    close(a);
    close(fd);
    again = socket(AF_INET, SOCK_STREAM, 0);
    set_option(again, SOL_SOCKET, SO_REUSEADDR, 1);
    EXPECT_OK(bind(again, &name.any, sizeof name.in));
    EXPECT_OK(listen(again, 1));
    close(again);
}

// ---- connecting ----

CHECK(connection_refused)
{
    for (unsigned i = 0; i < 2; i++) {
        int fd = bound(families[i], SOCK_STREAM);
        unsigned port = local_port(fd);
        a = socket(families[i], SOCK_STREAM, 0);
        EXPECT_ERR(connect_to(a, families[i], port), ECONNREFUSED);
        EXPECT_EQ(get_option(a, SOL_SOCKET, SO_ERROR), 0);
        listen(fd, 1);
        EXPECT_OK(connect_to(a, families[i], port)); // Linux allows another try
        close(a);
        close(fd);
    }
}

CHECK(connect_without_waiting)
{
    int fd = listening(AF_INET, 5);
    a = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    EXPECT_ERR(connect_to(a, AF_INET, local_port(fd)), EINPROGRESS);
    EXPECT_EQ(wait_events(a, POLLOUT), POLLOUT);
    EXPECT_EQ(get_option(a, SOL_SOCKET, SO_ERROR), 0);
    EXPECT_OK(connect_to(a, AF_INET, local_port(fd)));
    EXPECT_ERR(connect_to(a, AF_INET, local_port(fd)), EISCONN);
    close(a);
    close(fd);
}

CHECK(connect_without_waiting_refused)
{
    int fd = bound(AF_INET, SOCK_STREAM);
    a = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    EXPECT_ERR(connect_to(a, AF_INET, local_port(fd)), EINPROGRESS);
    EXPECT_EQ(wait_events(a, POLLOUT | POLLIN), POLLIN | POLLOUT | POLLERR | POLLHUP);
    EXPECT_EQ(get_option(a, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    EXPECT_EQ(get_option(a, SOL_SOCKET, SO_ERROR), 0);
    close(a);
    a = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    EXPECT_ERR(connect_to(a, AF_INET, local_port(fd)), EINPROGRESS);
    wait_events(a, POLLOUT);
    EXPECT_ERR(connect_to(a, AF_INET, local_port(fd)), ECONNREFUSED);
    close(a);
    close(fd);
}

CHECK(connect_errors)
{
    int fd = listening(AF_INET, 5);
    union name name = loopback(AF_INET, local_port(fd));
    EXPECT_ERR(connect_to(fd, AF_INET, local_port(fd)), EISCONN);
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_ERR(connect(a, &name.any, 4), EINVAL);
    name.any.sa_family = AF_INET6;
    EXPECT_ERR(connect(a, &name.any, sizeof name), EAFNOSUPPORT);
    EXPECT_OK(connect_to(a, AF_INET, local_port(fd)));
    EXPECT_ERR(connect_to(a, AF_INET, local_port(fd)), EISCONN);
    EXPECT_ERR(listen(a, 1), EINVAL);
    EXPECT_ERR(accept(a, NULL, NULL), EINVAL);
    close(a);
    close(fd);
}

CHECK(not_connected)
{
    char text[4];
    catch_signal(SIGPIPE);
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_ERR(read(a, text, 4), ENOTCONN);
    EXPECT_ERR(write(a, text, 4), EPIPE);
    EXPECT_EQ(signals_seen, 1);
    EXPECT_ERR(send(a, text, 4, MSG_NOSIGNAL), EPIPE);
    EXPECT_EQ(signals_seen, 1);
    EXPECT_ERR(shutdown(a, SHUT_WR), ENOTCONN);
    EXPECT_ERR(shutdown(a, 7), EINVAL);
    EXPECT_EQ(events_of(a, POLLIN | POLLOUT), POLLOUT | POLLHUP);
    close(a);
}

CHECK(disconnect_by_family_unspec)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    char text[4];
    EXPECT(tcp_pair(AF_INET));
    EXPECT_OK(connect(a, &none, sizeof none));
    EXPECT_ERR(read(b, text, 4), ECONNRESET);
    EXPECT_ERR(getpeername(a, &none, &(socklen_t){sizeof none}), ENOTCONN);
    close_pair();
}

static atomic_bool disconnected;

static void *read_until_disconnected(void *fd)
{
    static char text[65536];
    while (!disconnected)
        recv(*(int *)fd, text, sizeof text, MSG_DONTWAIT);
    return NULL;
}

CHECK(disconnect_while_another_thread_reads)
{
    static char text[65536];
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        EXPECT(tcp_pair(AF_INET));
        disconnected = false;
        EXPECT_EQ(send(b, text, sizeof text, MSG_DONTWAIT) > 0, 1);
        pthread_create(&thread, NULL, read_until_disconnected, &a);
        EXPECT_OK(connect(a, &none, sizeof none));
        disconnected = true;
        pthread_join(thread, NULL);
        close_pair();
    }
}

CHECK(backlog_is_bounded)
{
    int fd = listening(AF_INET, 1), client[4];
    for (int i = 0; i < 4; i++) {
        client[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        EXPECT_ERR(connect_to(client[i], AF_INET, local_port(fd)), EINPROGRESS);
        usleep(1000);
    }
    EXPECT_EQ(events_of(client[0], POLLOUT), POLLOUT);
    EXPECT_EQ(events_of(client[1], POLLOUT), POLLOUT);
    EXPECT_EQ(events_of(client[3], POLLOUT), 0); // its SYN was dropped, not refused
    b = accept(fd, NULL, NULL);
    EXPECT(b >= 0);
    close(b);
    close(accept(fd, NULL, NULL));
    struct pollfd one = {.fd = client[3], .events = POLLOUT};
    EXPECT_EQ(poll(&one, 1, 5000), 1); // sent again after a second
    EXPECT_EQ(one.revents, POLLOUT);
    for (int i = 0; i < 4; i++)
        close(client[i]);
    close(fd);
}

// ---- accepting ----

CHECK(accept_without_waiting)
{
    int fd = listening(AF_INET, 5);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    EXPECT_ERR(accept(fd, NULL, NULL), EAGAIN);
    EXPECT_EQ(events_of(fd, POLLIN | POLLOUT), 0);
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect_to(a, AF_INET, local_port(fd)));
    EXPECT_EQ(wait_events(fd, POLLIN), POLLIN);
    b = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    EXPECT(b >= 0);
    EXPECT_EQ(fcntl(b, F_GETFL), O_RDWR);
    EXPECT_EQ(fcntl(b, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(events_of(fd, POLLIN), 0);
    EXPECT_ERR(accept4(fd, NULL, NULL, 0x1000), EINVAL);
    close_pair();
    close(fd);
}

CHECK(data_before_accept)
{
    int fd = listening(AF_INET, 5);
    char text[8];
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect_to(a, AF_INET, local_port(fd)));
    EXPECT_EQ(write(a, "early", 5), 5);
    close(a);
    b = accept(fd, NULL, NULL);
    EXPECT_EQ(read(b, text, 8), 5);
    EXPECT_EQ(read(b, text, 8), 0);
    close(b);
    close(fd);
}

CHECK(close_of_listener_resets_who_waits)
{
    int fd = listening(AF_INET, 5);
    char text[4];
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect_to(a, AF_INET, local_port(fd)));
    close(fd);
    EXPECT_ERR(read(a, text, 4), ECONNRESET);
    close(a);
}

CHECK(shutdown_of_listener_ends_accept)
{
    pthread_t thread;
    int fd = listening(AF_INET, 5);
    pthread_create(&thread, NULL, shut_down_later, &fd);
    EXPECT_ERR(accept(fd, NULL, NULL), EINVAL);
    pthread_join(thread, NULL);
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_ERR(connect_to(a, AF_INET, local_port(fd)), ECONNREFUSED);
    close(a);
    close(fd);
}

CHECK(accepted_inherits_options)
{
    int fd = listening(AF_INET, 5);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, SOL_SOCKET, SO_SNDBUF, 20000);
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect_to(a, AF_INET, local_port(fd)));
    b = accept(fd, NULL, NULL);
    EXPECT_EQ(get_option(b, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(get_option(b, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(get_option(b, SOL_SOCKET, SO_SNDBUF), 40000);
    EXPECT_EQ(get_option(b, SOL_SOCKET, SO_ACCEPTCONN), 0);
    EXPECT_EQ(get_option(a, IPPROTO_TCP, TCP_NODELAY), 0);
    close_pair();
    close(fd);
}

CHECK(reuseport_shares_a_port)
{
    int fd[2], served[2] = {0, 0};
    union name name = loopback(AF_INET, 0);
    for (int i = 0; i < 2; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        EXPECT_OK(set_option(fd[i], SOL_SOCKET, SO_REUSEPORT, 1));
        EXPECT_OK(bind(fd[i], &name.any, sizeof name.in));
        EXPECT_OK(listen(fd[i], 64));
        name = local_name(fd[i]);
    }
    for (int i = 0; i < 64; i++) {
        a = socket(AF_INET, SOCK_STREAM, 0);
        EXPECT_OK(connect_to(a, AF_INET, local_port(fd[0])));
        close(a);
    }
    for (int i = 0; i < 2; i++)
        for (int got; (got = accept(fd[i], NULL, NULL)) >= 0; served[i]++)
            close(got);
    EXPECT_EQ(served[0] + served[1], 64);
    EXPECT(served[0] > 5 && served[1] > 5);
    int third = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_ERR(bind(third, &name.any, sizeof name.in), EADDRINUSE);
    close(third);
    close(fd[0]);
    close(fd[1]);
}

// ---- connections that end before they are accepted ----

// A connection of which the other end is reset; it sent `text` first. The listener.
static int reset_in_backlog(int family, const char *text)
{
    struct linger linger = {.l_onoff = 1};
    int listener = listening(family, 5);
    a = socket(family, SOCK_STREAM, 0);
    connect_to(a, family, local_port(listener));
    if (*text != 0)
        send(a, text, strlen(text), 0);
    setsockopt(a, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(a);
    return listener;
}

CHECK(a_reset_connection_is_accepted)
{
    for (int family = AF_INET; family <= AF_INET6; family += AF_INET6 - AF_INET) {
        int listener = reset_in_backlog(family, "");
        union name name = {0};
        socklen_t size = sizeof name;
        char byte;
        EXPECT_EQ(wait_events(listener, POLLIN), POLLIN);
        b = accept(listener, &name.any, &size);
        EXPECT(b >= 0);
        EXPECT_EQ(name.any.sa_family, family);
        EXPECT(name.in.sin_port != 0);
        EXPECT_ERR(getpeername(b, &name.any, &size), ENOTCONN);
        EXPECT_EQ(local_port(b), local_port(listener));
        EXPECT_EQ(events_of(b, POLLIN | POLLOUT | POLLRDHUP),
                  POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
        EXPECT_ERR(read(b, &byte, 1), ECONNRESET);
        EXPECT_EQ(read(b, &byte, 1), 0);
        EXPECT_ERR(send(b, "x", 1, MSG_NOSIGNAL), EPIPE);
        EXPECT_EQ(events_of(listener, POLLIN), 0);
        close(b);
        close(listener);
    }
}

CHECK(a_reset_connection_tells_its_error)
{
    int listener = reset_in_backlog(AF_INET, "");
    b = accept(listener, NULL, NULL);
    EXPECT_EQ(get_option(b, SOL_SOCKET, SO_ERROR), ECONNRESET);
    EXPECT_EQ(get_option(b, SOL_SOCKET, SO_ERROR), 0);
    EXPECT_EQ(events_of(b, POLLOUT), POLLOUT | POLLHUP);
    close(b);
    close(listener);
    listener = reset_in_backlog(AF_INET, "");
    b = accept(listener, NULL, NULL);
    EXPECT_ERR(send(b, "x", 1, MSG_NOSIGNAL), ECONNRESET);
    close(b);
    close(listener);
}

CHECK(what_a_reset_connection_sent)
{
    int listener = reset_in_backlog(AF_INET, "abc");
    char text[8];
    b = accept(listener, NULL, NULL);
    EXPECT_EQ(read(b, text, 2), 2);
    EXPECT_EQ(memcmp(text, "ab", 2), 0);
    EXPECT_EQ(read(b, text, sizeof text), 1);
    EXPECT_ERR(read(b, text, 1), ECONNRESET);
    EXPECT_EQ(read(b, text, 1), 0);
    close(b);
    close(listener);
}

CHECK(reset_connections_fill_the_backlog)
{
    struct linger linger = {.l_onoff = 1};
    int listener = listening(AF_INET, 1);
    for (int i = 0; i < 2; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        EXPECT_EQ(connect_to(fd, AF_INET, local_port(listener)), 0);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        close(fd);
    }
    fcntl(listener, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 2; i++) {
        int fd = accept(listener, NULL, NULL);
        EXPECT(fd >= 0);
        close(fd);
    }
    EXPECT_ERR(accept(listener, NULL, NULL), EAGAIN);
    EXPECT_EQ(close(reset_in_backlog(AF_INET, "gone with its listener")), 0);
    close(listener);
}
