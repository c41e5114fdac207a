// SPDX-License-Identifier: MIT
// Options of internet sockets, control data of datagrams, errors that ICMP tells, groups, raw and
// ICMP sockets: over loopback, as root.
#include "inet.h"
#include <linux/errqueue.h>
#include <linux/icmpv6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

static int families[] = {AF_INET, AF_INET6};

static struct {
    char text[64];
    _Alignas(8) char space[256];
    union name from;
    struct iovec part;
    struct msghdr header;
} in;

static long hear(int fd, int flags)
{
    struct pollfd p = {fd, POLLIN, 0};
    memset(&in, 0, sizeof in);
    in.part = (struct iovec){in.text, sizeof in.text};
    in.header = (struct msghdr){.msg_name = &in.from,
                                .msg_namelen = sizeof in.from,
                                .msg_iov = &in.part,
                                .msg_iovlen = 1,
                                .msg_control = in.space,
                                .msg_controllen = sizeof in.space};
    poll(&p, 1, 2000);
    return recvmsg(fd, &in.header, flags | MSG_DONTWAIT);
}

static const void *record(int level, int type)
{
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&in.header); at; at = CMSG_NXTHDR(&in.header, at))
        if (at->cmsg_level == level && at->cmsg_type == type)
            return CMSG_DATA(at);
    return NULL;
}

// Sends "x" with one record of control data.
static long tell(int fd, const union name *to, int level, int type, const void *data, size_t size)
{
    _Alignas(8) char space[64] = {0};
    struct iovec part = {"x", 1};
    struct msghdr header = {.msg_name = (void *)to,
                            .msg_namelen = to ? name_size(to) : 0,
                            .msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = space,
                            .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *at = (void *)space;
    *at = (struct cmsghdr){CMSG_LEN(size), level, type};
    memcpy(CMSG_DATA(at), data, size);
    return sendmsg(fd, &header, 0);
}

static const struct {
    int family, type, level, option, initial, set, got, bad, error;
} options[] = {
    {AF_INET, SOCK_DGRAM, SOL_IP, IP_TOS, 0, 16, 16, 0, 0},
    {AF_INET, SOCK_STREAM, SOL_IP, IP_TTL, 64, 9, 9, 256, EINVAL},
    {AF_INET, SOCK_STREAM, SOL_IP, IP_TTL, 64, -1, 64, 0, EINVAL},
    {AF_INET, SOCK_DGRAM, SOL_IP, IP_PKTINFO, 0, 7, 1, 0, 0},
    {AF_INET, SOCK_DGRAM, SOL_IP, IP_RECVTTL, 0, 1, 1, 0, 0},
    {AF_INET, SOCK_DGRAM, SOL_IP, IP_RECVTOS, 0, 1, 1, 0, 0},
    {AF_INET, SOCK_DGRAM, SOL_IP, IP_RECVERR, 0, 1, 1, 0, 0},
    {AF_INET, SOCK_DGRAM, SOL_IP, IP_MTU_DISCOVER, 1, 2, 2, 6, EINVAL},
    {AF_INET, SOCK_DGRAM, SOL_IP, IP_FREEBIND, 0, 1, 1, 0, 0},
    {AF_INET, SOCK_DGRAM, SOL_IP, IP_MINTTL, 0, 9, 9, 256, EINVAL},
    {AF_INET, SOCK_DGRAM, SOL_IP, IP_MULTICAST_TTL, 1, 5, 5, 256, EINVAL},
    {AF_INET, SOCK_DGRAM, SOL_IP, IP_MULTICAST_LOOP, 1, 0, 0, 0, 0},
    {AF_INET, SOCK_DGRAM, SOL_IP, IP_MULTICAST_ALL, 1, 0, 0, 2, EINVAL},
    {AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_UNICAST_HOPS, 64, 3, 3, 256, EINVAL},
    {AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_MULTICAST_HOPS, 1, 3, 3, 256, EINVAL},
    {AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_MULTICAST_LOOP, 1, 0, 0, 2, EINVAL},
    {AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_V6ONLY, 0, 1, 1, 0, 0},
    {AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_RECVPKTINFO, 0, 1, 1, 0, 0},
    {AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_RECVHOPLIMIT, 0, 1, 1, 0, 0},
    {AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_RECVTCLASS, 0, 1, 1, 0, 0},
    {AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_TCLASS, 0, 32, 32, 256, EINVAL},
    {AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_MTU_DISCOVER, 1, 2, 2, 6, EINVAL},
    {AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_RECVERR, 0, 1, 1, 0, 0},
    {AF_INET, SOCK_STREAM, SOL_TCP, TCP_NODELAY, 0, 5, 1, 0, 0},
    {AF_INET, SOCK_STREAM, SOL_TCP, TCP_CORK, 0, 1, 1, 0, 0},
    {AF_INET, SOCK_STREAM, SOL_TCP, TCP_MAXSEG, 536, 1000, 1000, 87, EINVAL},
    {AF_INET, SOCK_STREAM, SOL_TCP, TCP_KEEPIDLE, 7200, 60, 60, 32768, EINVAL},
    {AF_INET, SOCK_STREAM, SOL_TCP, TCP_KEEPINTVL, 75, 10, 10, 0, EINVAL},
    {AF_INET, SOCK_STREAM, SOL_TCP, TCP_KEEPCNT, 9, 5, 5, 128, EINVAL},
    {AF_INET, SOCK_STREAM, SOL_TCP, TCP_SYNCNT, 6, 3, 3, 128, EINVAL},
    {AF_INET, SOCK_STREAM, SOL_TCP, TCP_LINGER2, 60, 30, 30, 0, 0},
    {AF_INET, SOCK_STREAM, SOL_TCP, TCP_DEFER_ACCEPT, 0, 5, 7, 0, 0},
    {AF_INET, SOCK_STREAM, SOL_TCP, TCP_USER_TIMEOUT, 0, 5000, 5000, -1, EINVAL},
    {AF_INET, SOCK_STREAM, SOL_TCP, TCP_QUICKACK, 1, 0, 0, 0, 0},
    {AF_INET, SOCK_STREAM, SOL_TCP, TCP_NOTSENT_LOWAT, 0, 9000, 9000, 0, 0},
    {AF_INET, SOCK_STREAM, SOL_TCP, TCP_FASTOPEN_CONNECT, 0, 1, 1, 2, EINVAL},
    {AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST, 0, 3, 1, 0, 0},
    {AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_DONTROUTE, 0, 1, 1, 0, 0},
    {AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_NO_CHECK, 0, 1, 1, 0, 0},
    {AF_INET, SOCK_STREAM, SOL_SOCKET, SO_OOBINLINE, 0, 1, 1, 0, 0},
    {AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_TIMESTAMP, 0, 1, 1, 0, 0},
    {AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_TIMESTAMPNS, 0, 1, 1, 0, 0},
    {AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_RXQ_OVFL, 0, 1, 1, 0, 0},
    {AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_BINDTOIFINDEX, 0, 1, 1, -1, EINVAL},
    {AF_INET, SOCK_STREAM, SOL_SOCKET, SO_PRIORITY, 0, 6, 6, 0, 0},
    {AF_INET, SOCK_STREAM, SOL_SOCKET, SO_MARK, 0, 6, 6, 0, 0},
};

CHECK(options_are_kept)
{
    for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
        int fd = socket(options[i].family, options[i].type, 0);
        int level = options[i].level, option = options[i].option, value = options[i].set;
        if (get_option(fd, level, option) != options[i].initial)
            check_fail(__LINE__, "level %d option %d is %d at first, expected %d", level, option,
                       get_option(fd, level, option), options[i].initial);
        if (setsockopt(fd, level, option, &value, sizeof value))
            check_fail(__LINE__, "level %d option %d cannot be set: %d", level, option, errno);
        if (get_option(fd, level, option) != options[i].got)
            check_fail(__LINE__, "level %d option %d is %d, expected %d", level, option,
                       get_option(fd, level, option), options[i].got);
        value = options[i].bad;
        errno = 0;
        if (options[i].error && (setsockopt(fd, level, option, &value, sizeof value) != -1 ||
                                 errno != options[i].error))
            check_fail(__LINE__, "level %d option %d takes %d: errno %d, expected %d", level,
                       option, value, errno, options[i].error);
        close(fd);
    }
}

CHECK(options_of_one_byte)
{
    unsigned char byte = 7;
    socklen_t size = 1;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_OK(setsockopt(fd, SOL_IP, IP_TTL, &byte, 1));
    byte = 0;
    EXPECT_OK(getsockopt(fd, SOL_IP, IP_TTL, &byte, &size));
    EXPECT_EQ(byte, 7);
    EXPECT_EQ(size, 1);
    EXPECT_ERR(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &byte, 1), EINVAL);
    close(fd);
    fd = socket(AF_INET6, SOCK_DGRAM, 0);
    EXPECT_ERR(setsockopt(fd, SOL_IPV6, IPV6_UNICAST_HOPS, &byte, 1), EINVAL);
    close(fd);
}

CHECK(options_that_are_not_there)
{
    int on = 1;
    socklen_t size = sizeof on;
    int stream = socket(AF_INET, SOCK_STREAM, 0), datagram = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_ERR(setsockopt(datagram, SOL_TCP, TCP_NODELAY, &on, sizeof on), ENOPROTOOPT);
    EXPECT_ERR(getsockopt(datagram, SOL_TCP, TCP_NODELAY, &on, &size), EOPNOTSUPP);
    EXPECT_ERR(setsockopt(datagram, SOL_IPV6, IPV6_V6ONLY, &on, sizeof on), ENOPROTOOPT);
    EXPECT_ERR(setsockopt(stream, SOL_TCP, 9999, &on, sizeof on), ENOPROTOOPT);
    EXPECT_ERR(setsockopt(stream, SOL_IP, 9999, &on, sizeof on), ENOPROTOOPT);
    EXPECT_ERR(setsockopt(stream, SOL_IP, IP_MULTICAST_TTL, &on, sizeof on), EINVAL);
    EXPECT_ERR(setsockopt(datagram, SOL_IP, IP_HDRINCL, &on, sizeof on), ENOPROTOOPT);
    EXPECT_ERR(setsockopt(stream, SOL_TCP, TCP_NODELAY, &on, 2), EINVAL);
    EXPECT_ERR(setsockopt(stream, SOL_TCP, TCP_NODELAY, BAD_POINTER, 4), EFAULT);
    EXPECT_ERR(getsockopt(datagram, SOL_IP, IP_MTU, &on, &size), ENOTCONN);
    close(stream);
    close(datagram);
}

CHECK(congestion_by_name)
{
    char name[16] = "";
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(getsockopt(fd, SOL_TCP, TCP_CONGESTION, name, &size));
    EXPECT_EQ(size, 16);
    EXPECT(name[0] != 0);
    EXPECT_OK(setsockopt(fd, SOL_TCP, TCP_CONGESTION, "reno", 4));
    EXPECT_ERR(setsockopt(fd, SOL_TCP, TCP_CONGESTION, "nonesuch", 8), ENOENT);
    close(fd);
}

CHECK(tcp_info)
{
    union name name = loopback(AF_INET, 0);
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    struct tcp_info info;
    socklen_t size = sizeof info;
    EXPECT_OK(getsockopt(client, SOL_TCP, TCP_INFO, &info, &size));
    EXPECT_EQ(info.tcpi_state, TCP_CLOSE);
    EXPECT_OK(bind(server, &name.any, sizeof name.in));
    EXPECT_OK(listen(server, 5));
    EXPECT_OK(getsockopt(server, SOL_TCP, TCP_INFO, &info, &size));
    EXPECT_EQ(info.tcpi_state, TCP_LISTEN);
    EXPECT_EQ(info.tcpi_sacked, 5);
    name = local_name(server);
    EXPECT_OK(connect(client, &name.any, sizeof name.in));
    EXPECT_OK(getsockopt(client, SOL_TCP, TCP_INFO, &info, &size));
    EXPECT_EQ(info.tcpi_state, TCP_ESTABLISHED);
    EXPECT_EQ(info.tcpi_ca_state, 0);
    EXPECT(info.tcpi_snd_mss > 500);
    EXPECT(info.tcpi_rto > 0 && info.tcpi_snd_cwnd > 0);
    EXPECT_EQ(info.tcpi_unacked, 0);
    size = 1;
    EXPECT_OK(getsockopt(client, SOL_TCP, TCP_INFO, &info, &size));
    EXPECT_EQ(size, 1);
    close(client);
    close(server);
}

CHECK(accept_waits_for_data)
{
    union name name = loopback(AF_INET, 0);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), seconds = 5;
    int client = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(setsockopt(server, SOL_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds));
    EXPECT_OK(bind(server, &name.any, sizeof name.in));
    EXPECT_OK(listen(server, 5));
    name = local_name(server);
    EXPECT_OK(connect(client, &name.any, sizeof name.in));
    struct pollfd p = {server, POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 50), 0);
    EXPECT_ERR(accept(server, NULL, NULL), EAGAIN);
    EXPECT_EQ(send(client, "data", 4, 0), 4);
    EXPECT_EQ(poll(&p, 1, 2000), 1);
    int end = accept(server, NULL, NULL);
    EXPECT(end >= 0);
    char text[8];
    EXPECT_EQ(recv(end, text, sizeof text, MSG_DONTWAIT), 4);
    EXPECT_EQ(poll(&p, 1, 0), 0);
    close(end);
    close(client);
    close(server);
}

CHECK(accept_waits_no_longer_than_asked)
{
    union name name = loopback(AF_INET, 0);
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    int seconds = 1;
    EXPECT_OK(setsockopt(server, SOL_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds));
    EXPECT_OK(bind(server, &name.any, sizeof name.in));
    EXPECT_OK(listen(server, 5));
    name = local_name(server);
    EXPECT_OK(connect(client, &name.any, sizeof name.in));
    struct pollfd p = {server, POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 100), 0);
    EXPECT_EQ(poll(&p, 1, 8000), 1);
    int end = accept(server, NULL, NULL);
    EXPECT(end >= 0);
    close(end);
    close(client);
    close(server);
}

CHECK(segments_are_no_longer_than_asked)
{
    union name name = loopback(AF_INET, 0);
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    int size = 600;
    EXPECT_OK(bind(server, &name.any, sizeof name.in));
    EXPECT_OK(listen(server, 5));
    name = local_name(server);
    EXPECT_OK(setsockopt(client, SOL_TCP, TCP_MAXSEG, &size, sizeof size));
    EXPECT_OK(connect(client, &name.any, sizeof name.in));
    EXPECT(get_option(client, SOL_TCP, TCP_MAXSEG) <= 600);
    struct tcp_info info;
    socklen_t length = sizeof info;
    EXPECT_OK(getsockopt(client, SOL_TCP, TCP_INFO, &info, &length));
    EXPECT(info.tcpi_snd_mss <= 600);
    close(client);
    close(server);
}

CHECK(bind_to_device)
{
    char name[16] = "";
    socklen_t size = sizeof name;
    int fd = bound(AF_INET, SOCK_DGRAM);
    union name own = local_name(fd);
    EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
    EXPECT_EQ(size, 0);
    EXPECT_ERR(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nothere", 8), ENODEV);
    EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
    size = sizeof name;
    EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
    EXPECT_EQ(size, 3);
    EXPECT_STR(name, "lo");
    EXPECT_EQ(sendto(fd, "x", 1, 0, &own.any, sizeof own.in), 1);
    EXPECT_EQ(hear(fd, 0), 1);
    EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
    close(fd);
}

CHECK(datagrams_tell_where_they_came)
{
    int on = 1;
    for (unsigned i = 0; i < 2; i++) {
        int family = families[i], level = i == 0 ? SOL_IP : SOL_IPV6,
            fd = bound(family, SOCK_DGRAM);
        union name own = local_name(fd);
        EXPECT_OK(setsockopt(fd, level, i == 0 ? IP_PKTINFO : IPV6_RECVPKTINFO, &on, sizeof on));
        EXPECT_OK(setsockopt(fd, level, i == 0 ? IP_RECVTTL : IPV6_RECVHOPLIMIT, &on, sizeof on));
        EXPECT_OK(setsockopt(fd, level, i == 0 ? IP_RECVTOS : IPV6_RECVTCLASS, &on, sizeof on));
        EXPECT_EQ(sendto(fd, "x", 1, 0, &own.any, name_size(&own)), 1);
        EXPECT_EQ(hear(fd, 0), 1);
        EXPECT_EQ(in.header.msg_flags, 0);
        if (i == 0) {
            const struct in_pktinfo *info = record(SOL_IP, IP_PKTINFO);
            EXPECT(info != NULL);
            EXPECT_EQ(info->ipi_ifindex, 1);
            EXPECT_EQ(info->ipi_addr.s_addr, own.in.sin_addr.s_addr);
            EXPECT_EQ(info->ipi_spec_dst.s_addr, own.in.sin_addr.s_addr);
        } else {
            const struct in6_pktinfo *info = record(SOL_IPV6, IPV6_PKTINFO);
            EXPECT(info != NULL);
            EXPECT_EQ(info->ipi6_ifindex, 1);
            EXPECT_EQ(memcmp(&info->ipi6_addr, &own.in6.sin6_addr, 16), 0);
        }
        const int *ttl = record(level, i == 0 ? IP_TTL : IPV6_HOPLIMIT);
        EXPECT(ttl != NULL);
        EXPECT_EQ(*ttl, 64);
        const unsigned char *tos = record(level, i == 0 ? IP_TOS : IPV6_TCLASS);
        EXPECT(tos != NULL);
        EXPECT_EQ(*tos, 0);
        close(fd);
    }
}

CHECK(control_data_rules_one_datagram)
{
    int on = 1, ttl = 5, tos = 40;
    for (unsigned i = 0; i < 2; i++) {
        int family = families[i], level = i == 0 ? SOL_IP : SOL_IPV6,
            fd = bound(family, SOCK_DGRAM);
        union name own = local_name(fd);
        EXPECT_OK(setsockopt(fd, level, i == 0 ? IP_RECVTTL : IPV6_RECVHOPLIMIT, &on, sizeof on));
        EXPECT_OK(setsockopt(fd, level, i == 0 ? IP_RECVTOS : IPV6_RECVTCLASS, &on, sizeof on));
        EXPECT_EQ(tell(fd, &own, level, i == 0 ? IP_TTL : IPV6_HOPLIMIT, &ttl, sizeof ttl), 1);
        EXPECT_EQ(hear(fd, 0), 1);
        EXPECT_EQ(*(int *)record(level, i == 0 ? IP_TTL : IPV6_HOPLIMIT), 5);
        EXPECT_EQ(tell(fd, &own, level, i == 0 ? IP_TOS : IPV6_TCLASS, &tos, sizeof tos), 1);
        EXPECT_EQ(hear(fd, 0), 1);
        EXPECT_EQ(*(unsigned char *)record(level, i == 0 ? IP_TOS : IPV6_TCLASS), 40);
        EXPECT_EQ(*(int *)record(level, i == 0 ? IP_TTL : IPV6_HOPLIMIT), 64);
        int wrong = 300;
        EXPECT_ERR(tell(fd, &own, level, i == 0 ? IP_TTL : IPV6_HOPLIMIT, &wrong, sizeof wrong),
                   EINVAL);
        EXPECT_ERR(tell(fd, &own, level, 99, &wrong, sizeof wrong), EINVAL);
        close(fd);
    }
}

CHECK(time_of_arrival)
{
    int on = 1, fd = bound(AF_INET, SOCK_DGRAM);
    union name own = local_name(fd);
    struct timespec now;
    EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on));
    EXPECT_EQ(sendto(fd, "x", 1, 0, &own.any, sizeof own.in), 1);
    EXPECT_EQ(hear(fd, 0), 1);
    const struct timeval *stamp = record(SOL_SOCKET, SO_TIMESTAMP);
    EXPECT(stamp != NULL);
    clock_gettime(CLOCK_REALTIME, &now);
    EXPECT(now.tv_sec - stamp->tv_sec <= 2 && stamp->tv_usec < 1000000);
    EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on));
    EXPECT_EQ(sendto(fd, "x", 1, 0, &own.any, sizeof own.in), 1);
    EXPECT_EQ(hear(fd, 0), 1);
    EXPECT(record(SOL_SOCKET, SO_TIMESTAMPNS) != NULL);
    EXPECT(record(SOL_SOCKET, SO_TIMESTAMP) == NULL);
    close(fd);
}

CHECK(nobody_listens_there)
{
    for (unsigned i = 0; i < 2; i++) {
        int fd = bound(families[i], SOCK_DGRAM), other = bound(families[i], SOCK_DGRAM);
        union name gone = local_name(other);
        char byte;
        close(other);
        EXPECT_EQ(sendto(fd, "x", 1, 0, &gone.any, name_size(&gone)), 1);
        EXPECT_ERR(recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN); // unconnected: not told
        EXPECT_OK(connect(fd, &gone.any, name_size(&gone)));
        EXPECT_EQ(send(fd, "x", 1, 0), 1);
        EXPECT_ERR(recv(fd, &byte, 1, MSG_DONTWAIT), ECONNREFUSED);
        EXPECT_ERR(recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN);
        EXPECT_EQ(send(fd, "x", 1, 0), 1);
        EXPECT_ERR(send(fd, "x", 1, 0), ECONNREFUSED);
        EXPECT_EQ(get_option(fd, SOL_SOCKET, SO_ERROR), 0);
        close(fd);
    }
}

CHECK(errors_with_their_source)
{
    int on = 1;
    for (unsigned i = 0; i < 2; i++) {
        int fd = bound(families[i], SOCK_DGRAM), other = bound(families[i], SOCK_DGRAM);
        int level = i == 0 ? SOL_IP : SOL_IPV6;
        union name gone = local_name(other);
        close(other);
        EXPECT_OK(setsockopt(fd, level, i == 0 ? IP_RECVERR : IPV6_RECVERR, &on, sizeof on));
        EXPECT_ERR(recv(fd, in.text, 1, MSG_ERRQUEUE), EAGAIN);
        EXPECT_EQ(sendto(fd, "quote", 5, 0, &gone.any, name_size(&gone)), 5);
        struct pollfd p = {fd, 0, 0};
        EXPECT_EQ(poll(&p, 1, 1000), 1);
        EXPECT_EQ(p.revents, POLLERR);
        long quoted = hear(fd, MSG_ERRQUEUE); // of IPv4, an error need not quote data (RFC 792)
        EXPECT(quoted == 5 || (i == 0 && quoted == 0));
        EXPECT_EQ(in.header.msg_flags, MSG_ERRQUEUE);
        EXPECT_EQ(memcmp(in.text, "quote", (size_t)quoted), 0);
        EXPECT_EQ(in.from.in.sin_port, gone.in.sin_port);
        const struct sock_extended_err *error = record(level, i == 0 ? IP_RECVERR : IPV6_RECVERR);
        EXPECT(error != NULL);
        EXPECT_EQ(error->ee_errno, ECONNREFUSED);
        EXPECT_EQ(error->ee_origin, i == 0 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6);
        EXPECT_EQ(error->ee_type, i == 0 ? 3 : 1);
        EXPECT_EQ(error->ee_code, i == 0 ? 3 : 4);
        EXPECT_EQ(SO_EE_OFFENDER(error)->sa_family, families[i]);
        close(fd);
    }
}

CHECK(groups_over_loopback)
{
    struct ip_mreqn group = {.imr_ifindex = 1};
    group.imr_multiaddr.s_addr = htonl(0xe1020304);
    union name to = {.in = {.sin_family = AF_INET, .sin_addr = group.imr_multiaddr}};
    union name any = {.in = {.sin_family = AF_INET}};
    int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
    setsockopt(a, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(b, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    EXPECT_OK(bind(a, &any.any, sizeof any.in));
    any.in.sin_port = to.in.sin_port = htons((uint16_t)local_port(a));
    EXPECT_OK(bind(b, &any.any, sizeof any.in));
    EXPECT_OK(setsockopt(a, SOL_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
    EXPECT_ERR(setsockopt(a, SOL_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), EADDRINUSE);
    EXPECT_OK(setsockopt(a, SOL_IP, IP_MULTICAST_IF, &group, sizeof group));
    EXPECT_EQ(sendto(a, "x", 1, 0, &to.any, sizeof to.in), 1);
    EXPECT_EQ(hear(a, 0), 1);
    EXPECT_EQ(hear(b, 0), 1); // IP_MULTICAST_ALL
    EXPECT_OK(setsockopt(a, SOL_IP, IP_DROP_MEMBERSHIP, &group, sizeof group));
    EXPECT_ERR(setsockopt(a, SOL_IP, IP_DROP_MEMBERSHIP, &group, sizeof group), EADDRNOTAVAIL);
    group.imr_ifindex = 99;
    EXPECT_ERR(setsockopt(a, SOL_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), ENODEV);
    group.imr_ifindex = 1;
    group.imr_multiaddr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_ERR(setsockopt(a, SOL_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), EINVAL);
    EXPECT_ERR(setsockopt(a, SOL_IP, IP_ADD_MEMBERSHIP, &group, 4), EINVAL);
    close(a);
    close(b);
}

CHECK(groups_by_either_form)
{
    struct group_req request = {.gr_interface = 1};
    struct sockaddr_in *v4 = (void *)&request.gr_group;
    struct sockaddr_in6 *v6 = (void *)&request.gr_group;
    struct ipv6_mreq old = {.ipv6mr_interface = 1};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xe1020305)};
    EXPECT_OK(setsockopt(fd, SOL_IP, MCAST_JOIN_GROUP, &request, sizeof request));
    EXPECT_ERR(setsockopt(fd, SOL_IP, MCAST_JOIN_GROUP, &request, sizeof request), EADDRINUSE);
    EXPECT_OK(setsockopt(fd, SOL_IP, MCAST_LEAVE_GROUP, &request, sizeof request));
    EXPECT_ERR(setsockopt(fd, SOL_IP, MCAST_LEAVE_GROUP, &request, sizeof request), EADDRNOTAVAIL);
    close(fd);
    fd = socket(AF_INET6, SOCK_DGRAM, 0);
    memset(&request.gr_group, 0, sizeof request.gr_group);
    v6->sin6_family = AF_INET6;
    EXPECT_EQ(inet_pton(AF_INET6, "ff02::1:2:3", &v6->sin6_addr), 1);
    EXPECT_OK(setsockopt(fd, SOL_IPV6, MCAST_JOIN_GROUP, &request, sizeof request));
    old.ipv6mr_multiaddr = v6->sin6_addr;
    EXPECT_OK(setsockopt(fd, SOL_IPV6, IPV6_DROP_MEMBERSHIP, &old, sizeof old));
    EXPECT_OK(setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &old, sizeof old));
    old.ipv6mr_interface = 99;
    EXPECT_ERR(setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &old, sizeof old), ENODEV);
    old.ipv6mr_interface = 256 + 1;
    EXPECT_ERR(setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &old, sizeof old), ENODEV);
    EXPECT_ERR(setsockopt(fd, SOL_IPV6, IPV6_MULTICAST_IF, &(int){99}, sizeof(int)), ENODEV);
    EXPECT_OK(setsockopt(fd, SOL_IPV6, IPV6_MULTICAST_IF, &(int){1}, sizeof(int)));
    EXPECT_EQ(get_option(fd, SOL_IPV6, IPV6_MULTICAST_IF), 1);
    close(fd);
}

static uint16_t checksum(const void *data, size_t size)
{
    const unsigned char *at = data;
    unsigned sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += i & 1 ? at[i] : (unsigned)at[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

CHECK(raw_socket_sees_headers)
{
    struct {
        struct icmphdr icmp;
        char text[8];
    } echo = {.icmp = {.type = ICMP_ECHO}, .text = "remora"};
    union name to = loopback(AF_INET, 0);
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    EXPECT(fd >= 0);
    echo.icmp.un.echo.id = 0x1234;
    echo.icmp.checksum = checksum(&echo, sizeof echo);
    EXPECT_EQ(sendto(fd, &echo, sizeof echo, 0, &to.any, sizeof to.in), sizeof echo);
    const struct iphdr *ip = (void *)in.text;
    const struct icmphdr *icmp = (void *)(in.text + 20);
    for (int i = 0; i < 2; i++) { // the request, and the answer
        EXPECT_EQ(hear(fd, 0), 20 + sizeof echo);
        EXPECT_EQ(ip->version, 4);
        EXPECT_EQ(ip->ihl, 5);
        EXPECT_EQ(ntohs(ip->tot_len), 20 + sizeof echo);
        EXPECT_EQ(ip->protocol, IPPROTO_ICMP);
        EXPECT_EQ(in.from.in.sin_family, AF_INET);
        EXPECT_EQ(ntohl(in.from.in.sin_addr.s_addr), INADDR_LOOPBACK);
        EXPECT_EQ(icmp->type, i == 0 ? ICMP_ECHO : ICMP_ECHOREPLY);
        EXPECT_EQ(icmp->un.echo.id, 0x1234);
        EXPECT_EQ(checksum(icmp, sizeof echo), 0);
    }
    close(fd);
}

CHECK(raw_icmp_filter)
{
    struct icmphdr echo = {.type = ICMP_ECHO};
    union name to = loopback(AF_INET, 0);
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    unsigned filter = ~(1u << ICMP_ECHOREPLY);
    EXPECT_OK(setsockopt(fd, SOL_RAW, 1, &filter, sizeof filter));
    echo.checksum = checksum(&echo, sizeof echo);
    EXPECT_EQ(sendto(fd, &echo, sizeof echo, 0, &to.any, sizeof to.in), sizeof echo);
    EXPECT_EQ(hear(fd, 0), 28);
    EXPECT_EQ(in.text[20], ICMP_ECHOREPLY);
    EXPECT_ERR(recv(fd, in.text, 1, MSG_DONTWAIT), EAGAIN);
    close(fd);
}

CHECK(raw_socket_of_ipv6)
{
    struct icmp6hdr echo = {.icmp6_type = ICMPV6_ECHO_REQUEST};
    union name to = loopback(AF_INET6, 0);
    int fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    unsigned filter[8];
    EXPECT(fd >= 0);
    memset(filter, 0xff, sizeof filter);
    filter[4] = ~2u; // 129
    EXPECT_OK(setsockopt(fd, SOL_ICMPV6, 1, filter, sizeof filter));
    EXPECT_EQ(sendto(fd, &echo, sizeof echo, 0, &to.any, sizeof to.in6), sizeof echo);
    EXPECT_EQ(hear(fd, 0), sizeof echo);
    EXPECT_EQ((unsigned char)in.text[0], ICMPV6_ECHO_REPLY); // without IP header
    EXPECT_EQ(in.from.any.sa_family, AF_INET6);
    close(fd);
}

CHECK(raw_checksum_lies_in_the_packet)
{
    union name to = loopback(AF_INET6, 0);
    int fd = socket(AF_INET6, SOCK_RAW, 253), at = 0x7ffffffe, odd = 3;
    EXPECT_OK(setsockopt(fd, SOL_IPV6, IPV6_CHECKSUM, &at, sizeof at));
    EXPECT_ERR(sendto(fd, "text", 4, 0, &to.any, sizeof to.in6), EINVAL);
    EXPECT_ERR(setsockopt(fd, SOL_IPV6, IPV6_CHECKSUM, &odd, sizeof odd), EINVAL);
    at = 4;
    EXPECT_OK(setsockopt(fd, SOL_IPV6, IPV6_CHECKSUM, &at, sizeof at));
    EXPECT_ERR(sendto(fd, "text", 4, 0, &to.any, sizeof to.in6), EINVAL);
    EXPECT_EQ(sendto(fd, "text\0\0", 6, 0, &to.any, sizeof to.in6), 6);
    close(fd);
}

CHECK(raw_socket_with_own_header)
{
    struct {
        struct iphdr ip;
        char text[4];
    } packet = {.ip = {.version = 4, .ihl = 5, .ttl = 77, .protocol = 253}, .text = "own"};
    union name to = loopback(AF_INET, 0);
    int sender = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), receiver = socket(AF_INET, SOCK_RAW, 253);
    packet.ip.daddr = to.in.sin_addr.s_addr;
    EXPECT_EQ(sendto(sender, &packet, sizeof packet, 0, &to.any, sizeof to.in), sizeof packet);
    EXPECT_EQ(hear(receiver, 0), sizeof packet);
    EXPECT_EQ(((struct iphdr *)in.text)->ttl, 77);
    EXPECT_EQ(ntohl(((struct iphdr *)in.text)->saddr), INADDR_LOOPBACK);
    EXPECT_STR(in.text + 20, "own");
    EXPECT_EQ(get_option(sender, SOL_IP, IP_HDRINCL), 1);
    EXPECT_EQ(get_option(receiver, SOL_IP, IP_HDRINCL), 0);
    EXPECT_ERR(sendto(sender, &packet, 10, 0, &to.any, sizeof to.in), EINVAL);
    close(sender);
    close(receiver);
}

CHECK(raw_socket_errors)
{
    union name to = loopback(AF_INET, 0);
    EXPECT_ERR(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
    EXPECT_ERR(socket(AF_INET, SOCK_RAW, 300), EINVAL);
    EXPECT_ERR(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
    EXPECT_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    EXPECT_ERR(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP), EPROTONOSUPPORT);
    int fd = socket(AF_INET, SOCK_RAW, 253);
    EXPECT_ERR(send(fd, "x", 1, 0), EDESTADDRREQ);
    EXPECT_ERR(listen(fd, 1), EOPNOTSUPP);
    to.in.sin_addr.s_addr = htonl(0x01020304);
    EXPECT_ERR(bind(fd, &to.any, sizeof to.in), EADDRNOTAVAIL);
    to = loopback(AF_INET, 0);
    EXPECT_OK(connect(fd, &to.any, sizeof to.in));
    EXPECT_EQ(send(fd, "x", 1, 0), 1);
    EXPECT_EQ(hear(fd, 0), 21);
    close(fd);
}

CHECK(echo_sockets)
{
    int range = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);
    if (range >= 0)
        write(range, "0 2147483647", 12);
    close(range);
    for (unsigned i = 0; i < 2; i++) {
        struct icmphdr echo = {.type = i == 0 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST};
        union name to = loopback(families[i], 0);
        int fd = socket(families[i], SOCK_DGRAM, i == 0 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
        EXPECT(fd >= 0);
        echo.un.echo.sequence = htons(5);
        EXPECT_EQ(sendto(fd, &echo, sizeof echo, 0, &to.any, name_size(&to)), sizeof echo);
        EXPECT_EQ(hear(fd, 0), sizeof echo);
        const struct icmphdr *reply = (void *)in.text;
        EXPECT_EQ(reply->type, i == 0 ? ICMP_ECHOREPLY : ICMPV6_ECHO_REPLY);
        EXPECT_EQ(ntohs(reply->un.echo.sequence), 5);
        EXPECT_EQ(ntohs(reply->un.echo.id), local_port(fd));
        union name same = loopback(families[i], local_port(fd));
        int other = socket(families[i], SOCK_DGRAM, i == 0 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
        EXPECT_OK(bind(other, &same.any, name_size(&same)));
        close(other);
        echo.type = 99;
        EXPECT_ERR(sendto(fd, &echo, sizeof echo, 0, &to.any, name_size(&to)), EINVAL);
        EXPECT_ERR(sendto(fd, &echo, 3, 0, &to.any, name_size(&to)), EINVAL);
        close(fd);
    }
}

CHECK(linger_waits_for_the_end)
{
    struct linger linger = {1, 5}, found;
    union name name = loopback(AF_INET, 0);
    static char data[100000];
    socklen_t size = sizeof found;
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(bind(server, &name.any, sizeof name.in));
    EXPECT_OK(listen(server, 1));
    name = local_name(server);
    EXPECT_OK(connect(client, &name.any, sizeof name.in));
    int end = accept(server, NULL, NULL);
    EXPECT_OK(setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    EXPECT_OK(getsockopt(client, SOL_SOCKET, SO_LINGER, &found, &size));
    EXPECT_EQ(found.l_linger, 5);
    EXPECT_EQ(send(client, data, sizeof data, 0), sizeof data);
    EXPECT_OK(close(client));
    EXPECT_EQ(recv(end, data, sizeof data, MSG_WAITALL), sizeof data);
    EXPECT_EQ(recv(end, data, 1, 0), 0);
    close(end);
    client = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect(client, &name.any, sizeof name.in));
    end = accept(server, NULL, NULL);
    linger.l_linger = 0; // the other end is reset
    EXPECT_OK(setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    close(client);
    EXPECT_ERR(recv(end, data, 1, 0), ECONNRESET);
    close(end);
    close(server);
}
