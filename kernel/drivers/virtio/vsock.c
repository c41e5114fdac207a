/* SPDX-License-Identifier: MIT */
/*
 * Virtio sockets (OASIS Virtual I/O Device 1.2 section 5.10): packets to and from net/vsock*.c. The
 * worker takes what comes; what finds no room in the ring waits in a list, whose length holds back
 * who sends data.
 */
#include "virtio.h"

#include <core/lock.h>
#include <core/log.h>
#include <core/work.h>
#include <device/vsockdev.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>

#define F_STREAM    0
#define F_SEQPACKET 1

enum { RECEIVE_QUEUE, TRANSMIT_QUEUE, EVENT_QUEUE };

#define CID_FIRST   3U /* of a guest */
#define BUFFER      4096U
#define BUFFERS     16U
#define EVENTS      4U
#define WAITING_MAX 64U  /* packets */
#define PACKETS_MAX 256U /* received at a time: the worker has others to serve */

struct virtio_vsock {
    struct vsockdev dev;
    struct virtio_device *device;
    struct virtqueue receive, event; /* the worker's */
    struct work work;
    uint32_t events[EVENTS];

    struct spinlock lock; /* the rest */
    struct virtqueue transmit;
    struct list_node waiting;
    unsigned waiting_count;
};

static void offer(struct virtqueue *queue, void *memory, uint32_t size)
{
    struct virtio_segment segment = {memory, size};

    (void)virtqueue_add(queue, &segment, 0, 1, memory);
    virtqueue_kick(queue);
}

static void send_waiting_locked(struct virtio_vsock *v)
{
    while (!list_empty(&v->waiting)) {
        struct vsock_packet *packet = list_first_entry(&v->waiting, struct vsock_packet, node);
        struct virtio_segment segment = {&packet->header,
                                         (uint32_t)sizeof(packet->header) + packet->header.length};

        if (virtqueue_add(&v->transmit, &segment, 1, 0, packet) != 0)
            break;
        list_del(&packet->node);
        v->waiting_count--;
    }
    virtqueue_kick(&v->transmit);
    v->dev.is_full = v->waiting_count > WAITING_MAX;
}

static void vvsock_send(struct vsockdev *dev, struct vsock_packet *packet)
{
    struct virtio_vsock *v = dev->data;

    spin_lock(&v->lock);
    list_add_tail(&v->waiting, &packet->node);
    v->waiting_count++;
    send_waiting_locked(v);
    spin_unlock(&v->lock);
}

static void take_sent(struct virtio_vsock *v)
{
    bool was_full = v->dev.is_full;
    struct vsock_packet *packet;
    uint32_t written;

    for (;;) {
        spin_lock(&v->lock);
        packet = virtqueue_get(&v->transmit, &written);
        if (packet == NULL)
            break;
        spin_unlock(&v->lock);
        kfree(packet);
    }
    send_waiting_locked(v);
    spin_unlock(&v->lock);
    if (was_full && !v->dev.is_full)
        vsock_has_room();
}

static void take_received(struct virtio_vsock *v)
{
    struct vsock_header header; /* what is checked cannot change afterwards */
    uint32_t written;
    void *buffer;

    for (unsigned i = 0; i < PACKETS_MAX; i++) {
        buffer = virtqueue_get(&v->receive, &written);
        if (buffer == NULL)
            return;
        memcpy(&header, buffer, sizeof(header));
        if (written >= sizeof(header) && written <= BUFFER &&
            header.length <= written - sizeof(header))
            vsock_input(&header, buffer + sizeof(header));
        offer(&v->receive, buffer, BUFFER);
    }
    work_queue(&v->work);
}

static int read_cid(struct virtio_vsock *v)
{
    uint64_t cid;

    v->device->ops->config_read(v->device, 0, &cid, sizeof(cid));
    if (cid < CID_FIRST || cid >= UINT32_MAX) {
        log_error("%s: context 0x%lx is no guest's; not used", v->device->device.name,
                  (unsigned long)cid);
        return -EINVAL;
    }
    v->dev.cid = (uint32_t)cid;
    return 0;
}

/* The one event that there is: the machine has moved (section 5.10.6.7). */
static void take_events(struct virtio_vsock *v)
{
    uint32_t written, *event = virtqueue_get(&v->event, &written);

    if (event == NULL)
        return;
    offer(&v->event, event, sizeof(*event));
    if (read_cid(v) == 0)
        vsock_moved();
}

static void vvsock_work(struct work *work)
{
    struct virtio_vsock *v = container_of(work, struct virtio_vsock, work);

    take_events(v);
    take_sent(v);
    take_received(v);
}

static void vvsock_interrupt(struct virtio_device *device)
{
    struct virtio_vsock *v = device->device.data;

    work_queue(&v->work);
}

static int init_queues(struct virtio_vsock *v)
{
    struct virtqueue *queue[] = {&v->receive, &v->transmit, &v->event};
    int error = 0;

    for (unsigned i = 0; i < 3 && error == 0; i++)
        error = virtqueue_init(queue[i], v->device, i);
    return error;
}

static int start(struct virtio_vsock *v)
{
    int error = virtio_accept(v->device, BIT64(F_STREAM) | BIT64(F_SEQPACKET));

    v->dev.has_packets = virtio_has(v->device, F_SEQPACKET);
    if (error == 0)
        error = read_cid(v);
    if (error == 0)
        error = init_queues(v);
    if (error == 0 && !vsock_attach(&v->dev))
        error = -EBUSY;
    return error;
}

static int vvsock_probe(struct device *base)
{
    struct virtio_device *device = virtio_device_of(base);
    struct virtio_vsock *v = kzalloc(sizeof(*v));
    int error;

    if (v == NULL)
        return -ENOMEM;
    v->device = device;
    v->dev.send = vvsock_send;
    v->dev.data = v;
    spin_init(&v->lock, RANK_DEVICE);
    list_init(&v->waiting);
    work_init(&v->work, vvsock_work);
    base->data = v;
    device->interrupt = vvsock_interrupt;
    error = start(v);
    if (error != 0) {
        device->interrupt = NULL;
        device->ops->reset(device);
        virtqueue_free(&v->receive);
        virtqueue_free(&v->transmit);
        virtqueue_free(&v->event);
        kfree(v);
        return error;
    }
    device->ops->ready(device);
    for (unsigned i = 0; i < BUFFERS; i++) {
        void *buffer = kmalloc(BUFFER);

        if (buffer != NULL)
            offer(&v->receive, buffer, BUFFER);
    }
    for (unsigned i = 0; i < EVENTS; i++)
        offer(&v->event, &v->events[i], sizeof(v->events[i]));
    return 0;
}

static const struct match vvsock_match[] = {
    {.id = VIRTIO_ID_VSOCK},
    {0},
};

static const struct driver virtio_vsock = {
    .name = "virtio_vsock",
    .bus = &virtio_bus,
    .stage = PROBE_DEVICE,
    .match = vvsock_match,
    .probe = vvsock_probe,
};
DRIVER(virtio_vsock);
