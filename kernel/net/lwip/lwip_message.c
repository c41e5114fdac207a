/* SPDX-License-Identifier: MIT */
/*
 * What UDP, raw and echo sockets have in common when they send: one copy of the message, its way,
 * what its control data rules in place of the socket's options.
 */
#include "lwip_message.h"

#include <lib/errno.h>

#include <lwip/ip.h>

#include "lwip_chunk.h"
#include "lwip_port.h"

ssize_t net_message_send(struct inet_sock *sock, struct io *io, const struct inet_packet *to,
                         size_t most, net_message_fn *send)
{
    size_t length = io_left(io);
    struct net_chunk *chunk;
    int error;

    if (length > most)
        return -EMSGSIZE;
    chunk = net_chunk_alloc(length);
    if (chunk == NULL)
        return -ENOBUFS;
    if (io_copy_from(io, chunk->data, length) != (ssize_t)length) {
        net_chunk_put(chunk);
        return -EFAULT;
    }
    net_lock();
    net_copies.in += length;
    if (sock->shutdown & INET_SHUT_WR)
        error = -EPIPE;
    else if (to->address.family == AF_UNSPEC && sock->state != INET_CONNECTED)
        error = -EDESTADDRREQ;
    else
        error = send(sock, net_chunk_pbuf(chunk), to);
    pbuf_free(net_chunk_pbuf(chunk));
    net_unlock();
    return error != 0 ? error : (ssize_t)length;
}

/* The interface that it leaves by: the one that is asked for, else the route's. */
static struct netif *find_netif(const struct inet_sock *sock, const struct inet_packet *to,
                                const ip_addr_t *ip)
{
    const struct ip_pcb *pcb = sock->pcb;
    unsigned index = to->interface != 0 ? to->interface : pcb->netif_idx;

    if (index == 0 && ip_addr_ismulticast(ip))
        index = (u8_t)sock->options.multicast_interface;
    return index != 0 ? net_netif(index) : ip_route(&pcb->local_ip, ip);
}

__cold int net_message_route(struct inet_sock *sock, const struct inet_packet *to, size_t size,
                             ip_addr_t *ip, struct netif **netif)
{
    struct ip_pcb *pcb = sock->pcb;

    net_address_to_lwip(to->address.family != AF_UNSPEC ? &to->address : &sock->peer,
                        sock->socket->family == AF_INET6, ip);
    if (ip_addr_isany(ip)) /* Linux: this machine */
        ip_addr_set_loopback(IP_IS_V6(ip), ip);
    *netif = find_netif(sock, to, ip);
    if (*netif == NULL)
        return -ENETUNREACH;
    if (net_forbids_pieces(sock) && size + (IP_IS_V6(ip) ? IP6_HLEN : IP_HLEN) > net_mtu(*netif))
        return -EMSGSIZE;
    if (sock->socket->broadcast)
        ip_set_option(pcb, SOF_BROADCAST);
    else if (ip_addr_isbroadcast(ip, *netif))
        return -EACCES;
    return 0;
}

__cold void net_message_rule(const struct inet_packet *to, struct ip_pcb *pcb, u8_t *multicast_ttl)
{
    if (to->ttl >= 0)
        pcb->ttl = *multicast_ttl = (u8_t)to->ttl;
    if (to->tos >= 0)
        pcb->tos = (u8_t)to->tos;
    if (to->interface != 0)
        pcb->netif_idx = (u8_t)to->interface;
    if (to->local.family != AF_UNSPEC)
        net_address_to_lwip(&to->local, false, &pcb->local_ip);
}

__cold void net_message_options(const struct inet_sock *sock, const struct net_message_block *block)
{
    struct ip_pcb *pcb = sock->pcb;

    pcb->ttl = sock->options.ttl;
    pcb->tos = sock->options.tos;
    pcb->netif_idx = (u8_t)sock->socket->bound_interface;
    *block->multicast_ttl = sock->options.multicast_ttl;
    *block->multicast_interface = (u8_t)sock->options.multicast_interface;
    *block->flags &= (u8_t)~block->flag_loop;
    if (sock->options.multicast_loop)
        *block->flags |= block->flag_loop;
}

__cold int net_message_shutdown(struct inet_sock *sock, unsigned how)
{
    net_lock();
    sock->shutdown |= how;
    if (how & INET_SHUT_RD)
        net_ready(sock, POLL_READABLE | POLLRDHUP, true);
    net_unlock();
    return sock->state == INET_CONNECTED ? 0 : -ENOTCONN;
}
