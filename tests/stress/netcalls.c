// SPDX-License-Identifier: MIT
// Calls on sockets of every family with arguments between sense and nonsense: names, options,
// ioctls, control data, netlink requests, frames. What is asked of the kernel: that it stays, and
// that a socket still works afterwards.
//
//   netcalls SEED CALLS THREADS
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKETS 24

static unsigned long calls;

struct worker {
    pthread_t thread;
    uint64_t state;
    int fds[SOCKETS];
    _Alignas(8) unsigned char bytes[2048];
};

static uint32_t draw(struct worker *w, uint32_t below)
{
    w->state = w->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->state >> 33) % below;
}

static void scramble(struct worker *w, size_t size)
{
    for (size_t i = 0; i < size; i++)
        w->bytes[i] = draw(w, 3) ? 0 : (unsigned char)draw(w, 256);
}

static int some(struct worker *w)
{
    return w->fds[draw(w, SOCKETS)];
}

static void replace(struct worker *w)
{
    static const int kinds[][3] = {
        {AF_INET, SOCK_STREAM, 0},    {AF_INET, SOCK_DGRAM, 0},   {AF_INET6, SOCK_STREAM, 0},
        {AF_INET6, SOCK_DGRAM, 0},    {AF_INET, SOCK_RAW, 1},     {AF_INET, SOCK_RAW, 255},
        {AF_INET, SOCK_RAW, 17},      {AF_INET6, SOCK_RAW, 58},   {AF_INET, SOCK_DGRAM, 1},
        {AF_INET6, SOCK_DGRAM, 58},   {AF_UNIX, SOCK_STREAM, 0},  {AF_UNIX, SOCK_DGRAM, 0},
        {AF_UNIX, SOCK_SEQPACKET, 0}, {AF_NETLINK, SOCK_RAW, 0},  {AF_NETLINK, SOCK_RAW, 0},
        {AF_PACKET, SOCK_RAW, 0x300}, {AF_PACKET, SOCK_DGRAM, 8},
    };
    const int *kind = kinds[draw(w, sizeof kinds / sizeof kinds[0])];
    unsigned at = draw(w, SOCKETS);
    close(w->fds[at]);
    w->fds[at] =
        socket(kind[0], kind[1] | SOCK_NONBLOCK, draw(w, 20) ? kind[2] : (int)draw(w, 300));
}

// A name that fits a family or nearly does; its length.
static socklen_t make_name(struct worker *w)
{
    struct sockaddr_in *v4 = (void *)w->bytes;
    struct sockaddr_in6 *v6 = (void *)w->bytes;
    struct sockaddr_un *path = (void *)w->bytes;
    struct sockaddr_ll *link = (void *)w->bytes;
    scramble(w, 128);
    unsigned port = 20000 + draw(w, 16);
    switch (draw(w, 7)) {
    case 0:
        *v4 = (struct sockaddr_in){AF_INET, htons((uint16_t)port), {htonl(INADDR_LOOPBACK)}, {0}};
        return sizeof *v4;
    case 1:
        *v6 = (struct sockaddr_in6){AF_INET6, htons((uint16_t)port), 0, IN6ADDR_LOOPBACK_INIT, 0};
        return sizeof *v6;
    case 2:
        path->sun_family = AF_UNIX;
        path->sun_path[0] = 0;
        path->sun_path[1] = (char)('a' + draw(w, 8));
        return 4;
    case 3:
        link->sll_family = AF_PACKET;
        link->sll_ifindex = (int)draw(w, 4);
        return sizeof *link;
    case 4:
        memset(w->bytes, 0, 12);
        w->bytes[0] = AF_NETLINK;
        w->bytes[8] = (unsigned char)draw(w, 256);
        return 12;
    case 5: // a group
        *v4 = (struct sockaddr_in){
            AF_INET, htons((uint16_t)port), {htonl(0xe0000000 | draw(w, 400))}, {0}};
        return sizeof *v4;
    default:
        w->bytes[1] = 0;
        w->bytes[0] = (unsigned char)draw(w, 20);
        return draw(w, 130);
    }
}

static void option(struct worker *w)
{
    static const int levels[] = {0, 1, 6, 17, 41, 58, 255, 263, 270};
    int level = levels[draw(w, 9)], number = (int)draw(w, 80);
    socklen_t size = draw(w, 4) ? 4 : draw(w, 140);
    scramble(w, 256);
    if (draw(w, 2))
        setsockopt(some(w), level, number, w->bytes, size);
    else
        getsockopt(some(w), level, number, w->bytes, &size);
}

static void device(struct worker *w)
{
    struct ifreq *request = (void *)w->bytes;
    scramble(w, 256);
    if (draw(w, 3))
        strcpy(request->ifr_name, draw(w, 2) ? "lo" : "eth0");
    ioctl(some(w), 0x8900 + draw(w, 0x90), draw(w, 20) ? (void *)w->bytes : (void *)16);
}

static void message(struct worker *w)
{
    _Alignas(8) unsigned char name[128], control[256];
    socklen_t size = make_name(w);
    memcpy(name, w->bytes, sizeof name);
    scramble(w, sizeof control);
    memcpy(control, w->bytes, sizeof control);
    struct cmsghdr *record = (void *)control;
    static const int levels[] = {0, 1, 41, 263, 270};
    *record = (struct cmsghdr){CMSG_LEN(draw(w, 48)), levels[draw(w, 5)], (int)draw(w, 70)};
    if (record->cmsg_level == 1 && draw(w, 2)) {
        record->cmsg_type = SCM_RIGHTS;
        record->cmsg_len = CMSG_LEN(4);
        *(int *)CMSG_DATA(record) = some(w);
    }
    scramble(w, 1500);
    struct iovec part = {w->bytes, draw(w, 3) ? draw(w, 200) : draw(w, 2000)};
    struct msghdr header = {.msg_name = draw(w, 2) ? name : NULL,
                            .msg_namelen = size,
                            .msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = draw(w, 2) ? control : NULL,
                            .msg_controllen = draw(w, 256)};
    if (draw(w, 2))
        sendmsg(some(w), &header,
                MSG_NOSIGNAL | MSG_DONTWAIT | (draw(w, 8) ? 0 : (int)draw(w, 65536)));
    else
        recvmsg(some(w), &header,
                MSG_DONTWAIT | (draw(w, 3) ? 0 : (int)draw(w, 65536) & ~MSG_WAITALL));
}

// A request that begins like one of route's.
static void request(struct worker *w)
{
    struct nlmsghdr *header = (void *)w->bytes;
    unsigned body = 12 + 4 * draw(w, 3), size = 16 + body;
    scramble(w, 512);
    w->bytes[16] = (unsigned char)(draw(w, 3) ? AF_INET : draw(w, 2) ? AF_INET6 : draw(w, 20));
    for (unsigned i = draw(w, 5); i > 0 && size < 400; i--) {
        uint16_t *attribute = (void *)(w->bytes + size);
        unsigned length = 4 + (draw(w, 2) ? 4 : draw(w, 2) ? 16 : draw(w, 40));
        attribute[0] = (uint16_t)(draw(w, 16) ? length : draw(w, 65536));
        attribute[1] = (uint16_t)draw(w, 20);
        size += (length + 3) & ~3u;
    }
    *header =
        (struct nlmsghdr){draw(w, 16) ? size : draw(w, 2000), (uint16_t)(16 + draw(w, 24)),
                          (uint16_t)(1 | (draw(w, 2) ? 0x300 : draw(w, 2048))), draw(w, 99), 0};
    send(some(w), w->bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void show(struct worker *w)
{
    static const char *const paths[] = {
        "/proc/net/tcp",  "/proc/net/tcp6",        "/proc/net/udp",   "/proc/net/udp6",
        "/proc/net/raw",  "/proc/net/dev",         "/proc/net/route", "/proc/net/ipv6_route",
        "/proc/net/arp",  "/proc/net/if_inet6",    "/proc/net/pnp",   "/proc/net/sockstat",
        "/proc/net/icmp", "/sys/class/net/lo/mtu",
    };
    int fd = open(paths[draw(w, sizeof paths / sizeof paths[0])], O_RDONLY);
    while (read(fd, w->bytes, sizeof w->bytes) > 0)
        ;
    close(fd);
}

static void one(struct worker *w)
{
    socklen_t size;
    struct pollfd p;
    switch (draw(w, 16)) {
    case 0:
        replace(w);
        break;
    case 1:
        size = make_name(w);
        bind(some(w), (void *)w->bytes, size);
        break;
    case 2:
        size = make_name(w);
        connect(some(w), (void *)w->bytes, size);
        break;
    case 3:
        listen(some(w), (int)draw(w, 5));
        break;
    case 4:
        close(accept4(some(w), NULL, NULL, SOCK_NONBLOCK));
        break;
    case 5:
        shutdown(some(w), (int)draw(w, 4));
        break;
    case 6:
    case 7:
    case 8:
        option(w);
        break;
    case 9:
        device(w);
        break;
    case 10:
    case 11:
    case 12:
        message(w);
        break;
    case 13:
    case 14:
        request(w);
        break;
    default:
        p = (struct pollfd){some(w), (short)draw(w, 65536), 0};
        if (poll(&p, 1, 0) == 0 && !draw(w, 10))
            show(w);
        break;
    }
}

static void *work(void *argument)
{
    struct worker *w = argument;
    for (unsigned i = 0; i < SOCKETS; i++)
        w->fds[i] = -1;
    for (unsigned i = 0; i < SOCKETS * 2; i++)
        replace(w);
    for (unsigned long i = 0; i < calls; i++)
        one(w);
    for (unsigned i = 0; i < SOCKETS; i++)
        close(w->fds[i]);
    return NULL;
}

// A datagram to ourselves; the interface may have been taken down meanwhile.
static int still_works(void)
{
    struct sockaddr_in name = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    socklen_t size = sizeof name;
    struct pollfd p = {socket(AF_INET, SOCK_DGRAM, 0), POLLIN, 0};
    char byte;
    ioctl(p.fd, SIOCSIFFLAGS, &up);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(&up.ifr_addr, &name, sizeof name);
    ioctl(p.fd, SIOCSIFADDR, &up);
    return bind(p.fd, (void *)&name, sizeof name) == 0 &&
           getsockname(p.fd, (void *)&name, &size) == 0 &&
           sendto(p.fd, "x", 1, 0, (void *)&name, sizeof name) == 1 && poll(&p, 1, 5000) == 1 &&
           recv(p.fd, &byte, 1, 0) == 1;
}

int main(int argc, char **argv)
{
    static struct worker workers[16];
    unsigned threads = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    calls = argc > 2 ? strtoul(argv[2], NULL, 0) : 10000;
    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < threads && i < 16; i++) {
        workers[i].state = seed * 1000 + i;
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (unsigned i = 0; i < threads && i < 16; i++)
        pthread_join(workers[i].thread, NULL);
    if (!still_works()) {
        printf("netcalls: seed %llu: found loopback broken afterwards (errno %d)\n",
               (unsigned long long)seed, errno);
        return 1;
    }
    printf("netcalls: seed %llu: %lu calls by %u threads\n", (unsigned long long)seed, calls,
           threads);
    return 0;
}
