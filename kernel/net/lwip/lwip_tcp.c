/* SPDX-License-Identifier: MIT */
/*
 * TCP connections by lwIP's raw API; lwip_tcp_data.c moves their bytes. A struct inet_sock lives as
 * long as its protocol block, after its socket was closed, too: the block holds a reference, which
 * goes by the block's `destroy` callback.
 */
#include <core/lock.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/slab.h>

#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>

#include "lwip_demux.h"
#include "lwip_port.h"
#include "lwip_tcp.h"

/* So many segments are acknowledged at once while only the other end speaks: it may hold back small
 * ones until then (Nagle). Linux begins in the same way. */
#define QUICK_ACKS 16

#define SEGMENT_MIN 48 /* net.ipv4.tcp_min_snd_mss */

/* ---- the protocol block and its sock ---- */

static void leave_backlog(struct inet_sock *sock)
{
    if (sock->listener == NULL)
        return;
    list_del(&sock->backlog_node);
    sock->listener->backlog_count--;
    sock->listener = NULL;
}

/* TCP_DEFER_ACCEPT: a connection is shown when there is something to read, or its time is over. */
static bool is_shown(const struct inet_sock *child)
{
    return child->listener->options.defer_accept_s == 0 || (child->ready & POLLIN) ||
           child->is_overdue;
}

/* One that waits to be accepted waits on. */
static void block_gone(u8_t id, void *data)
{
    struct inet_sock *sock = data;

    (void)id;
    sock->pcb = NULL;
    inet_sock_unref(sock);
}

/* One that nobody has accepted, without its block. */
static void drop_child(struct inet_sock *child)
{
    leave_backlog(child);
    tcp_data_drop(child);
    inet_sock_unref(child);
}

static const struct tcp_ext_arg_callbacks block_callbacks = {.destroy = block_gone};

static void fail(struct inet_sock *sock, int error)
{
    bool was_connecting = sock->state == INET_CONNECTING;

    if (was_connecting && error == ECONNRESET)
        error = ECONNREFUSED;
    else if ((sock->shutdown & INET_SHUT_RD) && error == ECONNRESET)
        error = EPIPE; /* the peer had closed and was written to */
    if (sock->socket == NULL)
        sock->early_error = error;
    else if (!was_connecting || atomic_read(&sock->socket->error) == 0)
        atomic_set(&sock->socket->error, error); /* else ICMP told why */
    sock->may_reconnect = was_connecting;
    WRITE_ONCE(sock->state, INET_DEAD);
    net_ready(sock, POLL_READABLE | POLL_WRITABLE | POLLERR | POLLHUP | POLLRDHUP, true);
}

/* The block is gone already, or goes now. */
static __cold void on_error(void *arg, err_t error)
{
    struct inet_sock *sock = arg;
    bool was_hidden = sock != NULL && sock->listener != NULL && !is_shown(sock);

    if (sock == NULL)
        return;
    if (was_hidden)
        drop_child(sock);
    else if (error == ERR_CLSD) { /* both ends were closed in order */
        WRITE_ONCE(sock->state, INET_DEAD);
        net_ready(sock, POLL_READABLE | POLL_WRITABLE | POLLHUP | POLLRDHUP, true);
    } else {
        fail(sock, error == ERR_RST ? ECONNRESET : ETIMEDOUT);
    }
}

/* TCP_MAXSEG, for what is sent; and what the other end asks for must leave room for options. */
static void limit_segment(const struct inet_sock *sock, struct tcp_pcb *pcb)
{
    int most = sock->options.max_segment;

    if (pcb->mss < SEGMENT_MIN)
        pcb->mss = SEGMENT_MIN;
    if (most != 0 && pcb->mss > most)
        pcb->mss = (u16_t)most;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
    struct inet_sock *sock = arg;

    (void)error;
    net_address_from_lwip(&pcb->local_ip, pcb->local_port, &sock->local);
    limit_segment(sock, pcb);
    pcb->rto = LWIP_TCP_RTO_TIME / TCP_SLOW_INTERVAL; /* attempts took longer and longer */
    tcp_data_start(sock);
    sock->has_heard = true; /* what is sent next counts as a reply, as on Linux */
    WRITE_ONCE(sock->state, INET_CONNECTED);
    net_ready(sock, POLL_WRITABLE, true);
    return ERR_OK;
}

/* Of listeners, too. */
static void set_minimum_ttl(struct inet_sock *sock)
{
    struct tcp_pcb *pcb = sock->pcb;

    if (sock->options.minimum_ttl != 0)
        ip_set_option(pcb, SOF_MINIMUM_TTL);
    else
        ip_reset_option(pcb, SOF_MINIMUM_TTL);
}

static void set_options(struct inet_sock *sock)
{
    const struct inet_options *options = &sock->options;
    struct tcp_pcb *pcb = sock->pcb;

    if (options->no_delay && !options->cork)
        tcp_nagle_disable(pcb);
    else
        tcp_nagle_enable(pcb);
    if (sock->socket != NULL && sock->socket->keep_alive)
        ip_set_option(pcb, SOF_KEEPALIVE);
    else
        ip_reset_option(pcb, SOF_KEEPALIVE);
    pcb->keep_idle = (u32_t)options->keep_idle_s * 1000;
    pcb->keep_intvl = (u32_t)options->keep_interval_s * 1000;
    pcb->keep_cnt = (u32_t)options->keep_count;
    pcb->ttl = options->ttl;
    if (sock->socket != NULL)
        pcb->netif_idx = (u8_t)sock->socket->bound_interface;
    pcb->tos = options->tos;
    set_minimum_ttl(sock);
    limit_segment(sock, pcb);
}

static void attach(struct inet_sock *sock, struct tcp_pcb *pcb)
{
    inet_sock_ref(sock);
    sock->pcb = pcb;
    sock->quick_acks = QUICK_ACKS;
    tcp_arg(pcb, sock);
    tcp_recv(pcb, tcp_data_received);
    tcp_sent(pcb, tcp_data_sent);
    tcp_err(pcb, on_error);
    tcp_poll(pcb, NULL, 255); /* lwIP would send what is held back: tcp_data_tick() does */
    tcp_ext_arg_set(pcb, EXT_SOCK, sock);
    tcp_ext_arg_set_callbacks(pcb, EXT_SOCK, &block_callbacks);
}

/* ---- opening, binding ---- */

static int open_block(struct inet_sock *sock)
{
    bool is_v6 = sock->socket->family == AF_INET6;
    struct tcp_pcb *pcb = tcp_new_ip_type(is_v6 ? IPADDR_TYPE_ANY : IPADDR_TYPE_V4);

    if (pcb == NULL)
        return -ENOBUFS;
    attach(sock, pcb);
    net_ready(sock, POLL_READABLE | POLLERR | POLLRDHUP, false);
    net_ready(sock, POLL_WRITABLE | POLLHUP, true);
    return 0;
}

static int tcp_open(struct inet_sock *sock)
{
    int error;

    net_lock();
    error = open_block(sock);
    net_unlock();
    return error;
}

static u16_t free_port(const struct tcp_pcb *pcb, const ip_addr_t *ip)
{
    for (unsigned tries = 0; tries < 4096; tries++) {
        u16_t port = demux_choose_port(ip, ip, 0);

        if (port == 0 || demux_bind_tcp(pcb, ip, port, false) == 0)
            return port;
    }
    return 0;
}

/* tcp_bind() with our rules for ports that are in use. */
static int bind_block(struct inet_sock *sock, const ip_addr_t *ip, u16_t port)
{
    struct tcp_pcb *pcb = sock->pcb;

    if (!sock->options.free_bind && !net_is_ours(ip))
        return -EADDRNOTAVAIL;
    if (sock->socket->reuse_address)
        ip_set_option(pcb, SOF_REUSEADDR);
    if (sock->socket->reuse_port)
        ip_set_option(pcb, SOF_SHARES_PORT);
    if (port == 0)
        port = free_port(pcb, ip);
    if (port == 0 || demux_bind_tcp(pcb, ip, port, false) != 0)
        return -EADDRINUSE;
    ip_addr_set(&pcb->local_ip, ip);
    pcb->local_port = port;
    TCP_REG(&tcp_bound_pcbs, pcb);
    return 0;
}

static void bind_address(const struct inet_sock *sock, const struct inet_address *address,
                         ip_addr_t *ip)
{
    net_address_to_lwip(address, sock->socket->family == AF_INET6, ip);
    if (IP_IS_V6(ip) && ip_addr_isany(ip) && !sock->options.v6_only)
        IP_SET_TYPE(ip, IPADDR_TYPE_ANY);
}

static int transport_bind(struct inet_sock *sock, const struct inet_address *address)
{
    ip_addr_t ip;
    int error = -EINVAL;

    net_lock();
    if (sock->pcb != NULL && sock->state == INET_NEW) {
        bind_address(sock, address, &ip);
        error = bind_block(sock, &ip, address->port);
        if (error == 0) {
            WRITE_ONCE(sock->state, INET_BOUND);
            sock->is_bound = true;
            sock->local = *address;
            sock->local.port = ((struct tcp_pcb *)sock->pcb)->local_port;
        }
    }
    net_unlock();
    return error;
}

/* ---- closing ---- */

static void close_listener(struct inet_sock *sock)
{
    struct tcp_pcb *pcb = sock->pcb;
    struct inet_sock *child, *next;

    list_for_each_entry_safe (child, next, &sock->backlog, backlog_node) {
        leave_backlog(child);
        tcp_data_drop(child);
        if (child->pcb != NULL)
            tcp_abort(child->pcb);
        inet_sock_unref(child);
    }
    sock->pcb = NULL;
    tcp_arg(pcb, NULL);
    tcp_close(pcb);
    inet_sock_unref(sock);
}

static void transport_close(struct inet_sock *sock, bool abort)
{
    struct tcp_pcb *pcb;

    net_lock();
    tcp_timer_needed();
    pcb = sock->pcb;
    sock->socket = NULL;
    if (pcb != NULL && sock->state == INET_LISTENING) {
        close_listener(sock);
    } else if (pcb != NULL) {
        bool unread = sock->received != 0;

        tcp_err(pcb, NULL); /* nobody is left to be told, and lwIP tells after block_gone() */
        tcp_data_drop(sock);
        if (!unread) /* lwIP takes a window that is not whole for unread bytes */
            pcb->rcv_wnd = TCP_WND_MAX(pcb);
        if (abort)
            tcp_abort(pcb);
        else
            tcp_close(pcb);
    } else {
        tcp_data_drop(sock);
    }
    net_unlock();
}

/* Back to a socket that may connect or listen, with the address it was bound to. */
static __cold int start_anew(struct inet_sock *sock)
{
    struct inet_address local = sock->local;
    bool was_bound = sock->is_bound;
    ip_addr_t ip;
    int error;

    if (sock->pcb != NULL && sock->state == INET_LISTENING) {
        close_listener(sock);
    } else if (sock->pcb != NULL) {
        tcp_err(sock->pcb, NULL);
        tcp_abort(sock->pcb);
    }
    tcp_data_drop(sock);
    sock->written = sock->acked = 0;
    sock->shutdown = 0;
    sock->is_connecting = sock->may_reconnect = false;
    sock->local = sock->peer = (struct inet_address){0};
    WRITE_ONCE(sock->state, INET_NEW);
    error = open_block(sock);
    if (error != 0 || !was_bound)
        return error;
    bind_address(sock, &local, &ip);
    error = bind_block(sock, &ip, local.port);
    if (error == 0) {
        sock->local = local;
        WRITE_ONCE(sock->state, INET_BOUND);
    }
    return error;
}

/* ---- connecting ---- */

/* The local address and a port for a connection to `remote`. */
static int choose_local(struct tcp_pcb *pcb, const ip_addr_t *remote, u16_t port)
{
    struct netif *netif;
    const ip_addr_t *source;

    if (ip_addr_isany(&pcb->local_ip)) {
        ip_addr_set_any(IP_IS_V6(remote), &pcb->local_ip);
        netif = ip_route(&pcb->local_ip, remote);
        source = netif != NULL ? ip_netif_get_local_ip(netif, remote) : NULL;
        if (source == NULL)
            return -ENETUNREACH;
        ip_addr_copy(pcb->local_ip, *source);
    }
    if (pcb->local_port != 0)
        return demux_find(&pcb->local_ip, pcb->local_port, remote, port) != NULL ? -EADDRNOTAVAIL
                                                                                 : 0;
    pcb->local_port = demux_choose_port(&pcb->local_ip, remote, port);
    return pcb->local_port != 0 ? 0 : -EADDRNOTAVAIL;
}

static int start_connect(struct inet_sock *sock, const struct inet_address *to)
{
    struct tcp_pcb *pcb = sock->pcb;
    ip_addr_t ip;
    int error;

    net_address_to_lwip(to, sock->socket->family == AF_INET6, &ip);
    if (ip_addr_isany(&ip)) /* Linux: this machine */
        ip_addr_set_loopback(IP_IS_V6(&ip), &ip);
    if (ip_addr_ismulticast(&ip))
        return -ENETUNREACH;
    set_options(sock);
    error = choose_local(pcb, &ip, to->port);
    if (error == 0)
        error = net_errno(tcp_connect(pcb, &ip, to->port, on_connected));
    if (error != 0)
        return error;
    WRITE_ONCE(sock->state, INET_CONNECTING);
    net_ready(sock, POLL_WRITABLE | POLLHUP, false);
    net_address_from_lwip(&pcb->local_ip, pcb->local_port, &sock->local);
    net_address_from_lwip(&ip, to->port, &sock->peer);
    return -EINPROGRESS;
}

static int transport_connect(struct inet_sock *sock, const struct inet_address *to)
{
    int error = 0;

    mutex_lock(&sock->read_lock); /* a reader copies what start_anew() drops */
    net_lock();
    if (to->family == AF_UNSPEC)
        error = start_anew(sock);
    else if (sock->state == INET_CONNECTING)
        error = -EALREADY;
    else if (sock->state == INET_DEAD && sock->may_reconnect)
        error = start_anew(sock);
    else if (sock->state > INET_BOUND)
        error = -EISCONN;
    if (error == 0 && to->family != AF_UNSPEC)
        error = sock->pcb != NULL ? start_connect(sock, to) : -EINVAL;
    net_unlock();
    mutex_unlock(&sock->read_lock);
    return error;
}

/* lwIP takes the options of a SYN that crosses ours, and no more: ours is sent again with an
 * acknowledgement, as from the state that lwIP should be in. */
void tcp_meet(struct tcp_pcb *pcb, uint32_t sequence)
{
    u8_t tries = pcb->nrtx;

    pcb->state = SYN_RCVD;
    pcb->rcv_nxt = pcb->rcv_ann_right_edge = sequence + 1;
    pcb->snd_wl1 = sequence - 1;
    (void)tcp_rexmit(pcb);
    (void)tcp_output(pcb);
    pcb->nrtx = tries;
    pcb->state = SYN_SENT;
}

static err_t on_met(void *arg, struct tcp_pcb *pcb, err_t error)
{
    pcb->listener = NULL;
    pcb->mss = tcp_eff_send_mss(pcb->mss, &pcb->local_ip, &pcb->remote_ip);
    return on_connected(arg, pcb, error);
}

void tcp_met(struct tcp_pcb *pcb)
{
    static struct tcp_pcb_listen both = {.accept = on_met};

    pcb->state = SYN_RCVD;
    pcb->listener = &both;
}

/* ---- listening ---- */

bool inet_backlog_full(const void *listener)
{
    const struct inet_sock *sock = listener;

    return sock == NULL || sock->backlog_count > sock->backlog_max;
}

static struct inet_sock *first_shown(const struct inet_sock *listener)
{
    struct inet_sock *child;

    list_for_each_entry (child, &listener->backlog, backlog_node) {
        if (is_shown(child))
            return child;
    }
    return NULL;
}

void tcp_child_heard(struct inet_sock *child)
{
    if (child->listener->options.defer_accept_s != 0)
        net_ready(child->listener, POLL_READABLE, true);
}

static err_t on_overdue(void *arg, struct tcp_pcb *pcb)
{
    struct inet_sock *child = arg;

    tcp_poll(pcb, NULL, 0);
    if (child == NULL || child->listener == NULL)
        return ERR_OK;
    child->is_overdue = true;
    net_ready(child->listener, POLL_READABLE, true);
    return ERR_OK;
}

/* A connection is complete: it waits in its listener's backlog. */
static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
    struct inet_sock *listener = arg, *sock;

    if (error != ERR_OK || pcb == NULL || listener == NULL)
        return ERR_VAL;
    demux_completed(pcb);
    sock =
        listener->backlog_count <= listener->backlog_max ? inet_sock_alloc(&tcp_transport) : NULL;
    if (sock == NULL)
        return ERR_MEM; /* lwIP resets it */
    sock->options = listener->options;
    attach(sock, pcb);
    set_options(sock);
    sock->listener = listener;
    tcp_data_start(sock);
    sock->state = INET_CONNECTED;
    net_address_from_lwip(&pcb->local_ip, pcb->local_port, &sock->local);
    net_address_from_lwip(&pcb->remote_ip, pcb->remote_port, &sock->peer);
    sock->ready = POLL_WRITABLE;
    list_add_tail(&listener->backlog, &sock->backlog_node);
    listener->backlog_count++;
    if (listener->options.defer_accept_s == 0)
        net_ready(listener, POLL_READABLE, true);
    else
        tcp_poll(pcb, on_overdue,
                 (u8_t)min(listener->options.defer_accept_s * 1000 / TCP_SLOW_INTERVAL, 255));
    return ERR_OK;
}

/* What a SYN is answered with has the window already. */
static err_t on_half_open(u8_t id, struct tcp_pcb_listen *listener, struct tcp_pcb *pcb)
{
    const struct inet_sock *sock = listener->callback_arg;

    (void)id;
    if (sock != NULL)
        pcb->rcv_wnd = pcb->rcv_ann_wnd = min(pcb->rcv_wnd, tcp_data_window(sock, pcb));
    return ERR_OK;
}

static const struct tcp_ext_arg_callbacks listener_callbacks = {.passive_open = on_half_open};

static int start_listening(struct inet_sock *sock)
{
    struct tcp_pcb *pcb = sock->pcb, *listening;
    u8_t options;
    err_t error;
    ip_addr_t any;
    int status;

    if (pcb->local_port == 0) {
        bind_address(sock, &(struct inet_address){.family = sock->socket->family}, &any);
        status = bind_block(sock, &any, 0);
        if (status != 0)
            return status;
        sock->local.port = pcb->local_port;
    }
    if (demux_bind_tcp(pcb, &pcb->local_ip, pcb->local_port, true) != 0)
        return -EADDRINUSE;
    options = pcb->so_options;
    ip_reset_option(pcb, SOF_REUSEADDR);            /* lwIP need not look */
    tcp_ext_arg_set_callbacks(pcb, EXT_SOCK, NULL); /* the block is replaced, not gone */
    listening = tcp_listen_with_backlog_and_err(pcb, 255, &error);
    if (listening == NULL) {
        tcp_ext_arg_set_callbacks(pcb, EXT_SOCK, &block_callbacks);
        return net_errno(error);
    }
    listening->so_options = options;
    tcp_ext_arg_set_callbacks(listening, EXT_SOCK, &listener_callbacks);
    sock->pcb = listening;
    tcp_accept(listening, on_accept);
    WRITE_ONCE(sock->state, INET_LISTENING);
    net_ready(sock, POLL_WRITABLE | POLLHUP, false);
    return 0;
}

static __cold int transport_listen(struct inet_sock *sock, unsigned backlog)
{
    int error = 0;

    net_lock();
    if (sock->state != INET_LISTENING)
        error = sock->pcb == NULL || sock->state > INET_BOUND ? -EINVAL : start_listening(sock);
    if (error == 0)
        sock->backlog_max = backlog;
    net_unlock();
    return error;
}

static struct inet_sock *transport_accept(struct inet_sock *sock, struct socket *to)
{
    struct inet_sock *child = NULL;

    net_lock();
    child = first_shown(sock);
    if (child != NULL) {
        leave_backlog(child);
        child->socket = to;
        atomic_set(&to->error, child->early_error);
    }
    if (first_shown(sock) == NULL && sock->state == INET_LISTENING)
        net_ready(sock, POLL_READABLE, false);
    net_unlock();
    return child;
}

/* ---- bytes ---- */

static int bytes_waiting(struct inet_sock *sock)
{
    return (int)min(READ_ONCE(sock->received), (size_t)INT32_MAX);
}

static int transport_shutdown(struct inet_sock *sock, unsigned how)
{
    struct tcp_pcb *pcb;
    int error = 0;

    net_lock();
    pcb = sock->pcb;
    if (sock->state == INET_LISTENING) {
        error = how & INET_SHUT_RD ? start_anew(sock) : 0;
    } else if (pcb == NULL || sock->state < INET_CONNECTING) {
        error = -ENOTCONN;
    } else {
        bool sends = (how & INET_SHUT_WR) && !(sock->shutdown & INET_SHUT_WR);

        sock->shutdown |= how;
        tcp_timer_needed();
        if (sends)
            (void)tcp_shutdown(pcb, 0, 1);
        if (how & INET_SHUT_RD)
            net_ready(sock, POLL_READABLE | POLLRDHUP, true);
        if (sock->shutdown == (INET_SHUT_RD | INET_SHUT_WR))
            net_ready(sock, POLLHUP, true);
    }
    net_unlock();
    return error;
}

static void options_changed(struct inet_sock *sock)
{
    net_lock();
    if (sock->pcb != NULL && sock->state == INET_LISTENING) {
        set_minimum_ttl(sock);
    } else if (sock->pcb != NULL) {
        set_options(sock);
        if (sock->state == INET_CONNECTED)
            tcp_data_window_changed(sock);
        tcp_timer_needed(); /* SO_KEEPALIVE */
        if (sock->state == INET_CONNECTED && !sock->options.cork)
            (void)tcp_output(sock->pcb);
    }
    net_unlock();
}

const struct transport_ops tcp_transport = {
    .open = tcp_open,
    .close = transport_close,
    .bind = transport_bind,
    .connect = transport_connect,
    .listen = transport_listen,
    .accept = transport_accept,
    .send = tcp_data_send,
    .receive = tcp_data_receive,
    .shutdown = transport_shutdown,
    .waiting = bytes_waiting,
    .options_changed = options_changed,
};
