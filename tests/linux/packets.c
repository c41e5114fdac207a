// SPDX-License-Identifier: MIT
// Packet sockets on loopback, as root: frames in and out, names, options.
#include "inet.h"
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

static int open_on_loopback(int type, int protocol)
{
    struct sockaddr_ll name = {
        .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol), .sll_ifindex = 1};
    int fd = socket(AF_PACKET, type, 0);
    if (bind(fd, (void *)&name, sizeof name))
        return -1;
    return fd;
}

static struct {
    unsigned char bytes[256];
    struct sockaddr_ll from;
    _Alignas(8) char space[128];
    struct iovec part;
    struct msghdr header;
} in;

static long hear(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    memset(&in, 0, sizeof in);
    in.part = (struct iovec){in.bytes, sizeof in.bytes};
    in.header = (struct msghdr){.msg_name = &in.from,
                                .msg_namelen = sizeof in.from,
                                .msg_iov = &in.part,
                                .msg_iovlen = 1,
                                .msg_control = in.space,
                                .msg_controllen = sizeof in.space};
    poll(&p, 1, 2000);
    return recvmsg(fd, &in.header, MSG_DONTWAIT);
}

// A datagram to nobody in particular, which leaves by loopback.
static int send_datagram(int fd)
{
    union name to = loopback(AF_INET, 9999);
    return (int)sendto(fd, "remora", 6, 0, &to.any, sizeof to.in);
}

CHECK(packets_without_header)
{
    int fd = open_on_loopback(SOCK_DGRAM, ETH_P_IP), udp = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT(fd >= 0);
    EXPECT_EQ(send_datagram(udp), 6);
    EXPECT_EQ(hear(fd), 34);
    const struct iphdr *ip = (void *)in.bytes;
    EXPECT_EQ(ip->version, 4);
    EXPECT_EQ(ip->protocol, IPPROTO_UDP);
    EXPECT_EQ(memcmp(in.bytes + 28, "remora", 6), 0);
    EXPECT_EQ(in.header.msg_namelen, 20); // sizeof struct sockaddr_ll is 20
    EXPECT_EQ(in.from.sll_family, AF_PACKET);
    EXPECT_EQ(in.from.sll_ifindex, 1);
    EXPECT_EQ(in.from.sll_protocol, htons(ETH_P_IP));
    EXPECT_EQ(in.from.sll_hatype, 772);
    EXPECT_EQ(in.from.sll_pkttype, PACKET_HOST);
    EXPECT_EQ(in.from.sll_halen, 6);
    close(fd);
    close(udp);
}

CHECK(frames_both_ways)
{
    int fd = open_on_loopback(SOCK_RAW, ETH_P_ALL), udp = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT(fd >= 0);
    while (recv(fd, in.bytes, 1, MSG_DONTWAIT) > 0)
        ;
    EXPECT_EQ(send_datagram(udp), 6);
    for (int i = 0; i < 2; i++) { // on its way out, then in
        EXPECT_EQ(hear(fd), 48);
        EXPECT_EQ(in.bytes[12] << 8 | in.bytes[13], ETH_P_IP);
        EXPECT_EQ(in.bytes[0], 0);
        EXPECT_EQ(in.from.sll_pkttype, i == 0 ? PACKET_OUTGOING : PACKET_HOST);
    }
    close(fd);
    close(udp);
}

CHECK(frames_of_our_own)
{
    int out = open_on_loopback(SOCK_RAW, 0), in_fd = open_on_loopback(SOCK_DGRAM, 0x88b5);
    unsigned char frame[60] = {[12] = 0x88, [13] = 0xb5, [14] = 'o', [15] = 'w', [16] = 'n'};
    EXPECT(out >= 0 && in_fd >= 0);
    EXPECT_EQ(send(out, frame, sizeof frame, 0), sizeof frame);
    EXPECT_EQ(hear(in_fd), 46);
    EXPECT_STR((char *)in.bytes, "own");
    EXPECT_ERR(send(out, frame, 10, 0), EINVAL);
    EXPECT_ERR(send(out, BAD_POINTER, 60, 0), EFAULT);
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_halen = 6};
    int datagrams = socket(AF_PACKET, SOCK_DGRAM, 0);
    EXPECT_ERR(sendto(datagrams, "payload", 7, 0, (void *)&to, sizeof to), ENXIO);
    to.sll_ifindex = 1;
    EXPECT_EQ(sendto(datagrams, "payload", 7, 0, (void *)&to, sizeof to), 7);
    EXPECT_EQ(hear(in_fd), 7);
    EXPECT_EQ(memcmp(in.bytes, "payload", 7), 0);
    close(datagrams);
    close(out);
    close(in_fd);
}

CHECK(a_frame_as_large_as_loopback_takes)
{
    static unsigned char frame[65536 + 14] = {[12] = 0x88, [13] = 0xb5};
    int out = open_on_loopback(SOCK_RAW, 0);
    ssize_t sent = send(out, frame, sizeof frame, 0);
    EXPECT(sent == sizeof frame || (sent == -1 && errno == EMSGSIZE));
    EXPECT_ERR(send(out, frame, sizeof frame + 100, 0), EMSGSIZE);
    close(out);
}

CHECK(packet_names)
{
    struct sockaddr_ll name = {0};
    socklen_t size = sizeof name;
    int fd = open_on_loopback(SOCK_RAW, ETH_P_ARP);
    EXPECT_OK(getsockname(fd, (void *)&name, &size));
    EXPECT_EQ(name.sll_family, AF_PACKET);
    EXPECT_EQ(name.sll_ifindex, 1);
    EXPECT_EQ(name.sll_protocol, htons(ETH_P_ARP));
    EXPECT_EQ(name.sll_hatype, 772);
    EXPECT_ERR(getpeername(fd, (void *)&name, &size), EOPNOTSUPP);
    EXPECT_ERR(listen(fd, 1), EOPNOTSUPP);
    EXPECT_ERR(connect(fd, (void *)&name, sizeof name), EOPNOTSUPP);
    EXPECT_ERR(recv(fd, in.bytes, 1, MSG_DONTWAIT), EAGAIN);
    name.sll_ifindex = 99;
    EXPECT_ERR(bind(fd, (void *)&name, sizeof name), ENODEV);
    EXPECT_ERR(bind(fd, (void *)&name, 10), EINVAL);
    close(fd);
    EXPECT_ERR(socket(AF_PACKET, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
}

CHECK(packet_options)
{
    struct packet_mreq member = {.mr_ifindex = 1, .mr_type = PACKET_MR_PROMISC};
    struct tpacket_stats stats;
    socklen_t size = sizeof stats;
    int fd = open_on_loopback(SOCK_DGRAM, ETH_P_IP), udp = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
    EXPECT_OK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &member, sizeof member));
    EXPECT_OK(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &member, sizeof member));
    member.mr_ifindex = 99;
    EXPECT_ERR(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &member, sizeof member), ENODEV);
    EXPECT_ERR(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &member, 4), EINVAL);
    EXPECT_OK(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on));
    EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on));
    EXPECT_EQ(send_datagram(udp), 6);
    EXPECT_EQ(hear(fd), 34);
    bool aux = false, stamp = false;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&in.header); at; at = CMSG_NXTHDR(&in.header, at)) {
        const struct tpacket_auxdata *data = (void *)CMSG_DATA(at);
        stamp |= at->cmsg_level == SOL_SOCKET && at->cmsg_type == SO_TIMESTAMP;
        if (at->cmsg_level != SOL_PACKET || at->cmsg_type != PACKET_AUXDATA)
            continue;
        aux = true;
        EXPECT_EQ(data->tp_len, 34);
        EXPECT_EQ(data->tp_snaplen, 34);
        EXPECT(data->tp_status & TP_STATUS_USER);
    }
    EXPECT(aux && stamp);
    EXPECT_OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size));
    EXPECT(stats.tp_packets >= 1);
    EXPECT_EQ(stats.tp_drops, 0);
    EXPECT_ERR(setsockopt(fd, SOL_PACKET, 99, &on, sizeof on), ENOPROTOOPT);
    close(fd);
    close(udp);
}

// ---- datagrams that lie about their length, from a raw socket ----

// The header says `said`, with `size` bytes behind it, and no checksum.
static void send_lying(int raw, const union name *to, unsigned said, size_t size)
{
    unsigned char packet[sizeof(struct udphdr) + 100];
    struct udphdr header = {
        .source = htons(7), .dest = to->in.sin_port, .len = htons((uint16_t)said)};
    memset(packet, 'u', sizeof packet);
    memcpy(packet, &header, sizeof header);
    sendto(raw, packet, sizeof header + size, 0, &to->any, sizeof to->in);
}

CHECK(datagrams_have_the_length_they_say)
{
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP), udp = bound(AF_INET, SOCK_DGRAM);
    union name to = local_name(udp);
    char text[200];
    EXPECT(raw >= 0 && udp >= 0);
    send_lying(raw, &to, 8 + 100, 100);
    EXPECT_EQ(recv(udp, text, sizeof text, MSG_DONTWAIT), 100);
    send_lying(raw, &to, 8 + 40, 100);
    EXPECT_EQ(recv(udp, text, sizeof text, MSG_DONTWAIT), 40);
    send_lying(raw, &to, 8, 100);
    EXPECT_EQ(recv(udp, text, sizeof text, MSG_DONTWAIT), 0);
    send_lying(raw, &to, 7, 100);
    send_lying(raw, &to, 0, 100);
    send_lying(raw, &to, 8 + 101, 100);
    EXPECT_ERR(recv(udp, text, sizeof text, MSG_DONTWAIT), EAGAIN);
    close(raw);
    close(udp);
}
