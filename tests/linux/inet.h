// SPDX-License-Identifier: MIT
// What the checks of TCP and UDP share: addresses of loopback, and connected pairs over it.
#pragma once

#include "check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

union name {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

__attribute__((unused)) static socklen_t name_size(const union name *name)
{
    return name->any.sa_family == AF_INET ? sizeof name->in : sizeof name->in6;
}

__attribute__((unused)) static union name loopback(int family, unsigned port)
{
    union name name = {.any = {.sa_family = (sa_family_t)family}};
    if (family == AF_INET) {
        name.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        name.in.sin_port = htons((uint16_t)port);
    } else {
        name.in6.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
        name.in6.sin6_port = htons((uint16_t)port);
    }
    return name;
}

__attribute__((unused)) static union name local_name(int fd)
{
    union name name = {0};
    socklen_t size = sizeof name;
    getsockname(fd, &name.any, &size);
    return name;
}

__attribute__((unused)) static unsigned local_port(int fd)
{
    return ntohs(local_name(fd).in.sin_port); // at the same place in both families
}

__attribute__((unused)) static int get_option(int fd, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, level, option, &value, &size) ? -1 : value;
}

__attribute__((unused)) static int set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

// A bound socket on loopback, any port; -1.
__attribute__((unused)) static int bound(int family, int type)
{
    union name name = loopback(family, 0);
    int fd = socket(family, type, 0);
    if (fd >= 0 && bind(fd, &name.any, name_size(&name))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

__attribute__((unused)) static int listening(int family, int backlog)
{
    int fd = bound(family, SOCK_STREAM);
    if (fd >= 0)
        listen(fd, backlog);
    return fd;
}

__attribute__((unused)) static int connect_to(int fd, int family, unsigned port)
{
    union name name = loopback(family, port);
    return connect(fd, &name.any, name_size(&name));
}

static int a, b; // the two ends: a connected, b was accepted

__attribute__((unused)) static bool tcp_pair(int family)
{
    int listener = listening(family, 5);
    a = socket(family, SOCK_STREAM, 0);
    b = -1;
    if (listener >= 0 && !connect_to(a, family, local_port(listener)))
        b = accept(listener, NULL, NULL);
    close(listener);
    return b >= 0;
}

__attribute__((unused)) static void close_pair(void)
{
    close(a);
    close(b);
}

__attribute__((unused)) static int events_of(int fd, int asked)
{
    struct pollfd one = {.fd = fd, .events = (short)asked};
    return poll(&one, 1, 0) < 0 ? -1 : one.revents;
}

// Waits up to a second for one of the events; all that hold then.
__attribute__((unused)) static int wait_events(int fd, int asked)
{
    struct pollfd one = {.fd = fd, .events = (short)asked};
    return poll(&one, 1, 1000) < 0 ? -1 : one.revents;
}

// The byte at a place of a stream that tells a misplaced one.
__attribute__((unused)) static uint8_t stream_byte(uint64_t at, unsigned seed)
{
    return (uint8_t)(at * 31 + (at >> 8) * 17 + (at >> 16) * 7 + seed);
}

// ---- what happens meanwhile ----

static volatile int signals_seen __attribute__((unused));

__attribute__((unused)) static void count_signal(int number)
{
    (void)number;
    signals_seen++;
}

__attribute__((unused)) static void catch_signal(int number)
{
    struct sigaction action = {.sa_handler = count_signal};
    sigaction(number, &action, NULL);
    signals_seen = 0;
}

__attribute__((unused)) static void *shut_down_later(void *fd)
{
    usleep(50000);
    shutdown(*(int *)fd, SHUT_RDWR);
    return NULL;
}
