/* SPDX-License-Identifier: MIT */
/*
 * The network stack between a fake device and sockets: the input is a series of steps, each a frame
 * that arrives (bytes as they are, or put into valid headers so that they get far; TCP segments
 * that answer what was sent), a call of a socket, or time that passes. What the stack sends is
 * looked at: frames and their offloads have to make sense.
 */
#include "../unit/net/stack_fake.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SOCKETS 6

static const uint8_t *at, *end;
static struct {
    struct inet_sock *sock;
    struct socket socket;
} open_sockets[SOCKETS];
static uint8_t frame[70000];

static uint8_t take_byte(void)
{
    return at < end ? *at++ : 0;
}

static unsigned take_word(void)
{
    unsigned high = take_byte();

    return high << 8 | take_byte();
}

static size_t take_bytes(uint8_t *to, size_t size)
{
    size_t left = (size_t)(end - at);

    if (size > left)
        size = left;
    memcpy(to, at, size);
    at += size;
    return size;
}

static void put16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, uint32_t value)
{
    put16(to, value >> 16);
    put16(to + 2, value & 0xffff);
}

static uint32_t get32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static void ethernet(unsigned type)
{
    memcpy(frame, stack_fake_mac, 6);
    memcpy(frame + 6, "\2peer!", 6);
    put16(frame + 12, type);
}

/* An IPv4 header for `size` bytes behind it, with a right sum. */
static void ipv4(unsigned protocol, size_t size, unsigned fragment)
{
    uint8_t *ip = frame + 14;
    uint32_t sum = 0;

    ethernet(0x0800);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)size + 20);
    put16(ip + 6, fragment);
    ip[8] = 64;
    ip[9] = (uint8_t)protocol;
    memcpy(ip + 12, stack_fake_peer, 4);
    memcpy(ip + 16, stack_fake_address, 4);
    for (unsigned i = 0; i < 20; i += 2)
        sum += (unsigned)ip[i] << 8 | ip[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    put16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
}

static void ipv6(unsigned protocol, size_t size)
{
    uint8_t *ip = frame + 14;

    ethernet(0x86dd);
    memset(ip, 0, 40);
    ip[0] = 0x60;
    put16(ip + 4, (unsigned)size);
    ip[6] = (uint8_t)protocol;
    ip[7] = 255;
    ip[8] = 0xfe;
    ip[9] = 0x80;
    ip[23] = 1;
    memcpy(ip + 24, stack_fake_address6, 16);
}

static void raw_frame(void)
{
    size_t size = take_bytes(frame, 14 + take_byte() * 6u);

    if (size < 14)
        return;
    if (take_byte() & 1)
        memcpy(frame, stack_fake_mac, 6);
    stack_fake_receive(frame, size, take_byte());
}

/* Any transport in a valid IP header. */
static void packet(bool is_v6)
{
    unsigned protocol = take_byte(), flags = take_byte();
    unsigned fragment = flags & 1 ? take_word() : 0;
    size_t head = is_v6 ? 54 : 34, size = take_bytes(frame + head, take_byte() * 4u);

    if (is_v6)
        ipv6(protocol, size);
    else
        ipv4(protocol, size, fragment);
    stack_fake_receive(frame, head + size, NETBUF_CSUM_VALID);
}

static void datagram(void)
{
    unsigned port = take_byte() & 1 ? STACK_FAKE_PORT : 68;
    size_t size = take_bytes(frame + 42, take_byte() * 5u);

    put16(frame + 34, take_word());
    put16(frame + 36, port);
    put16(frame + 38, (unsigned)size + 8);
    put16(frame + 40, 0);
    ipv4(17, size + 8, 0);
    stack_fake_receive(frame, 42 + size, NETBUF_CSUM_VALID);
}

/* An answer of a DHCP server to what the client asked last. */
static void lease(void)
{
    static const uint8_t fixed[8] = {2, 1, 6, 0};
    uint8_t *dhcp = frame + 42;
    size_t options;

    memset(dhcp, 0, 236);
    memcpy(dhcp, fixed, sizeof(fixed));
    memcpy(dhcp + 4, stack_fake_dhcp_id, 4);
    memcpy(dhcp + 16, stack_fake_address, 4);
    memcpy(dhcp + 28, stack_fake_mac, 6);
    put32(dhcp + 236, 0x63825363);
    dhcp[240] = 53;
    dhcp[241] = 1;
    dhcp[242] = take_byte() % 9;
    options = take_bytes(dhcp + 243, take_byte());
    put16(frame + 34, 67);
    put16(frame + 36, 68);
    put16(frame + 38, (unsigned)options + 243 + 8);
    put16(frame + 40, 0);
    ipv4(17, options + 243 + 8, 0);
    stack_fake_receive(frame, 42 + 243 + options, NETBUF_CSUM_VALID);
}

/* A segment that answers the last one sent by a connection, more or less. */
static void segment(void)
{
    uint8_t *tcp = frame + 34;
    const uint8_t *sent = stack_fake_segment;
    unsigned flags = take_byte(), options = take_byte() % 11 * 4, skew = take_byte();
    size_t size;

    memset(tcp, 0, 20);
    if (stack_fake_segment_size >= 20 && !(skew & 0x80)) {
        memcpy(tcp, sent + 2, 2);
        memcpy(tcp + 2, sent, 2);
        memcpy(tcp + 4, sent + 8, 4);
        put32(tcp + 8, get32(sent + 4) + stack_fake_segment_length);
    } else { /* somebody new */
        put16(tcp, 1000 + (skew & 0x3f));
        put16(tcp + 2, STACK_FAKE_PORT);
        put32(tcp + 4, 0x1000u * skew);
    }
    if (skew & 0x40) {
        put32(tcp + 4, get32(tcp + 4) + (uint32_t)(int8_t)take_byte() * 16);
        put32(tcp + 8, get32(tcp + 8) + (uint32_t)(int8_t)take_byte() * 64);
    }
    tcp[12] = (uint8_t)((20 + options) / 4 << 4);
    tcp[13] = (uint8_t)flags;
    put16(tcp + 14, take_word());
    memset(tcp + 20, 1, options);
    take_bytes(tcp + 20, options);
    size = take_byte() * (skew & 0x20 ? 200u : 8u);
    memset(tcp + 20 + options, 'x', size);
    ipv4(6, 20 + options + size, 0);
    stack_fake_receive(frame, 54 + options + size, NETBUF_CSUM_VALID);
}

static void arp(void)
{
    uint8_t *arp = frame + 14;

    ethernet(0x0806);
    memcpy(arp, "\0\1\x08\0\6\4\0\1", 8);
    arp[7] = 1 + (take_byte() & 1);
    memcpy(arp + 8, "\2peer!", 6);
    memcpy(arp + 14, stack_fake_peer, 4);
    memcpy(arp + 18, stack_fake_mac, 6);
    memcpy(arp + 24, stack_fake_address, 4);
    arp[take_byte() % 28] ^= take_byte();
    stack_fake_receive(frame, 42 + take_byte() % 19, 0);
}

/* ---- sockets ---- */

static void close_socket(unsigned i, bool abort)
{
    struct inet_sock *sock = open_sockets[i].sock;

    if (sock == NULL)
        return;
    open_sockets[i].sock = NULL;
    sock->transport->close(sock, abort);
    inet_sock_unref(sock);
}

static struct inet_sock *open_socket(unsigned i, const struct transport_ops *transport)
{
    struct inet_sock *sock;

    close_socket(i, take_byte() & 1);
    stack_fake_socket(&open_sockets[i].socket, transport == &tcp_transport);
    sock = inet_sock_alloc(transport);
    sock->socket = &open_sockets[i].socket;
    open_sockets[i].socket.protocol = sock;
    if (transport->open(sock) != 0)
        __builtin_trap();
    open_sockets[i].sock = sock;
    return sock;
}

static void call_socket(void)
{
    struct inet_address to = {.family = AF_INET, .port = STACK_FAKE_PORT};
    struct inet_packet packet = {.ttl = -1, .tos = -1};
    unsigned i = take_byte() % SOCKETS, flags = take_byte() & (MSG_PEEK | MSG_MORE | MSG_TRUNC);
    struct inet_sock *sock = open_sockets[i].sock, *child;
    struct io io = stack_fake_io(take_word());

    memcpy(to.bytes, stack_fake_peer, 4);
    switch (take_byte() % 9) {
    case 0:
        sock = open_socket(i, &tcp_transport);
        if (sock->transport->connect(sock, &to) == 0)
            __builtin_trap();
        return;
    case 1:
        sock = open_socket(i, &tcp_transport);
        memset(to.bytes, 0, sizeof(to.bytes));
        if (sock->transport->bind(sock, &to) == 0)
            sock->transport->listen(sock, 3);
        return;
    case 2:
        sock = open_socket(i, &udp_transport);
        memset(to.bytes, 0, sizeof(to.bytes));
        sock->transport->bind(sock, &to);
        return;
    default:
        break;
    }
    if (sock == NULL)
        return;
    switch (take_byte() % 6) {
    case 0:
        if (sock->transport->accept == NULL || (child = sock->transport->accept(sock)) == NULL)
            return;
        i = (i + 1) % SOCKETS;
        close_socket(i, false);
        stack_fake_socket(&open_sockets[i].socket, true);
        child->socket = &open_sockets[i].socket;
        open_sockets[i].socket.protocol = child;
        open_sockets[i].sock = child;
        return;
    case 1:
    case 2:
        sock->transport->receive(sock, &io, &packet, &flags);
        return;
    case 3:
        packet.address = to;
        sock->transport->send(sock, &io, &packet, flags & MSG_MORE);
        return;
    case 4:
        sock->transport->shutdown(sock, 1 + take_byte() % 3);
        return;
    default:
        close_socket(i, take_byte() & 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    at = data;
    end = data + size;
    stack_fake_start(take_byte());
    while (at < end) {
        switch (take_byte() % 12) {
        case 0:
            raw_frame();
            break;
        case 1:
            packet(false);
            break;
        case 2:
            packet(true);
            break;
        case 3:
            datagram();
            break;
        case 4:
            lease();
            break;
        case 5:
            arp();
            break;
        case 6:
            stack_fake_time(take_byte() * 20u);
            break;
        case 7:
        case 8:
            segment();
            break;
        default:
            call_socket();
        }
    }
    for (unsigned i = 0; i < SOCKETS; i++)
        close_socket(i, true);
    stack_fake_stop();
    return 0;
}
