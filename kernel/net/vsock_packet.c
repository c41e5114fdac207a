/* SPDX-License-Identifier: MIT */
/*
 * Connections of AF_VSOCK: the table of ports, and what comes in (OASIS Virtual I/O Device 1.2
 * sections 5.10.6.3 to 5.10.6.6). Packets within the guest take the same way without a device: the
 * sender's thread delivers them.
 */
#include "vsock.h"

#include <arch/barrier.h>
#include <core/clock.h>
#include <device/rng.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#define PORT_FIRST  1024U /* those below are privileged */
#define BUCKETS     32U
#define SMALL_PIECE 1984U /* room for a small piece: later ones of a stream are added to it */
#define TIMEOUT_NS  (2000 * NS_PER_MS)
#define CHARGE_MAX  (2 * VSOCK_BUFFER) /* of a socket's pieces, above its `room` */

struct spinlock vsock_lock = SPINLOCK_INIT(RANK_EVENT);
struct vsockdev *vsock_device;
static struct list_node table[BUCKETS]; /* by local port; next NULL: empty */

/* --- sockets ------------------------------------------------------------------------------------
 */

struct vsock *vsock_make(unsigned type)
{
    struct vsock *s = kzalloc(sizeof(*s));

    if (s == NULL)
        return NULL;
    waitq_init(&s->wait);
    list_init(&s->accepted);
    list_init(&s->pieces);
    s->type = (uint16_t)type;
    s->local = s->remote = (struct vsock_address){VSOCK_CID_ANY, VSOCK_PORT_ANY};
    s->room = VSOCK_BUFFER;
    s->room_min = VSOCK_BUFFER_MIN;
    s->room_max = VSOCK_BUFFER;
    s->timeout_ns = TIMEOUT_NS;
    return s;
}

void vsock_free(struct vsock *s)
{
    struct vsock_piece *piece, *next;

    list_for_each_entry_safe (piece, next, &s->pieces, node)
        kfree(piece);
    kfree(s);
}

static struct list_node *bucket_of(uint32_t port)
{
    struct list_node *bucket = &table[port % BUCKETS];

    if (bucket->next == NULL)
        list_init(bucket);
    return bucket;
}

/* Who has the port, not counting connections that a listener has made. */
static struct vsock *find_owner(uint32_t cid, uint32_t port)
{
    struct vsock *s;

    list_for_each_entry (s, bucket_of(port), node) {
        if (s->local.port == port && !s->is_child &&
            (s->local.cid == cid || s->local.cid == VSOCK_CID_ANY || cid == VSOCK_CID_ANY))
            return s;
    }
    return NULL;
}

static struct vsock *find_connection(const struct vsock_header *h)
{
    struct vsock *s;

    list_for_each_entry (s, bucket_of(h->target_port), node) {
        if (s->local.port == h->target_port && s->remote.port == h->source_port &&
            s->remote.cid == h->source_cid && s->state >= VSOCK_CONNECTS)
            return s;
    }
    return NULL;
}

static void put_in_table(struct vsock *s)
{
    list_add(bucket_of(s->local.port), &s->node);
    s->is_in_table = true;
}

int vsock_take_port_locked(struct vsock *s, uint32_t cid, uint32_t port)
{
    static uint32_t next;

    if (port == VSOCK_PORT_ANY) {
        if (next < PORT_FIRST)
            rng_bytes(&next, sizeof(next));
        do {
            next = max(next + 1, PORT_FIRST);
        } while (next == VSOCK_PORT_ANY || find_owner(cid, next) != NULL);
        port = next;
    } else if (find_owner(cid, port) != NULL) {
        return -EADDRINUSE;
    }
    s->local = (struct vsock_address){cid, port};
    put_in_table(s);
    return 0;
}

void vsock_leave_locked(struct vsock *s)
{
    if (s->is_in_table)
        list_del(&s->node);
    s->is_in_table = false;
}

/* --- sending ------------------------------------------------------------------------------------
 */

/* As Linux: without a device the host's context is the guest's own. */
bool vsock_is_local(uint32_t cid)
{
    return cid == VSOCK_CID_LOCAL ||
           cid == (vsock_device != NULL ? vsock_device->cid : VSOCK_CID_HOST);
}

struct vsock_packet *vsock_packet_make(uint32_t size)
{
    return kmalloc(sizeof(struct vsock_packet) + size);
}

void vsock_fill_locked(struct vsock *s, struct vsock_packet *packet, enum vsock_op op,
                       uint32_t size, uint32_t flags)
{
    uint32_t own = vsock_is_local(s->remote.cid) ? VSOCK_CID_LOCAL : vsock_device->cid;

    s->told = s->taken;
    packet->header = (struct vsock_header){
        .source_cid = s->local.cid != VSOCK_CID_ANY ? s->local.cid : own,
        .target_cid = s->remote.cid,
        .source_port = s->local.port,
        .target_port = s->remote.port,
        .length = size,
        .type = s->type,
        .op = (uint16_t)op,
        .flags = flags,
        .room = s->room,
        .taken = s->taken,
    };
}

static void deliver(const struct vsock_header *h, const void *data);

void vsock_send_packet(struct vsock_packet *packet)
{
    if (!vsock_is_local((uint32_t)packet->header.target_cid)) {
        vsock_device->send(vsock_device, packet);
        return;
    }
    deliver(&packet->header, packet->data);
    kfree(packet);
}

int vsock_tell(struct vsock *s, enum vsock_op op, uint32_t flags)
{
    struct vsock_packet *packet = vsock_packet_make(0);

    if (packet == NULL)
        return -ENOMEM;
    spin_lock(&vsock_lock);
    vsock_fill_locked(s, packet, op, 0, flags);
    spin_unlock(&vsock_lock);
    vsock_send_packet(packet);
    return 0;
}

uint32_t vsock_credit_locked(const struct vsock *s)
{
    uint32_t under_way = s->sent - s->peer_taken;

    if (!vsock_is_local(s->remote.cid) && vsock_device->is_full)
        return 0;
    return s->peer_room > under_way ? s->peer_room - under_way : 0;
}

/* --- what comes in ------------------------------------------------------------------------------
 */

/* What a packet needs, made before the lock is taken, and what is left over afterwards. */
struct arrival {
    struct vsock *child;
    struct vsock_piece *piece;
    bool resets;                 /* answer: there is no such connection */
    enum vsock_op answer;        /* 0: none */
    struct vsock_packet *packet; /* for it */
};

static void end_locked(struct vsock *s, int error)
{
    if (s->state == VSOCK_CONNECTS) {
        s->state = VSOCK_IDLE;
    } else {
        s->state = VSOCK_ENDED;
        s->peer_shut = VSOCK_SHUT;
    }
    if (s->socket != NULL)
        atomic_set(&s->socket->error, error);
}

/* Our buffer's size is the peer's to keep; what its packets cost us beside their bytes, too. */
static void add_data_locked(struct vsock *s, const struct vsock_header *h, const void *data,
                            struct arrival *a)
{
    struct vsock_piece *last =
        list_empty(&s->pieces) ? NULL : list_last_entry(&s->pieces, struct vsock_piece, node);

    if (h->length > s->room - min(s->unread, s->room) || a->piece == NULL ||
        s->charge > CHARGE_MAX + s->room) {
        end_locked(s, a->piece == NULL ? ENOMEM : EPROTO);
        a->resets = true;
        return;
    }
    s->unread += h->length;
    if (s->type == VSOCK_STREAM && last != NULL && h->length <= last->capacity - last->size) {
        memcpy(last->data + last->size, data, h->length);
        last->size += h->length;
        return;
    }
    memcpy(a->piece->data, data, h->length);
    a->piece->size = h->length;
    a->piece->flags = h->flags;
    s->charge += a->piece->capacity + (uint32_t)sizeof(*a->piece);
    s->message_count += s->type == VSOCK_STREAM || (h->flags & VSOCK_END);
    list_add_tail(&s->pieces, &a->piece->node);
    a->piece = NULL;
}

/* A connection: it waits in its listener's list until somebody accepts it. */
static void add_child_locked(struct vsock *listener, const struct vsock_header *h,
                             struct arrival *a)
{
    struct vsock *s = a->child;

    if (h->op != VSOCK_REQUEST || s == NULL || listener->waiting > listener->backlog) {
        a->resets = true;
        return;
    }
    s->is_child = true;
    s->local = (struct vsock_address){(uint32_t)h->target_cid, h->target_port};
    s->remote = (struct vsock_address){(uint32_t)h->source_cid, h->source_port};
    s->state = VSOCK_CONNECTED;
    s->room = listener->room;
    s->room_min = listener->room_min;
    s->room_max = listener->room_max;
    s->peer_room = h->room;
    s->peer_taken = h->taken;
    put_in_table(s);
    list_add_tail(&listener->accepted, &s->accepted);
    listener->waiting++;
    a->child = NULL;
    a->answer = VSOCK_RESPONSE;
    vsock_fill_locked(s, a->packet, VSOCK_RESPONSE, 0, 0);
    waitq_wake_all(&listener->wait);
}

static void take_locked(struct vsock *s, const struct vsock_header *h, const void *data,
                        struct arrival *a)
{
    s->peer_room = h->room;
    s->peer_taken = h->taken;
    if (h->op == VSOCK_RESET) {
        end_locked(s, s->state == VSOCK_CONNECTS ? ECONNRESET : 0);
    } else if (s->state == VSOCK_CONNECTS) {
        if (h->op == VSOCK_RESPONSE) {
            s->state = VSOCK_CONNECTED;
        } else {
            end_locked(s, EPROTO);
            a->resets = true;
        }
    } else if (h->op == VSOCK_DATA && h->length > 0) {
        add_data_locked(s, h, data, a);
    } else if (h->op == VSOCK_ASK_CREDIT) {
        a->answer = VSOCK_CREDIT;
        vsock_fill_locked(s, a->packet, VSOCK_CREDIT, 0, 0);
    } else if (h->op == VSOCK_SHUTDOWN) {
        s->peer_shut |= h->flags & VSOCK_SHUT;
        if (s->peer_shut == VSOCK_SHUT && list_empty(&s->pieces)) {
            end_locked(s, 0);
            a->resets = true; /* the clean end of a connection, section 5.10.6.5 */
        }
    }
    waitq_wake_all(&s->wait);
}

/* A packet's answer that no connection gives. */
static void fill_reset(struct vsock_packet *packet, const struct vsock_header *h)
{
    packet->header = (struct vsock_header){
        .source_cid = h->target_cid,
        .target_cid = h->source_cid,
        .source_port = h->target_port,
        .target_port = h->source_port,
        .type = h->type,
        .op = VSOCK_RESET,
    };
}

/* Only what the answers of a flood may cost is sent to a device that is full. */
static void send_answer(const struct vsock_header *h, struct arrival *a)
{
    bool is_reset = a->resets && h->op != VSOCK_RESET;

    if (is_reset)
        fill_reset(a->packet, h);
    if ((is_reset || a->answer != 0) &&
        (vsock_is_local((uint32_t)h->source_cid) ||
         (vsock_device != NULL && (!is_reset || !vsock_device->is_full)))) {
        vsock_send_packet(a->packet);
        a->packet = NULL;
    }
}

static struct vsock_piece *make_piece(const struct vsock_header *h)
{
    uint32_t capacity = h->type == VSOCK_STREAM ? max(h->length, SMALL_PIECE) : h->length;
    struct vsock_piece *piece = kmalloc(sizeof(*piece) + capacity);

    if (piece != NULL)
        *piece = (struct vsock_piece){.capacity = capacity};
    return piece;
}

static void deliver(const struct vsock_header *h, const void *data)
{
    struct arrival a = {.packet = vsock_packet_make(0)};
    struct vsock *s;

    if (a.packet == NULL)
        return; /* as good as lost on the way */
    if (h->op == VSOCK_REQUEST)
        a.child = vsock_make(h->type);
    if (h->op == VSOCK_DATA && h->length > 0 && h->length <= VSOCK_BUFFER)
        a.piece = make_piece(h);
    spin_lock(&vsock_lock);
    s = find_connection(h);
    if (s != NULL && s->type == h->type) {
        take_locked(s, h, data, &a);
    } else {
        s = s == NULL ? find_owner((uint32_t)h->target_cid, h->target_port) : NULL;
        if (s != NULL && s->state == VSOCK_LISTENS && s->type == h->type)
            add_child_locked(s, h, &a);
        else
            a.resets = true;
    }
    spin_unlock(&vsock_lock);
    send_answer(h, &a);
    kfree(a.packet);
    kfree(a.piece);
    kfree(a.child);
}

/* --- the device ---------------------------------------------------------------------------------
 */

/* The host cannot pass for somebody in the guest. */
void vsock_input(const struct vsock_header *header, const void *data)
{
    if (header->source_cid <= UINT32_MAX && !vsock_is_local((uint32_t)header->source_cid) &&
        header->target_cid == vsock_device->cid)
        deliver(header, data);
}

bool vsock_attach(struct vsockdev *dev)
{
    if (vsock_device != NULL)
        return false;
    vsock_device = dev;
    return true;
}

static void for_each(void (*fn)(struct vsock *s))
{
    struct vsock *s;

    spin_lock(&vsock_lock);
    for (unsigned i = 0; i < BUCKETS; i++) {
        list_for_each_entry (s, bucket_of(i), node)
            fn(s);
    }
    spin_unlock(&vsock_lock);
}

static void wake(struct vsock *s)
{
    waitq_wake_all(&s->wait);
}

void vsock_has_room(void)
{
    for_each(wake);
}

static void end_remote(struct vsock *s)
{
    if (s->state >= VSOCK_CONNECTS && !vsock_is_local(s->remote.cid))
        end_locked(s, ECONNRESET);
    waitq_wake_all(&s->wait);
}

void vsock_moved(void)
{
    for_each(end_remote);
}
