/* SPDX-License-Identifier: MIT */
/*
 * The bytes of TCP connections. What a program writes is copied into chunks before the lock is
 * taken, and lwIP's segments are made of them here: larger than a packet where the device cuts
 * them. What arrives stays in the device's buffers until it is read; the lock is taken only to give
 * these back.
 */
#include <arch/barrier.h>
#include <core/lock.h>
#include <lib/errno.h>
#include <lib/minmax.h>

#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <lwip/tcp.h>

#include "lwip_chunk.h"
#include "lwip_demux.h"
#include "lwip_frame.h"
#include "lwip_tcp.h"

#define BATCH_MAX     65536u /* bytes copied before the lock is taken */
#define CHUNK_MAX     (CHUNK_DATA(32768) & ~7u)
#define PARTS_MAX     12u   /* chunks that make one segment */
#define PIECES_MAX    4096u /* that the other end can make us cut what waits into */
#define HELD_MS       200u  /* tcp(7): TCP_CORK */
#define SEGMENT_LEAST 536u
#define WINDOW_LEAST  2920u
#define ACK_BYTES     2920u /* two packets of an Ethernet; a segment may be as long as many */

/* ---- sending ---- */

/* Bytes that may wait for their acknowledgement: SO_SNDBUF, if the program has set it. */
static size_t send_limit(const struct inet_sock *sock)
{
    int asked = sock->socket != NULL ? sock->socket->send_buffer : SOCKET_BUFFER_BYTES;

    return asked == SOCKET_BUFFER_BYTES ? TCP_SND_BUF : min((size_t)asked, (size_t)TCP_SND_BUF);
}

static size_t send_room(const struct inet_sock *sock)
{
    size_t limit = send_limit(sock);
    size_t waiting = READ_ONCE(sock->written) - READ_ONCE(sock->acked);

    return waiting < limit ? limit - waiting : 0;
}

/* TCP_NOTSENT_LOWAT: whether `times` as much as waits to be sent is less than it. */
static bool is_low(const struct inet_sock *sock, const struct tcp_pcb *pcb, uint32_t times)
{
    uint32_t low = (uint32_t)sock->options.not_sent_low;

    return low == 0 || (pcb->snd_lbb - pcb->snd_nxt) * times < low;
}

static bool is_writable(const struct inet_sock *sock, const struct tcp_pcb *pcb)
{
    return send_room(sock) >= send_limit(sock) / 3 && tcp_sndqueuelen(pcb) < TCP_SNDQUEUELOWAT &&
           is_low(sock, pcb, 2);
}

static unsigned options_size(const struct tcp_pcb *pcb)
{
    return pcb->flags & TF_TIMESTAMP ? LWIP_TCP_OPT_LEN_TS_OUT : 0;
}

/* The largest segment to make now: whole packets' worth, and no more than half a window. */
static size_t segment_limit(const struct inet_sock *sock, const struct tcp_pcb *pcb)
{
    size_t packet = pcb->mss - options_size(pcb);
    size_t window = min((size_t)pcb->cwnd, (size_t)pcb->snd_wnd_max) / 2;
    size_t most = min((size_t)sock->gso_limit, window) / packet * packet;

    if (most < packet)
        most = pcb->snd_wnd_max != 0 ? min(packet, max((size_t)pcb->snd_wnd_max / 2, (size_t)1))
                                     : packet;
    return min(most, (size_t)CHUNK_MAX);
}

uint32_t tcp_data_window(const struct inet_sock *sock, const struct tcp_pcb *pcb)
{
    int asked = sock->socket != NULL ? sock->socket->receive_buffer : SOCKET_BUFFER_BYTES;
    uint32_t most = TCP_WND_MAX(pcb);

    if (sock->socket == NULL && sock->listener != NULL && sock->listener->socket != NULL)
        asked = sock->listener->socket->receive_buffer;
    if (asked != SOCKET_BUFFER_BYTES)
        most = min(most, max((uint32_t)asked, WINDOW_LEAST));
    if (sock->options.window_clamp != 0) /* ahead of what was received, not of what was read */
        most = min(most, (uint32_t)(sock->received + (size_t)sock->options.window_clamp));
    return most;
}

void tcp_data_start(struct inet_sock *sock)
{
    struct tcp_pcb *pcb = sock->pcb;
    struct netif *netif = ip_route(&pcb->local_ip, &pcb->remote_ip);

    sock->gso_limit =
        netif != NULL ? (uint32_t)frame_gso_limit(netif, IP_IS_V6(&pcb->remote_ip)) : 0;
    sock->segment_max = (uint32_t)segment_limit(sock, pcb);
    tcp_loss_start(sock, pcb);
    sock->window_wanted = tcp_data_window(sock, pcb);
    sock->window = min(pcb->rcv_wnd, sock->window_wanted);
    pcb->rcv_wnd = pcb->rcv_ann_wnd = sock->window;
}

static uint32_t told_window(const struct inet_sock *sock)
{
    uint32_t clamp = (uint32_t)sock->options.window_clamp;

    return clamp != 0 ? min(clamp, sock->window) : sock->window;
}

/* lwIP tells of a window that has grown by its threshold, which a small one never does. */
static void tell_small_window(const struct inet_sock *sock, struct tcp_pcb *pcb)
{
    if (pcb->rcv_nxt + pcb->rcv_wnd - pcb->rcv_ann_right_edge < told_window(sock) / 2)
        return;
    pcb->rcv_ann_wnd = pcb->rcv_wnd;
    tcp_ack_now(pcb);
    (void)tcp_output(pcb);
}

/* A wider window is told of; a narrower one comes as what is read is not given back: see
 * consume(). */
void tcp_data_window_changed(struct inet_sock *sock)
{
    struct tcp_pcb *pcb = sock->pcb;

    sock->window_wanted = tcp_data_window(sock, pcb);
    while (sock->window < sock->window_wanted) {
        uint32_t more = min(sock->window_wanted - sock->window, (uint32_t)UINT16_MAX);

        sock->window += more;
        tcp_recved(pcb, (u16_t)more);
    }
    if (told_window(sock) < 2 * TCP_WND_UPDATE_THRESHOLD)
        tell_small_window(sock, pcb);
}

struct tcp_seg *tcp_data_segment(struct tcp_pcb *pcb, struct pbuf *p, uint32_t sequence)
{
    struct tcp_seg *segment = memp_malloc(MEMP_TCP_SEG);
    unsigned options = options_size(pcb);

    if (segment == NULL)
        return NULL;
    segment->next = NULL;
    segment->p = p;
    segment->len = p->len;
    segment->flags = options != 0 ? TF_SEG_OPTS_TS : 0;
    pbuf_add_header(p, TCP_HLEN + options);
    segment->tcphdr = p->payload;
    segment->tcphdr->src = lwip_htons(pcb->local_port);
    segment->tcphdr->dest = lwip_htons(pcb->remote_port);
    segment->tcphdr->seqno = lwip_htonl(sequence);
    TCPH_HDRLEN_FLAGS_SET(segment->tcphdr, (5 + options / 4), 0);
    segment->tcphdr->urgp = 0;
    return segment;
}

/* The segments that follow the first `at` bytes of `segment`, of `size` bytes each: copies. NULL:
 * no memory. */
static struct tcp_seg *copy_rest(struct tcp_pcb *pcb, const struct tcp_seg *segment, size_t at,
                                 size_t size, struct tcp_seg **last)
{
    size_t ahead = segment->p->tot_len - segment->len; /* headers */
    uint32_t sequence = lwip_ntohl(segment->tcphdr->seqno);
    struct tcp_seg *pieces = NULL, **link = &pieces;

    for (; at < segment->len; at += size) {
        size_t length = min(size, segment->len - at);
        struct net_chunk *chunk = net_chunk_alloc(length);
        struct tcp_seg *piece = NULL;

        if (chunk != NULL)
            piece = tcp_data_segment(pcb, net_chunk_pbuf(chunk), sequence + (uint32_t)at);
        if (piece == NULL) {
            if (chunk != NULL)
                net_chunk_put(chunk);
            tcp_segs_free(pieces);
            return NULL;
        }
        pbuf_copy_partial(segment->p, chunk->data, (u16_t)length, (u16_t)(ahead + at));
        net_copies.inside += length;
        piece->flags |= segment->flags;
        *last = *link = piece;
        link = &piece->next;
    }
    return pieces;
}

bool tcp_data_cut(struct tcp_pcb *pcb, struct tcp_seg *segment, size_t first, size_t size)
{
    size_t ahead = segment->p->tot_len - segment->len;
    unsigned at_end = TCPH_FLAGS(segment->tcphdr) & (TCP_PSH | TCP_FIN), count = 0;
    struct tcp_seg *last = segment, *pieces;

    if (segment->p->ref != 1 || pcb->snd_queuelen + segment->len / size > PIECES_MAX)
        return false;
    pieces = copy_rest(pcb, segment, first, size, &last);
    if (pieces == NULL)
        return false;
    for (const struct tcp_seg *piece = pieces; piece != NULL; piece = piece->next)
        count++;
    last->next = segment->next;
    segment->next = pieces;
    TCPH_SET_FLAG(last->tcphdr, at_end);
    TCPH_UNSET_FLAG(segment->tcphdr, at_end);
    count -= pbuf_clen(segment->p);
    segment->len = (u16_t)first;
    pbuf_realloc(segment->p, (u16_t)(ahead + first));
    pcb->snd_queuelen = (u16_t)(pcb->snd_queuelen + count + pbuf_clen(segment->p));
    return true;
}

static struct tcp_seg *last_unsent(const struct tcp_pcb *pcb)
{
    struct tcp_seg *segment = pcb->unsent;

    while (segment != NULL && segment->next != NULL)
        segment = segment->next;
    return segment;
}

static bool may_extend(const struct tcp_seg *segment, size_t length, size_t limit)
{
    return segment != NULL && segment->len != 0 && segment->len + length <= limit &&
           !(TCPH_FLAGS(segment->tcphdr) & (TCP_SYN | TCP_FIN | TCP_RST)) && segment->p->ref == 1 &&
           pbuf_clen(segment->p) < PARTS_MAX;
}

/* Takes the chunk's bytes into the stream; `*last` is the last segment not sent. */
static bool queue_chunk(struct inet_sock *sock, struct net_chunk *chunk, size_t limit,
                        struct tcp_seg **last)
{
    struct tcp_pcb *pcb = sock->pcb;
    struct pbuf *p = net_chunk_pbuf(chunk);
    u16_t length = p->len;

    if (may_extend(*last, length, limit)) {
        pbuf_cat((*last)->p, p);
        (*last)->len += length;
    } else {
        struct tcp_seg *segment = tcp_data_segment(pcb, p, pcb->snd_lbb);

        if (segment == NULL)
            return false;
        if (*last != NULL)
            (*last)->next = segment;
        else
            pcb->unsent = segment;
        *last = segment;
    }
    pcb->snd_queuelen++;
    pcb->snd_lbb += length;
    pcb->snd_buf -= length;
    WRITE_ONCE(sock->written, sock->written + length);
    return true;
}

/* As many of the list's chunks as there is room for: bytes; what is left stays in the list. */
static size_t queue_list(struct inet_sock *sock, struct net_chunk **list, bool more)
{
    struct tcp_pcb *pcb = sock->pcb;
    struct tcp_seg *last = last_unsent(pcb);
    size_t limit = segment_limit(sock, pcb), taken = 0;
    bool is_long = false; /* segments were longer when it was copied */

    while (*list != NULL) {
        struct net_chunk *chunk = *list, *next = chunk->next;
        struct pbuf *p = net_chunk_pbuf(chunk);
        size_t room = min(send_room(sock), (size_t)tcp_sndbuf(pcb));

        if (room == 0 || pcb->snd_queuelen >= TCP_SND_QUEUELEN)
            break;
        if (p->len > room) {
            p->tot_len = p->len = (u16_t)room;
            more = false;
        }
        room = p->len;
        is_long |= room > limit;
        if (!queue_chunk(sock, chunk, limit, &last))
            break;
        taken += room;
        *list = next;
    }
    if (taken != 0 && !more)
        TCPH_SET_FLAG(last->tcphdr, TCP_PSH);
    sock->segment_max = (uint32_t)limit;
    if (unlikely(is_long))
        tcp_mtu_cut(sock, pcb);
    return taken;
}

void tcp_data_fit(struct tcp_pcb *pcb)
{
    struct tcp_seg *head = pcb->unsent;
    size_t packet = pcb->mss - options_size(pcb), window, ahead;

    if (head == NULL || head->len <= packet)
        return;
    ahead = lwip_ntohl(head->tcphdr->seqno) - pcb->lastack;
    window = min(pcb->cwnd, pcb->snd_wnd);
    if (ahead + head->len <= window || window < ahead + packet ||
        (pcb->unacked != NULL && head->len <= window / 2 &&
         !TCP_SEQ_LT(lwip_ntohl(head->tcphdr->seqno), pcb->snd_nxt)))
        return;
    if (tcp_data_cut(pcb, head, (window - ahead) / packet * packet, head->len))
        (void)tcp_output(pcb);
}

/* 0, or why nothing can be sent. */
static int send_error(struct inet_sock *sock)
{
    if (sock->state == INET_CONNECTING)
        return -EAGAIN;
    if (sock->state != INET_CONNECTED || (sock->shutdown & INET_SHUT_WR) || sock->pcb == NULL)
        return -EPIPE;
    return 0;
}

/* Copies what the program wrote, in pieces of a segment each: bytes, or -errno and no list. */
static ssize_t copy_in(struct inet_sock *sock, struct io *io, struct net_chunk **list)
{
    size_t limit = READ_ONCE(sock->segment_max), done = 0;
    size_t want = min(min(io_left(io), (size_t)BATCH_MAX), max(send_room(sock), (size_t)1));

    if (limit < SEGMENT_LEAST)
        limit = SEGMENT_LEAST;
    while (done < want) {
        size_t size = min(limit, want - done);
        struct net_chunk *chunk = net_chunk_alloc(size);
        ssize_t copied = chunk != NULL ? io_copy_from(io, chunk->data, size) : -ENOBUFS;

        if (copied <= 0) {
            if (chunk != NULL)
                net_chunk_put(chunk);
            return done != 0 ? (ssize_t)done : copied;
        }
        net_chunk_pbuf(chunk)->tot_len = net_chunk_pbuf(chunk)->len = (u16_t)copied;
        *list = chunk;
        list = &chunk->next;
        done += (size_t)copied;
        if ((size_t)copied < size)
            break;
    }
    return (ssize_t)done;
}

static void free_list(struct net_chunk *list)
{
    while (list != NULL) {
        struct net_chunk *next = list->next;

        net_chunk_put(list);
        list = next;
    }
}

/* An answer carries the acknowledgement of what it answers. */
static void note_answer(struct inet_sock *sock)
{
    sock->is_interactive |= sock->has_heard;
    sock->has_heard = false;
}

static void push(struct inet_sock *sock, struct tcp_pcb *pcb, bool more)
{
    if (more && pcb->unsent != NULL && pcb->unsent->next == NULL && pcb->unsent->len < pcb->mss) {
        if (sock->held_ms == 0)
            sock->held_ms = sys_now() | 1;
        return; /* until it is worth a packet, or for 200 ms */
    }
    sock->held_ms = 0;
    (void)tcp_output_nagle(pcb);
    if (pcb->unsent != NULL)
        tcp_data_fit(pcb);
}

void tcp_data_tick(struct tcp_pcb *pcb, uint32_t now_ms)
{
    struct inet_sock *sock = pcb->ext_args[EXT_SOCK].data;
    bool held_long = sock != NULL && sock->held_ms != 0 && now_ms - sock->held_ms >= HELD_MS;

    if (sock != NULL && tcp_time_tick(sock, pcb, now_ms))
        return;
    if (sock != NULL)
        tcp_loss_tick(sock, pcb, now_ms);
    if (pcb->unsent == NULL)
        return;
    if (held_long)
        sock->held_ms = 0;
    if (held_long || (pcb->flags & TF_NAGLEMEMERR)) /* or the device had no room */
        (void)tcp_output(pcb);
    tcp_data_fit(pcb);
}

ssize_t tcp_data_send(struct inet_sock *sock, struct io *io, const struct inet_packet *to,
                      unsigned flags)
{
    bool more = (flags & MSG_MORE) || sock->options.cork;
    struct net_chunk *list = NULL;
    ssize_t copied = copy_in(sock, io, &list);
    size_t taken = 0;
    int error;

    (void)to;
    if (copied <= 0)
        return copied;
    net_lock();
    error = send_error(sock);
    if (error == 0) {
        struct tcp_pcb *pcb = sock->pcb;

        if (is_low(sock, pcb, 1))
            taken = queue_list(sock, &list, more || io_left(io) != 0);
        net_copies.in += taken;
        if (taken == 0)
            error = sock->written != sock->acked ? -EAGAIN : -ENOBUFS;
        note_answer(sock);
        tcp_timer_needed();
        push(sock, pcb, more);
        if (sock->pcb == pcb && (taken == 0 || !is_writable(sock, pcb)))
            net_ready(sock, POLL_WRITABLE, false);
    }
    net_unlock();
    free_list(list);
    if (taken < (size_t)copied)
        io_rewind(io, (size_t)copied - taken);
    return error != 0 ? error : (ssize_t)taken;
}

err_t tcp_data_sent(void *arg, struct tcp_pcb *pcb, u16_t length)
{
    struct inet_sock *sock = arg;

    WRITE_ONCE(sock->acked, sock->acked + length);
    if (sock->is_recovering)
        tcp_loss_acked(sock, pcb);
    if (sock->socket != NULL && ((!(sock->ready & POLLOUT) && is_writable(sock, pcb)) ||
                                 (sock->acked == sock->written && (sock->shutdown & INET_SHUT_WR))))
        net_ready(sock, POLL_WRITABLE, true);
    return ERR_OK;
}

/* ---- receiving ---- */

void tcp_data_drop(struct inet_sock *sock)
{
    struct pbuf *p = sock->first;

    while (p != NULL) {
        struct pbuf *next = p->next;

        p->next = NULL;
        pbuf_free(p);
        p = next;
    }
    sock->first = sock->last = NULL;
    sock->received = sock->offset = 0;
}

static void append(struct inet_sock *sock, struct pbuf *p)
{
    size_t length = p->tot_len;

    if (sock->last != NULL)
        ((struct pbuf *)sock->last)->next = p;
    else
        sock->first = p;
    while (p->next != NULL)
        p = p->next;
    sock->last = p;
    /* The list, then its length: pairs with tcp_data_receive(). */
    smp_store_release(&sock->received, sock->received + length);
}

err_t tcp_data_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    struct inet_sock *sock = arg;
    size_t length = p != NULL ? p->tot_len : 0;

    (void)error;
    if (sock->listener != NULL)
        tcp_child_heard(sock);
    if (p == NULL) {
        sock->shutdown |= INET_SHUT_RD;
        net_ready(sock, POLL_READABLE | POLLRDHUP, true);
        if (sock->shutdown == (INET_SHUT_RD | INET_SHUT_WR))
            net_ready(sock, POLLHUP, true);
        return ERR_OK;
    }
    if (sock->shutdown & INET_SHUT_RD) { /* shutdown(SHUT_RD): taken and dropped */
        tcp_recved(pcb, p->tot_len);
        pbuf_free(p);
        return ERR_OK;
    }
    append(sock, p);
    if (sock->options.window_clamp != 0)
        tcp_data_window_changed(sock);
    sock->has_heard = true;
    if (sock->quick_acks != 0 && !sock->is_interactive) {
        sock->quick_acks--;
        tcp_ack_now(pcb);
    } else if (length >= ACK_BYTES) { /* every second packet: RFC 9293 section 3.8.6.3 */
        tcp_ack_now(pcb);
    }
    net_ready(sock, POLL_READABLE, true);
    return ERR_OK;
}

/* Bytes out of the queue, which only readers shorten: the lock is not needed meanwhile. */
static ssize_t copy_out(struct inet_sock *sock, struct io *io, size_t length)
{
    const struct pbuf *p = sock->first;
    size_t offset = sock->offset, done = 0;

    while (done < length) {
        size_t n = min((size_t)p->len - offset, length - done);
        ssize_t copied = n != 0 ? io_copy_to(io, (const char *)p->payload + offset, n) : 0;

        if (copied < 0)
            return done != 0 ? (ssize_t)done : copied;
        done += (size_t)copied;
        if ((size_t)copied < n)
            break;
        offset = 0;
        if (done < length)
            p = p->next;
    }
    return (ssize_t)done;
}

/* The bytes were read: their buffers go, the window opens. */
static void consume(struct inet_sock *sock, size_t length)
{
    struct tcp_pcb *pcb = sock->pcb;
    size_t left = length;

    sock->received -= length;
    while (left != 0) {
        struct pbuf *p = sock->first;
        size_t n = min((size_t)p->len - sock->offset, left);

        left -= n;
        sock->offset += n;
        if (sock->offset < p->len)
            break;
        sock->first = p->next;
        if (sock->first == NULL)
            sock->last = NULL;
        sock->offset = 0;
        p->next = NULL;
        pbuf_free(p);
    }
    if (sock->received == 0 && !(sock->shutdown & INET_SHUT_RD) && sock->state == INET_CONNECTED)
        net_ready(sock, POLL_READABLE, false);
    if (sock->options.window_clamp != 0 && pcb != NULL)
        sock->window_wanted = tcp_data_window(sock, pcb);
    if (sock->window > sock->window_wanted) {
        left = min(length, (size_t)(sock->window - sock->window_wanted));
        sock->window -= (uint32_t)left;
        length -= left;
    }
    for (; pcb != NULL && length != 0; length -= left) {
        left = min(length, (size_t)UINT16_MAX);
        tcp_recved(pcb, (u16_t)left);
    }
    if (pcb != NULL && told_window(sock) < 2 * TCP_WND_UPDATE_THRESHOLD)
        tell_small_window(sock, pcb);
}

static int receive_error(struct inet_sock *sock)
{
    if (sock->shutdown & INET_SHUT_RD)
        return 0;
    if (sock->state == INET_CONNECTED && sock->pcb != NULL)
        return -EAGAIN;
    if (sock->state == INET_CONNECTING)
        return -EAGAIN;
    return sock->state == INET_DEAD ? 0 : -ENOTCONN;
}

/* Nothing to read: why, with the lock to be sure. Bytes that came meanwhile: 1. */
static ssize_t nothing_read(struct inet_sock *sock)
{
    ssize_t why;

    net_lock();
    why = sock->received != 0 ? 1 : receive_error(sock);
    net_unlock();
    return why;
}

ssize_t tcp_data_receive(struct inet_sock *sock, struct io *io, struct inet_packet *from,
                         unsigned *flags)
{
    size_t length;
    ssize_t done = 1;

    from->address.family = AF_UNSPEC;
    if (READ_ONCE(sock->received) == 0 && READ_ONCE(sock->state) == INET_CONNECTED &&
        !(READ_ONCE(sock->ready) & (POLLIN | POLLERR | POLLHUP)))
        return -EAGAIN;
    mutex_lock(&sock->read_lock);
    length = smp_load_acquire(&sock->received); /* pairs with append() */
    if (length == 0) {
        done = nothing_read(sock);
        length = done > 0 ? smp_load_acquire(&sock->received) : 0;
    }
    length = min(length, io_left(io));
    if (length != 0) {
        done = *flags & MSG_TRUNC ? (ssize_t)length : copy_out(sock, io, length);
        if (done > 0 && !(*flags & MSG_PEEK)) {
            net_lock();
            consume(sock, (size_t)done);
            net_copies.out += (size_t)done;
            net_unlock();
        }
    } else if (done > 0) {
        done = 0;
    }
    mutex_unlock(&sock->read_lock);
    return done;
}
