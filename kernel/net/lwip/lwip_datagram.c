/* SPDX-License-Identifier: MIT */
/* Received datagrams: the queue of UDP, raw and ICMP sockets, under the lock of the stack. */
#include <core/clock.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/slab.h>

#include <lwip/ip.h>

#include "lwip_port.h"

#define DATAGRAM_OVERHEAD 256u

struct datagram {
    struct datagram *next;
    struct pbuf *p;
    struct inet_packet about;
};

/* What the header of the packet says that is being received. */
static void fill_about(const struct inet_sock *sock, struct inet_packet *about)
{
    bool is_v6 = ip_current_is_v6();

    if (sock->socket->stamp != SOCKET_STAMP_NONE)
        about->stamp_ns = clock_realtime_ns();
    if (!(sock->options.receive & RECEIVE_ABOUT))
        return;
    net_address_from_lwip(ip_current_dest_addr(), 0, &about->local);
    about->interface = netif_get_index(ip_current_input_netif());
    about->ttl = is_v6 ? IP6H_HOPLIM(ip6_current_header()) : IPH_TTL(ip4_current_header());
    about->tos = is_v6 ? (int)IP6H_TC(ip6_current_header()) : IPH_TOS(ip4_current_header());
}

void net_datagram_add(struct inet_sock *sock, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
    struct datagram *datagram = NULL;

    if (sock->socket != NULL && sock->received < (size_t)sock->socket->receive_buffer)
        datagram = kmalloc(sizeof(*datagram));
    if (datagram == NULL) { /* as on every wire: lost */
        pbuf_free(p);
        return;
    }
    datagram->next = NULL;
    datagram->p = p;
    datagram->about.stamp_ns = 0;
    datagram->about.local.family = AF_UNSPEC;
    net_address_from_lwip(from, port, &datagram->about.address);
    if (sock->socket->stamp != SOCKET_STAMP_NONE || (sock->options.receive & RECEIVE_ABOUT))
        fill_about(sock, &datagram->about);
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

/* Its buffers are ours alone, as a rule: then freeing them takes no lock. */
static void drop_unlocked(struct datagram *datagram)
{
    bool is_shared = false;

    for (const struct pbuf *p = datagram->p; p != NULL; p = p->next)
        is_shared |= p->ref != 1;
    if (is_shared)
        net_lock();
    drop(datagram);
    if (is_shared)
        net_unlock();
}

void net_datagrams_drop(struct inet_sock *sock)
{
    struct datagram *datagram;

    while ((datagram = take(sock)) != NULL)
        drop(datagram);
}

int net_datagram_waiting(struct inet_sock *sock)
{
    int bytes;

    net_lock();
    bytes = sock->first != NULL ? ((struct datagram *)sock->first)->p->tot_len : 0;
    net_unlock();
    return bytes;
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

ssize_t net_datagram_receive(struct inet_sock *sock, struct io *io, struct inet_packet *from,
                             unsigned *flags)
{
    bool is_peek = (*flags & MSG_PEEK) != 0, wants_length = (*flags & MSG_TRUNC) != 0;
    struct datagram *datagram;
    ssize_t done = -EAGAIN;

    if (READ_ONCE(sock->received) == 0 && !(READ_ONCE(sock->ready) & (POLLIN | POLLERR | POLLHUP)))
        return -EAGAIN;
    mutex_lock(&sock->read_lock);
    net_lock();
    datagram = is_peek ? sock->first : take(sock);
    if (datagram == NULL && (sock->shutdown & INET_SHUT_RD))
        done = 0;
    if (datagram != NULL)
        net_copies.out += datagram->p->tot_len;
    net_unlock();
    if (datagram != NULL) {
        size_t length = datagram->p->tot_len;

        done = copy_out(datagram, io);
        *from = datagram->about;
        *flags &= ~MSG_TRUNC;
        if (done >= 0 && (size_t)done < length)
            *flags |= MSG_TRUNC;
        if (done >= 0 && wants_length)
            done = (ssize_t)length;
        if (!is_peek)
            drop_unlocked(datagram);
    }
    mutex_unlock(&sock->read_lock);
    return done;
}
