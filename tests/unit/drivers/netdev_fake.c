/* SPDX-License-Identifier: MIT */
#include "netdev_fake.h"

#include <stdlib.h>

#include <core/clock.h>
#include <core/thread.h>
#include <mm/memory.h>

struct fake_stack fake_stack;

/* --- threads: none runs, a test polls itself ----------------------------------------------------
 */

static struct thread poller;

int thread_spawn(const char *name, void (*entry)(void *), void *argument, struct thread **out)
{
    (void)name, (void)entry, (void)argument;
    *out = &poller;
    return 0;
}

bool sched_serve(void (*serve)(void *argument), void *argument, struct thread *other)
{
    (void)serve, (void)argument, (void)other;
    return false;
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

uint64_t memory_ram_pages(void)
{
    return 1024; /* a pool of 64 pages */
}

/* --- the stack ----------------------------------------------------------------------------------
 */

static void added(struct netdev *device)
{
    fake_stack.netdev = device;
}

static void input(struct netdev *device, unsigned queue, struct netbuf *frames)
{
    (void)device, (void)queue;
    for (; frames != NULL; frames = frames->next) {
        *fake_stack.last = frames;
        fake_stack.last = &frames->next;
        fake_stack.got_count++;
    }
    *fake_stack.last = NULL;
}

static void writable(struct netdev *device, unsigned queue)
{
    (void)device, (void)queue;
    fake_stack.writable++;
}

static void link_changed(struct netdev *device)
{
    (void)device;
    fake_stack.links++;
}

static const struct netdev_stack stack = {
    .added = added,
    .input = input,
    .writable = writable,
    .link = link_changed,
};

void fake_stack_start(void)
{
    static bool is_set;

    fake_stack = (struct fake_stack){.last = &fake_stack.got};
    if (!is_set)
        netdev_set_stack(&stack);
    is_set = true;
}

unsigned fake_stack_poll(struct netdev *device, unsigned queue)
{
    struct netdev_queue *q = &device->queue[queue];
    unsigned count = device->is_open ? device->ops->poll(device, queue, NETDEV_BUDGET) : 0;

    if (q->first != NULL) {
        *q->last = NULL;
        input(device, queue, q->first);
        q->first = NULL;
        q->last = &q->first;
    }
    if (q->writable) {
        q->writable = false;
        writable(device, queue);
    }
    return count;
}

void fake_stack_free(void)
{
    while (fake_stack.got != NULL) {
        struct netbuf *next = fake_stack.got->next;

        netbuf_free_chain(fake_stack.got);
        fake_stack.got = next;
    }
    fake_stack.last = &fake_stack.got;
    fake_stack.got_count = 0;
}
