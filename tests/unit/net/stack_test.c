/* SPDX-License-Identifier: MIT */
/* What arrives broken, or lies about itself, and what routers say: frames to the stack. */
#include <unit.h>

#include "stack_fake.h"

#include <string.h>

#include <lib/endian.h>
#include <lib/errno.h>

#define PEER_PORT 1000

static uint8_t frame[2048];
static struct socket sockets[2];

static unsigned sum(const uint8_t *bytes, size_t size, uint32_t start)
{
    for (size_t i = 0; i < size; i++)
        start += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (start > 0xffff)
        start = (start & 0xffff) + (start >> 16);
    return ~start & 0xffff;
}

/* Sends what lies at frame + 34; `summed`: bytes of it that its checksum is to cover, at `field`.
 */
static void receive(unsigned protocol, size_t size, size_t summed, size_t field)
{
    static const uint8_t ethernet[14] = {2, 0, 0, 0, 0, 1, 2, 'p', 'e', 'e', 'r', '!', 8, 0};
    uint8_t *ip = frame + 14, *transport = ip + 20;

    memcpy(frame, ethernet, sizeof(ethernet));
    memset(ip, 0, 20);
    ip[0] = 0x45;
    store_be16(ip + 2, (unsigned)size + 20);
    ip[8] = 64;
    ip[9] = (uint8_t)protocol;
    memcpy(ip + 12, stack_fake_peer, 4);
    memcpy(ip + 16, stack_fake_address, 4);
    store_be16(ip + 10, sum(ip, 20, 0));
    store_be16(transport + field, 0);
    store_be16(
        transport + field,
        sum(transport, summed, (uint32_t)(protocol + summed) + (~sum(ip + 12, 8, 0) & 0xffff)));
    stack_fake_receive(frame, 34 + size, 0);
}

static void learn_peer(void)
{
    uint8_t *arp = frame + 14;

    memset(frame, 0, 60);
    memcpy(frame, stack_fake_mac, 6);
    memcpy(frame + 6, "\2peer!\x08\6\0\1\x08\0\6\4\0\1\2peer!", 22);
    memcpy(arp + 14, stack_fake_peer, 4);
    memcpy(arp + 24, stack_fake_address, 4);
    stack_fake_receive(frame, 60, 0);
}

static struct inet_sock *open_socket(const struct transport_ops *transport, unsigned i)
{
    struct inet_address address = {.family = AF_INET, .port = STACK_FAKE_PORT};
    struct inet_sock *sock = inet_sock_alloc(transport);

    stack_fake_socket(&sockets[i], transport == &tcp_transport);
    sock->socket = &sockets[i];
    sock->options.syn_count = 6;
    assert_int_equal(transport->open(sock), 0);
    assert_int_equal(transport->bind(sock, &address), 0);
    return sock;
}

static void close_socket(struct inet_sock *sock)
{
    sock->transport->close(sock, true);
    inet_sock_unref(sock);
}

static int start(void **state)
{
    (void)state;
    stack_fake_start(0);
    learn_peer();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    stack_fake_stop();
    return 0;
}

/* ---- datagrams ---- */

/* `size` bytes behind a UDP header that says `said`; the checksum covers `summed` of them. What the
 * socket has then. */
static int received_of(struct inet_sock *sock, size_t size, unsigned said, size_t summed)
{
    uint8_t *udp = frame + 34;
    struct io io = stack_fake_io(2000);
    struct inet_packet from = {0};
    unsigned flags = 0;

    memset(udp, 0x31, 8 + size);
    store_be16(udp, PEER_PORT);
    store_be16(udp + 2, STACK_FAKE_PORT);
    store_be16(udp + 4, said);
    receive(17, 8 + size, summed, 6);
    return (int)sock->transport->receive(sock, &io, &from, &flags);
}

static void udp_length_rules(void **state)
{
    struct inet_sock *sock = open_socket(&udp_transport, 0);

    (void)state;
    assert_int_equal(received_of(sock, 100, 108, 108), 100);
    assert_int_equal(received_of(sock, 100, 58, 58), 50);
    assert_int_equal(received_of(sock, 100, 8, 8), 0);
    assert_int_equal(received_of(sock, 100, 58, 108),
                     -EAGAIN); /* Linux: the sum is of what it says */
    assert_int_equal(received_of(sock, 100, 109, 108), -EAGAIN);
    assert_int_equal(received_of(sock, 100, 7, 108), -EAGAIN);
    assert_int_equal(received_of(sock, 100, 0, 108), -EAGAIN);
    close_socket(sock);
}

/* ---- connections ---- */

static uint32_t theirs;

/* A segment to the last one that the stack has sent. */
static void segment(unsigned flags, uint32_t sequence, const uint8_t *options, size_t options_size,
                    size_t size, bool broken)
{
    uint8_t *tcp = frame + 34;
    const uint8_t *sent = stack_fake_segment;
    size_t header = 20 + options_size;

    memset(tcp, 'x', header + size);
    store_be16(tcp, PEER_PORT);
    store_be16(tcp + 2, STACK_FAKE_PORT);
    store_be32(tcp + 4, sequence);
    store_be32(tcp + 8, flags & 0x10 ? load_be32(sent + 4) + stack_fake_segment_length : 0);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = (uint8_t)flags;
    store_be16(tcp + 14, 0xffff);
    store_be16(tcp + 18, 0);
    if (options_size != 0)
        memcpy(tcp + 20, options, options_size);
    receive(6, header + size, broken ? header + size - 1 : header + size, 16);
}

static unsigned sent_flags(void)
{
    unsigned flags = stack_fake_segment_size >= 20 ? stack_fake_segment[13] & 0x3f : 0;

    stack_fake_segment_size = 0;
    return flags;
}

static struct inet_sock *listener;

static struct inet_sock *make_connection(void)
{
    static const uint8_t mss[4] = {2, 4, 5, 0xb4};
    struct inet_sock *sock;

    listener = open_socket(&tcp_transport, 0);
    assert_int_equal(listener->transport->listen(listener, 3), 0);
    segment(0x02, theirs, mss, sizeof(mss), 0, false);
    assert_int_equal(sent_flags(), 0x12);
    segment(0x10, ++theirs, NULL, 0, 0, false);
    stack_fake_socket(&sockets[1], true);
    sock = listener->transport->accept(listener, &sockets[1]);
    assert_non_null(sock);
    return sock;
}

/* A SYN with a wrong sum leaves a connection in TIME_WAIT what it is; a right one begins anew. */
static void broken_syn_in_time_wait(void **state)
{
    struct inet_sock *sock = make_connection();

    (void)state;
    assert_int_equal(sock->transport->shutdown(sock, INET_SHUT_WR), 0);
    assert_int_equal(sent_flags(), 0x11);
    segment(0x11, theirs++, NULL, 0, 0, false);
    assert_int_equal(sent_flags(), 0x10);
    segment(0x02, theirs + 100000, NULL, 0, 0, true);
    assert_int_equal(sent_flags(), 0);
    segment(0x11, theirs - 1, NULL, 0, 0, false); /* still waiting: acknowledged again */
    assert_int_equal(sent_flags(), 0x10);
    segment(0x02, theirs + 100000, NULL, 0, 0, false);
    assert_int_equal(sent_flags(), 0x12);
    close_socket(sock);
    close_socket(listener);
}

static void broken_syn_is_dropped(void **state)
{
    (void)state;
    listener = open_socket(&tcp_transport, 0);
    assert_int_equal(listener->transport->listen(listener, 3), 0);
    segment(0x02, theirs, NULL, 0, 0, true);
    assert_int_equal(sent_flags(), 0);
    close_socket(listener);
}

/* The largest of the segments that were sent; all of `size` bytes. */
static unsigned largest(struct inet_sock *sock, size_t size)
{
    struct inet_packet to = {.ttl = -1, .tos = -1};
    struct io io = stack_fake_io(size);

    stack_fake_longest = 0;
    assert_int_equal(sock->transport->send(sock, &io, &to, 0), size);
    return stack_fake_longest;
}

/* A router tells that the last packet was too long for what comes behind it. */
static void tell_mtu(unsigned mtu)
{
    uint8_t *icmp = frame + 34;
    size_t size = stack_fake_frame_size - 14;

    memset(icmp, 0, 8);
    icmp[0] = 3;
    icmp[1] = 4;
    store_be16(icmp + 6, mtu);
    memcpy(icmp + 8, stack_fake_frame + 14, size);
    receive(1, 8 + size, 8 + size, 2);
}

static void a_router_has_a_lower_mtu(void **state)
{
    struct inet_sock *sock = make_connection();

    (void)state;
    assert_int_equal(largest(sock, 4000), 1460);
    stack_fake_longest = 0;
    tell_mtu(900);
    assert_int_equal(stack_fake_longest, 860); /* what is on its way is sent again */
    segment(0x10, theirs, NULL, 0, 0, false);
    assert_int_equal(largest(sock, 3000), 860);
    tell_mtu(1200); /* longer than they are */
    assert_int_equal(largest(sock, 1000), 860);
    tell_mtu(68); /* no router has so little: Linux sends 552 bytes then */
    assert_int_equal(largest(sock, 1000), 512);
    close_socket(sock);
    close_socket(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(udp_length_rules, start, stop),
        cmocka_unit_test_setup_teardown(broken_syn_is_dropped, start, stop),
        cmocka_unit_test_setup_teardown(broken_syn_in_time_wait, start, stop),
        cmocka_unit_test_setup_teardown(a_router_has_a_lower_mtu, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
