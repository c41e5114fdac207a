/* SPDX-License-Identifier: MIT */
/*
 * Raw sockets (raw(7), ipv6(7)) and ICMP echo sockets (icmp(7), `ping` without privileges): every
 * packet of their protocol comes as a copy. An echo socket's port is the identifier of its echoes.
 */
#include <lib/errno.h>
#include <lib/string.h>

#include <lwip/icmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/raw.h>

#include "lwip_message.h"

#define PACKET_MAX    65535u
#define ICMP6_REQUEST 128
#define ICMP6_REPLY   129
#define ECHO_HEADER   8u

/* ---- in ---- */

/* The copy of a packet that starts `skip` bytes behind the header at p. */
static struct pbuf *copy_packet(struct pbuf *p, u16_t skip)
{
    struct pbuf *copy =
        p->tot_len >= skip ? pbuf_alloc(PBUF_RAW, (u16_t)(p->tot_len - skip), PBUF_RAM) : NULL;

    if (copy != NULL)
        pbuf_copy_partial(p, copy->payload, copy->tot_len, skip);
    return copy;
}

/* Loopback leaves checksums out; programs look at that of ICMP. */
static void complete_icmp(struct pbuf *packet, u16_t skip)
{
    uint8_t *icmp = (uint8_t *)packet->payload + skip;
    u16_t sum;

    if (packet->len < skip + 4u || icmp[2] != 0 || icmp[3] != 0)
        return;
    sum = inet_chksum(icmp, (u16_t)(packet->len - skip));
    memcpy(icmp + 2, &sum, sizeof(sum));
}

static bool is_filtered(const struct inet_sock *sock, const uint8_t *icmp)
{
    const uint32_t *filter = sock->options.icmp_filter;

    if (sock->ip_protocol == IP_PROTO_ICMP && sock->socket->family == AF_INET)
        return *icmp < 32 && (filter[0] >> *icmp & 1);
    return sock->ip_protocol == IP6_NEXTH_ICMP6 && (filter[*icmp / 32] >> *icmp % 32 & 1);
}

static u8_t on_raw(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    bool is_v6 = ip_current_is_v6();
    u16_t header = ip_current_header_tot_len();
    struct inet_sock *sock = arg;
    struct pbuf *copy = sock->socket != NULL ? copy_packet(p, is_v6 ? header : 0) : NULL;

    (void)pcb;
    if (copy == NULL)
        return 0;
    if (copy->len > (is_v6 ? 0 : header) &&
        is_filtered(sock, (uint8_t *)copy->payload + (is_v6 ? 0 : header))) {
        pbuf_free(copy);
        return 0;
    }
    if (!is_v6 && sock->ip_protocol == IP_PROTO_ICMP)
        complete_icmp(copy, header);
    net_datagram_add(sock, copy, from, 0);
    return 0;
}

static u8_t on_echo(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    struct inet_sock *sock = arg;
    u16_t header = ip_current_header_tot_len();
    uint8_t echo[ECHO_HEADER];
    struct pbuf *copy;

    (void)pcb;
    if (sock->socket == NULL || pbuf_copy_partial(p, echo, sizeof(echo), header) != sizeof(echo) ||
        echo[0] != (ip_current_is_v6() ? ICMP6_REPLY : ICMP_ER) ||
        (echo[4] << 8 | echo[5]) != sock->local.port)
        return 0;
    copy = copy_packet(p, header);
    if (copy == NULL)
        return 0;
    if (!ip_current_is_v6())
        complete_icmp(copy, 0);
    net_datagram_add(sock, copy, from, 0);
    return 0;
}

/* ---- the transport ---- */

static struct inet_sock *all; /* the lock of the stack */

struct inet_sock *net_raw_first(void)
{
    return all;
}

static void leave_list(struct inet_sock *sock)
{
    struct inet_sock **link = &all;

    while (*link != NULL && *link != sock)
        link = &(*link)->raw_next;
    if (*link == sock)
        *link = sock->raw_next;
}

static void set_options(const struct inet_sock *sock)
{
    struct raw_pcb *pcb = sock->pcb;

    net_message_options(sock, &(struct net_message_block){&pcb->mcast_ttl, &pcb->mcast_ifindex,
                                                          &pcb->flags, RAW_FLAGS_MULTICAST_LOOP});
}

static int open_as(struct inet_sock *sock, raw_recv_fn on_packet)
{
    bool is_v6 = sock->socket->family == AF_INET6;
    struct raw_pcb *pcb;

    net_lock();
    pcb = raw_new_ip_type(is_v6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4, sock->ip_protocol);
    if (pcb != NULL) {
        sock->pcb = pcb;
        sock->raw_next = all;
        all = sock;
        raw_recv(pcb, on_packet, sock);
        set_options(sock);
        if (is_v6 && sock->ip_protocol == IP6_NEXTH_ICMP6)
            sock->options.checksum_offset = 2;
        net_ready(sock, POLL_WRITABLE, true);
    }
    net_unlock();
    return pcb != NULL ? 0 : -ENOBUFS;
}

static int raw_open(struct inet_sock *sock)
{
    return open_as(sock, on_raw);
}

static int echo_open(struct inet_sock *sock)
{
    return open_as(sock, on_echo);
}

static void transport_close(struct inet_sock *sock, bool abort)
{
    (void)abort;
    net_lock();
    sock->socket = NULL;
    leave_list(sock);
    if (sock->pcb != NULL)
        raw_remove(sock->pcb);
    sock->pcb = NULL;
    net_datagrams_drop(sock);
    net_unlock();
}

static bool is_own(const ip_addr_t *ip)
{
    struct netif *netif;

    if (ip_addr_isany(ip) || ip_addr_ismulticast(ip))
        return true;
    NETIF_FOREACH(netif)
    {
        if (IP_IS_V4(ip) ? ip4_addr_eq(ip_2_ip4(ip), netif_ip4_addr(netif))
                         : netif_get_ip6_addr_match(netif, ip_2_ip6(ip)) >= 0)
            return true;
    }
    return IP_IS_V4(ip) && ip4_addr_isloopback(ip_2_ip4(ip));
}

static bool is_identifier_taken(uint16_t identifier)
{
    const struct inet_sock *sock = all;

    while (sock != NULL && (sock->transport != &echo_transport || sock->local.port != identifier))
        sock = sock->raw_next;
    return sock != NULL;
}

/* The identifier that is wanted, as on Linux even if another socket has it, or (0) one that none
 * has; -EADDRINUSE. */
static int choose_identifier(struct inet_sock *sock, uint16_t wanted)
{
    static uint16_t last;

    if (sock->transport != &echo_transport)
        return 0;
    for (unsigned tries = 0; wanted == 0 && tries <= UINT16_MAX; tries++) {
        if (++last != 0 && !is_identifier_taken(last))
            wanted = last;
    }
    if (wanted == 0)
        return -EADDRINUSE;
    sock->local.port = wanted;
    return 0;
}

static int transport_bind(struct inet_sock *sock, const struct inet_address *address)
{
    struct raw_pcb *pcb = sock->pcb;
    ip_addr_t ip;
    int error;

    net_lock();
    net_address_to_lwip(address, sock->socket->family == AF_INET6, &ip);
    if (sock->transport == &echo_transport && sock->local.port != 0) {
        error = -EINVAL;
    } else if (!sock->options.free_bind && !is_own(&ip)) {
        error = -EADDRNOTAVAIL;
    } else {
        error = choose_identifier(sock, address->port);
        if (error == 0) {
            uint16_t identifier = sock->local.port;

            error = net_errno(raw_bind(pcb, &ip));
            sock->local = *address;
            if (sock->transport == &echo_transport)
                sock->local.port = identifier;
        }
    }
    net_unlock();
    return error;
}

static int transport_connect(struct inet_sock *sock, const struct inet_address *to)
{
    struct raw_pcb *pcb = sock->pcb;
    struct netif *netif;
    ip_addr_t ip;
    int error = 0;

    net_lock();
    if (to->family == AF_UNSPEC) {
        raw_disconnect(pcb);
        WRITE_ONCE(sock->state, INET_NEW);
    } else {
        net_address_to_lwip(to, sock->socket->family == AF_INET6, &ip);
        if (ip_addr_isany(&ip))
            ip_addr_set_loopback(IP_IS_V6(&ip), &ip);
        netif = ip_route(&pcb->local_ip, &ip);
        if (netif == NULL) {
            error = -ENETUNREACH;
        } else {
            const ip_addr_t *source = ip_netif_get_local_ip(netif, &ip);

            raw_connect(pcb, &ip);
            net_address_from_lwip(&ip, to->port, &sock->peer);
            if (ip_addr_isany(&pcb->local_ip) && source != NULL)
                net_address_from_lwip(source, sock->local.port, &sock->local);
            error = choose_identifier(sock, sock->local.port);
            WRITE_ONCE(sock->state, INET_CONNECTED);
        }
    }
    net_unlock();
    return error;
}

/* ---- out ---- */

/* An echo request gets the socket's identifier; IPv4's checksum, too. */
static int complete_echo(struct inet_sock *sock, struct pbuf *p)
{
    bool is_v6 = sock->socket->family == AF_INET6;
    uint8_t *echo = p->payload;
    u16_t sum;

    if (p->len < ECHO_HEADER || echo[0] != (is_v6 ? ICMP6_REQUEST : ICMP_ECHO) || echo[1] != 0)
        return -EINVAL;
    if (sock->local.port == 0 && choose_identifier(sock, 0) != 0)
        return -EAGAIN;
    echo[2] = echo[3] = 0;
    echo[4] = (uint8_t)(sock->local.port >> 8);
    echo[5] = (uint8_t)sock->local.port;
    sum = inet_chksum(echo, p->len);
    if (!is_v6)
        memcpy(echo + 2, &sum, sizeof(sum));
    return 0;
}

/* A header that the program wrote (IP_HDRINCL): what it may leave to us is filled in. */
static int complete_header(struct pbuf *p, const ip_addr_t *source)
{
    static u16_t last_id;
    struct ip_hdr *header = p->payload;

    if (p->len < IP_HLEN || IPH_HL_BYTES(header) < IP_HLEN || IPH_HL_BYTES(header) > p->len)
        return -EINVAL;
    IPH_LEN_SET(header, lwip_htons(p->tot_len));
    if (header->src.addr == 0)
        header->src.addr = ip_2_ip4(source)->addr;
    if (IPH_ID(header) == 0)
        IPH_ID_SET(header, lwip_htons(++last_id));
    IPH_CHKSUM_SET(header, 0);
    IPH_CHKSUM_SET(header, inet_chksum(header, IPH_HL_BYTES(header)));
    return 0;
}

/* With the control data of the message in place of the socket's own. */
static int send_as(struct inet_sock *sock, struct pbuf *p, const struct inet_packet *to,
                   const ip_addr_t *ip)
{
    struct raw_pcb *pcb = sock->pcb;
    struct ip_pcb *fields = (struct ip_pcb *)pcb, own = *fields;
    u8_t own_ttl = pcb->mcast_ttl;
    int error;

    pcb->chksum_reqd = sock->options.checksum_offset >= 0;
    pcb->chksum_offset = (u16_t)(pcb->chksum_reqd ? sock->options.checksum_offset : 0);
    net_message_rule(to, fields, &pcb->mcast_ttl);
    error = net_errno(raw_sendto(pcb, p, ip));
    *fields = own;
    pcb->mcast_ttl = own_ttl;
    return error;
}

static int send_locked(struct inet_sock *sock, struct pbuf *p, const struct inet_packet *to)
{
    bool is_v6 = sock->socket->family == AF_INET6;
    struct raw_pcb *pcb = sock->pcb;
    const ip_addr_t *source;
    struct netif *netif;
    ip_addr_t ip;
    int error = net_message_route(sock, to, p->tot_len, &ip, &netif);

    if (IP_IS_V6(&ip) != is_v6)
        return -ENETUNREACH;
    if (error != 0)
        return error;
    source = ip_netif_get_local_ip(netif, &ip);
    if (source == NULL)
        return -ENETUNREACH;
    raw_clear_flags(pcb, RAW_FLAGS_HDRINCL);
    if (sock->transport == &echo_transport) {
        error = complete_echo(sock, p);
    } else if (sock->options.header_included && !is_v6) {
        raw_set_flags(pcb, RAW_FLAGS_HDRINCL);
        error = complete_header(p, source);
    }
    if (sock->options.checksum_offset >= 0 &&
        p->len < (size_t)sock->options.checksum_offset + sizeof(u16_t))
        error = -EINVAL;
    return error != 0 ? error : send_as(sock, p, to, &ip);
}

static ssize_t transport_send(struct inet_sock *sock, struct io *io, const struct inet_packet *to,
                              unsigned flags)
{
    (void)flags;
    return net_message_send(
        sock, io, to, PACKET_MAX - (sock->options.header_included ? 0 : IP_HLEN), send_locked);
}

static void options_changed(struct inet_sock *sock)
{
    net_lock();
    set_options(sock);
    net_unlock();
}

#define TRANSPORT(open_function)                                                               \
    {                                                                                          \
        .open = (open_function), .close = transport_close, .bind = transport_bind,             \
        .connect = transport_connect, .send = transport_send, .receive = net_datagram_receive, \
        .shutdown = net_message_shutdown, .waiting = net_datagram_waiting,                     \
        .options_changed = options_changed,                                                    \
    }

const struct transport_ops raw_transport = TRANSPORT(raw_open);
const struct transport_ops echo_transport = TRANSPORT(echo_open);
