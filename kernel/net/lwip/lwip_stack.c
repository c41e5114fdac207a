/* SPDX-License-Identifier: MIT */
/*
 * lwIP's lock, memory, timers and loopback. lwIP runs in whichever thread holds the lock: that of a
 * program that sends, of a device's queue that received, or the worker for timers. There is no
 * tick: the timer runs while connections need it, and for a while after other traffic (ARP,
 * neighbour discovery, reassembly); what was missed meanwhile is caught up.
 */
#include <arch/barrier.h>
#include <core/clock.h>
#include <core/lock.h>
#include <core/panic.h>
#include <core/timer.h>
#include <core/work.h>
#include <device/rng.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <net/inet.h>

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/igmp.h>
#include <lwip/init.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>

#include "lwip_demux.h"
#include "lwip_port.h"
#include "lwip_tcp.h"

#define ACTIVE_MS   15000u /* how long slow timers run after traffic */
#define CATCH_UP_MS 300000u

static struct mutex lock = MUTEX_INIT(RANK_NET);
static struct inet_sock *to_wake; /* the lock */
struct net_copies net_copies;
bool net_kick_wanted;

/* ---- what lwIP asks for ---- */

void *lwip_port_malloc(size_t size)
{
    return kmalloc(size);
}

void *lwip_port_calloc(size_t count, size_t size)
{
    return kzalloc_array(count, size);
}

void lwip_port_free(void *block)
{
    kfree(block);
}

int lwip_port_number(const char *text)
{
    int number = 0;

    for (; *text >= '0' && *text <= '9' && number < 1000; text++)
        number = number * 10 + *text - '0';
    return number;
}

uint32_t lwip_port_random(void)
{
    return (uint32_t)rng_u64();
}

void lwip_port_assert(const char *message)
{
    panic("lwIP: %s", message);
}

/* 64 bits at a time: carries gather in a second word (RFC 1071, section 2). */
uint16_t lwip_port_checksum(const void *data, int size)
{
    const uint8_t *from = data;
    uint64_t sum = 0, carries = 0, word;

    for (; size >= 8; size -= 8, from += 8) {
        memcpy(&word, from, sizeof(word));
        sum += word;
        carries += sum < word;
    }
    if (size & 4) { /* the end of every IP and TCP header */
        uint32_t half;

        memcpy(&half, from, sizeof(half));
        from += 4;
        sum += half;
        carries += sum < half;
    }
    word = 0;
    for (int i = 0; i < (size & 3); i++)
        word |= (uint64_t)from[i] << (8 * i);
    sum += word;
    carries += sum < word;
    sum = (sum & 0xffffffff) + (sum >> 32) + carries;
    sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

u32_t sys_now(void)
{
    return (u32_t)(clock_monotonic_ns() / NS_PER_MS);
}

int net_errno(err_t error)
{
    static const int16_t table[] = {
        [ERR_OK] = 0,
        [-ERR_MEM] = -ENOMEM,
        [-ERR_BUF] = -ENOBUFS,
        [-ERR_TIMEOUT] = -ETIMEDOUT,
        [-ERR_RTE] = -ENETUNREACH,
        [-ERR_INPROGRESS] = -EINPROGRESS,
        [-ERR_VAL] = -EINVAL,
        [-ERR_WOULDBLOCK] = -EAGAIN,
        [-ERR_USE] = -EADDRINUSE,
        [-ERR_ALREADY] = -EALREADY,
        [-ERR_ISCONN] = -EISCONN,
        [-ERR_CONN] = -ENOTCONN,
        [-ERR_IF] = -ENETDOWN,
        [-ERR_ABRT] = -ECONNABORTED,
        [-ERR_RST] = -ECONNRESET,
        [-ERR_CLSD] = -ENOTCONN,
        [-ERR_ARG] = -EINVAL,
    };

    return table[-error];
}

/* ---- addresses ---- */

void net_address_to_lwip(const struct inet_address *from, bool is_v6, ip_addr_t *to)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint32_t words[4];

    memcpy(words, from->bytes, sizeof(words));
    if (from->family == AF_INET) {
        ip_addr_set_ip4_u32_val(*to, words[0]);
    } else if (from->family == AF_INET6 && memcmp(from->bytes, mapped, sizeof(mapped)) == 0) {
        ip_addr_set_ip4_u32_val(*to, words[3]);
    } else if (from->family == AF_INET6) {
        IP_ADDR6(to, words[0], words[1], words[2], words[3]);
        if (from->scope != 0)
            ip6_addr_set_zone(ip_2_ip6(to), (u8_t)from->scope);
    } else {
        ip_addr_set_any(is_v6, to);
    }
}

void net_address_from_lwip(const ip_addr_t *from, uint16_t port, struct inet_address *to)
{
    *to = (struct inet_address){.port = port};
    if (IP_IS_V4(from)) {
        to->family = AF_INET;
        memcpy(to->bytes, &ip_2_ip4(from)->addr, 4);
    } else {
        to->family = AF_INET6;
        to->scope = ip6_addr_zone(ip_2_ip6(from));
        memcpy(to->bytes, ip_2_ip6(from)->addr, 16);
    }
}

/* ---- the lock ---- */

static void start(void);

void net_lock(void)
{
    static bool is_started;

    mutex_lock(&lock);
    if (unlikely(!is_started)) {
        is_started = true;
        start();
    }
}

void net_ready(struct inet_sock *sock, unsigned events, bool on)
{
    if (!on) {
        WRITE_ONCE(sock->ready, sock->ready & ~events);
        return;
    }
    WRITE_ONCE(sock->ready, sock->ready | events);
    net_tell(sock, events);
}

void net_tell(struct inet_sock *sock, unsigned events)
{
    if (sock->woken == 0) {
        inet_sock_ref(sock);
        sock->wake_next = to_wake;
        to_wake = sock;
    }
    sock->woken |= events;
}

bool net_is_ours(const ip_addr_t *address)
{
    struct netif *netif;

    if (ip_addr_isany(address) || ip_addr_isloopback(address))
        return true;
    NETIF_FOREACH(netif)
    {
        if (IP_IS_V4(address) ? ip4_addr_eq(netif_ip4_addr(netif), ip_2_ip4(address))
                              : netif_get_ip6_addr_match(netif, ip_2_ip6(address)) >= 0)
            return true;
    }
    return false;
}

static void wake(struct inet_sock *sock, unsigned events)
{
    if ((events & ~POLL_WRITABLE) && waitq_active(&sock->readable))
        waitq_wake(&sock->readable, UINT32_MAX, events);
    if ((events & ~(POLL_READABLE | POLLRDHUP)) && waitq_active(&sock->writable))
        waitq_wake(&sock->writable, UINT32_MAX, events);
}

/* Packets to ourselves go round here, in the sender's thread, until nothing is left. */
static void move_loopback(void)
{
    struct netif *netif;
    bool moved;

    do {
        moved = false;
        NETIF_FOREACH(netif)
        {
            if (netif->loop_first != NULL) {
                netif_poll(netif);
                demux_done();
                moved = true;
            }
        }
    } while (moved);
}

/* Gives up the lock, then tells who waits, some at a time. */
static __noinline void unlock_and_wake(void)
{
    struct {
        struct inet_sock *sock;
        unsigned events;
    } batch[16];
    unsigned count;
    bool more;

    do {
        for (count = 0; to_wake != NULL && count < 16; count++) {
            batch[count].sock = to_wake;
            batch[count].events = to_wake->woken;
            to_wake->woken = 0;
            to_wake = to_wake->wake_next;
        }
        more = to_wake != NULL;
        mutex_unlock(&lock);
        smp_mb(); /* ready, then who waits: pairs with waiter_enqueue() */
        for (unsigned i = 0; i < count; i++) {
            wake(batch[i].sock, batch[i].events);
            inet_sock_unref(batch[i].sock);
        }
        if (more)
            mutex_lock(&lock);
    } while (more);
}

void net_unlock(void)
{
    if (netif_list->loop_first != NULL || netif_list->next != NULL)
        move_loopback();
    if (net_kick_wanted)
        net_devices_kick();
    if (to_wake != NULL)
        unlock_and_wake();
    else
        mutex_unlock(&lock);
}

void net_get_copies(struct net_copies *out)
{
    net_lock();
    *out = net_copies;
    net_unlock();
}

/* ---- timers, under the lock ---- */

struct slow_timer {
    void (*run)(void);
    uint32_t interval_ms;
    uint32_t next_ms;
    bool always; /* not only for a while after traffic */
};

static void age_neighbours(void)
{
    etharp_tmr();
    net_forget_neighbours(); /* so that lwIP sees within a second which are in use */
}

static struct slow_timer slow_timers[] = {
    {age_neighbours, ARP_TMR_INTERVAL, 0, false},
    {ip_reass_tmr, IP_TMR_INTERVAL, 0, false},
    {ip6_reass_tmr, IP6_REASS_TMR_INTERVAL, 0, false},
    {nd6_tmr, ND6_TMR_INTERVAL, 0, false},
    {igmp_tmr, IGMP_TMR_INTERVAL, 0, false},
    {mld6_tmr, MLD6_TMR_INTERVAL, 0, false},
    {dhcp_fine_tmr, DHCP_FINE_TIMER_MSECS, 0, false},
    {dhcp_coarse_tmr, DHCP_COARSE_TIMER_MSECS, 0, true},
};

static struct timer timer;
static struct work timer_work;
static uint32_t active_until_ms, tcp_next_ms, armed_ms;
static bool tcp_needed, tcp_is_planned, slow_needed, was_active, is_armed;

static bool is_due(uint32_t now, uint32_t at)
{
    return (int32_t)(now - at) >= 0;
}

static void arm(uint32_t at_ms)
{
    if (is_armed && (int32_t)(at_ms - armed_ms) >= 0)
        return;
    armed_ms = at_ms;
    is_armed = true;
    timer_start(&timer,
                clock_monotonic_ns() + (uint64_t)max((int32_t)(at_ms - sys_now()), 0) * NS_PER_MS);
}

/* TCP counts ticks of 200 ms; those that nobody needed are made up for. */
static void catch_up_tcp(uint32_t now)
{
    static uint32_t ran_ms;
    uint32_t missed = (now - ran_ms) / TCP_SLOW_INTERVAL;

    if (missed > 1)
        tcp_ticks += missed - 1;
    ran_ms = now;
}

void tcp_timer_needed(void)
{
    uint32_t now;

    if (tcp_needed)
        return;
    now = sys_now();
    catch_up_tcp(now);
    tcp_needed = true;
    tcp_next_ms = now + TCP_TMR_INTERVAL;
    arm(tcp_next_ms);
}

void net_active(void)
{
    was_active = true;
    if (slow_needed)
        return;
    slow_needed = true;
    arm(sys_now());
}

/* Milliseconds until a connection needs the tick; 0: now. UINT32_MAX: it does not. */
static uint32_t tick_needed_in(const struct tcp_pcb *pcb)
{
    uint32_t quiet = (tcp_ticks - pcb->tmr) * TCP_SLOW_INTERVAL, due;

    if (pcb->unsent != NULL || pcb->unacked != NULL || pcb->ooseq != NULL ||
        pcb->refused_data != NULL || pcb->poll != NULL ||
        (pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND)) ||
        (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT &&
         (pcb->state != FIN_WAIT_2 || (pcb->flags & TF_RXCLOSED))))
        return 0;
    if (!(pcb->so_options & SOF_KEEPALIVE))
        return UINT32_MAX;
    due = pcb->keep_idle + pcb->keep_cnt_sent * pcb->keep_intvl;
    return due > quiet ? due - quiet : 0;
}

/* When TCP's tick is wanted next: at once, or (connections that are open and quiet, or wait out
 * their time) so much later. */
static void plan_tcp(uint32_t now)
{
    uint32_t in = tcp_tw_pcbs != NULL ? 2 * TCP_MSL / 8 : UINT32_MAX;

    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL && in != 0; pcb = pcb->next)
        in = min(in, tick_needed_in(pcb));
    tcp_needed = in == 0;
    if (in != UINT32_MAX) {
        tcp_next_ms = now + max(in, (uint32_t)TCP_TMR_INTERVAL);
        tcp_is_planned = true;
    }
}

static void run_tcp(uint32_t now)
{
    if ((!tcp_needed && !tcp_is_planned) || !is_due(now, tcp_next_ms))
        return;
    tcp_is_planned = false;
    catch_up_tcp(now);
    tcp_tmr();
    demux_lists_changed();
    for (struct tcp_pcb *pcb = tcp_active_pcbs, *next; pcb != NULL; pcb = next) {
        next = pcb->next;
        tcp_data_tick(pcb, now);
    }
    plan_tcp(now);
}

/* A timer that was left alone in quiet times is called as often as it should have been. */
static void run_slow(struct slow_timer *slow, uint32_t now)
{
    if (now - slow->next_ms > CATCH_UP_MS && is_due(now, slow->next_ms))
        slow->next_ms = now - min(CATCH_UP_MS, 64 * slow->interval_ms);
    while (is_due(now, slow->next_ms)) {
        slow->run();
        slow->next_ms += slow->interval_ms;
    }
}

static void run_timers(struct work *work)
{
    uint32_t now, next = 0;
    bool has_next = false, is_active;

    (void)work;
    net_lock();
    is_armed = false;
    now = sys_now();
    if (was_active)
        active_until_ms = now + ACTIVE_MS;
    was_active = false;
    is_active = slow_needed = !is_due(now, active_until_ms);
    run_tcp(now);
    for (unsigned i = 0; i < ARRAY_SIZE(slow_timers); i++) {
        struct slow_timer *slow = &slow_timers[i];

        if (!is_active && !slow->always)
            continue;
        run_slow(slow, now);
        if (!has_next || (int32_t)(slow->next_ms - next) < 0)
            next = slow->next_ms;
        has_next = true;
    }
    if ((tcp_needed || tcp_is_planned) && (!has_next || (int32_t)(tcp_next_ms - next) < 0)) {
        next = tcp_next_ms;
        has_next = true;
    }
    if (has_next)
        arm(next);
    net_unlock();
}

static void timer_fired(struct timer *fired)
{
    (void)fired;
    work_queue(&timer_work);
}

/* For the first device or socket: most programs have neither. */
static void start(void)
{
    uint32_t now = sys_now();

    timer_init(&timer, timer_fired);
    work_init(&timer_work, run_timers);
    for (unsigned i = 0; i < ARRAY_SIZE(slow_timers); i++)
        slow_timers[i].next_ms = now + slow_timers[i].interval_ms;
    active_until_ms = now;
    net_boot_init();
    lwip_init();
    net_icmp_init();
    net_links_init();
}

void net_stack_init(void)
{
    if (demux_init() != 0)
        panic("no memory for the table of connections");
    net_devices_init();
}
