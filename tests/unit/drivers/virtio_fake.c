/* SPDX-License-Identifier: MIT */
#include "virtio_fake.h"

#include <string.h>

#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/page.h>

/* --- the transport ------------------------------------------------------------------------------
 */

static struct virtio_fake *fake_of(struct virtio_device *device)
{
    return (struct virtio_fake *)device;
}

static uint64_t features(struct virtio_device *device)
{
    return fake_of(device)->offered;
}

static int accept(struct virtio_device *device, uint64_t accepted)
{
    (void)accepted;
    return fake_of(device)->refuses ? -EIO : 0;
}

static uint32_t queue_size(struct virtio_device *device, unsigned index)
{
    return index < FAKE_QUEUES ? fake_of(device)->queue_size : 0;
}

static void queue_start(struct virtio_device *device, struct virtqueue *queue)
{
    fake_of(device)->queue[queue->index] = queue;
}

static void notify(struct virtio_device *device, unsigned index)
{
    struct virtio_fake *fake = fake_of(device);

    fake->notified[index]++;
    if (fake->on_notify != NULL)
        fake->on_notify(fake, index);
}

static void ready(struct virtio_device *device)
{
    fake_of(device)->is_ready = true;
}

static void reset(struct virtio_device *device)
{
    struct virtio_fake *fake = fake_of(device);

    fake->resets++;
    fake->is_ready = fake->needs_reset = false;
    memset(fake->next, 0, sizeof(fake->next));
    memset(fake->ring, 0, sizeof(fake->ring));
}

static bool needs_reset(struct virtio_device *device)
{
    return fake_of(device)->needs_reset;
}

static void config_read(struct virtio_device *device, unsigned offset, void *to, unsigned size)
{
    memcpy(to, fake_of(device)->config + offset, size);
}

static void config_write(struct virtio_device *device, unsigned offset, uint32_t value)
{
    memcpy(fake_of(device)->config + offset, &value, sizeof(value));
}

static const struct virtio_transport_ops ops = {
    .features = features,
    .accept = accept,
    .queue_size = queue_size,
    .queue_start = queue_start,
    .notify = notify,
    .ready = ready,
    .reset = reset,
    .needs_reset = needs_reset,
    .config_read = config_read,
    .config_write = config_write,
};

/* --- matching, for virtio_add() -----------------------------------------------------------------
 */

static const struct driver *fake_driver;

const struct driver *device_find_driver_by_id(const struct bus *bus, uint32_t id,
                                              const struct match **match)
{
    (void)bus;
    for (*match = fake_driver->match; (*match)->id != id; ++*match) {
        if ((*match)->id == 0)
            return NULL;
    }
    return fake_driver;
}

int device_add(struct device *device)
{
    return device->driver->probe(device);
}

void fake_start(struct virtio_fake *fake, uint32_t type, uint64_t offered)
{
    *fake = (struct virtio_fake){.offered = offered, .queue_size = 64};
    fake->device.device.name = "fake";
    fake->device.ops = &ops;
    fake->device.type = type;
}

int fake_probe(struct virtio_fake *fake, const struct driver *driver)
{
    fake_driver = driver;
    return virtio_add(&fake->device);
}

void fake_stop(struct virtio_fake *fake)
{
    for (unsigned i = 0; i < FAKE_QUEUES; i++) {
        if (fake->queue[i] != NULL)
            virtqueue_free(fake->queue[i]);
    }
}

/* --- the device's side of a ring ----------------------------------------------------------------
 */

#define NEXT     1U
#define WRITES   2U
#define INDIRECT 4U
#define AVAIL    0x80U
#define USED     0x8000U
#define BOTH     (AVAIL | USED)

static bool is_packed(const struct virtqueue *queue)
{
    return queue->ops == &virtqueue_packed;
}

/* A place in the ring that both sides write, and its round. */
static void advance(struct fake_place *place, unsigned count, unsigned size)
{
    place->at += count;
    while (place->at >= size) {
        place->at -= size;
        place->is_odd = !place->is_odd;
    }
}

static bool is_available(const struct virtqueue *queue, const struct fake_place *place)
{
    uint16_t flags = queue->packed[place->at].flags & BOTH;

    return flags == (place->is_odd ? USED : AVAIL);
}

static unsigned chain_length(const struct virtqueue *queue, unsigned at)
{
    unsigned count = 1;

    while (queue->packed[at].flags & NEXT) {
        at = (at + 1) % queue->size;
        count++;
    }
    return count;
}

unsigned fake_offered(struct virtio_fake *fake, unsigned queue)
{
    const struct virtqueue *q = fake->queue[queue];
    struct fake_place place = fake->ring[queue].next;
    unsigned count = 0;

    if (!is_packed(q))
        return (uint16_t)(q->available->index - fake->next[queue]);
    for (; is_available(q, &place); count++)
        advance(&place, chain_length(q, place.at), q->size);
    return count;
}

int fake_next(struct virtio_fake *fake, unsigned queue)
{
    const struct virtqueue *q = fake->queue[queue];
    struct fake_ring *ring = &fake->ring[queue];
    unsigned id, count;

    if (fake_offered(fake, queue) == 0)
        return -1;
    if (!is_packed(q))
        return q->available->ring[fake->next[queue]++ % q->size];
    id = q->packed[ring->next.at].id;
    count = chain_length(q, ring->next.at);
    ring->start[id] = (uint16_t)ring->next.at;
    ring->count[id] = (uint16_t)count;
    advance(&ring->next, count, q->size);
    return (int)id;
}

/* The i-th descriptor of a buffer; `count`: how many there are. An indirect one stands for those of
 * its table. */
static const struct packed_descriptor *packed_piece(struct virtio_fake *fake, unsigned queue,
                                                    unsigned id, unsigned i, unsigned *count)
{
    const struct virtqueue *q = fake->queue[queue];
    const struct fake_ring *ring = &fake->ring[queue];
    const struct packed_descriptor *d = &q->packed[ring->start[id]];

    *count = ring->count[id];
    if (!(d->flags & INDIRECT))
        return &q->packed[(ring->start[id] + i) % q->size];
    *count = d->length / sizeof(*d);
    return (const struct packed_descriptor *)phys_virt(d->address) + i;
}

static const struct vring_descriptor *split_piece(struct virtio_fake *fake, unsigned queue,
                                                  unsigned head, unsigned i, unsigned *count)
{
    const struct vring_descriptor *table = fake->queue[queue]->descriptor;
    const struct vring_descriptor *found = NULL;

    if (table[head].flags & INDIRECT) {
        table = phys_virt(table[head].address);
        head = 0;
    }
    for (*count = 1;; ++*count) {
        if (i + 1 == *count)
            found = &table[head];
        if (!(table[head].flags & NEXT))
            return found;
        head = table[head].next;
    }
}

unsigned fake_pieces(struct virtio_fake *fake, unsigned queue, unsigned head)
{
    unsigned count;

    if (is_packed(fake->queue[queue]))
        packed_piece(fake, queue, head, 0, &count);
    else
        split_piece(fake, queue, head, 0, &count);
    return count;
}

uint8_t *fake_piece(struct virtio_fake *fake, unsigned queue, unsigned head, unsigned i,
                    uint32_t *size, bool *writes)
{
    unsigned count;

    if (is_packed(fake->queue[queue])) {
        const struct packed_descriptor *d = packed_piece(fake, queue, head, i, &count);

        *size = d->length;
        *writes = d->flags & WRITES;
        return phys_virt(d->address);
    }
    const struct vring_descriptor *d = split_piece(fake, queue, head, i, &count);

    *size = d->length;
    *writes = d->flags & WRITES;
    return phys_virt(d->address);
}

static uint32_t move(struct virtio_fake *fake, unsigned queue, unsigned head, uint8_t *data,
                     uint32_t size, bool write)
{
    unsigned count = fake_pieces(fake, queue, head);
    uint32_t done = 0;

    for (unsigned i = 0; i < count; i++) {
        uint32_t room, part;
        bool writes;
        uint8_t *piece = fake_piece(fake, queue, head, i, &room, &writes);

        if (writes != write)
            continue;
        part = min(room, size - done);
        memcpy(write ? piece : data + done, write ? data + done : piece, part);
        done += part;
    }
    return done;
}

uint32_t fake_write(struct virtio_fake *fake, unsigned queue, unsigned head, const void *data,
                    uint32_t size)
{
    return move(fake, queue, head, (uint8_t *)data, size, true);
}

uint32_t fake_read(struct virtio_fake *fake, unsigned queue, unsigned head, void *to, uint32_t size)
{
    return move(fake, queue, head, to, size, false);
}

/* Marks as many descriptors as the buffer has, or one of a buffer that there is not. */
static void use_packed(struct virtio_fake *fake, unsigned queue, uint32_t id, uint32_t written)
{
    struct virtqueue *q = fake->queue[queue];
    struct fake_ring *ring = &fake->ring[queue];
    struct packed_descriptor *d = &q->packed[ring->used.at];
    unsigned count = id < q->size && ring->count[id] != 0 ? ring->count[id] : 1;

    d->id = (uint16_t)id;
    d->length = written;
    d->flags = ring->used.is_odd ? 0 : BOTH;
    ring->last_used = ring->used;
    advance(&ring->used, count, q->size);
}

void fake_use(struct virtio_fake *fake, unsigned queue, uint32_t id, uint32_t written)
{
    struct virtqueue *q = fake->queue[queue];

    if (is_packed(q)) {
        use_packed(fake, queue, id, written);
        return;
    }
    q->used->ring[q->used->index % q->size] = (struct vring_used_entry){id, written};
    q->used->index++;
}

void fake_run_ahead(struct virtio_fake *fake, unsigned queue, unsigned count)
{
    struct virtqueue *q = fake->queue[queue];
    struct fake_ring *ring = &fake->ring[queue];

    if (!is_packed(q)) {
        q->used->index = (uint16_t)(q->used->index + count);
        return;
    }
    for (; count > 0; count--) {
        q->packed[ring->used.at].flags = ring->used.is_odd ? 0 : BOTH;
        advance(&ring->used, 1, q->size);
    }
}

static uint32_t event_of(const struct fake_place *place)
{
    return place->at | (place->is_odd ? 0 : 0x8000U) | 2U << 16;
}

void fake_want_notification(struct virtio_fake *fake, unsigned queue)
{
    struct virtqueue *q = fake->queue[queue];

    if (is_packed(q))
        *q->device_event = event_of(&fake->ring[queue].next);
    else
        *(uint16_t *)&q->used->ring[q->size] = fake->next[queue];
}

bool fake_wants_interrupt(struct virtio_fake *fake, unsigned queue)
{
    const struct virtqueue *q = fake->queue[queue];

    if (is_packed(q))
        return *q->driver_event >> 16 == 2
                   ? *q->driver_event == event_of(&fake->ring[queue].last_used)
                   : *q->driver_event >> 16 == 0;
    return q->has_events ? q->available->ring[q->size] == (uint16_t)(q->used->index - 1)
                         : !(q->available->flags & 1);
}
