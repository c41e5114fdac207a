/* SPDX-License-Identifier: MIT */
/* UDP by lwIP's raw API: datagrams queue with their sender, and leave in one piece. */
#include <lib/errno.h>

#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/udp.h>
#include <lwip/udp.h>

#include "lwip_checksum.h"
#include "lwip_demux.h"
#include "lwip_message.h"

#define DATAGRAM_MAX 65507u

static void on_received(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                        u16_t port)
{
    const struct udp_hdr *header = ip_next_header_ptr();

    (void)pcb;
    if (likely(lwip_ntohs(header->len) == p->tot_len + UDP_HLEN) || checksum_cut_datagram(p))
        net_datagram_add(arg, p, from, port);
    else
        pbuf_free(p);
}

struct inet_sock *net_udp_sock(const struct udp_pcb *pcb)
{
    return pcb->recv == on_received ? pcb->recv_arg : NULL;
}

static void set_options(const struct inet_sock *sock)
{
    struct udp_pcb *pcb = sock->pcb;

    net_message_options(sock, &(struct net_message_block){&pcb->mcast_ttl, &pcb->mcast_ifindex,
                                                          &pcb->flags, UDP_FLAGS_MULTICAST_LOOP});
}

static __cold int transport_open(struct inet_sock *sock)
{
    bool is_v6 = sock->socket->family == AF_INET6;
    struct udp_pcb *pcb;

    net_lock();
    pcb = udp_new_ip_type(is_v6 ? IPADDR_TYPE_ANY : IPADDR_TYPE_V4);
    if (pcb != NULL) {
        sock->pcb = pcb;
        udp_recv(pcb, on_received, sock);
        set_options(sock);
        net_ready(sock, POLL_WRITABLE, true);
    }
    net_unlock();
    return pcb != NULL ? 0 : -ENOBUFS;
}

static void transport_close(struct inet_sock *sock, bool abort)
{
    (void)abort;
    net_lock();
    sock->socket = NULL;
    if (sock->pcb != NULL) {
        if (((struct udp_pcb *)sock->pcb)->so_options & SOF_SHARES_PORT)
            demux_udp_shared(-1);
        udp_remove(sock->pcb);
    }
    sock->pcb = NULL;
    net_datagrams_drop(sock);
    net_unlock();
}

static void note_local(struct inet_sock *sock)
{
    struct udp_pcb *pcb = sock->pcb;

    net_address_from_lwip(&pcb->local_ip, pcb->local_port, &sock->local);
}

static bool is_broadcast(const ip_addr_t *ip)
{
    struct netif *netif;

    NETIF_FOREACH(netif)
    {
        if (ip_addr_isbroadcast(ip, netif))
            return true;
    }
    return false;
}

/* udp_bind() with our rules for ports that are in use. */
static __cold int bind_locked(struct inet_sock *sock, const ip_addr_t *ip, u16_t port)
{
    struct udp_pcb *pcb = sock->pcb;
    int error;

    if (!sock->options.free_bind && !net_is_ours(ip) && !ip_addr_ismulticast(ip) &&
        !is_broadcast(ip))
        return -EADDRNOTAVAIL;
    if (sock->socket->reuse_address)
        ip_set_option(pcb, SOF_REUSEADDR);
    if (sock->socket->reuse_port && !ip_get_option(pcb, SOF_SHARES_PORT)) {
        ip_set_option(pcb, SOF_SHARES_PORT);
        demux_udp_shared(1);
    }
    error = port != 0 ? demux_bind_udp(pcb, ip, port) : net_errno(udp_bind(pcb, ip, 0));
    if (error != 0)
        return error;
    if (port != 0) {
        ip_addr_set_ipaddr(&pcb->local_ip, ip);
        pcb->local_port = port;
        pcb->next = udp_pcbs;
        udp_pcbs = pcb;
    }
    note_local(sock);
    sock->is_bound = port != 0;
    sock->is_address_bound = !ip_addr_isany(ip);
    return 0;
}

static __cold int transport_bind(struct inet_sock *sock, const struct inet_address *address)
{
    struct udp_pcb *pcb = sock->pcb;
    ip_addr_t ip;
    int error = -EINVAL;

    net_lock();
    if (pcb->local_port == 0) {
        net_address_to_lwip(address, sock->socket->family == AF_INET6, &ip);
        if (IP_IS_V6(&ip) && ip_addr_isany(&ip) && !sock->options.v6_only)
            IP_SET_TYPE_VAL(ip, IPADDR_TYPE_ANY);
        error = bind_locked(sock, &ip, address->port);
    }
    net_unlock();
    return error;
}

/* What connect() chose, and bind() did not, is chosen anew by the next one. */
static void forget_source(struct inet_sock *sock)
{
    struct udp_pcb *pcb = sock->pcb;

    if (sock->is_address_bound)
        return;
    if (sock->socket->family == AF_INET)
        ip_addr_set_any(false, &pcb->local_ip);
    else if (sock->options.v6_only)
        ip_addr_set_any(true, &pcb->local_ip);
    else
        ip_addr_copy(pcb->local_ip, *IP_ANY_TYPE);
}

static __cold void disconnect(struct inet_sock *sock)
{
    struct udp_pcb *pcb = sock->pcb, **link = &udp_pcbs;

    udp_disconnect(pcb);
    forget_source(sock);
    if (!sock->is_bound) {
        while (*link != NULL && *link != pcb)
            link = &(*link)->next;
        if (*link == pcb)
            *link = pcb->next;
        pcb->next = NULL;
        pcb->local_port = 0;
    }
    note_local(sock);
    WRITE_ONCE(sock->state, INET_NEW);
    sock->peer = (struct inet_address){0};
}

static __cold int connect_locked(struct inet_sock *sock, const struct inet_address *to)
{
    struct udp_pcb *pcb = sock->pcb;
    ip_addr_t ip;
    int error;

    net_address_to_lwip(to, sock->socket->family == AF_INET6, &ip);
    if (ip_addr_isany(&ip))
        ip_addr_set_loopback(IP_IS_V6(&ip), &ip);
    forget_source(sock);
    if (ip_addr_isany(&pcb->local_ip)) {
        struct netif *netif = ip_route(&pcb->local_ip, &ip);
        const ip_addr_t *source = netif != NULL ? ip_netif_get_local_ip(netif, &ip) : NULL;

        if (source == NULL)
            return -ENETUNREACH;
        ip_addr_copy(pcb->local_ip, *source);
    }
    error = net_errno(udp_connect(pcb, &ip, to->port));
    if (error != 0)
        return error;
    net_address_from_lwip(&ip, to->port, &sock->peer);
    WRITE_ONCE(sock->state, INET_CONNECTED);
    sock->has_plain_peer = IP_IS_V4_VAL(ip) && IP_IS_V4_VAL(pcb->local_ip) &&
                           !ip_addr_ismulticast(&ip) && !is_broadcast(&ip);
    note_local(sock);
    return 0;
}

static __cold int transport_connect(struct inet_sock *sock, const struct inet_address *to)
{
    int error = 0;

    net_lock();
    if (to->family == AF_UNSPEC)
        disconnect(sock);
    else
        error = connect_locked(sock, to);
    net_unlock();
    return error;
}

/* A datagram to the IPv4 peer that connect() has looked at: udp_send() without its questions. */
static int send_to_peer(struct udp_pcb *pcb, struct pbuf *p)
{
    struct netif *netif = pcb->netif_idx == NETIF_NO_INDEX
                              ? ip4_route_src(ip_2_ip4(&pcb->local_ip), ip_2_ip4(&pcb->remote_ip))
                              : net_netif(pcb->netif_idx);
    struct udp_hdr *header;

    if (netif == NULL)
        return -ENETUNREACH;
    p->payload = header = (struct udp_hdr *)p->payload - 1; /* a chunk has the room */
    p->len += UDP_HLEN;
    p->tot_len += UDP_HLEN;
    header->src = lwip_htons(pcb->local_port);
    header->dest = lwip_htons(pcb->remote_port);
    header->len = lwip_htons(p->tot_len);
    header->chksum = 0;
    if (netif->chksum_flags & NETIF_CHECKSUM_GEN_UDP) {
        header->chksum =
            ip_chksum_pseudo(p, IP_PROTO_UDP, p->tot_len, &pcb->local_ip, &pcb->remote_ip);
        if (header->chksum == 0)
            header->chksum = 0xffff;
    }
    if (p->tot_len + IP_HLEN <= netif->mtu)
        return net_errno(short_output(p, &pcb->local_ip, &pcb->remote_ip, pcb->ttl, pcb->tos,
                                      IP_PROTO_UDP, netif));
    return net_errno(ip4_output_if_src(p, ip_2_ip4(&pcb->local_ip), ip_2_ip4(&pcb->remote_ip),
                                       pcb->ttl, pcb->tos, IP_PROTO_UDP, netif));
}

/* With the control data of the message in place of the socket's own. */
static int send_as(struct inet_sock *sock, struct pbuf *p, const struct inet_packet *to)
{
    struct udp_pcb *pcb = sock->pcb;
    u16_t port = to->address.family != AF_UNSPEC ? to->address.port : sock->peer.port;
    struct ip_pcb *fields = (struct ip_pcb *)pcb, own = *fields;
    u8_t own_ttl = pcb->mcast_ttl;
    struct netif *netif;
    ip_addr_t ip;
    int error = net_message_route(sock, to, p->tot_len + UDP_HLEN, &ip, &netif);

    if (error != 0)
        return error;
    own.so_options = pcb->so_options;
    net_message_rule(to, fields, &pcb->mcast_ttl);
    error = net_errno(udp_sendto(pcb, p, &ip, port));
    *fields = own;
    pcb->mcast_ttl = own_ttl;
    if (sock->local.port == 0)
        note_local(sock);
    return error;
}

static int send_locked(struct inet_sock *sock, struct pbuf *p, const struct inet_packet *to)
{
    bool is_plain = to->ttl < 0 && to->tos < 0 && to->interface == 0 &&
                    to->local.family == AF_UNSPEC && !net_forbids_pieces(sock);

    if (to->address.family != AF_UNSPEC || !is_plain)
        return send_as(sock, p, to);
    return sock->has_plain_peer ? send_to_peer(sock->pcb, p) : net_errno(udp_send(sock->pcb, p));
}

static ssize_t transport_send(struct inet_sock *sock, struct io *io, const struct inet_packet *to,
                              unsigned flags)
{
    (void)flags;
    return net_message_send(sock, io, to, DATAGRAM_MAX, send_locked);
}

static __cold void options_changed(struct inet_sock *sock)
{
    net_lock();
    set_options(sock);
    net_unlock();
}

const struct transport_ops udp_transport = {
    .open = transport_open,
    .close = transport_close,
    .bind = transport_bind,
    .connect = transport_connect,
    .send = transport_send,
    .receive = net_datagram_receive,
    .shutdown = net_message_shutdown,
    .waiting = net_datagram_waiting,
    .options_changed = options_changed,
};
