// SPDX-License-Identifier: MIT
// What the network costs: the guest talks to bench/net_peer.py at the other end of a tap, and to
// itself over loopback. Marks and results are as in micro.c. Bytes are counted in units of 1,000.
//
//     net PEER [OPERATION...]
//
// In Linux the program gives eth0 the address 10.0.2.15 itself; Remora got one by DHCP before.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MUCH (32l << 20)

enum { PORT_ECHO = 7001, PORT_ANSWER, PORT_DATAGRAM, PORT_SINK, PORT_SOURCE };

static char buffer[65536];
static char **wanted_names;
static in_addr_t peer;
static struct {
    const char *name;
    long n;
    long long ns;
} results[32];
static unsigned result_count;
static long long started_ns;

static long long now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static int is_wanted(const char *name)
{
    for (char **p = wanted_names; *p; p++)
        if (!strcmp(*p, name))
            return 1;
    return !*wanted_names;
}

static void start(void)
{
    started_ns = now_ns();
    __asm__ volatile("hint #0x72" ::: "memory");
}

static void end(const char *name, long n, int failed)
{
    __asm__ volatile("hint #0x73" ::: "memory");
    results[result_count].name = name;
    results[result_count].n = n;
    results[result_count++].ns = failed ? -1 : now_ns() - started_ns;
}

static int connected(int type, in_addr_t to, unsigned port)
{
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr = {to}};
    int fd = socket(AF_INET, type, 0), on = 1;
    if (type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name)) {
        printf("net: no connection to port %u: %s\n", port, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static int pair(int ends[2])
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&name, size) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&name, &size))
        return -1;
    ends[0] = connected(SOCK_STREAM, htonl(INADDR_LOOPBACK), ntohs(name.sin_port));
    ends[1] = accept(listener, NULL, NULL);
    close(listener);
    return ends[0] < 0 || ends[1] < 0 ? -1 : 0;
}

// ---- over the tap ----

static void ping(const char *name, int type, unsigned port, long n)
{
    int fd, failed = 0;
    if (!is_wanted(name) || (fd = connected(type, peer, port)) < 0)
        return;
    for (long i = -n / 10; i < n; i++) {
        if (i == 0)
            start();
        failed |= write(fd, buffer, 1) != 1 || read(fd, buffer, 1) != 1;
    }
    end(name, n, failed);
    close(fd);
}

static void connect_request_close(const char *name, long n)
{
    int failed = 0;
    if (!is_wanted(name))
        return;
    for (long i = -n / 10; i < n; i++) {
        if (i == 0)
            start();
        int fd = connected(SOCK_STREAM, peer, PORT_ANSWER);
        failed |= fd < 0 || write(fd, buffer, 100) != 100 || read(fd, buffer, 1000) != 600;
        close(fd);
    }
    end(name, n, failed);
}

static void send_much(const char *name)
{
    int fd, failed = 0;
    if (!is_wanted(name) || (fd = connected(SOCK_STREAM, peer, PORT_SINK)) < 0)
        return;
    start();
    for (long done = 0; done < MUCH; done += sizeof buffer)
        failed |= write(fd, buffer, sizeof buffer) != sizeof buffer;
    shutdown(fd, SHUT_WR);
    failed |= read(fd, buffer, 1) != 1;
    end(name, MUCH / 1000, failed);
    close(fd);
}

static void receive_much(const char *name)
{
    long done = 0, got;
    int fd;
    if (!is_wanted(name) || (fd = connected(SOCK_STREAM, peer, PORT_SOURCE)) < 0)
        return;
    start();
    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        done += got;
    end(name, MUCH / 1000, done != MUCH);
    close(fd);
}

// ---- over loopback ----

static void *echo(void *end_fd)
{
    char byte;
    int fd = *(int *)end_fd;
    while (read(fd, &byte, 1) == 1)
        write(fd, &byte, 1);
    return NULL;
}

static void ping_pong(const char *name, int ends[2], long n)
{
    pthread_t thread;
    int failed = 0;
    pthread_create(&thread, NULL, echo, &ends[1]);
    for (long i = -n / 10; i < n; i++) {
        if (i == 0)
            start();
        failed |= write(ends[0], buffer, 1) != 1 || read(ends[0], buffer, 1) != 1;
    }
    end(name, n, failed);
    close(ends[0]);
    pthread_join(thread, NULL);
    close(ends[1]);
}

static void local_ping_pongs(void)
{
    int ends[2];
    if (is_wanted("loopback-tcp-rtt") && pair(ends) == 0)
        ping_pong("loopback-tcp-rtt", ends, 2000);
    if (is_wanted("unix-ping-pong") && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0)
        ping_pong("unix-ping-pong", ends, 2000);
}

static void local_stream(const char *name)
{
    int ends[2], failed = 0;
    if (!is_wanted(name) || pair(ends))
        return;
    start();
    for (long done = 0; done < MUCH / 4; done += 32768)
        failed |= write(ends[0], buffer, 32768) != 32768 ||
                  recv(ends[1], buffer, 32768, MSG_WAITALL) != 32768;
    end(name, MUCH / 4 / 1000, failed);
    close(ends[0]);
    close(ends[1]);
}

static void local_connect(const char *name, long n)
{
    int ends[2], failed = 0;
    if (!is_wanted(name))
        return;
    start();
    for (long i = 0; i < n; i++) {
        failed |= pair(ends) != 0;
        close(ends[0]);
        close(ends[1]);
    }
    end(name, n, failed);
}

static void local_epoll(const char *name, long n)
{
    struct epoll_event wanted = {.events = EPOLLIN}, got;
    int ends[2], failed = 0, set = epoll_create1(0);
    if (!is_wanted(name) || pair(ends))
        return;
    epoll_ctl(set, EPOLL_CTL_ADD, ends[1], &wanted);
    start();
    for (long i = 0; i < n; i++)
        failed |= write(ends[0], buffer, 1) != 1 || epoll_wait(set, &got, 1, -1) != 1 ||
                  read(ends[1], buffer, 1) != 1;
    end(name, n, failed);
    close(ends[0]);
    close(ends[1]);
    close(set);
}

static void raise_device(void)
{
    int way = connected(SOCK_DGRAM, peer, 9);
    close(way);
    if (way >= 0)
        return;
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    ioctl(fd, SIOCSIFFLAGS, &request);
    strcpy(request.ifr_name, "eth0");
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {inet_addr("10.0.2.15")}};
    ioctl(fd, SIOCSIFADDR, &request);
    address->sin_addr.s_addr = inet_addr("255.255.255.0");
    ioctl(fd, SIOCSIFNETMASK, &request);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
    sleep(1);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    peer = inet_addr(argv[1]);
    wanted_names = argv + 2;
    raise_device();
    ping("tcp-rtt", SOCK_STREAM, PORT_ECHO, 2000);
    ping("udp-rtt", SOCK_DGRAM, PORT_DATAGRAM, 2000);
    connect_request_close("tcp-connect-request", 500);
    send_much("tcp-send-1000");
    receive_much("tcp-receive-1000");
    local_ping_pongs();
    local_stream("loopback-tcp-1000");
    local_connect("loopback-tcp-connect", 500);
    local_epoll("loopback-epoll-cycle", 2000);
    for (unsigned i = 0; i < result_count; i++)
        printf("bench %s n=%ld ns=%lld\n", results[i].name, results[i].n, results[i].ns);
    FILE *copies = fopen("/proc/net/copies", "r");
    while (copies && fgets(buffer, sizeof buffer, copies))
        printf("copies %s", buffer);
    printf("bench-end\n");
    return 0;
}
