// SPDX-License-Identifier: MIT
// Keeps all CPUs busy with TCP and UDP over loopback and looks whether every byte arrives, nothing
// stalls, and all memory comes back:
//
//     sockets SECONDS [PART...]        PART: streams connects datagrams events open memory
//
// What it prints: parts.h.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "parts.h"

#define STALL_MS 20000
#define OPEN     4000

static int listener;

static struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static unsigned port_of(int fd)
{
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    getsockname(fd, (struct sockaddr *)&name, &size);
    return ntohs(name.sin_port);
}

static int listen_somewhere(void)
{
    struct sockaddr_in name = loopback(0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&name, sizeof name) || listen(fd, 1024))
        fail("listen", fd, "a listener");
    return fd;
}

static int connect_to(unsigned port)
{
    struct sockaddr_in name = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&name, sizeof name))
        fail("connect", fd, "a connection");
    return fd;
}

static void reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

// Until the time is over; a count that does not move for long is a stall.
static void watch(void)
{
    long long end = now_ms() + seconds * 1000, moved = now_ms();
    unsigned long seen = total;
    while (!stop && now_ms() < end) {
        usleep(20000);
        if (total != seen) {
            seen = total;
            moved = now_ms();
        } else if (now_ms() - moved > STALL_MS) {
            fail("no progress after", (long)total, "progress");
        }
    }
    stop = true;
}

// ---- streams ----

struct stream {
    int ends[2];
    unsigned seed;
    pthread_t threads[2];
};

static uint8_t byte_at(uint64_t at, unsigned seed)
{
    return (uint8_t)(at * 31 + (at >> 8) * 17 + (at >> 16) * 7 + seed);
}

static bool wait_for(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    if (poll(&one, 1, STALL_MS) == 1)
        return true;
    fail("a stream that stands still for ms", STALL_MS, "progress");
    return false;
}

static void *write_stream(void *argument)
{
    struct stream *stream = argument;
    uint8_t block[20000];
    uint64_t at = 0;
    while (!stop) {
        size_t n = 1 + (at * 7919 + stream->seed) % sizeof block;
        for (size_t i = 0; i < n; i++)
            block[i] = byte_at(at + i, stream->seed);
        ssize_t sent = send(stream->ends[0], block, n, stream->seed & 1 ? MSG_DONTWAIT : 0);
        if (sent < 0 && errno == EAGAIN && wait_for(stream->ends[0], POLLOUT))
            continue;
        if (sent <= 0) {
            fail("send", (long)sent, "bytes sent");
            break;
        }
        at += (uint64_t)sent;
    }
    shutdown(stream->ends[0], SHUT_WR);
    return NULL;
}

static void *read_stream(void *argument)
{
    struct stream *stream = argument;
    uint8_t block[30000];
    uint64_t at = 0;
    for (;;) {
        ssize_t got = recv(stream->ends[1], block, 1 + (at * 104729 + stream->seed) % sizeof block,
                           stream->seed & 2 ? MSG_DONTWAIT : 0);
        if (got < 0 && errno == EAGAIN && wait_for(stream->ends[1], POLLIN))
            continue;
        if (got <= 0) {
            if (got < 0)
                fail("recv", (long)got, "bytes or an end");
            return NULL;
        }
        for (ssize_t i = 0; i < got; i++)
            if (block[i] != byte_at(at + (uint64_t)i, stream->seed)) {
                fail("a wrong byte at", (long)at + i, "what was sent");
                return NULL;
            }
        at += (uint64_t)got;
        add((unsigned long)got / 1024 + 1);
    }
}

static void streams(void)
{
    static struct stream streams[4];
    listener = listen_somewhere();
    for (unsigned i = 0; i < 4; i++) {
        streams[i].seed = i;
        streams[i].ends[0] = connect_to(port_of(listener));
        streams[i].ends[1] = accept(listener, NULL, NULL);
        if (i >= 2) { // the other way
            int end = streams[i].ends[0];
            streams[i].ends[0] = streams[i].ends[1];
            streams[i].ends[1] = end;
        }
        pthread_create(&streams[i].threads[0], NULL, write_stream, &streams[i]);
        pthread_create(&streams[i].threads[1], NULL, read_stream, &streams[i]);
    }
    watch();
    for (unsigned i = 0; i < 4; i++) {
        if (failed) {
            shutdown(streams[i].ends[0], SHUT_RDWR);
            shutdown(streams[i].ends[1], SHUT_RDWR);
        }
        pthread_join(streams[i].threads[0], NULL);
        pthread_join(streams[i].threads[1], NULL);
        close(streams[i].ends[0]);
        close(streams[i].ends[1]);
    }
    close(listener);
}

// ---- connects ----

static void *serve(void *unused)
{
    char block[600] = "";
    int fd;
    (void)unused;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        ssize_t got = recv(fd, block, 100, 0);
        if (got > 0)
            send(fd, block, sizeof block, MSG_NOSIGNAL);
        close(fd);
    }
    return NULL;
}

static void *ask(void *number)
{
    char block[600] = "";
    for (unsigned long turn = (uintptr_t)number; !stop; turn++) {
        int fd = connect_to(port_of(listener));
        if (stop) {
            close(fd);
            break;
        }
        ssize_t got = send(fd, block, 100, MSG_NOSIGNAL);
        if (turn % 7 == 0) {
            reset(fd);
        } else if (turn % 11 == 0) {
            close(fd);
        } else {
            got = recv(fd, block, sizeof block, MSG_WAITALL);
            if (got != sizeof block)
                fail("an answer of", (long)got, "600 bytes");
            else if (recv(fd, block, 1, 0) != 0)
                fail("more than an answer", 1, "the end");
            close(fd);
        }
        add(1);
    }
    return NULL;
}

static void connects(void)
{
    pthread_t servers[2], clients[4];
    listener = listen_somewhere();
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&servers[i], NULL, serve, NULL);
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&clients[i], NULL, ask, (void *)i);
    watch();
    if (failed)
        shutdown(listener, SHUT_RDWR);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(clients[i], NULL);
    shutdown(listener, SHUT_RDWR);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(servers[i], NULL);
    close(listener);
}

// ---- datagrams ----

static int echo_socket;

static void *echo_datagrams(void *unused)
{
    struct sockaddr_in from;
    char block[2000];
    (void)unused;
    for (;;) {
        socklen_t size = sizeof from;
        ssize_t got =
            recvfrom(echo_socket, block, sizeof block, 0, (struct sockaddr *)&from, &size);
        if (got <= 1)
            return NULL;
        if (sendto(echo_socket, block, (size_t)got, 0, (struct sockaddr *)&from, size) != got)
            fail("sendto", (long)got, "as many bytes");
    }
}

static void *ping_datagrams(void *number)
{
    struct sockaddr_in name = loopback(port_of(echo_socket));
    struct timeval limit = {.tv_sec = STALL_MS / 1000};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    uint32_t out[400] = {0}, in[400];
    connect(fd, (struct sockaddr *)&name, sizeof name);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    for (uint32_t turn = 0; !stop; turn++) {
        size_t size = 8 + turn * 37 % 1500 / 4 * 4;
        out[0] = turn;
        out[1] = (uint32_t)(uintptr_t)number;
        if (send(fd, out, size, 0) != (ssize_t)size)
            fail("send", (long)size, "as many bytes");
        ssize_t got = recv(fd, in, sizeof in, 0);
        if (got != (ssize_t)size || in[0] != turn || in[1] != out[1])
            fail("an echo of", (long)got, "what was sent");
        add(1);
    }
    close(fd);
    return NULL;
}

static void datagrams(void)
{
    struct sockaddr_in name = loopback(0);
    pthread_t echoes[2], pings[4];
    echo_socket = socket(AF_INET, SOCK_DGRAM, 0);
    bind(echo_socket, (struct sockaddr *)&name, sizeof name);
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&echoes[i], NULL, echo_datagrams, NULL);
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&pings[i], NULL, ping_datagrams, (void *)i);
    watch();
    for (unsigned i = 0; i < 4; i++)
        pthread_join(pings[i], NULL);
    shutdown(echo_socket, SHUT_RDWR);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(echoes[i], NULL);
    close(echo_socket);
}

// ---- events ----

static void answer_all(int fd)
{
    char block[512];
    ssize_t got;
    while ((got = recv(fd, block, sizeof block, MSG_DONTWAIT)) > 0)
        if (send(fd, block, (size_t)got, MSG_NOSIGNAL) != got)
            fail("send", (long)got, "as many bytes");
    if (got == 0 || errno != EAGAIN)
        close(fd);
}

// Edge-triggered: a lost edge is a stall.
static void *serve_events(void *unused)
{
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = listener}, got[16];
    int set = epoll_create1(0);
    (void)unused;
    epoll_ctl(set, EPOLL_CTL_ADD, listener, &wanted);
    while (!stop) {
        int count = epoll_wait(set, got, 16, 100);
        for (int i = 0; i < count; i++) {
            if (got[i].data.fd != listener) {
                answer_all(got[i].data.fd);
                continue;
            }
            wanted = (struct epoll_event){.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                                          .data.fd = accept(listener, NULL, NULL)};
            if (wanted.data.fd >= 0)
                epoll_ctl(set, EPOLL_CTL_ADD, wanted.data.fd, &wanted);
        }
    }
    close(set);
    return NULL;
}

static void *ping_events(void *number)
{
    struct timeval limit = {.tv_sec = STALL_MS / 1000};
    int fds[16];
    char out[300], in[300];
    for (int i = 0; i < 16; i++) {
        fds[i] = connect_to(port_of(listener));
        setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    for (unsigned long turn = (uintptr_t)number; !stop; turn++) {
        size_t size = 1 + turn * 37 % sizeof out;
        int fd = fds[turn % 16];
        memset(out, (int)turn, sizeof out);
        if (send(fd, out, size, MSG_NOSIGNAL) != (ssize_t)size && !stop)
            fail("send", (long)size, "as many bytes");
        ssize_t got = recv(fd, in, size, MSG_WAITALL);
        if (!stop && (got != (ssize_t)size || memcmp(in, out, size)))
            fail("an echo of", (long)got, "what was sent");
        add(1);
    }
    for (int i = 0; i < 16; i++)
        close(fds[i]);
    return NULL;
}

static void events(void)
{
    pthread_t server, clients[4];
    listener = listen_somewhere();
    pthread_create(&server, NULL, serve_events, NULL);
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&clients[i], NULL, ping_events, (void *)i);
    watch();
    pthread_join(server, NULL);
    for (int fd = 3; failed && fd < 200; fd++)
        shutdown(fd, SHUT_RDWR);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(clients[i], NULL);
    for (int fd = 3; fd < 200; fd++)
        close(fd);
}

// ---- many connections, memory ----

static long free_kib(void)
{
    char text[4096] = "", *found;
    int fd = open("/proc/meminfo", O_RDONLY);
    read(fd, text, sizeof text - 1);
    close(fd);
    found = strstr(text, "MemFree:");
    return found ? atol(found + 8) : 0;
}

static void open_many(void)
{
    struct rlimit limit = {2 * OPEN + 100, 2 * OPEN + 100};
    static int clients[OPEN], servers[OPEN];
    long before = free_kib(), used;
    char byte = 0;
    setrlimit(RLIMIT_NOFILE, &limit);
    listener = listen_somewhere();
    for (int i = 0; i < OPEN && !failed; i++) {
        clients[i] = connect_to(port_of(listener));
        servers[i] = accept(listener, NULL, NULL);
        if (servers[i] < 0)
            fail("accept", i, "a connection");
    }
    used = before - free_kib();
    if (used > OPEN * 2 * 4)
        fail("KiB used by 4,000 connections", used, "4 KiB an end at most");
    for (int turn = 0; turn < 2 && !failed; turn++)
        for (int i = 0; i < OPEN && !failed; i++)
            if (write(clients[i], &byte, 1) != 1 || read(servers[i], &byte, 1) != 1)
                fail("no byte over connection", i, "one");
    add((unsigned long)used);
    for (int i = 0; i < OPEN; i++) {
        reset(clients[i]);
        close(servers[i]);
    }
    close(listener);
}

// What went through must not stay in memory.
static void memory(void)
{
    long before = 0;
    for (int turn = 0; turn < 3 && !failed; turn++) {
        connects();
        streams();
        if (turn == 0)
            before = free_kib();
    }
    if (before - free_kib() > 4096)
        fail("KiB of memory lost", before - free_kib(), "4,096 at most");
}

int main(int argc, char **argv)
{
    static const struct part parts[] = {
        {.name = "streams", .run = streams},     {.name = "connects", .run = connects},
        {.name = "datagrams", .run = datagrams}, {.name = "events", .run = events},
        {.name = "open", .run = open_many},      {.name = "memory", .run = memory},
    };
    signal(SIGPIPE, SIG_IGN);
    return run_parts(parts, sizeof parts / sizeof parts[0], argc, argv);
}
