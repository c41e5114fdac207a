/* SPDX-License-Identifier: MIT */
/*
 * ICMP errors (RFC 792, RFC 4443) reach the socket whose packet they are about: those that are
 * final as SO_ERROR, all of them in the queue of IP_RECVERR.
 */
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/raw.h>
#include <lwip/udp.h>

#include "lwip_demux.h"
#include "lwip_port.h"
#include "lwip_tcp.h"

#define ERRORS_MAX    16u /* queued for one socket */
#define QUOTED_MAX    576u
#define MTU_MIN4      552u /* what a router may make us believe: net.ipv4.route.min_pmtu */
#define MTU_MIN6      1280u
#define PROTOCOL_TCP  6
#define PROTOCOL_UDP  17
#define PROTOCOL_ICMP 1
#define PROTOCOL_ICM6 58

struct meaning {
    int16_t error;
    bool is_final;
};

static const struct meaning unreachable4[] = {
    {ENETUNREACH, false},  {EHOSTUNREACH, false}, {ENOPROTOOPT, true},  {ECONNREFUSED, true},
    {EMSGSIZE, false},     {EOPNOTSUPP, false},   {ENETUNREACH, true},  {EHOSTDOWN, true},
    {ENONET, true},        {ENETUNREACH, true},   {EHOSTUNREACH, true}, {ENETUNREACH, false},
    {EHOSTUNREACH, false}, {EHOSTUNREACH, true},  {EHOSTUNREACH, true}, {EHOSTUNREACH, true},
};

static const struct meaning unreachable6[] = {
    {ENETUNREACH, false}, {EACCES, true}, {EHOSTUNREACH, false}, {EHOSTUNREACH, false},
    {ECONNREFUSED, true}, {EACCES, true}, {EACCES, true},
};

/* What a type and code mean; false: no error. */
static bool find_meaning(bool is_v6, uint8_t type, uint8_t code, struct meaning *out)
{
    *out = (struct meaning){EHOSTUNREACH, false};
    if (type == (is_v6 ? 1 : 3)) {
        const struct meaning *table = is_v6 ? unreachable6 : unreachable4;
        unsigned count = is_v6 ? 7 : 16;

        if (code < count)
            *out = table[code];
        return true;
    }
    if (is_v6 && type == 2)
        *out = (struct meaning){EMSGSIZE, false};
    else if (type == (is_v6 ? 4 : 12))
        *out = (struct meaning){EPROTO, true};
    return type == (is_v6 ? 2 : 11) || type == (is_v6 ? 3 : 11) || type == (is_v6 ? 4 : 12);
}

/* The packet that an error quotes, as far as it matters. */
struct quoted {
    uint8_t protocol;
    ip_addr_t source, destination;
    uint16_t source_port, destination_port;
    uint32_t sequence;   /* TCP */
    const uint8_t *data; /* behind the ports' header */
    size_t length;
};

static bool read_quoted(const uint8_t *bytes, size_t size, bool is_v6, struct quoted *out)
{
    size_t header = is_v6 ? 40 : 20, transport;
    uint32_t words[4];

    if (size < header || bytes[0] >> 4 != (is_v6 ? 6 : 4))
        return false;
    if (is_v6) {
        out->protocol = bytes[6];
        memcpy(words, bytes + 8, 16);
        IP_ADDR6(&out->source, words[0], words[1], words[2], words[3]);
        memcpy(words, bytes + 24, 16);
        IP_ADDR6(&out->destination, words[0], words[1], words[2], words[3]);
    } else {
        header = (size_t)(bytes[0] & 15) * 4;
        out->protocol = bytes[9];
        memcpy(words, bytes + 12, 8);
        ip_addr_set_ip4_u32_val(out->source, words[0]);
        ip_addr_set_ip4_u32_val(out->destination, words[1]);
    }
    if (header < 20 || size < header + 8)
        return false;
    bytes += header;
    size -= header;
    if (out->protocol == PROTOCOL_ICMP || out->protocol == PROTOCOL_ICM6) {
        out->source_port = (uint16_t)(bytes[4] << 8 | bytes[5]);
        out->destination_port = 0;
        transport = 0; /* Linux gives the ICMP header, too */
    } else {
        out->source_port = (uint16_t)(bytes[0] << 8 | bytes[1]);
        out->destination_port = (uint16_t)(bytes[2] << 8 | bytes[3]);
        out->sequence =
            (uint32_t)bytes[4] << 24 | (uint32_t)(bytes[5] << 16 | bytes[6] << 8) | bytes[7];
        transport = 8;
    }
    out->data = bytes + transport;
    out->length = size - transport;
    return true;
}

static struct inet_sock *find_udp(const struct quoted *quoted)
{
    struct inet_sock *found = NULL;

    for (struct udp_pcb *pcb = udp_pcbs; pcb != NULL; pcb = pcb->next) {
        struct inet_sock *sock = net_udp_sock(pcb);

        if (sock == NULL || pcb->local_port != quoted->source_port)
            continue;
        if (sock->state == INET_CONNECTED) {
            if (pcb->remote_port == quoted->destination_port &&
                ip_addr_eq(&pcb->remote_ip, &quoted->destination))
                return sock;
        } else {
            found = sock;
        }
    }
    return found;
}

/* A connection, if the error is about something that is on its way: else it is forged, or late. */
static struct tcp_pcb *find_tcp(const struct quoted *quoted)
{
    struct tcp_pcb *pcb = demux_find(&quoted->source, quoted->source_port, &quoted->destination,
                                     quoted->destination_port);

    if (pcb == NULL || TCP_SEQ_LT(quoted->sequence, pcb->lastack) ||
        TCP_SEQ_GT(quoted->sequence, pcb->snd_nxt))
        return NULL;
    return pcb;
}

static void queue_error(struct inet_sock *sock, const struct inet_error *model,
                        const struct quoted *quoted)
{
    size_t length = min(quoted->length, (size_t)QUOTED_MAX);
    struct inet_error *error, **link = &sock->errors;
    unsigned count = 0;

    for (; *link != NULL; link = &(*link)->next)
        count++;
    error = count < ERRORS_MAX ? kmalloc(sizeof(*error) + length) : NULL;
    if (error == NULL)
        return;
    *error = *model;
    error->next = NULL;
    error->length = length;
    memcpy(error->data, quoted->data, length);
    *link = error;
}

static void tell_datagram(struct inet_sock *sock, const struct inet_error *error, bool is_final,
                          const struct quoted *quoted)
{
    bool is_v6 = error->offender.family == AF_INET6;
    bool asks = sock->options.receive & (is_v6 ? RECEIVE_ERRORS6 : RECEIVE_ERRORS4);

    if (sock->socket == NULL || (!asks && (!is_final || sock->state != INET_CONNECTED)))
        return;
    if (asks)
        queue_error(sock, error, quoted);
    atomic_set(&sock->socket->error, error->error);
    net_tell(sock, POLLERR); /* that it holds is seen by the error itself */
}

/* A connection that was not made yet fails by any of them; one that stands sends smaller segments
 * when a router asks for that. */
static void tell_tcp(struct tcp_pcb *pcb, const struct inet_error *error)
{
    struct inet_sock *sock = pcb->ext_args[EXT_SOCK].data;

    if (error->error == EMSGSIZE) {
        bool is_v6 = IP_IS_V6(&pcb->local_ip);
        uint32_t mtu = is_v6 || error->info == 0 ? error->info : max(error->info, MTU_MIN4);

        if (mtu >= (is_v6 ? MTU_MIN6 : MTU_MIN4) && tcp_mtu_take(pcb, mtu))
            tcp_rexmit_rto(pcb);
        return;
    }
    if (pcb->state != SYN_SENT || sock == NULL || sock->socket == NULL)
        return;
    atomic_set(&sock->socket->error, error->error);
    tcp_abandon(pcb, 0);
}

static void tell_echo(const struct inet_error *error, bool is_final, const struct quoted *quoted)
{
    for (struct inet_sock *sock = net_raw_first(); sock != NULL; sock = sock->raw_next) {
        if (sock->transport == &echo_transport && sock->local.port == quoted->source_port)
            tell_datagram(sock, error, is_final, quoted);
    }
}

static u8_t on_icmp(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    bool is_v6 = ip_current_is_v6();
    struct inet_error error = {0};
    struct meaning meaning;
    uint8_t bytes[8 + QUOTED_MAX];
    struct quoted quoted;
    struct tcp_pcb *connection;
    struct inet_sock *sock;
    u16_t size;

    (void)arg;
    (void)pcb;
    size = pbuf_copy_partial(p, bytes, 8, ip_current_header_tot_len());
    if (size < 8 || !find_meaning(is_v6, bytes[0], bytes[1], &meaning))
        return 0;
    size = pbuf_copy_partial(p, bytes + 8, QUOTED_MAX, (u16_t)(ip_current_header_tot_len() + 8));
    if (!read_quoted(bytes + 8, size, is_v6, &quoted))
        return 0;
    error.error = meaning.error;
    error.type = bytes[0];
    error.code = bytes[1];
    if (meaning.error == EMSGSIZE)
        error.info = (uint32_t)(bytes[6] << 8 | bytes[7]) | (is_v6 ? (uint32_t)bytes[5] << 16 : 0);
    net_address_from_lwip(from, 0, &error.offender);
    net_address_from_lwip(&quoted.destination, quoted.destination_port, &error.to);
    if (quoted.protocol == PROTOCOL_UDP && (sock = find_udp(&quoted)) != NULL)
        tell_datagram(sock, &error, meaning.is_final, &quoted);
    else if (quoted.protocol == PROTOCOL_TCP && (connection = find_tcp(&quoted)) != NULL)
        tell_tcp(connection, &error);
    else if (quoted.protocol == (is_v6 ? PROTOCOL_ICM6 : PROTOCOL_ICMP))
        tell_echo(&error, meaning.is_final, &quoted);
    return 0;
}

void net_icmp_init(void)
{
    struct raw_pcb *v4 = raw_new_ip_type(IPADDR_TYPE_V4, PROTOCOL_ICMP);
    struct raw_pcb *v6 = raw_new_ip_type(IPADDR_TYPE_V6, PROTOCOL_ICM6);

    if (v4 != NULL)
        raw_recv(v4, on_icmp, NULL);
    if (v6 != NULL)
        raw_recv(v6, on_icmp, NULL);
}

struct inet_error *net_take_error(struct inet_sock *sock)
{
    struct inet_error *error;

    net_lock();
    error = sock->errors;
    if (error != NULL)
        sock->errors = error->next;
    net_unlock();
    return error;
}
