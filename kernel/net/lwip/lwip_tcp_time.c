/* SPDX-License-Identifier: MIT */
/*
 * How long TCP tries (tcp(7)): a connection attempt as often as TCP_SYNCNT says, bytes that nobody
 * acknowledges for TCP_USER_TIMEOUT, a closed end that waits for the other one's for TCP_LINGER2.
 * lwIP's own bounds, which count retransmissions, are set so that these come first.
 */
#include <lib/minmax.h>

#include <lwip/priv/tcp_priv.h>

#include "lwip_port.h"
#include "lwip_tcp.h"

#define SYN_TIME_MS   1000u   /* until a first SYN is sent again; then twice as long each time */
#define TIME_MAX_MS   120000u /* until anything is */
#define DATA_LIMIT_MS 924600u /* net.ipv4.tcp_retries2 = 15: from 0.2 s on */

static uint32_t syn_wait_ms(unsigned tries)
{
    return tries < 7 ? SYN_TIME_MS << tries : TIME_MAX_MS;
}

static uint32_t syn_limit_ms(unsigned tries)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i <= tries; i++)
        sum += syn_wait_ms(i);
    return sum;
}

/* 0: for ever, as long as the other end answers that it has no room. */
static uint32_t limit_ms(const struct inet_sock *sock, const struct tcp_pcb *pcb)
{
    if (sock->options.user_timeout_ms != 0)
        return (uint32_t)sock->options.user_timeout_ms;
    if (pcb->state == SYN_SENT)
        return syn_limit_ms((unsigned)sock->options.syn_count);
    return pcb->persist_backoff != 0 ? 0 : DATA_LIMIT_MS;
}

/* Whether nothing that waits has got on for so long. */
static bool is_overdue(struct inet_sock *sock, const struct tcp_pcb *pcb, uint32_t now)
{
    uint32_t limit;

    if (pcb->unacked == NULL && pcb->unsent == NULL) {
        sock->stuck_ms = 0;
        return false;
    }
    if (sock->stuck_ms == 0 || sock->stuck_seq != pcb->lastack) {
        sock->stuck_ms = now | 1;
        sock->stuck_seq = pcb->lastack;
        return false;
    }
    limit = limit_ms(sock, pcb);
    return limit != 0 && now - sock->stuck_ms >= limit;
}

/* Linux waits without a socket; one that is told not to wait resets the other end. */
static bool ends_waiting(struct inet_sock *sock, struct tcp_pcb *pcb, uint32_t now)
{
    int seconds = sock->options.linger2_s;

    if (sock->stuck_ms == 0 || sock->stuck_seq != pcb->lastack) {
        sock->stuck_ms = now | 1;
        sock->stuck_seq = pcb->lastack;
        if (seconds >= 0)
            return false;
    }
    if (seconds >= 0 && now - sock->stuck_ms < (uint32_t)seconds * 1000)
        return false;
    tcp_abandon(pcb, seconds < 0);
    return true;
}

bool tcp_time_tick(struct inet_sock *sock, struct tcp_pcb *pcb, uint32_t now_ms)
{
    if (pcb->state == FIN_WAIT_2)
        return sock->socket == NULL && ends_waiting(sock, pcb, now_ms);
    if (pcb->state == SYN_SENT)
        pcb->rto = (int16_t)(syn_wait_ms(pcb->nrtx) / TCP_SLOW_INTERVAL);
    if (!is_overdue(sock, pcb, now_ms))
        return false;
    tcp_abandon(pcb, 0);
    return true;
}
