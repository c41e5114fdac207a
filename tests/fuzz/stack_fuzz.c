/* SPDX-License-Identifier: MIT */
/*
 * The network stack between a fake device and sockets: the input is a series of steps, each a frame
 * that arrives (bytes as they are, or put into valid headers so that they get far; TCP segments
 * that answer what was sent), a call of a socket, or time that passes. What the stack sends is
 * looked at: frames and their offloads have to make sense.
 */
#include "../unit/net/stack_fake.h"

#include <stdlib.h>
#include <string.h>

#include <lib/endian.h>

#include "../../kernel/net/inet_proc.h"

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

static void ethernet(unsigned type)
{
    memcpy(frame, stack_fake_mac, 6);
    memcpy(frame + 6, "\2peer!", 6);
    store_be16(frame + 12, type);
}

/* An IPv4 header for `size` bytes behind it, with a right sum. */
static void ipv4(unsigned protocol, size_t size, unsigned fragment)
{
    uint8_t *ip = frame + 14;
    uint32_t sum = 0;

    ethernet(0x0800);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    store_be16(ip + 2, (unsigned)size + 20);
    store_be16(ip + 6, fragment);
    ip[8] = 64;
    ip[9] = (uint8_t)protocol;
    memcpy(ip + 12, stack_fake_peer, 4);
    memcpy(ip + 16, stack_fake_address, 4);
    for (unsigned i = 0; i < 20; i += 2)
        sum += (unsigned)ip[i] << 8 | ip[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    store_be16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
}

/* The sum of an ICMPv6 packet, which nobody leaves out. */
static void sum_icmp6(size_t size)
{
    uint8_t *ip = frame + 14, *icmp = frame + 54;
    uint32_t sum = (uint32_t)size + 58;

    frame[54 + size] = 0;
    icmp[2] = icmp[3] = 0;
    for (size_t i = 8; i < 40 + size; i += 2)
        sum += (unsigned)ip[i] << 8 | ip[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    store_be16(icmp + 2, ~(sum + (sum >> 16)) & 0xffff);
}

static void ipv6(unsigned protocol, size_t size)
{
    uint8_t *ip = frame + 14;

    ethernet(0x86dd);
    memset(ip, 0, 40);
    ip[0] = 0x60;
    store_be16(ip + 4, (unsigned)size);
    ip[6] = (uint8_t)protocol;
    ip[7] = 255;
    ip[8] = 0xfe;
    ip[9] = 0x80;
    ip[23] = 1;
    memcpy(ip + 24, stack_fake_address6, 16);
    if (protocol == 58 && size >= 4)
        sum_icmp6(size);
}

/* Whatever lies behind an IP header, which is put before it. */
static void receive_ip(bool is_v6, unsigned protocol, size_t size)
{
    if (is_v6)
        ipv6(protocol, size);
    else
        ipv4(protocol, size, 0);
    stack_fake_receive(frame, (is_v6 ? 54 : 34) + size, NETBUF_CSUM_VALID);
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
    unsigned kind = take_byte(), port = kind & 1 ? STACK_FAKE_PORT : 68;
    bool is_v6 = (kind & 2) != 0;
    uint8_t *udp = frame + (is_v6 ? 54 : 34);
    size_t size = take_bytes(udp + 8, take_byte() * 5u);

    store_be16(udp, take_word());
    store_be16(udp + 2, port);
    store_be16(udp + 4, (unsigned)size + 8);
    store_be16(udp + 6, 0);
    receive_ip(is_v6, 17, size + 8);
}

/* Pieces of one datagram, the last one or not. */
static void fragments(void)
{
    unsigned count = 1 + take_byte() % 4, offset = take_byte(), size = 8 * (1 + take_byte() % 180);

    for (unsigned i = 0; i < count; i++) {
        memset(frame + 34, take_byte(), size);
        store_be16(frame + 36, STACK_FAKE_PORT);
        store_be16(frame + 38, take_word());
        ipv4(17, size, offset | (i + 1 < count) << 13);
        stack_fake_receive(frame, 34 + size, NETBUF_CSUM_VALID);
        offset += size / 8;
    }
}

/* An error about the last frame that was sent, or most of it. */
static void icmp_error(void)
{
    unsigned type = take_byte(), code = take_byte(), cut = take_byte();
    bool is_v6 = stack_fake_frame[12] == 0x86;
    uint8_t *icmp = frame + (is_v6 ? 54 : 34);
    size_t size = stack_fake_frame_size > 14 ? stack_fake_frame_size - 14 : 0;

    icmp[0] = (uint8_t)type;
    icmp[1] = (uint8_t)code;
    store_be32(icmp + 4, take_word());
    memcpy(icmp + 8, stack_fake_frame + 14, size);
    if (cut < size)
        icmp[8 + cut] ^= take_byte();
    else if (cut & 1)
        size = size * (cut & 0x7f) / 128;
    receive_ip(is_v6, is_v6 ? 58 : 1, 8 + size);
}

/* A router advertisement, and what follows it: options with their sizes in units of 8 bytes. */
static void advertisement(void)
{
    uint8_t *icmp = frame + 54;
    size_t size = 16;

    memset(icmp, 0, size);
    icmp[0] = 134;
    icmp[4] = 64;
    store_be16(icmp + 6, take_word());
    for (unsigned count = take_byte() % 5; count != 0 && size < 1000; count--) {
        static const uint8_t kinds[8] = {1, 3, 5, 24, 25, 25, 31, 2};
        unsigned kind = take_byte(), units = take_byte() % 7;

        memset(icmp + size, 0, 64);
        icmp[size] = kinds[kind % 8];
        icmp[size + 1] = (uint8_t)units;
        take_bytes(icmp + size + 2, units != 0 ? units * 8 - 2 : 0);
        size += units != 0 ? units * 8 : 8;
    }
    receive_ip(true, 58, size - (take_byte() % 32 == 1));
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
    store_be32(dhcp + 236, 0x63825363);
    dhcp[240] = 53;
    dhcp[241] = 1;
    dhcp[242] = take_byte() % 9;
    options = take_bytes(dhcp + 243, take_byte());
    store_be16(frame + 34, 67);
    store_be16(frame + 36, 68);
    store_be16(frame + 38, (unsigned)options + 243 + 8);
    store_be16(frame + 40, 0);
    ipv4(17, options + 243 + 8, 0);
    stack_fake_receive(frame, 42 + 243 + options, NETBUF_CSUM_VALID);
}

/* A segment that answers the last one sent by a connection, more or less. */
static void segment(void)
{
    bool is_v6 = stack_fake_segment_is_v6;
    uint8_t *tcp = frame + (is_v6 ? 54 : 34);
    const uint8_t *sent = stack_fake_segment;
    unsigned flags = take_byte(), options = take_byte() % 11 * 4, skew = take_byte();
    size_t size;

    memset(tcp, 0, 20);
    if (stack_fake_segment_size >= 20 && !(skew & 0x80)) {
        memcpy(tcp, sent + 2, 2);
        memcpy(tcp + 2, sent, 2);
        memcpy(tcp + 4, sent + 8, 4);
        store_be32(tcp + 8, load_be32(sent + 4) + stack_fake_segment_length);
    } else { /* somebody new */
        store_be16(tcp, 1000 + (skew & 0x3f));
        store_be16(tcp + 2, STACK_FAKE_PORT);
        store_be32(tcp + 4, 0x1000u * skew);
    }
    if (skew & 0x40) {
        store_be32(tcp + 4, load_be32(tcp + 4) + (uint32_t)(int8_t)take_byte() * 16);
        store_be32(tcp + 8, load_be32(tcp + 8) + (uint32_t)(int8_t)take_byte() * 64);
    }
    tcp[12] = (uint8_t)((20 + options) / 4 << 4);
    tcp[13] = (uint8_t)flags;
    store_be16(tcp + 14, take_word());
    memset(tcp + 20, 1, options);
    take_bytes(tcp + 20, options);
    size = take_byte() * (skew & 0x20 ? 200u : 8u);
    memset(tcp + 20 + options, 'x', size);
    receive_ip(is_v6, 6, 20 + options + size);
}

/* Repeats the acknowledgement of what came before the last segments, telling of some behind it. */
static void selective(void)
{
    bool is_v6 = stack_fake_segment_is_v6;
    uint8_t *tcp = frame + (is_v6 ? 54 : 34);
    const uint8_t *sent = stack_fake_segment;
    unsigned before = take_byte(), blocks = 1 + take_byte() % 4;
    uint32_t last = load_be32(sent + 4), from;

    if (stack_fake_segment_size < 20)
        return;
    memset(tcp, 0, 20);
    memcpy(tcp, sent + 2, 2);
    memcpy(tcp + 2, sent, 2);
    memcpy(tcp + 4, sent + 8, 4);
    store_be32(tcp + 8, last - before * 100);
    tcp[13] = 0x10;
    store_be16(tcp + 14, 0xffff);
    memset(tcp + 20, 1, 40);
    tcp[22] = 5;
    tcp[23] = (uint8_t)(2 + 8 * blocks);
    for (unsigned i = 0; i < blocks; i++) {
        from = last - take_byte() * 100;
        store_be32(tcp + 24 + 8 * i, from);
        store_be32(tcp + 28 + 8 * i, from + take_byte() * 100);
    }
    tcp[12] = (uint8_t)((24 + 8 * blocks) / 4 << 4);
    receive_ip(is_v6, 6, 24 + 8 * blocks);
}

/* The peer's address is known from here. */
static void neighbour(void)
{
    uint8_t *icmp = frame + 54;

    memset(icmp, 0, 32);
    icmp[0] = 136;
    icmp[4] = take_byte() | 0x60;
    icmp[8] = 0xfe;
    icmp[9] = 0x80;
    icmp[23] = 1;
    memcpy(icmp + 24, "\2\1\2peer!", 8);
    receive_ip(true, 58, 32);
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
    net_leave_all_groups(sock);
    sock->transport->close(sock, abort);
    inet_sock_unref(sock);
}

static const struct transport_ops *const transports[8] = {
    &tcp_transport, &tcp_transport, &udp_transport, &udp_transport,
    &udp_transport, &raw_transport, &raw_transport, &echo_transport};

static struct inet_sock *open_socket(unsigned i)
{
    static const uint8_t protocols[4] = {17, 1, 255, 58};
    unsigned kind = take_byte();
    const struct transport_ops *transport = transports[kind & 7];
    struct inet_sock *sock;

    close_socket(i, kind & 0x80);
    stack_fake_socket(&open_sockets[i].socket, transport == &tcp_transport);
    open_sockets[i].socket.family = kind & 0x10 ? AF_INET6 : AF_INET;
    open_sockets[i].socket.reuse_port = (kind & 0x20) != 0;
    open_sockets[i].socket.broadcast = (kind & 0x40) != 0;
    sock = inet_sock_alloc(transport);
    sock->options.checksum_offset = -1;
    if (transport == &echo_transport)
        sock->ip_protocol = kind & 0x10 ? 58 : 1;
    else if (transport == &raw_transport)
        sock->ip_protocol = protocols[take_byte() & 3];
    sock->socket = &open_sockets[i].socket;
    open_sockets[i].socket.protocol = sock;
    if (transport->open(sock) != 0)
        __builtin_trap();
    open_sockets[i].sock = sock;
    return sock;
}

/* Addresses that a program may name; of the socket's family, as a rule. */
static struct inet_address take_address(const struct inet_sock *sock)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1}, group[4] = {224, 0, 0, 9};
    unsigned kind = take_byte(), port = take_byte();
    struct inet_address address = {.family = sock->socket->family};

    address.port = port & 1 ? STACK_FAKE_PORT : (uint16_t)(port * 100);
    if (address.family == AF_INET6 && !(kind & 0x10)) {
        address.bytes[0] = kind & 1 ? 0xff : 0xfe;
        address.bytes[1] = kind & 1 ? 2 : 0x80;
        address.bytes[15] = 1;
        address.scope = 2;
        if (kind & 2)
            memcpy(address.bytes, stack_fake_address6, 16);
        if (kind & 4)
            memset(address.bytes, 0, 15 + (kind & 1));
    } else {
        uint8_t *four = address.family == AF_INET ? address.bytes : address.bytes + 12;

        if (address.family == AF_INET6)
            address.bytes[10] = address.bytes[11] = 0xff;
        memcpy(four,
               kind & 1   ? stack_fake_address
               : kind & 2 ? loopback
               : kind & 4 ? group
                          : stack_fake_peer,
               4);
        if (kind & 8)
            memset(four, kind & 1 ? 0 : 0xff, 4);
    }
    if (kind == 0xff)
        address.family = AF_UNSPEC;
    return address;
}

static void change_options(struct inet_sock *sock)
{
    struct inet_options *options = &sock->options;
    unsigned bits = take_byte();

    options->receive = take_byte();
    options->no_delay = bits & 1;
    options->cork = bits & 2;
    options->multicast_loop = bits & 4;
    options->header_included = (bits & 8) && sock->transport == &raw_transport;
    options->multicast_interface = bits >> 6;
    options->free_bind = bits & 0x10;
    sock->socket->keep_alive = bits & 0x20;
    options->defer_accept_s = take_byte() & 3;
    options->max_segment = take_byte() * 8;
    options->user_timeout_ms = take_byte() * 100;
    options->not_sent_low = take_byte() * 16;
    options->mtu_discover = take_byte() % 6;
    options->minimum_ttl = take_byte();
    options->linger2_s = (int8_t)take_byte();
    options->window_clamp = take_byte() * 256;
    sock->socket->stamp = take_byte() & 1;
    sock->socket->receive_buffer = 4096 + take_byte() * 4096;
    sock->socket->send_buffer = 4096 + take_byte() * 4096;
    sock->transport->options_changed(sock);
}

static void accept_into(struct inet_sock *sock, unsigned i)
{
    struct inet_sock *child;

    if (sock->transport->accept == NULL || sock == open_sockets[i].sock)
        return;
    close_socket(i, false);
    stack_fake_socket(&open_sockets[i].socket, true);
    open_sockets[i].socket.family = sock->socket->family;
    child = sock->transport->accept(sock, &open_sockets[i].socket);
    if (child == NULL)
        return;
    open_sockets[i].socket.protocol = child;
    open_sockets[i].sock = child;
}

static void send_on(struct inet_sock *sock, struct io *io)
{
    unsigned how = take_byte();
    struct inet_packet packet = {.ttl = -1, .tos = -1};

    if (how & 1)
        packet.address = take_address(sock);
    if (how & 2)
        packet.ttl = packet.tos = how;
    if (how & 4)
        packet.interface = take_byte() & 3;
    if (how & 8)
        packet.local = take_address(sock);
    sock->transport->send(sock, io, &packet, how & 0x10 ? MSG_MORE : 0);
}

/* What a socket is told beside its bytes. */
static void ask(struct inet_sock *sock)
{
    struct inet_tcp_info info;
    struct inet_error *error = net_take_error(sock);
    char line[80];

    free(error);
    sock->transport->waiting(sock);
    if (sock->transport == &tcp_transport) {
        net_tcp_info(sock, &info);
        net_tcp_max_segment(sock);
    }
    for (unsigned i = 0; net_resolver_line(i, line, sizeof(line)); i++)
        ;
}

static void call_socket(void)
{
    struct inet_packet packet = {0};
    unsigned i = take_byte() % SOCKETS, flags = take_byte() & (MSG_PEEK | MSG_MORE | MSG_TRUNC);
    unsigned call = take_byte() % 14;
    struct inet_sock *sock = open_sockets[i].sock;
    struct io io = stack_fake_io(take_word());
    struct inet_address address;

    if (call == 0 || sock == NULL)
        sock = open_socket(i);
    switch (call) {
    case 1:
        address = take_address(sock);
        mutex_lock(&sock->read_lock); /* as inet_connect() has it */
        mutex_unlock(&sock->read_lock);
        sock->transport->connect(sock, &address);
        break;
    case 2:
        address = take_address(sock);
        sock->transport->bind(sock, &address);
        break;
    case 3:
        if (sock->transport->listen != NULL)
            sock->transport->listen(sock, 3);
        break;
    case 4:
        accept_into(sock, (i + 1) % SOCKETS);
        break;
    case 5:
    case 6:
        sock->transport->receive(sock, &io, &packet, &flags);
        break;
    case 7:
    case 8:
        send_on(sock, &io);
        break;
    case 9:
        sock->transport->shutdown(sock, 1 + take_byte() % 3);
        break;
    case 10:
        change_options(sock);
        break;
    case 11:
        address = take_address(sock);
        if (take_byte() & 1)
            net_join_group(sock, &address, take_byte() & 3);
        else
            net_leave_group(sock, &address, take_byte() & 3);
        break;
    case 12:
        ask(sock);
        break;
    case 13:
        close_socket(i, take_byte() & 1);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    at = data;
    end = data + size;
    stack_fake_start(take_byte());
    while (at < end) {
        switch (take_byte() % 20) {
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
            segment();
            break;
        case 8:
            selective();
            break;
        case 9:
            icmp_error();
            break;
        case 10:
            advertisement();
            break;
        case 11:
            fragments();
            break;
        case 12:
            neighbour();
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
