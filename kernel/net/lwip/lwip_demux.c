/* SPDX-License-Identifier: MIT */
/*
 * The hash of connections in front of lwIP's lists; see lwip_demux.h. Blocks that wait out their
 * TIME-WAIT are in it, too, and bounded in number. Which of several sockets of one port
 * (SO_REUSEPORT) gets a connection or a datagram is decided by the same hash, with a secret key.
 */
#include <core/clock.h>
#include <device/rng.h>
#include <lib/errno.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <mm/slab.h>

#include <lwip/hooks.h>
#include <lwip/ip4.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/tcp.h>
#include <lwip/prot/udp.h>

#include "lwip_checksum.h"
#include "lwip_demux.h"
#include "lwip_port.h"
#include "lwip_short.h"
#include "lwip_tcp.h"

#define HASH_BITS     11
#define SYN_RCVD_MAX  1024u /* connections that have not answered our SYN yet */
#define TIME_WAIT_MAX 4096u
#define PORT_FIRST    32768u /* net.ipv4.ip_local_port_range */
#define PORT_LAST     60999u
#define PROTOCOL_TCP  6
#define PROTOCOL_UDP  17

static struct tcp_pcb **buckets;
static struct hash_key key;
static unsigned syn_rcvd_count, time_wait_count, udp_shared_count;
static struct tcp_pcb *oldest_waiting; /* the end of lwIP's list of those in TIME-WAIT */

/* What the lists are while lwIP sees only part of them. */
static struct {
    bool on;
    struct tcp_pcb *active, *time_wait, *shown, *shown_next;
    struct tcp_pcb_listen *listen, *shown_listen, *shown_listen_next;
} hidden;

struct tuple {
    struct ip_pair ip;
    u16_t local_port, remote_port;
    u8_t ttl;
};

/* ---- the hash ---- */

void demux_completed(struct tcp_pcb *pcb)
{
    if (ip_get_option(pcb, SOF_HALF_OPEN))
        syn_rcvd_count--;
    ip_reset_option(pcb, SOF_HALF_OPEN);
}

static uint32_t address_word(const ip_addr_t *address)
{
    const ip6_addr_t *six = ip_2_ip6(address);

    if (IP_IS_V4(address))
        return ip_2_ip4(address)->addr;
    return six->addr[0] ^ (six->addr[1] * 3) ^ (six->addr[2] * 5) ^ (six->addr[3] * 7);
}

static uint64_t tuple_hash(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                           u16_t remote_port)
{
    uint64_t ports = (uint64_t)local_port << 16 | remote_port;
    uint64_t addresses = (uint64_t)address_word(local) << 32 | address_word(remote);

    return ((addresses ^ key.word[0]) * 0x9e3779b97f4a7c15ULL) ^
           ((ports + key.word[1]) * key.word[0]);
}

static struct tcp_pcb **bucket(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                               u16_t remote_port)
{
    return &buckets[hash_u64(tuple_hash(local, local_port, remote, remote_port), HASH_BITS)];
}

struct tcp_pcb *demux_find(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                           u16_t remote_port)
{
    struct tcp_pcb *pcb = *bucket(local, local_port, remote, remote_port);

    for (; pcb != NULL; pcb = pcb->ext_args[EXT_HASH_NEXT].data) {
        if (pcb->local_port == local_port && pcb->remote_port == remote_port &&
            ip_addr_eq(&pcb->remote_ip, remote) && ip_addr_eq(&pcb->local_ip, local))
            return pcb;
    }
    return NULL;
}

static void hash_remove(struct tcp_pcb *pcb)
{
    struct tcp_pcb **link =
        bucket(&pcb->local_ip, pcb->local_port, &pcb->remote_ip, pcb->remote_port);

    while (*link != pcb)
        link = (struct tcp_pcb **)&(*link)->ext_args[EXT_HASH_NEXT].data;
    *link = pcb->ext_args[EXT_HASH_NEXT].data;
    pcb->ext_args[EXT_SELF].callbacks = NULL;
    demux_completed(pcb);
    if (pcb->state == TIME_WAIT)
        time_wait_count--;
}

/* A block that lwIP's slow timer gave up: it was taken off its list already. */
static void block_freed(u8_t id, void *data)
{
    (void)id;
    hash_remove(data);
}

static const struct tcp_ext_arg_callbacks hash_callbacks = {.destroy = block_freed};

static void hash_insert(struct tcp_pcb *pcb)
{
    struct tcp_pcb **head =
        bucket(&pcb->local_ip, pcb->local_port, &pcb->remote_ip, pcb->remote_port);

    pcb->ext_args[EXT_SELF].callbacks = &hash_callbacks;
    pcb->ext_args[EXT_SELF].data = pcb;
    pcb->ext_args[EXT_HASH_NEXT].data = *head;
    *head = pcb;
    if (pcb->state == SYN_RCVD) {
        ip_set_option(pcb, SOF_HALF_OPEN);
        syn_rcvd_count++;
    } else if (pcb->state == TIME_WAIT) {
        time_wait_count++;
    }
}

/* ---- lwIP's lists ---- */

static void restore(void)
{
    if (!hidden.on)
        return;
    hidden.on = false;
    if (hidden.shown != NULL)
        hidden.shown->next = hidden.shown_next;
    if (hidden.shown_listen != NULL)
        hidden.shown_listen->next = hidden.shown_listen_next;
    tcp_active_pcbs = hidden.active;
    tcp_tw_pcbs = hidden.time_wait;
    tcp_listen_pcbs.listen_pcbs = hidden.listen;
}

void demux_done(void)
{
    struct tcp_pcb *pcb = hidden.on ? hidden.shown : NULL;

    restore();
    if (pcb == NULL || pcb->state == TIME_WAIT) {
        tcp_loss_told = false;
        return;
    }
    if (pcb->dupacks != 0 || tcp_loss_told)
        tcp_loss_look(pcb);
    if (pcb->unsent != NULL)
        tcp_data_fit(pcb);
}

/* From here lwIP sees one connection, or one listener, or nobody. */
static void show_only(struct tcp_pcb *pcb, struct tcp_pcb_listen *listener)
{
    hidden.on = true;
    hidden.active = tcp_active_pcbs;
    hidden.time_wait = tcp_tw_pcbs;
    hidden.listen = tcp_listen_pcbs.listen_pcbs;
    hidden.shown = pcb;
    hidden.shown_listen = listener;
    tcp_active_pcbs = tcp_tw_pcbs = NULL;
    tcp_listen_pcbs.listen_pcbs = listener;
    if (listener != NULL) {
        hidden.shown_listen_next = listener->next;
        listener->next = NULL;
    }
    if (pcb != NULL) {
        hidden.shown_next = pcb->next;
        pcb->next = NULL;
        *(pcb->state == TIME_WAIT ? &tcp_tw_pcbs : &tcp_active_pcbs) = pcb;
    }
}

static bool is_hashed_list(struct tcp_pcb **list)
{
    return list == &tcp_active_pcbs || list == &tcp_tw_pcbs;
}

void demux_register(struct tcp_pcb **list, struct tcp_pcb *pcb)
{
    restore();
    if (list == &tcp_tw_pcbs && time_wait_count >= TIME_WAIT_MAX)
        tcp_abort(oldest_waiting);
    pcb->next = *list;
    *list = pcb;
    if (is_hashed_list(list)) {
        if (pcb->next != NULL)
            pcb->next->ext_args[EXT_PREVIOUS].data = pcb;
        pcb->ext_args[EXT_PREVIOUS].data = NULL;
        if (list == &tcp_tw_pcbs && pcb->next == NULL)
            oldest_waiting = pcb;
        hash_insert(pcb);
    }
    tcp_timer_needed();
}

void demux_remove(struct tcp_pcb **list, struct tcp_pcb *pcb)
{
    struct tcp_pcb **link = list;

    restore();
    if (is_hashed_list(list)) {
        struct tcp_pcb *previous = pcb->ext_args[EXT_PREVIOUS].data;

        if (pcb->ext_args[EXT_SELF].callbacks == NULL)
            return;
        if (previous != NULL)
            link = &previous->next;
        if (pcb->next != NULL)
            pcb->next->ext_args[EXT_PREVIOUS].data = previous;
        if (oldest_waiting == pcb)
            oldest_waiting = previous;
        hash_remove(pcb);
    }
    while (*link != NULL && *link != pcb)
        link = &(*link)->next;
    if (*link == pcb)
        *link = pcb->next;
    pcb->next = NULL;
}

/* Its end. */
static struct tcp_pcb *relink(struct tcp_pcb *list)
{
    struct tcp_pcb *previous = NULL;

    for (struct tcp_pcb *pcb = list; pcb != NULL; previous = pcb, pcb = pcb->next)
        pcb->ext_args[EXT_PREVIOUS].data = previous;
    return previous;
}

void demux_lists_changed(void)
{
    (void)relink(tcp_active_pcbs);
    oldest_waiting = relink(tcp_tw_pcbs);
}

/* ---- ports ---- */

static __cold bool addresses_overlap(const ip_addr_t *a, const ip_addr_t *b)
{
    if (IP_IS_ANY_TYPE_VAL(*a) || IP_IS_ANY_TYPE_VAL(*b))
        return ip_addr_isany(a) || ip_addr_isany(b) || ip_addr_eq(a, b);
    return IP_GET_TYPE(a) == IP_GET_TYPE(b) &&
           (ip_addr_isany(a) || ip_addr_isany(b) || ip_addr_eq(a, b));
}

/* Whether a socket with these options keeps another from its address (socket(7)). */
static bool keeps_out(u8_t ours, u8_t theirs, bool they_listen)
{
    if ((ours & SOF_SHARES_PORT) && (theirs & SOF_SHARES_PORT))
        return false;
    return they_listen || !(ours & SOF_REUSEADDR) || !(theirs & SOF_REUSEADDR);
}

static bool list_keeps_out(const struct tcp_pcb *pcb, const struct tcp_pcb *list,
                           const ip_addr_t *address, u16_t port)
{
    for (; list != NULL; list = list->next) {
        if (list != pcb && list->local_port == port &&
            addresses_overlap(&list->local_ip, address) &&
            keeps_out(pcb->so_options, list->so_options, list->state == LISTEN))
            return true;
    }
    return false;
}

int demux_bind_tcp(const struct tcp_pcb *pcb, const ip_addr_t *address, u16_t port,
                   bool wants_listen)
{
    if (list_keeps_out(pcb, tcp_listen_pcbs.pcbs, address, port))
        return -EADDRINUSE;
    if (!wants_listen && (list_keeps_out(pcb, tcp_bound_pcbs, address, port) ||
                          list_keeps_out(pcb, tcp_active_pcbs, address, port) ||
                          list_keeps_out(pcb, tcp_tw_pcbs, address, port)))
        return -EADDRINUSE;
    return 0;
}

int demux_bind_udp(const struct udp_pcb *pcb, const ip_addr_t *address, u16_t port)
{
    for (struct udp_pcb *other = udp_pcbs; other != NULL; other = other->next) {
        if (other != pcb && other->local_port == port &&
            addresses_overlap(&other->local_ip, address) &&
            keeps_out(pcb->so_options, other->so_options, false))
            return -EADDRINUSE;
    }
    return 0;
}

static bool is_bound_port(u16_t port)
{
    for (const struct tcp_pcb *pcb = tcp_bound_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->local_port == port)
            return true;
    }
    for (const struct tcp_pcb *pcb = tcp_listen_pcbs.pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->local_port == port)
            return true;
    }
    return false;
}

u16_t demux_choose_port(const ip_addr_t *local, const ip_addr_t *remote, u16_t remote_port)
{
    static uint32_t last;

    if (last == 0)
        last = (uint32_t)rng_u64();
    for (unsigned tries = 0; tries <= PORT_LAST - PORT_FIRST; tries++) {
        u16_t port = (u16_t)(PORT_FIRST + ++last % (PORT_LAST - PORT_FIRST + 1));

        if (!is_bound_port(port) && demux_find(local, port, remote, remote_port) == NULL)
            return port;
    }
    return 0;
}

u32_t demux_first_sequence(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                           u16_t remote_port)
{
    u32_t word[9] = {(u32_t)local_port << 16 | remote_port};
    size_t size = 3 * sizeof(word[0]);

    if (IP_IS_V4(local)) {
        word[1] = ip_2_ip4(local)->addr;
        word[2] = ip_2_ip4(remote)->addr;
    } else {
        memcpy(&word[1], ip_2_ip6(local)->addr, 16);
        memcpy(&word[5], ip_2_ip6(remote)->addr, 16);
        size = sizeof(word);
    }
    return (u32_t)hash_siphash(&key, word, size) +
           (u32_t)(clock_monotonic_ns() / 64); /* RFC 6528; a step each 64 ns, as Linux has it */
}

/* ---- which one a packet is for ---- */

/* How well a listener fits: 0 not at all. */
static unsigned fitness(const struct tcp_pcb_listen *listener, const struct tuple *tuple)
{
    if (listener->local_port != tuple->local_port)
        return 0;
    if (IP_IS_ANY_TYPE_VAL(listener->local_ip))
        return 1;
    if (IP_GET_TYPE(&listener->local_ip) != IP_GET_TYPE(&tuple->ip.local))
        return 0;
    if (ip_addr_eq(&listener->local_ip, &tuple->ip.local))
        return 3;
    return ip_addr_isany(&listener->local_ip) ? 2 : 0;
}

/* Of equals met one after the other, each as likely, and the same for one pair of ends. */
static bool is_chosen(uint64_t hash, unsigned count)
{
    return hash_u64(hash + count, 32) % count == 0;
}

static struct tcp_pcb_listen *find_listener(const struct tuple *tuple)
{
    struct tcp_pcb_listen *found = NULL;
    unsigned best = 0, count = 0;
    uint64_t hash =
        tuple_hash(&tuple->ip.local, tuple->local_port, &tuple->ip.remote, tuple->remote_port);

    for (struct tcp_pcb_listen *l = tcp_listen_pcbs.listen_pcbs; l != NULL; l = l->next) {
        unsigned fits = fitness(l, tuple);

        if (fits > best) {
            best = fits;
            found = l;
            count = 1;
        } else if (fits != 0 && fits == best && is_chosen(hash, ++count)) {
            found = l;
        }
    }
    return found;
}

/* Only while a loss is mended, or if there are more options than the usual one. */
static bool may_tell_loss(const struct tcp_pcb *pcb, const struct tcp_hdr *header)
{
    return (pcb->flags & TF_INFR) ||
           TCPH_HDRLEN_BYTES(header) > (pcb->flags & TF_TIMESTAMP ? TCP_HLEN + 12 : TCP_HLEN);
}

/* IP_MINTTL */
static bool comes_from_too_far(const struct inet_sock *sock, const struct tuple *tuple)
{
    return sock != NULL && tuple->ttl < sock->options.minimum_ttl;
}

/* The rarer cases. True: the segment is dropped. */
static bool is_dropped(struct tcp_pcb *pcb, const struct tcp_pcb_listen *listener,
                       const struct tuple *tuple, const struct tcp_hdr *header)
{
    unsigned flags = TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST);

    if (pcb != NULL && ip_get_option(pcb, SOF_MINIMUM_TTL) &&
        comes_from_too_far(pcb->ext_args[EXT_SOCK].data, tuple))
        return true;
    if (pcb != NULL && pcb->state == SYN_SENT && flags == TCP_SYN) {
        tcp_meet(pcb, lwip_ntohl(header->seqno));
        return false;
    }
    if (pcb != NULL && pcb->state == SYN_SENT && flags == TCP_ACK && pcb->rcv_nxt != 0 &&
        lwip_ntohl(header->seqno) == pcb->rcv_nxt && lwip_ntohl(header->ackno) == pcb->snd_nxt)
        tcp_met(pcb);
    if (listener == NULL)
        return false;
    if (ip_get_option(listener, SOF_MINIMUM_TTL) &&
        comes_from_too_far(listener->callback_arg, tuple))
        return true;
    return flags == TCP_SYN &&
           (syn_rcvd_count >= SYN_RCVD_MAX || inet_backlog_full(listener->callback_arg));
}

/* True: the segment is dropped. */
static bool input_tcp(const struct tuple *tuple, const struct tcp_hdr *header, size_t size)
{
    unsigned flags = TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST);
    struct tcp_pcb *pcb =
        demux_find(&tuple->ip.local, tuple->local_port, &tuple->ip.remote, tuple->remote_port);
    struct tcp_pcb_listen *listener = NULL;

    if (pcb != NULL && pcb->state == TIME_WAIT && flags == TCP_SYN &&
        TCP_SEQ_GT(lwip_ntohl(header->seqno), pcb->rcv_nxt)) {
        tcp_abort(pcb); /* the ends begin anew before the time is over (RFC 1122, 4.2.2.13) */
        pcb = NULL;
    }
    if (pcb == NULL)
        listener = find_listener(tuple);
    if ((listener != NULL || pcb == NULL || pcb->state == SYN_SENT ||
         ip_get_option(pcb, SOF_MINIMUM_TTL)) &&
        is_dropped(pcb, listener, tuple, header))
        return true; /* it comes again */
    if (pcb != NULL && may_tell_loss(pcb, header))
        tcp_loss_hear(header, size);
    show_only(pcb, listener);
    tcp_timer_needed();
    return false;
}

/* The sockets that share a port: the chosen one comes first in the list. */
static void input_udp(const struct tuple *tuple)
{
    struct udp_pcb **chosen = NULL, *pcb;
    unsigned count = 0;
    uint64_t hash =
        tuple_hash(&tuple->ip.local, tuple->local_port, &tuple->ip.remote, tuple->remote_port);

    for (struct udp_pcb **link = &udp_pcbs; (pcb = *link) != NULL; link = &pcb->next) {
        if (pcb->local_port == tuple->local_port && (pcb->so_options & SOF_SHARES_PORT) &&
            !(pcb->flags & UDP_FLAGS_CONNECTED) &&
            addresses_overlap(&pcb->local_ip, &tuple->ip.local) && is_chosen(hash, ++count))
            chosen = link;
    }
    if (chosen == NULL)
        return;
    pcb = *chosen;
    *chosen = pcb->next;
    pcb->next = udp_pcbs;
    udp_pcbs = pcb;
}

void demux_udp_shared(int change)
{
    udp_shared_count += (unsigned)change;
}

/* Both headers begin with the ports; `header` has `size` contiguous bytes. True: dropped. */
static bool input_transport(struct tuple *tuple, unsigned protocol, const uint8_t *header,
                            size_t size)
{
    const struct tcp_hdr *tcp = (const void *)header;

    if (size < (protocol == PROTOCOL_TCP ? TCP_HLEN : UDP_HLEN))
        return false;
    tuple->remote_port = lwip_ntohs(tcp->src);
    tuple->local_port = lwip_ntohs(tcp->dest);
    if (protocol == PROTOCOL_TCP)
        return input_tcp(tuple, tcp, size);
    if (protocol == PROTOCOL_UDP && udp_shared_count != 0)
        input_udp(tuple);
    return false;
}

/* 1: taken. */
static int take_short_way(struct pbuf *p, struct netif *netif)
{
    const struct ip_hdr *header = p->payload;
    short_input_fn *input = NULL;

    if (IPH_PROTO(header) == PROTOCOL_TCP && hidden.on && hidden.shown != NULL)
        input = short_input_tcp;
    else if (IPH_PROTO(header) == PROTOCOL_UDP && p->len >= IP_HLEN + UDP_HLEN &&
             short_finds_udp(header, (const void *)(header + 1), netif))
        input = short_input_udp;
    if (input == NULL || !short_fits(p, netif))
        return 0;
    short_input(p, netif, input);
    return 1;
}

int demux_ip4_input(struct pbuf *p, struct netif *netif)
{
    const struct ip_hdr *header = p->payload;
    struct tuple tuple;
    size_t size = IPH_HL_BYTES(header);

    demux_done();
    if (size < IP_HLEN || size > p->len || IPH_V(header) != 4 ||
        (IPH_OFFSET(header) & PP_HTONS(IP_OFFMASK | IP_MF)) != 0)
        return 0; /* lwIP says what is wrong with it; fragments meet below, in the long lists */
    tuple.ttl = IPH_TTL(header);
    ip_addr_set_ip4_u32_val(tuple.ip.local, header->dest.addr);
    ip_addr_set_ip4_u32_val(tuple.ip.remote, header->src.addr);
    if (((netif->chksum_flags & TRANSPORT_CHECKS) &&
         !checksum_look(p, size, lwip_ntohs(IPH_LEN(header)) - size, IPH_PROTO(header), &tuple.ip,
                        netif)) ||
        input_transport(&tuple, IPH_PROTO(header), (const uint8_t *)header + size, p->len - size)) {
        pbuf_free(p);
        return 1;
    }
    return take_short_way(p, netif);
}

int demux_ip6_input(struct pbuf *p, struct netif *netif)
{
    const struct ip6_hdr *header = p->payload;
    struct tuple tuple;

    demux_done();
    if (p->len < IP6_HLEN)
        return 0;
    tuple.ttl = IP6H_HOPLIM(header);
    ip_addr_copy_from_ip6_packed(tuple.ip.local, header->dest);
    ip_addr_copy_from_ip6_packed(tuple.ip.remote, header->src);
    ip6_addr_assign_zone(ip_2_ip6(&tuple.ip.local), IP6_UNICAST, netif);
    ip6_addr_assign_zone(ip_2_ip6(&tuple.ip.remote), IP6_UNICAST, netif);
    if ((!(netif->chksum_flags & TRANSPORT_CHECKS) ||
         checksum_look(p, IP6_HLEN, IP6H_PLEN(header), IP6H_NEXTH(header), &tuple.ip, netif)) &&
        !input_transport(&tuple, IP6H_NEXTH(header), (const uint8_t *)(header + 1),
                         p->len - IP6_HLEN))
        return 0;
    pbuf_free(p);
    return 1;
}

int demux_init(void)
{
    buckets = kzalloc(sizeof(*buckets) << HASH_BITS);
    rng_bytes(&key, sizeof(key));
    key.word[0] |= 1;
    return buckets != NULL ? 0 : -ENOMEM;
}
