/* SPDX-License-Identifier: MIT */
/* UDP by lwIP's raw API: datagrams queue with their sender, and leave in one piece. */
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/slab.h>

#include <lwip/udp.h>

#include "lwip_port.h"

#define DATAGRAM_MAX      65507u
#define DATAGRAM_OVERHEAD 256u

struct datagram {
    struct datagram *next;
    struct pbuf *p;
    struct inet_address from;
};

static void on_received(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                        u16_t port)
{
    struct inet_sock *sock = arg;
    struct datagram *datagram = NULL;

    (void)pcb;
    if (sock->socket != NULL && sock->received < (size_t)sock->socket->receive_buffer)
        datagram = kmalloc(sizeof(*datagram));
    if (datagram == NULL) { /* as on every wire: lost */
        pbuf_free(p);
        return;
    }
    datagram->next = NULL;
    datagram->p = p;
    net_address_from_lwip(from, port, &datagram->from);
    if (sock->last != NULL)
        ((struct datagram *)sock->last)->next = datagram;
    else
        sock->first = datagram;
    sock->last = datagram;
    sock->received += p->tot_len + DATAGRAM_OVERHEAD;
    net_ready(sock, POLL_READABLE, true);
}

/* The first datagram out of the queue, or NULL; under the lock. */
static struct datagram *take(struct inet_sock *sock)
{
    struct datagram *datagram = sock->first;

    if (datagram == NULL)
        return NULL;
    sock->first = datagram->next;
    if (sock->first == NULL)
        sock->last = NULL;
    sock->received -= datagram->p->tot_len + DATAGRAM_OVERHEAD;
    if (sock->first == NULL && !(sock->shutdown & INET_SHUT_RD))
        net_ready(sock, POLL_READABLE, false);
    return datagram;
}

static void drop(struct datagram *datagram)
{
    pbuf_free(datagram->p);
    kfree(datagram);
}

static int transport_open(struct inet_sock *sock)
{
    bool is_v6 = sock->socket->family == AF_INET6;
    struct udp_pcb *pcb;

    net_lock();
    pcb = udp_new_ip_type(is_v6 ? IPADDR_TYPE_ANY : IPADDR_TYPE_V4);
    if (pcb != NULL) {
        sock->pcb = pcb;
        udp_recv(pcb, on_received, sock);
        net_ready(sock, POLL_WRITABLE, true);
    }
    net_unlock();
    return pcb != NULL ? 0 : -ENOBUFS;
}

static void transport_close(struct inet_sock *sock, bool abort)
{
    struct datagram *datagram;

    (void)abort;
    net_lock();
    sock->socket = NULL;
    if (sock->pcb != NULL)
        udp_remove(sock->pcb);
    sock->pcb = NULL;
    while ((datagram = take(sock)) != NULL)
        drop(datagram);
    net_unlock();
}

static void note_local(struct inet_sock *sock)
{
    struct udp_pcb *pcb = sock->pcb;

    net_address_from_lwip(&pcb->local_ip, pcb->local_port, &sock->local);
}

static int transport_bind(struct inet_sock *sock, const struct inet_address *address)
{
    struct udp_pcb *pcb = sock->pcb;
    ip_addr_t ip;
    int error = -EINVAL;

    net_lock();
    if (pcb->local_port == 0) {
        net_address_to_lwip(address, sock->socket->family == AF_INET6, &ip);
        if (IP_IS_V6(&ip) && ip_addr_isany(&ip) && !sock->options.v6_only)
            IP_SET_TYPE_VAL(ip, IPADDR_TYPE_ANY);
        if (sock->socket->reuse_address || sock->socket->reuse_port)
            ip_set_option(pcb, SOF_REUSEADDR);
        error = net_errno(udp_bind(pcb, &ip, address->port));
        if (error == 0)
            note_local(sock);
    }
    net_unlock();
    return error;
}

static int transport_connect(struct inet_sock *sock, const struct inet_address *to)
{
    struct udp_pcb *pcb = sock->pcb;
    ip_addr_t ip;
    int error = 0;

    net_lock();
    if (to->family == AF_UNSPEC) {
        udp_disconnect(pcb);
        WRITE_ONCE(sock->state, INET_NEW);
        sock->peer = *to;
    } else {
        net_address_to_lwip(to, sock->socket->family == AF_INET6, &ip);
        if (ip_addr_isany(&ip))
            ip_addr_set_loopback(IP_IS_V6(&ip), &ip);
        if (ip_addr_isany(&pcb->local_ip)) {
            struct netif *netif = ip_route(&pcb->local_ip, &ip);
            const ip_addr_t *source = netif != NULL ? ip_netif_get_local_ip(netif, &ip) : NULL;

            if (source == NULL)
                error = -ENETUNREACH;
            else
                ip_addr_copy(pcb->local_ip, *source);
        }
        if (error == 0)
            error = net_errno(udp_connect(pcb, &ip, to->port));
        if (error == 0) {
            net_address_from_lwip(&ip, to->port, &sock->peer);
            WRITE_ONCE(sock->state, INET_CONNECTED);
            note_local(sock);
        }
    }
    net_unlock();
    return error;
}

static int send_locked(struct inet_sock *sock, struct pbuf *p, const struct inet_address *to)
{
    struct udp_pcb *pcb = sock->pcb;
    struct netif *netif;
    ip_addr_t ip;
    int error;

    if (sock->shutdown & INET_SHUT_WR)
        return -EPIPE;
    if (to == NULL)
        return sock->state == INET_CONNECTED ? net_errno(udp_send(pcb, p)) : -EDESTADDRREQ;
    net_address_to_lwip(to, sock->socket->family == AF_INET6, &ip);
    if (ip_addr_isany(&ip))
        ip_addr_set_loopback(IP_IS_V6(&ip), &ip);
    netif = ip_route(&pcb->local_ip, &ip);
    if (netif == NULL)
        return -ENETUNREACH;
    if (sock->socket->broadcast)
        ip_set_option(pcb, SOF_BROADCAST);
    else if (ip_addr_isbroadcast(&ip, netif))
        return -EACCES;
    error = net_errno(udp_sendto(pcb, p, &ip, to->port));
    if (sock->local.port == 0)
        note_local(sock);
    return error;
}

static ssize_t transport_send(struct inet_sock *sock, struct io *io, const struct inet_address *to,
                              unsigned flags)
{
    size_t length = io_left(io);
    struct pbuf *p;
    int error;

    (void)flags;
    if (length > DATAGRAM_MAX)
        return -EMSGSIZE;
    p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)length, PBUF_RAM);
    if (p == NULL)
        return -ENOBUFS;
    if (io_copy_from(io, p->payload, length) != (ssize_t)length) {
        pbuf_free(p);
        return -EFAULT;
    }
    net_lock();
    error = send_locked(sock, p, to);
    pbuf_free(p);
    net_unlock();
    return error != 0 ? error : (ssize_t)length;
}

static ssize_t copy_out(const struct datagram *datagram, struct io *io)
{
    ssize_t done = 0;

    for (const struct pbuf *p = datagram->p; p != NULL && io_left(io) != 0; p = p->next) {
        size_t n = min((size_t)p->len, io_left(io));

        if (n != 0 && io_copy_to(io, p->payload, n) != (ssize_t)n)
            return -EFAULT;
        done += (ssize_t)n;
    }
    return done;
}

static ssize_t transport_receive(struct inet_sock *sock, struct io *io, struct inet_address *from,
                                 unsigned *flags)
{
    bool is_peek = (*flags & MSG_PEEK) != 0, wants_length = (*flags & MSG_TRUNC) != 0;
    struct datagram *datagram;
    ssize_t done = -EAGAIN;

    mutex_lock(&sock->read_lock);
    net_lock();
    datagram = is_peek ? sock->first : take(sock);
    if (datagram == NULL && (sock->shutdown & INET_SHUT_RD))
        done = 0;
    net_unlock();
    if (datagram != NULL) {
        size_t length = datagram->p->tot_len;

        done = copy_out(datagram, io);
        *from = datagram->from;
        *flags &= ~MSG_TRUNC;
        if (done >= 0 && (size_t)done < length)
            *flags |= MSG_TRUNC;
        if (done >= 0 && wants_length)
            done = (ssize_t)length;
        if (!is_peek) {
            net_lock(); /* loopback's buffers may be the sender's, too */
            drop(datagram);
            net_unlock();
        }
    }
    mutex_unlock(&sock->read_lock);
    return done;
}

static int transport_shutdown(struct inet_sock *sock, unsigned how)
{
    net_lock();
    sock->shutdown |= how;
    if (how & INET_SHUT_RD)
        net_ready(sock, POLL_READABLE | POLLRDHUP, true);
    net_unlock();
    return sock->state == INET_CONNECTED ? 0 : -ENOTCONN;
}

static void options_changed(struct inet_sock *sock)
{
    struct udp_pcb *pcb = sock->pcb;

    net_lock();
    pcb->ttl = sock->options.ttl;
    pcb->tos = sock->options.tos;
    net_unlock();
}

const struct transport_ops udp_transport = {
    .open = transport_open,
    .close = transport_close,
    .bind = transport_bind,
    .connect = transport_connect,
    .send = transport_send,
    .receive = transport_receive,
    .shutdown = transport_shutdown,
    .options_changed = options_changed,
};
