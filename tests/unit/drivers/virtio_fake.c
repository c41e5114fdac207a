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
    fake_of(device)->resets++;
}

static bool needs_reset(struct virtio_device *device)
{
    return fake_of(device)->needs_reset;
}

static void config_read(struct virtio_device *device, unsigned offset, void *to, unsigned size)
{
    memcpy(to, fake_of(device)->config + offset, size);
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
};

const struct bus virtio_bus = {"virtio"};

int virtio_accept(struct virtio_device *device, uint64_t wanted)
{
    device->accepted = device->ops->features(device) & (wanted | BIT64(VIRTIO_F_VERSION_1));
    return device->ops->accept(device, device->accepted);
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
    fake->device.device.driver = driver;
    return driver->probe(&fake->device.device);
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

unsigned fake_offered(struct virtio_fake *fake, unsigned queue)
{
    return (uint16_t)(fake->queue[queue]->available->index - fake->next[queue]);
}

int fake_next(struct virtio_fake *fake, unsigned queue)
{
    const struct virtqueue *q = fake->queue[queue];

    return fake_offered(fake, queue) != 0 ? q->available->ring[fake->next[queue]++ % q->size] : -1;
}

unsigned fake_pieces(struct virtio_fake *fake, unsigned queue, unsigned head)
{
    const struct vring_descriptor *table = fake->queue[queue]->descriptor;
    unsigned count = 1;

    while (table[head].flags & 1) {
        head = table[head].next;
        count++;
    }
    return count;
}

uint8_t *fake_piece(struct virtio_fake *fake, unsigned queue, unsigned head, unsigned i,
                    uint32_t *size, bool *writes)
{
    const struct vring_descriptor *table = fake->queue[queue]->descriptor;

    while (i-- > 0)
        head = table[head].next;
    *size = table[head].length;
    *writes = table[head].flags & 2;
    return phys_virt(table[head].address);
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

void fake_use(struct virtio_fake *fake, unsigned queue, uint32_t id, uint32_t written)
{
    struct virtqueue *q = fake->queue[queue];

    q->used->ring[q->used->index % q->size] = (struct vring_used_entry){id, written};
    q->used->index++;
}

void fake_run_ahead(struct virtio_fake *fake, unsigned queue, unsigned count)
{
    fake->queue[queue]->used->index = (uint16_t)(fake->queue[queue]->used->index + count);
}

void fake_want_notification(struct virtio_fake *fake, unsigned queue)
{
    struct virtqueue *q = fake->queue[queue];

    *(uint16_t *)&q->used->ring[q->size] = fake->next[queue];
}

bool fake_wants_interrupt(struct virtio_fake *fake, unsigned queue)
{
    const struct virtqueue *q = fake->queue[queue];

    return q->has_events ? q->available->ring[q->size] == (uint16_t)(q->used->index - 1)
                         : !(q->available->flags & 1);
}
