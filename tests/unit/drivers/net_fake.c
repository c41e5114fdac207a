/* SPDX-License-Identifier: MIT */
#include "net_fake.h"

#include <stdlib.h>
#include <string.h>

#include <core/clock.h>
#include <core/percpu.h>
#include <core/thread.h>
#include <lib/errno.h>
#include <mm/memory.h>

extern const struct driver *const driver_entry_virtio_net;

struct net_fake net;

/* --- threads: none runs, a test polls itself ----------------------------------------------------
 */

static struct thread poller;

int thread_spawn(const char *name, void (*entry)(void *), void *argument, struct thread **out)
{
    (void)name, (void)entry, (void)argument;
    *out = &poller;
    return 0;
}

void thread_wake(struct thread *thread)
{
    (void)thread;
}

void thread_prepare_sleep(enum wait_how how)
{
    (void)how;
}

void thread_cancel_sleep(void)
{
}

int thread_sleep(uint64_t deadline_ns)
{
    (void)deadline_ns;
    abort();
}

int thread_sleep_until(uint64_t deadline_ns, enum wait_how how)
{
    (void)deadline_ns, (void)how;
    return 0;
}

void sched_yield(void) /* takes the place of the host's, which ASan calls */
{
}

uint64_t clock_monotonic_ns(void)
{
    static uint64_t now;

    return now += 100000000; /* who waits waits in vain, ten times a second */
}

void memory_get_stats(struct memory_stats *stats)
{
    *stats = (struct memory_stats){.total = 1024}; /* a pool of 64 pages */
}

/* --- the stack ----------------------------------------------------------------------------------
 */

static void added(struct netdev *device)
{
    net.netdev = device;
}

static void input(struct netdev *device, unsigned queue, struct netbuf *frames)
{
    (void)device, (void)queue;
    for (; frames != NULL; frames = frames->next) {
        *net.last = frames;
        net.last = &frames->next;
        net.got_count++;
    }
    *net.last = NULL;
}

static void writable(struct netdev *device, unsigned queue)
{
    (void)device, (void)queue;
    net.writable++;
}

static void link_changed(struct netdev *device)
{
    (void)device;
    net.links++;
}

static const struct netdev_stack stack = {
    .added = added,
    .input = input,
    .writable = writable,
    .link = link_changed,
    .announce = link_changed,
};

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
    net.last = &net.got;
    fake_start(&net.virtio, VIRTIO_ID_NET, offered);
    memcpy(net.virtio.config, mac, 6);
    memcpy(net.virtio.config + 6, &status, 2);
    net.virtio.config[8] = (uint8_t)pairs;
    memcpy(net.virtio.config + 10, &mtu, 2);
    net.control_queue = answers ? 2 * pairs : 0;
    net.answer = answer;
    net.virtio.on_notify = answers ? answer_commands : NULL;
    cpu_online_mask = cpumask_first_n(pairs > 1 ? 2 : 1);
    if (netdev_next(NULL) == NULL)
        netdev_set_stack(&stack);
    error = fake_probe(&net.virtio, driver_entry_virtio_net);
    return error != 0 ? error : netdev_open(net.netdev);
}

void net_fake_free_got(void)
{
    while (net.got != NULL) {
        struct netbuf *next = net.got->next;

        netbuf_free_chain(net.got);
        net.got = next;
    }
    net.last = &net.got;
    net.got_count = 0;
}

/* A driver is never unloaded: the test takes the memory back, from the outside. */
void net_fake_stop(void)
{
    net_fake_free_got();
    if (net.netdev->is_open)
        netdev_close(net.netdev);
    for (unsigned i = 0; i < net.netdev->queue_count; i++) {
        struct netbuf_pool *pool = NULL;
        struct netbuf *buffer;

        while ((buffer = virtqueue_take_unused(net.virtio.queue[2 * i])) != NULL) {
            pool = buffer->pool;
            netbuf_free(buffer);
        }
        if (pool != NULL)
            netbuf_pool_close(pool);
    }
    fake_stop(&net.virtio);
    list_del(&net.netdev->list);
    free(net.netdev->data);
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
