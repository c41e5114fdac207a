/* SPDX-License-Identifier: MIT */
/* What programs are told of connections: TCP_INFO, and the tables of /proc/net. */
#include <lib/minmax.h>
#include <lib/string.h>

#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <lwip/udp.h>

#include "../inet_table.h"
#include "lwip_demux.h"
#include "lwip_port.h"

#define TICK_US (TCP_SLOW_INTERVAL * 1000)

/* Linux's number of each of lwIP's states. */
static const uint8_t linux_state[] = {
    [CLOSED] = 7,      [LISTEN] = 10,    [SYN_SENT] = 2,   [SYN_RCVD] = 3,
    [ESTABLISHED] = 1, [FIN_WAIT_1] = 4, [FIN_WAIT_2] = 5, [CLOSE_WAIT] = 8,
    [CLOSING] = 11,    [LAST_ACK] = 9,   [TIME_WAIT] = 6,
};

static void fill_info(const struct inet_sock *sock, const struct tcp_pcb *pcb,
                      struct inet_tcp_info *out)
{
    uint32_t unacked = pcb->snd_nxt - pcb->lastack;

    out->state = linux_state[pcb->state];
    out->retransmits = pcb->nrtx;
    out->probes = pcb->persist_probe;
    out->backoff = pcb->persist_backoff;
    out->options = (uint8_t)((pcb->flags & TF_TIMESTAMP ? 1 : 0) | (pcb->flags & TF_SACK ? 2 : 0) |
                             (pcb->flags & TF_WND_SCALE ? 4 : 0));
    out->scales = (uint8_t)(pcb->snd_scale | pcb->rcv_scale << 4);
    out->rto_us = (uint32_t)max((int)pcb->rto, 1) * TICK_US;
    out->ato_us = 40000;
    out->send_mss = out->receive_mss = out->advertised_mss = pcb->mss;
    out->unacked = pcb->mss != 0 ? (unacked + pcb->mss - 1) / pcb->mss : 0;
    out->path_mtu = pcb->mss + 40u;
    out->receive_threshold = (uint32_t)pcb->rcv_wnd;
    out->rtt_us = (uint32_t)max(pcb->sa >> 3, 0) * TICK_US;
    out->rtt_var_us = (uint32_t)max(pcb->sv >> 2, 0) * TICK_US;
    out->send_threshold = (uint32_t)pcb->ssthresh;
    out->send_window = pcb->mss != 0 ? (uint32_t)pcb->cwnd / pcb->mss : 0;
    out->reordering = 3;
    out->receive_space = (uint32_t)pcb->rcv_wnd;
    out->pacing_rate = out->max_pacing_rate = UINT64_MAX;
    out->bytes_acked = sock->acked;
    out->not_sent_bytes = pcb->snd_lbb - pcb->snd_nxt;
}

void net_tcp_info(struct inet_sock *sock, struct inet_tcp_info *out)
{
    *out = (struct inet_tcp_info){.state = 7, .send_mss = 536, .receive_mss = 536};
    net_lock();
    if (sock->pcb != NULL && sock->state != INET_LISTENING)
        fill_info(sock, sock->pcb, out);
    else if (sock->state == INET_LISTENING) {
        out->state = 10;
        out->unacked = sock->backlog_count;
        out->sacked = sock->backlog_max;
    }
    net_unlock();
}

int net_tcp_max_segment(struct inet_sock *sock)
{
    int size = 536;

    net_lock();
    if (sock->pcb != NULL && sock->state == INET_CONNECTED)
        size = ((struct tcp_pcb *)sock->pcb)->mss;
    else if (sock->options.max_segment != 0)
        size = sock->options.max_segment;
    net_unlock();
    return size;
}

/* ---- tables ---- */

static void fill_sock(const struct inet_sock *sock, struct inet_row *row)
{
    row->inode = 0;
    if (sock == NULL)
        return;
    row->local = sock->local;
    row->receive_queue = (uint32_t)sock->received;
    row->send_queue = (uint32_t)(sock->written - sock->acked);
    if (sock->state == INET_LISTENING)
        row->receive_queue = sock->backlog_count;
    if (sock->socket != NULL) {
        row->inode = sock->socket->file->id;
        row->is_v6 = sock->socket->family == AF_INET6;
    }
}

static void fill_tcp(const struct tcp_pcb *pcb, struct inet_row *row)
{
    bool listens = pcb->state == LISTEN;

    *row =
        (struct inet_row){.state = linux_state[pcb->state],
                          .is_v6 = IP_IS_V6(&pcb->local_ip) || IP_IS_ANY_TYPE_VAL(pcb->local_ip)};
    fill_sock(pcb->ext_args[EXT_SOCK].data,
              row); /* its callbacks' may be its listener's, and gone */
    net_address_from_lwip(&pcb->local_ip, pcb->local_port, &row->local);
    if (listens)
        row->peer.family = row->local.family;
    else
        net_address_from_lwip(&pcb->remote_ip, pcb->remote_port, &row->peer);
}

static void fill_udp(const struct udp_pcb *pcb, struct inet_row *row)
{
    struct inet_sock *sock = net_udp_sock(pcb);

    *row = (struct inet_row){.state = sock != NULL && sock->state == INET_CONNECTED ? 1 : 7};
    fill_sock(sock, row);
    net_address_from_lwip(&pcb->local_ip, pcb->local_port, &row->local);
    if (row->state == 1)
        net_address_from_lwip(&pcb->remote_ip, pcb->remote_port, &row->peer);
}

static unsigned collect_tcp(struct inet_row *rows, unsigned room, unsigned skip)
{
    struct tcp_pcb *lists[] = {(struct tcp_pcb *)tcp_listen_pcbs.listen_pcbs, tcp_active_pcbs,
                               tcp_tw_pcbs};
    unsigned count = 0, seen = 0;

    for (unsigned i = 0; i < 3; i++) {
        for (struct tcp_pcb *pcb = lists[i]; pcb != NULL && count < room; pcb = pcb->next) {
            if (seen++ >= skip)
                fill_tcp(pcb, &rows[count++]);
        }
    }
    return count;
}

static unsigned collect_udp(struct inet_row *rows, unsigned room, unsigned skip)
{
    unsigned count = 0, seen = 0;

    for (struct udp_pcb *pcb = udp_pcbs; pcb != NULL && count < room; pcb = pcb->next) {
        if (net_udp_sock(pcb) != NULL && pcb->local_port != 0 && seen++ >= skip)
            fill_udp(pcb, &rows[count++]);
    }
    return count;
}

static unsigned collect_raw(bool echo, struct inet_row *rows, unsigned room, unsigned skip)
{
    unsigned count = 0, seen = 0;

    for (struct inet_sock *sock = net_raw_first(); sock != NULL && count < room;
         sock = sock->raw_next) {
        if ((sock->transport == &echo_transport) != echo || seen++ < skip)
            continue;
        rows[count] =
            (struct inet_row){.state = sock->state == INET_CONNECTED ? 1 : 7, .peer = sock->peer};
        fill_sock(sock, &rows[count]);
        if (!echo)
            rows[count].local.port = sock->ip_protocol;
        count++;
    }
    return count;
}

unsigned net_rows(enum inet_table table, struct inet_row *rows, unsigned room, unsigned skip)
{
    unsigned count;

    net_lock();
    if (table == INET_TABLE_TCP)
        count = collect_tcp(rows, room, skip);
    else if (table == INET_TABLE_UDP)
        count = collect_udp(rows, room, skip);
    else
        count = collect_raw(table == INET_TABLE_ECHO, rows, room, skip);
    net_unlock();
    return count;
}
