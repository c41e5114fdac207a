// SPDX-License-Identifier: MIT
// NETLINK_ROUTE, the ioctls on network devices, /proc/net and /sys/class/net, as far as they are
// about loopback: the one interface that every machine has.
#include "inet.h"
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

static int open_route(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

static struct {
    struct nlmsghdr header;
    char body[512];
} request;

// A request with a body; attributes come by add().
static void ask(int type, int flags, const void *body, size_t size)
{
    memset(&request, 0, sizeof request);
    request.header = (struct nlmsghdr){.nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
                                       .nlmsg_type = (uint16_t)type,
                                       .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
                                       .nlmsg_seq = 7};
    memcpy(request.body, body, size);
}

static void add(int type, const void *value, size_t size)
{
    struct rtattr *attribute = (void *)((char *)&request + NLMSG_ALIGN(request.header.nlmsg_len));
    attribute->rta_type = (uint16_t)type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(size);
    memcpy(RTA_DATA(attribute), value, size);
    request.header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(request.header.nlmsg_len) + RTA_LENGTH(size));
}

static long talk(int fd)
{
    return send(fd, &request, request.header.nlmsg_len, 0);
}

static char answer[16384];

// The next packet; its first message.
static struct nlmsghdr *hear(int fd)
{
    long n = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    return n >= (long)sizeof(struct nlmsghdr) ? (struct nlmsghdr *)answer : NULL;
}

static int error_of(const struct nlmsghdr *message)
{
    const struct nlmsgerr *error = NLMSG_DATA(message);
    return message && message->nlmsg_type == NLMSG_ERROR ? error->error : 1;
}

static const void *find(const struct nlmsghdr *message, size_t header, int type)
{
    long left = (long)message->nlmsg_len - (long)NLMSG_SPACE(header);
    const struct rtattr *at =
        (const void *)((const char *)NLMSG_DATA(message) + NLMSG_ALIGN(header));
    for (; RTA_OK(at, left); at = RTA_NEXT(at, left))
        if (at->rta_type == type)
            return RTA_DATA(at);
    return NULL;
}

CHECK(netlink_sockets)
{
    struct sockaddr_nl name = {.nl_family = AF_NETLINK}, other;
    socklen_t size = sizeof name;
    int a = open_route(), b = open_route();
    EXPECT(a >= 0 && b >= 0);
    EXPECT_ERR(socket(AF_NETLINK, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
    EXPECT_ERR(socket(AF_NETLINK, SOCK_RAW, 40), EPROTONOSUPPORT);
    EXPECT_OK(bind(a, (void *)&name, sizeof name));
    EXPECT_OK(getsockname(a, (void *)&name, &size));
    EXPECT_EQ(size, sizeof name);
    EXPECT(name.nl_pid != 0);
    size = sizeof other;
    EXPECT_OK(bind(b, (void *)&(struct sockaddr_nl){.nl_family = AF_NETLINK}, sizeof other));
    EXPECT_OK(getsockname(b, (void *)&other, &size));
    EXPECT(other.nl_pid != name.nl_pid);
    close(b);
    b = open_route();
    EXPECT_ERR(bind(b, (void *)&name, sizeof name), EADDRINUSE);
    EXPECT_ERR(bind(b, (void *)&name, 4), EINVAL);
    EXPECT_ERR(listen(b, 1), EOPNOTSUPP);
    EXPECT_ERR(recv(b, answer, 10, MSG_DONTWAIT), EAGAIN);
    EXPECT_ERR(accept(b, NULL, NULL), EOPNOTSUPP);
    close(a);
    close(b);
}

CHECK(links_are_dumped)
{
    struct ifinfomsg body = {0};
    int fd = open_route();
    ask(RTM_GETLINK, NLM_F_DUMP, &body, sizeof body);
    EXPECT_EQ(talk(fd), request.header.nlmsg_len);
    struct nlmsghdr *message = hear(fd);
    EXPECT(message != NULL);
    EXPECT_EQ(message->nlmsg_type, RTM_NEWLINK);
    EXPECT_EQ(message->nlmsg_flags & NLM_F_MULTI, NLM_F_MULTI);
    EXPECT_EQ(message->nlmsg_seq, 7);
    struct ifinfomsg *link = NLMSG_DATA(message);
    EXPECT_EQ(link->ifi_index, 1);
    EXPECT_EQ(link->ifi_type, 772);
    EXPECT_EQ(link->ifi_flags, IFF_UP | IFF_LOOPBACK | IFF_RUNNING | 0x10000);
    EXPECT_STR(find(message, sizeof *link, IFLA_IFNAME), "lo");
    EXPECT_EQ(*(uint32_t *)find(message, sizeof *link, IFLA_MTU), 65536);
    EXPECT_EQ(*(uint8_t *)find(message, sizeof *link, IFLA_OPERSTATE), 0);
    EXPECT_STR(find(message, sizeof *link, IFLA_QDISC), "noqueue");
    EXPECT(find(message, sizeof *link, IFLA_ADDRESS) != NULL);
    EXPECT(find(message, sizeof *link, IFLA_STATS64) != NULL);
    bool done = false;
    do { // in the same packet or the next
        int left = sizeof answer;
        for (; NLMSG_OK(message, left) && message->nlmsg_len; message = NLMSG_NEXT(message, left))
            if (message->nlmsg_type == NLMSG_DONE)
                done = true;
        memset(answer, 0, sizeof answer);
    } while (!done && (message = hear(fd)) != NULL);
    EXPECT(done);
    close(fd);
}

CHECK(links_by_name)
{
    struct ifinfomsg body = {0};
    int fd = open_route();
    ask(RTM_GETLINK, 0, &body, sizeof body);
    add(IFLA_IFNAME, "lo", 3);
    EXPECT_EQ(talk(fd), request.header.nlmsg_len);
    struct nlmsghdr *message = hear(fd);
    EXPECT(message != NULL);
    EXPECT_EQ(message->nlmsg_type, RTM_NEWLINK);
    EXPECT_EQ(message->nlmsg_flags, 0);
    ask(RTM_GETLINK, NLM_F_ACK, &body, sizeof body);
    add(IFLA_IFNAME, "nothere", 8);
    talk(fd);
    EXPECT_EQ(error_of(hear(fd)), -ENODEV);
    body.ifi_index = 1;
    ask(RTM_GETLINK, NLM_F_ACK, &body, sizeof body);
    talk(fd);
    message = hear(fd);
    EXPECT_EQ(message->nlmsg_type, RTM_NEWLINK);
    EXPECT_EQ(error_of(hear(fd)), 0);
    body.ifi_index = 99;
    ask(RTM_GETLINK, 0, &body, sizeof body);
    talk(fd);
    EXPECT_EQ(error_of(hear(fd)), -ENODEV);
    close(fd);
}

CHECK(what_is_not_understood)
{
    struct ifinfomsg body = {0};
    int fd = open_route();
    ask(1000, 0, &body, sizeof body);
    talk(fd);
    EXPECT_EQ(error_of(hear(fd)), -EOPNOTSUPP);
    ask(RTM_GETLINK, NLM_F_ACK, &body, 0); // not even a family: passed over
    talk(fd);
    EXPECT_EQ(error_of(hear(fd)), 0);
    ask(NLMSG_NOOP, NLM_F_ACK, &body, sizeof body);
    talk(fd);
    EXPECT_EQ(error_of(hear(fd)), 0);
    request.header.nlmsg_flags = 0; // no request: dropped
    talk(fd);
    EXPECT(hear(fd) == NULL);
    request.header.nlmsg_len = 4000;
    EXPECT_EQ(send(fd, &request, 16, 0), 16); // cut short: dropped
    EXPECT(hear(fd) == NULL);
    close(fd);
}

CHECK(addresses_are_dumped)
{
    struct ifaddrmsg body = {.ifa_family = AF_INET};
    int fd = open_route();
    ask(RTM_GETADDR, NLM_F_DUMP, &body, sizeof body);
    talk(fd);
    struct nlmsghdr *message = hear(fd);
    EXPECT(message != NULL);
    EXPECT_EQ(message->nlmsg_type, RTM_NEWADDR);
    struct ifaddrmsg *address = NLMSG_DATA(message);
    EXPECT_EQ(address->ifa_family, AF_INET);
    EXPECT_EQ(address->ifa_prefixlen, 8);
    EXPECT_EQ(address->ifa_scope, RT_SCOPE_HOST);
    EXPECT_EQ(address->ifa_flags, IFA_F_PERMANENT);
    EXPECT_EQ(address->ifa_index, 1);
    EXPECT_EQ(ntohl(*(uint32_t *)find(message, sizeof *address, IFA_LOCAL)), INADDR_LOOPBACK);
    EXPECT_STR(find(message, sizeof *address, IFA_LABEL), "lo");
    close(fd);
    fd = open_route();
    body.ifa_family = AF_INET6;
    ask(RTM_GETADDR, NLM_F_DUMP, &body, sizeof body);
    talk(fd);
    message = hear(fd);
    EXPECT_EQ(message->nlmsg_type, RTM_NEWADDR);
    address = NLMSG_DATA(message);
    EXPECT_EQ(address->ifa_family, AF_INET6);
    EXPECT_EQ(address->ifa_prefixlen, 128);
    EXPECT_EQ(memcmp(find(message, sizeof *address, IFA_ADDRESS), &in6addr_loopback, 16), 0);
    close(fd);
}

CHECK(the_length_is_told_before)
{
    struct ifaddrmsg body = {.ifa_family = AF_INET};
    int fd = open_route();
    ask(RTM_GETADDR, NLM_F_DUMP, &body, sizeof body);
    talk(fd);
    long n = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    EXPECT(n > 40);
    EXPECT_EQ(recv(fd, answer, sizeof answer, MSG_DONTWAIT), n);
    struct sockaddr_nl from;
    ask(RTM_GETADDR, NLM_F_DUMP, &body, sizeof body);
    while (recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0)
        ;
    talk(fd);
    struct iovec part = {answer, 20};
    struct msghdr header = {
        .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
    EXPECT_EQ(recvmsg(fd, &header, MSG_DONTWAIT), 20);
    EXPECT_EQ(header.msg_flags, MSG_TRUNC);
    EXPECT_EQ(header.msg_namelen, sizeof from);
    EXPECT_EQ(from.nl_family, AF_NETLINK);
    EXPECT_EQ(from.nl_pid, 0);
    close(fd);
}

CHECK(route_to_an_address)
{
    struct rtmsg body = {.rtm_family = AF_INET, .rtm_dst_len = 32};
    uint32_t to = htonl(INADDR_LOOPBACK);
    int fd = open_route();
    ask(RTM_GETROUTE, 0, &body, sizeof body);
    add(RTA_DST, &to, sizeof to);
    talk(fd);
    struct nlmsghdr *message = hear(fd);
    EXPECT(message != NULL);
    EXPECT_EQ(message->nlmsg_type, RTM_NEWROUTE);
    struct rtmsg *route = NLMSG_DATA(message);
    EXPECT_EQ(route->rtm_table, RT_TABLE_MAIN);
    EXPECT_EQ(route->rtm_type, RTN_LOCAL);
    EXPECT_EQ(route->rtm_dst_len, 32);
    EXPECT_EQ(route->rtm_flags & RTM_F_CLONED, RTM_F_CLONED);
    EXPECT_EQ(*(uint32_t *)find(message, sizeof *route, RTA_OIF), 1);
    EXPECT_EQ(*(uint32_t *)find(message, sizeof *route, RTA_PREFSRC), to);
    close(fd);
}

CHECK(addresses_come_and_go)
{
    struct ifaddrmsg body = {.ifa_family = AF_INET6, .ifa_prefixlen = 64, .ifa_index = 1};
    struct in6_addr address = {.s6_addr = {0xfd, 0x12, [15] = 9}};
    int fd = open_route(), listener = open_route(), group = RTNLGRP_IPV6_IFADDR;
    EXPECT_OK(bind(listener, (void *)&(struct sockaddr_nl){.nl_family = AF_NETLINK}, 12));
    EXPECT_OK(setsockopt(listener, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group));
    ask(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    add(IFA_LOCAL, &address, sizeof address);
    talk(fd);
    EXPECT_EQ(error_of(hear(fd)), 0);
    struct pollfd p = {listener, POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 2000), 1);
    struct nlmsghdr *message = hear(listener);
    EXPECT_EQ(message->nlmsg_type, RTM_NEWADDR);
    talk(fd);
    EXPECT_EQ(error_of(hear(fd)), -EEXIST);
    int user = socket(AF_INET6, SOCK_DGRAM, 0);
    union name name = {.in6 = {.sin6_family = AF_INET6, .sin6_addr = address}};
    for (int i = 0; i < 200 && bind(user, &name.any, sizeof name.in6); i++)
        usleep(10000); // while the address is tentative
    EXPECT(local_port(user) != 0);
    close(user);
    while (hear(listener) != NULL)
        ;
    request.header.nlmsg_type = RTM_DELADDR;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    talk(fd);
    EXPECT_EQ(error_of(hear(fd)), 0);
    EXPECT_EQ(poll(&p, 1, 2000), 1);
    do
        message = hear(listener);
    while (message && message->nlmsg_type != RTM_DELADDR);
    EXPECT(message != NULL);
    talk(fd);
    EXPECT_EQ(error_of(hear(fd)), -EADDRNOTAVAIL);
    body.ifa_index = 99;
    ask(RTM_NEWADDR, NLM_F_ACK, &body, sizeof body);
    add(IFA_LOCAL, &address, sizeof address);
    talk(fd);
    EXPECT_EQ(error_of(hear(fd)), -ENODEV);
    close(fd);
    close(listener);
}

CHECK(netlink_options)
{
    int fd = open_route(), value = 1;
    socklen_t size = sizeof value;
    EXPECT_OK(setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &value, sizeof value));
    EXPECT_OK(setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &value, sizeof value));
    EXPECT_OK(setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &value, sizeof value));
    value = 0;
    EXPECT_OK(getsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &value, &size));
    EXPECT_EQ(value, 1);
    EXPECT_ERR(setsockopt(fd, SOL_NETLINK, 99, &value, sizeof value), ENOPROTOOPT);
    EXPECT_ERR(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &(int){0}, sizeof value),
               EINVAL);
    EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &value, &size));
    EXPECT_EQ(value, NETLINK_ROUTE);
    unsigned groups[2] = {7, 7};
    EXPECT_OK(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &size));
    EXPECT_EQ(groups[0], 0);
    EXPECT_EQ(groups[1], 7); // behind the room that was given
    close(fd);
}

CHECK(interfaces_by_libc)
{
    struct ifaddrs *list;
    char name[IF_NAMESIZE];
    bool v4 = false, v6 = false, packet = false;
    EXPECT_OK(getifaddrs(&list));
    for (struct ifaddrs *at = list; at; at = at->ifa_next) {
        if (!at->ifa_addr || strcmp(at->ifa_name, "lo"))
            continue;
        v4 |= at->ifa_addr->sa_family == AF_INET;
        v6 |= at->ifa_addr->sa_family == AF_INET6;
        packet |= at->ifa_addr->sa_family == AF_PACKET;
    }
    freeifaddrs(list);
    EXPECT(v4 && v6 && packet);
    EXPECT_EQ(if_nametoindex("lo"), 1);
    EXPECT_EQ(if_nametoindex("nothere"), 0);
    EXPECT_EQ(errno, ENODEV);
    EXPECT_STR(if_indextoname(1, name), "lo");
    EXPECT(if_indextoname(99, name) == NULL);
    EXPECT_EQ(errno, ENXIO);
}

CHECK(ioctls_on_devices)
{
    struct ifreq r = {.ifr_name = "lo"};
    struct sockaddr_in *in = (void *)&r.ifr_addr;
    int fd = socket(AF_INET, SOCK_DGRAM, 0), local = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_OK(ioctl(fd, SIOCGIFFLAGS, &r));
    EXPECT_EQ(r.ifr_flags, IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
    EXPECT_OK(ioctl(local, SIOCGIFINDEX, &r));
    EXPECT_EQ(r.ifr_ifindex, 1);
    EXPECT_OK(ioctl(fd, SIOCGIFMTU, &r));
    EXPECT_EQ(r.ifr_mtu, 65536);
    EXPECT_OK(ioctl(fd, SIOCGIFHWADDR, &r));
    EXPECT_EQ(r.ifr_hwaddr.sa_family, 772);
    EXPECT_OK(ioctl(fd, SIOCGIFADDR, &r));
    EXPECT_EQ(ntohl(in->sin_addr.s_addr), INADDR_LOOPBACK);
    EXPECT_OK(ioctl(fd, SIOCGIFNETMASK, &r));
    EXPECT_EQ(ntohl(in->sin_addr.s_addr), 0xff000000);
    EXPECT_OK(ioctl(fd, SIOCGIFBRDADDR, &r));
    EXPECT_EQ(in->sin_addr.s_addr, 0);
    EXPECT_OK(ioctl(fd, SIOCGIFTXQLEN, &r));
    EXPECT_EQ(r.ifr_qlen, 1000);
    r.ifr_flags = IFF_UP;
    EXPECT_OK(ioctl(fd, SIOCSIFFLAGS, &r));
    strcpy(r.ifr_name, "nothere");
    EXPECT_ERR(ioctl(fd, SIOCGIFFLAGS, &r), ENODEV);
    EXPECT_ERR(ioctl(fd, SIOCSIFFLAGS, &r), ENODEV);
    EXPECT_ERR(ioctl(fd, SIOCGIFINDEX, &r), ENODEV);
    r.ifr_ifindex = 99;
    EXPECT_ERR(ioctl(fd, SIOCGIFNAME, &r), ENODEV);
    r.ifr_ifindex = 1;
    EXPECT_OK(ioctl(fd, SIOCGIFNAME, &r));
    EXPECT_STR(r.ifr_name, "lo");
    EXPECT_ERR(ioctl(fd, SIOCGIFFLAGS, BAD_POINTER), EFAULT);
    EXPECT_ERR(ioctl(fd, 0x8801, &r), ENOTTY);
    close(fd);
    close(local);
}

CHECK(interfaces_by_ioctl)
{
    struct ifreq requests[8];
    struct ifconf list = {.ifc_len = sizeof requests, .ifc_req = requests};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_OK(ioctl(fd, SIOCGIFCONF, &list));
    EXPECT(list.ifc_len >= (int)sizeof(struct ifreq));
    EXPECT_STR(requests[0].ifr_name, "lo");
    EXPECT_EQ(requests[0].ifr_addr.sa_family, AF_INET);
    int length = list.ifc_len;
    list = (struct ifconf){.ifc_len = 0};
    EXPECT_OK(ioctl(fd, SIOCGIFCONF, &list));
    EXPECT_EQ(list.ifc_len, length);
    close(fd);
}

static const char *text_of(const char *path)
{
    static char text[8192];
    int fd = open(path, O_RDONLY);
    long n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    close(fd);
    text[n < 0 ? 0 : n] = 0;
    return text;
}

CHECK(interfaces_in_sys)
{
    EXPECT_STR(text_of("/sys/class/net/lo/address"), "00:00:00:00:00:00\n");
    EXPECT_STR(text_of("/sys/class/net/lo/broadcast"), "00:00:00:00:00:00\n");
    EXPECT_STR(text_of("/sys/class/net/lo/mtu"), "65536\n");
    EXPECT_STR(text_of("/sys/class/net/lo/type"), "772\n");
    EXPECT_STR(text_of("/sys/class/net/lo/ifindex"), "1\n");
    EXPECT_STR(text_of("/sys/class/net/lo/operstate"), "unknown\n");
    EXPECT_STR(text_of("/sys/class/net/lo/flags"), "0x9\n");
    EXPECT_STR(text_of("/sys/class/net/lo/carrier"), "1\n");
    EXPECT(*text_of("/sys/class/net/lo/statistics/rx_bytes") != 0);
}

CHECK(sockets_in_proc)
{
    char wanted[64];
    int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET6, SOCK_DGRAM, 0);
    union name v4 = loopback(AF_INET, 0), v6 = loopback(AF_INET6, 0);
    EXPECT_OK(bind(tcp, &v4.any, sizeof v4.in));
    EXPECT_OK(listen(tcp, 4));
    EXPECT_OK(bind(udp, &v6.any, sizeof v6.in6));
    snprintf(wanted, sizeof wanted, " 0100007F:%04X 00000000:0000 0A ", local_port(tcp));
    EXPECT(strstr(text_of("/proc/net/tcp"), wanted) != NULL);
    EXPECT(strstr(text_of("/proc/net/tcp6"), wanted) == NULL);
    snprintf(wanted, sizeof wanted, " 00000000000000000000000001000000:%04X ", local_port(udp));
    EXPECT(strstr(text_of("/proc/net/udp6"), wanted) != NULL);
    struct stat st;
    EXPECT_OK(fstat(tcp, &st));
    snprintf(wanted, sizeof wanted, " %lu 1 ", st.st_ino);
    EXPECT(strstr(text_of("/proc/net/tcp"), wanted) != NULL);
    EXPECT(strstr(text_of("/proc/net/dev"), "    lo:") != NULL);
    EXPECT(strstr(text_of("/proc/net/if_inet6"),
                  "00000000000000000000000000000001 01 80 10 80       lo\n") != NULL);
    EXPECT(!strncmp(text_of("/proc/net/route"), "Iface\tDestination\tGateway \tFlags\t", 33));
    EXPECT(!strncmp(text_of("/proc/net/arp"), "IP address       HW type     Flags", 34));
    close(tcp);
    close(udp);
}
