/* SPDX-License-Identifier: MIT */
/*
 * What was lost on its way is sent again, packet by packet. lwIP counts repeated acknowledgements
 * and sends its first segment, of up to 16 KiB, again; here selective acknowledgements (RFC 2018)
 * tell what arrived, and what was sent some time before something that arrived is lost (RACK, RFC
 * 8985). The times of sending are those in the segments' own timestamps. No more is on its way than
 * the congestion window allows (RFC 6675). The end of a flight is sent again when nothing is heard
 * of it, so that the other end tells what it has. lwIP's time-out is behind all of this.
 *
 * Connections without selective acknowledgements: RFC 5827 and RFC 6582.
 */
#include <lib/minmax.h>
#include <lib/string.h>

#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>

#include "lwip_demux.h"
#include "lwip_tcp.h"

/* In the flags of a segment, beside lwIP's. */
#define SEG_ARRIVED 0x20u /* the other end has it */
#define SEG_LOST    0x40u /* to be sent again */
#define SEG_RESENT  0x80u
#define SEG_MARKS   (SEG_ARRIVED | SEG_LOST | SEG_RESENT)

#define BLOCKS_MAX      4u
#define OPTION_SACK     5
#define OPTION_STAMP    8
#define REORDER_MAX     16u
#define DUPLICATES_MAX  3u /* packets that arrived behind one that is lost, without timestamps */
#define PROBE_TICKS_MIN 1u
#define LATE_MAX_MS     1000u
#define TICKS_MIN       3u /* that lwIP lets a time-out be */

/* What the options of the segment say that lwIP has just got. */
static struct {
    unsigned count;
    uint32_t left[BLOCKS_MAX], right[BLOCKS_MAX];
    uint32_t acked, echo_ms; /* up to where; the other end's answer to our timestamp */
    bool has_echo;
} told;
bool tcp_loss_told;

static uint32_t seq_of(const struct tcp_seg *segment)
{
    return lwip_ntohl(segment->tcphdr->seqno);
}

static uint32_t end_of(const struct tcp_seg *segment)
{
    return seq_of(segment) + TCP_TCPLEN(segment);
}

static uint32_t sent_ms(const struct tcp_seg *segment)
{
    uint32_t stamp;

    memcpy(&stamp, (const uint8_t *)(segment->tcphdr + 1) + 4, sizeof(stamp));
    return lwip_ntohl(stamp);
}

static size_t packet_size(const struct tcp_pcb *pcb)
{
    return pcb->mss - (pcb->flags & TF_TIMESTAMP ? LWIP_TCP_OPT_LEN_TS_OUT : 0u);
}

/* ---- what arrives ---- */

static uint32_t get32(const uint8_t *from)
{
    uint32_t word;

    memcpy(&word, from, sizeof(word));
    return lwip_ntohl(word);
}

void tcp_loss_hear(const struct tcp_hdr *header, size_t size)
{
    const uint8_t *at = (const uint8_t *)(header + 1);
    size_t left = TCPH_HDRLEN_BYTES(header);

    tcp_loss_told = true;
    told.count = 0;
    told.has_echo = false;
    told.acked = lwip_ntohl(header->ackno);
    if (left > size || left < TCP_HLEN)
        return;
    left -= TCP_HLEN;
    while (left != 0 && at[0] != 0) {
        size_t length = at[0] == 1 ? 1 : left > 1 ? at[1] : 0;

        if (length == 0 || length > left || (length == 1 && at[0] != 1))
            return;
        if (at[0] == OPTION_STAMP && length == 10) {
            told.has_echo = true;
            told.echo_ms = get32(at + 6);
        }
        for (size_t i = 2; at[0] == OPTION_SACK && i + 8 <= length && told.count < BLOCKS_MAX;
             i += 8) {
            told.left[told.count] = get32(at + i);
            told.right[told.count++] = get32(at + i + 4);
        }
        at += length;
        left -= length;
    }
}

/* A segment of several packets becomes one of each. False: no memory. */
static bool cut_to_packets(struct tcp_pcb *pcb, struct tcp_seg *segment)
{
    size_t packet = packet_size(pcb);

    return segment->len <= packet || tcp_data_cut(pcb, segment, packet, packet);
}

/* ---- what arrived, what did not ---- */

struct flight {
    uint32_t arrived, lost, total; /* bytes */
};

/* Only blocks of what is on its way count; one below is told of bytes that came twice. */
static bool is_sound(const struct tcp_pcb *pcb, unsigned i)
{
    return TCP_SEQ_GT(told.left[i], pcb->lastack) && TCP_SEQ_GT(told.right[i], told.left[i]) &&
           TCP_SEQ_LEQ(told.right[i], pcb->snd_nxt);
}

static void note_arrival(struct inet_sock *sock, struct tcp_seg *segment, uint32_t now)
{
    segment->flags = (u8_t)((segment->flags & ~SEG_LOST) | SEG_ARRIVED);
    if (segment->flags & TF_SEG_OPTS_TS) {
        uint32_t sent = sent_ms(segment), took = now - sent;

        if (!(segment->flags & SEG_RESENT))
            sock->rtt_min_ms = min(sock->rtt_min_ms, took);
        else if (took < sock->rtt_min_ms)
            return; /* the first one arrived, not this */
        if ((int32_t)(sent - sock->arrived_ms) >= 0) {
            sock->arrived_ms = sent;
            sock->rtt_ms = took;
        }
    }
    if (!(segment->flags & SEG_RESENT) && TCP_SEQ_LT(seq_of(segment), sock->arrived_to)) {
        sock->is_reordered = true;
        if (segment->flags & TF_SEG_OPTS_TS)
            sock->late_ms = (uint16_t)max((uint32_t)sock->late_ms,
                                          min(sock->arrived_ms - sent_ms(segment), LATE_MAX_MS));
    }
}

/* Marks what a block covers. A segment that it covers in part is cut first. */
static void mark_block(struct inet_sock *sock, struct tcp_pcb *pcb, uint32_t left, uint32_t right,
                       uint32_t now)
{
    for (struct tcp_seg *segment = pcb->unacked;
         segment != NULL && TCP_SEQ_LT(seq_of(segment), right); segment = segment->next) {
        if ((segment->flags & SEG_ARRIVED) || TCP_SEQ_LEQ(end_of(segment), left))
            continue;
        if ((TCP_SEQ_LT(seq_of(segment), left) || TCP_SEQ_GT(end_of(segment), right)) &&
            !cut_to_packets(pcb, segment))
            continue;
        if (TCP_SEQ_LT(seq_of(segment), left) || TCP_SEQ_GT(end_of(segment), right))
            continue;
        note_arrival(sock, segment, now);
    }
}

static void mark_arrived(struct inet_sock *sock, struct tcp_pcb *pcb, uint32_t now)
{
    uint32_t most = sock->arrived_to;

    if (TCP_SEQ_LT(most, pcb->lastack))
        most = pcb->lastack;
    sock->arrived_to = most;
    if (told.has_echo && (int32_t)(now - told.echo_ms) >= 0 &&
        (int32_t)(told.echo_ms - sock->arrived_ms) > 0)
        sock->arrived_ms = told.echo_ms;
    for (unsigned i = 0; i < told.count; i++) {
        if (TCP_SEQ_LEQ(told.right[i], told.acked)) {
            if (i == 0 && sock->reorder_steps < REORDER_MAX)
                sock->reorder_steps++; /* sent again for nothing (RFC 2883) */
        } else if (is_sound(pcb, i)) {
            mark_block(sock, pcb, told.left[i], told.right[i], now);
            if (TCP_SEQ_GT(told.right[i], most))
                most = told.right[i];
        }
    }
    sock->arrived_to = most;
}

/* How much later than one that was sent after it a segment may arrive. */
static uint32_t slack_ms(const struct inet_sock *sock)
{
    uint32_t rtt = max(sock->rtt_min_ms, sock->rtt_ms);
    uint32_t steps = min(sock->rtt_min_ms, sock->rtt_ms) * (1u + sock->reorder_steps) / 4;

    return min(max(steps, (uint32_t)sock->late_ms), rtt);
}

/* Whether a segment is lost with `above` bytes behind it that arrived, of `total` on their way. */
static bool is_lost(const struct inet_sock *sock, const struct tcp_pcb *pcb,
                    const struct tcp_seg *segment, const struct flight *flight, uint32_t above,
                    uint32_t now)
{
    uint32_t packet = (uint32_t)packet_size(pcb), needed = DUPLICATES_MAX;

    if (segment->flags & TF_SEG_OPTS_TS) {
        uint32_t sent = sent_ms(segment);
        uint32_t slack = 1 + slack_ms(sock);

        if ((int32_t)(sock->arrived_ms - sent) > (int32_t)slack)
            return true;
        if ((int32_t)(sock->arrived_ms - sent) >= 0 && above != 0 &&
            now - sent > sock->rtt_ms + slack)
            return true;
    }
    if ((segment->flags & SEG_RESENT) || (sock->is_reordered && (segment->flags & TF_SEG_OPTS_TS)))
        return false;
    if (pcb->unsent == NULL) /* there may be too few to tell of three (RFC 5827) */
        needed = min(needed, max((flight->total + packet - 1) / packet, 2u) - 1);
    return (above + packet - 1) / packet >= needed;
}

static void look_for_losses(struct inet_sock *sock, struct tcp_pcb *pcb, struct flight *flight,
                            uint32_t now)
{
    uint32_t above;

    *flight = (struct flight){.total = pcb->snd_nxt - pcb->lastack};
    for (const struct tcp_seg *segment = pcb->unacked; segment != NULL; segment = segment->next) {
        if (segment->flags & SEG_ARRIVED)
            flight->arrived += segment->len;
    }
    above = flight->arrived;
    for (struct tcp_seg *segment = pcb->unacked; segment != NULL; segment = segment->next) {
        if (segment->flags & SEG_ARRIVED)
            above -= segment->len;
        else if (!(segment->flags & SEG_LOST) && is_lost(sock, pcb, segment, flight, above, now))
            segment->flags |= SEG_LOST;
        if (segment->flags & SEG_LOST)
            flight->lost += segment->len;
    }
}

/* ---- sending again ---- */

/* Takes lost segments off the list of those on their way: at least one, then as the window
 * allows. */
static struct tcp_seg *take_lost(struct tcp_pcb *pcb, uint32_t *on_way)
{
    struct tcp_seg *chosen = NULL, **last = &chosen, **link = &pcb->unacked, *segment;

    while ((segment = *link) != NULL) {
        if (!(segment->flags & SEG_LOST) || !cut_to_packets(pcb, segment) || segment->p->ref != 1 ||
            TCP_SEQ_LEQ(end_of(segment), pcb->lastack)) {
            link = &segment->next;
            continue;
        }
        if (chosen != NULL && *on_way + segment->len > pcb->cwnd)
            break;
        *link = segment->next;
        segment->flags = (u8_t)((segment->flags & ~SEG_LOST) | SEG_RESENT);
        *on_way += segment->len;
        segment->next = NULL;
        *last = segment;
        last = &segment->next;
    }
    return chosen;
}

/* Now, whatever the congestion window says; what the device does not take stays first. */
static void send_chosen(struct tcp_pcb *pcb, struct tcp_seg *chosen)
{
    struct tcp_seg *rest = pcb->unsent, **last = &pcb->unsent;
    tcpwnd_size_t window = pcb->cwnd;
    bool was_recovering = (pcb->flags & TF_INFR) != 0;

    pcb->unsent = chosen;
    pcb->cwnd = pcb->snd_wnd;
    pcb->rttest = 0;
    pcb->rtime = 0;
    tcp_set_flags(pcb, TF_INFR); /* nothing is held back */
    (void)tcp_output(pcb);
    if (!was_recovering)
        tcp_clear_flags(pcb, TF_INFR);
    pcb->cwnd = window;
    while (*last != NULL)
        last = &(*last)->next;
    *last = rest;
}

/* What was not sent yet follows as far as what is really on its way leaves room. */
static void send_new(struct tcp_pcb *pcb, uint32_t on_way)
{
    tcpwnd_size_t window = pcb->cwnd;
    size_t packet = packet_size(pcb), room;

    if (pcb->unsent == NULL || on_way >= window)
        return;
    room = (window - on_way) / packet * packet;
    if (room != 0 && pcb->unsent->len > room)
        (void)tcp_data_cut(pcb, pcb->unsent, room, pcb->unsent->len);
    pcb->cwnd = pcb->snd_nxt - pcb->lastack + (window - on_way);
    (void)tcp_output(pcb);
    pcb->cwnd = window;
}

static void begin_recovery(struct inet_sock *sock, struct tcp_pcb *pcb)
{
    sock->is_recovering = true;
    sock->recovered_at = pcb->snd_nxt;
    sock->resent_ms = sys_now();
    sock->stuck_at = pcb->lastack;
    sock->window_before = pcb->cwnd;
    sock->threshold_before = pcb->ssthresh;
    pcb->ssthresh = max(min(pcb->cwnd, pcb->snd_wnd) / 10 * 7, 2u * pcb->mss); /* RFC 9438 */
    pcb->bytes_acked = 0;
}

/* An acknowledgement answers what was sent before we sent anything again: nothing was lost, it came
 * late (RFC 4015). */
static void take_back(struct inet_sock *sock, struct tcp_pcb *pcb)
{
    for (struct tcp_seg *segment = pcb->unacked; segment != NULL; segment = segment->next)
        segment->flags &= (u8_t)~SEG_LOST;
    pcb->cwnd = max(pcb->cwnd, sock->window_before);
    pcb->ssthresh = max(pcb->ssthresh, sock->threshold_before);
    sock->is_reordered = true;
    if (sock->reorder_steps < REORDER_MAX)
        sock->reorder_steps++;
}

static void end_recovery(struct inet_sock *sock, struct tcp_pcb *pcb)
{
    sock->is_recovering = false;
    tcp_clear_flags(pcb, TF_INFR);
    (void)tcp_output(pcb);
}

static void look_and_send(struct inet_sock *sock, struct tcp_pcb *pcb, uint32_t now)
{
    struct flight flight;
    struct tcp_seg *chosen;
    uint32_t on_way;

    look_for_losses(sock, pcb, &flight, now);
    if (flight.lost != 0 && !sock->is_recovering)
        begin_recovery(sock, pcb);
    if (sock->is_recovering) {
        pcb->cwnd = pcb->ssthresh;
        tcp_set_flags(pcb, TF_INFR); /* lwIP counts no duplicates, and we hear of every segment */
    }
    on_way = flight.total - min(flight.total, flight.arrived + flight.lost);
    chosen = flight.lost != 0 ? take_lost(pcb, &on_way) : NULL;
    if (chosen != NULL)
        send_chosen(pcb, chosen);
    if (flight.arrived != 0)
        send_new(pcb, on_way);
}

/* Connections without selective acknowledgements. lwIP sends a lost segment again after three
 * duplicates of an acknowledgement; so few segments on their way that there cannot be three need
 * fewer (RFC 5827). Where the loss ends is noted for tcp_loss_acked(). */
static void count_duplicates(struct inet_sock *sock, struct tcp_pcb *pcb)
{
    unsigned count = 0;

    for (const struct tcp_seg *segment = pcb->unacked; segment != NULL && count < 4;
         segment = segment->next)
        count++;
    if (pcb->dupacks != 0 && pcb->dupacks < 3 && count > 1 && pcb->unsent == NULL &&
        !(pcb->flags & TF_INFR) && pcb->dupacks + 1u >= count) {
        tcp_rexmit_fast(pcb);
        (void)tcp_output(pcb);
    }
    if ((pcb->flags & TF_INFR) && !sock->is_recovering) {
        sock->is_recovering = true;
        sock->recovered_at = pcb->snd_nxt;
    }
}

void tcp_loss_look(struct tcp_pcb *pcb)
{
    struct inet_sock *sock = pcb->ext_args[EXT_SOCK].data;
    bool has_heard = tcp_loss_told;
    uint32_t now;

    tcp_loss_told = false;
    if (sock == NULL || pcb->state < ESTABLISHED)
        return;
    if (!(pcb->flags & TF_SACK)) {
        count_duplicates(sock, pcb);
        return;
    }
    pcb->dupacks = 0;
    if (sock->is_recovering && has_heard && told.has_echo && told.acked == pcb->lastack &&
        (int32_t)(told.echo_ms - sock->resent_ms) < 0 && pcb->lastack != sock->stuck_at) {
        take_back(sock, pcb);
        end_recovery(sock, pcb);
    } else if (sock->is_recovering && !TCP_SEQ_LT(pcb->lastack, sock->recovered_at)) {
        sock->reorder_steps -= sock->reorder_steps != 0;
        end_recovery(sock, pcb);
    }
    if (!has_heard || pcb->unacked == NULL || (pcb->flags & TF_RTO))
        return;
    now = sys_now();
    mark_arrived(sock, pcb, now);
    look_and_send(sock, pcb, now);
}

/* An acknowledgement of some, but not all, of what was on its way when a loss was noticed: what
 * follows was lost, too, and is sent at once (RFC 6582). lwIP outputs it after this. */
void tcp_loss_acked(struct inet_sock *sock, struct tcp_pcb *pcb)
{
    if (pcb->flags & TF_SACK)
        return; /* tcp_loss_look() */
    if (!TCP_SEQ_LT(pcb->lastack, sock->recovered_at))
        sock->is_recovering = false;
    else if (pcb->unacked != NULL)
        (void)tcp_rexmit(pcb);
}

void tcp_loss_start(struct inet_sock *sock, struct tcp_pcb *pcb)
{
    uint32_t ticks = min(tcp_ticks - pcb->rttest, (uint32_t)LWIP_TCP_RTO_TIME / TCP_SLOW_INTERVAL);

    if (pcb->nrtx == 0 && pcb->rttest != 0) { /* what the SYN's answer took (RFC 6298) */
        pcb->sa = (int16_t)(ticks << 3);
        pcb->sv = (int16_t)max(2 * ticks, TICKS_MIN);
        pcb->rto = (int16_t)(ticks + (uint32_t)pcb->sv);
    }
    sock->rtt_min_ms = UINT16_MAX;
    sock->arrived_ms = sys_now();
    sock->arrived_to = sock->probed_at = pcb->lastack;
}

/* ---- time ---- */

/* lwIP's time-out has put everything among the unsent: nothing is known any more. */
static void forget_marks(struct inet_sock *sock, struct tcp_pcb *pcb)
{
    for (struct tcp_seg *segment = pcb->unacked; segment != NULL; segment = segment->next)
        segment->flags &= (u8_t)~SEG_MARKS;
    for (struct tcp_seg *segment = pcb->unsent; segment != NULL; segment = segment->next)
        segment->flags &= (u8_t)~SEG_MARKS;
    sock->is_recovering = false;
    sock->arrived_to = pcb->lastack;
    tcp_clear_flags(pcb, TF_INFR);
}

/* The last packet again, once: the other end tells what it has (RFC 8985, section 7). */
static void probe(struct inet_sock *sock, struct tcp_pcb *pcb)
{
    struct tcp_seg *last = pcb->unacked;

    while (last->next != NULL)
        last = last->next;
    if (!cut_to_packets(pcb, last))
        return;
    while (last->next != NULL)
        last = last->next;
    for (struct tcp_seg **link = &pcb->unacked; *link != NULL; link = &(*link)->next) {
        if (*link == last && last->p->ref == 1) {
            *link = NULL;
            last->flags |= SEG_RESENT;
            sock->probed_at = pcb->lastack;
            send_chosen(pcb, last);
            return;
        }
    }
}

void tcp_loss_tick(struct inet_sock *sock, struct tcp_pcb *pcb, uint32_t now)
{
    const struct tcp_seg *last = pcb->unacked;
    uint32_t patience;

    if (pcb->nrtx > sock->timeouts)
        forget_marks(sock, pcb);
    sock->timeouts = pcb->nrtx;
    if (last == NULL || !(pcb->flags & TF_SACK) || (pcb->flags & TF_RTO) ||
        pcb->state < ESTABLISHED)
        return;
    if (sock->is_recovering || TCP_SEQ_GT(sock->arrived_to, pcb->lastack)) {
        look_and_send(sock, pcb, now);
        return;
    }
    if (sock->probed_at == pcb->lastack || !(last->flags & TF_SEG_OPTS_TS))
        return;
    if (last->next == NULL && last->len <= packet_size(pcb))
        return; /* its acknowledgement may be delayed; the time-out is soon enough */
    while (last->next != NULL)
        last = last->next;
    patience = ((uint32_t)(pcb->sa >> 3) + PROBE_TICKS_MIN) * TCP_SLOW_INTERVAL;
    if (now - sent_ms(last) >= patience)
        probe(sock, pcb);
}
