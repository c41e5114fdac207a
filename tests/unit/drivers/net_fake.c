/* SPDX-License-Identifier: MIT */
#include "net_fake.h"

#include <stdlib.h>
#include <string.h>

#include <core/percpu.h>
#include <core/work.h>

extern const struct driver *const driver_entry_virtio_net;

struct net_fake net;
uint64_t net_fake_layout;

static struct work *queued_work;

void work_init(struct work *work, void (*run)(struct work *work))
{
    work->run = run;
}

bool work_queue(struct work *work)
{
    queued_work = work;
    return true;
}

void net_fake_work(void)
{
    struct work *work = queued_work;

    queued_work = NULL;
    if (work != NULL)
        work->run(work);
}

static void answer_commands(struct virtio_fake *fake, unsigned queue)
{
    int head;

    if (queue != net.control_queue)
        return;
    while ((head = fake_next(fake, queue)) >= 0) {
        fake_read(fake, queue, (unsigned)head, net.command, sizeof(net.command));
        fake_write(fake, queue, (unsigned)head, &net.answer, 1);
        fake_use(fake, queue, (uint32_t)head, 1);
    }
}

/* That of a buffer which is with the device. */
static struct netbuf_pool *pool_of(const struct virtqueue *queue)
{
    for (unsigned i = 0; i < queue->size; i++) {
        if (queue->buffer[i].cookie != NULL)
            return ((const struct netbuf *)queue->buffer[i].cookie)->pool;
    }
    return NULL;
}

static struct netbuf_pool *pools[NETDEV_QUEUES_MAX];

int net_fake_start(uint64_t offered)
{
    return net_fake_start_pairs(offered, 1, false, 0);
}

int net_fake_start_pairs(uint64_t offered, unsigned pairs, bool answers, uint8_t answer)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    static const uint16_t status = 1, mtu = 9000;
    int error;

    memset(&net, 0, sizeof(net));
    queued_work = NULL;
    fake_stack_start();
    fake_start(&net.virtio, VIRTIO_ID_NET, offered | net_fake_layout);
    memcpy(net.virtio.config, mac, 6);
    memcpy(net.virtio.config + 6, &status, 2);
    net.virtio.config[8] = (uint8_t)pairs;
    memcpy(net.virtio.config + 10, &mtu, 2);
    net.control_queue = answers ? 2 * pairs : 0;
    net.answer = answer;
    net.virtio.on_notify = answers ? answer_commands : NULL;
    cpu_online_mask = cpumask_first_n(pairs > 1 ? 2 : 1);
    error = fake_probe(&net.virtio, driver_entry_virtio_net);
    if (error == 0)
        error = netdev_open(fake_stack.netdev);
    for (unsigned i = 0; error == 0 && i < fake_stack.netdev->queue_count; i++)
        pools[i] = pool_of(net.virtio.queue[2 * i]);
    return error;
}

/* A driver is never unloaded: the test takes the memory back, from the outside. */
void net_fake_stop(void)
{
    fake_stack_free();
    if (fake_stack.netdev->is_open)
        netdev_close(fake_stack.netdev);
    for (unsigned i = 0; i < fake_stack.netdev->queue_count; i++) {
        if (pools[i] != NULL)
            netbuf_pool_close(pools[i]);
    }
    fake_stop(&net.virtio);
    list_del(&fake_stack.netdev->list);
    free(fake_stack.netdev->data);
}

int net_fake_fill(const struct net_header *header, uint32_t header_size, const void *frame,
                  uint32_t size)
{
    uint8_t *bytes = malloc(header_size + size);
    int head = fake_next(&net.virtio, 0);

    memcpy(bytes, header, header_size);
    memcpy(bytes + header_size, frame, size);
    if (head >= 0)
        fake_write(&net.virtio, 0, (unsigned)head, bytes, header_size + size);
    free(bytes);
    return head;
}

bool net_fake_receive(const struct net_header *header, const void *frame, uint32_t size)
{
    int head = net_fake_fill(header, sizeof(*header), frame, size);

    if (head >= 0)
        fake_use(&net.virtio, 0, (uint32_t)head, sizeof(*header) + size);
    return head >= 0;
}
