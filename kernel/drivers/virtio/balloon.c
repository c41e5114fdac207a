/* SPDX-License-Identifier: MIT */
/*
 * Virtio memory balloon (OASIS Virtual I/O Device 1.2 section 5.5): pages that the host asks for
 * and gives back, statistics, and free page reporting, by which the host takes back what is free
 * here without being asked. A thread does it all, never below a floor of memory; who runs out of
 * memory deflates. Left out: free page hints, which serve migration, and page poisoning.
 */
#include "virtio.h"

#include <core/clock.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/thread.h>
#include <core/wait.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/memory.h>
#include <mm/page.h>
#include <mm/slab.h>

/* Section 5.5.3 */
#define F_STATS          1
#define F_DEFLATE_ON_OOM 2
#define F_FREE_PAGE_HINT 3
#define F_REPORTING      5

/* Section 5.5.4 */
#define CONFIG_WANTED 0
#define CONFIG_ACTUAL 4

#define BATCH         256U /* pages of a request */
#define REPORT_BLOCKS 8U   /* of 2 MiB: off the free list until the host has seen them */
#define FLOOR_MIN     2048U
#define FLOOR_SHARE   16U /* at least 8 MiB and one part of memory in so many stay */
#define LOOK_NS       (2 * NS_PER_SECOND)
#define ANSWER_NS     (10 * NS_PER_SECOND)
#define SHORT_NS      (NS_PER_SECOND) /* who needs memory waits no longer for the host */

/* Section 5.5.6.4 */
enum stat_tag { STAT_FREE = 4, STAT_TOTAL = 5, STAT_AVAILABLE = 6, STAT_CACHES = 7, STATS = 4 };

struct stat {
    uint16_t tag;
    uint64_t value; /* bytes */
} __packed;

struct balloon {
    struct virtio_device *device;
    struct waitq work, answered;
    bool attention; /* the device has said something */
    bool is_broken;

    struct mutex lock; /* the rest: one request at a time */
    struct virtqueue inflate, deflate, stats, reporting;
    bool has_stats, has_reporting;
    struct list_node pages; /* the host's */
    uint32_t page_count;
    uint32_t frame[BATCH]; /* numbers of 4 KiB frames */
    unsigned leaving;      /* the first pages of the list: the host was asked for them */
    struct stat stat[STATS];
    struct memory_shrinker shrinker;
};

/* --- requests -----------------------------------------------------------------------------------
 */

static bool is_answered(struct virtqueue *queue)
{
    uint32_t written;

    return virtqueue_get(queue, &written) != NULL || queue->is_broken;
}

static int offer(struct balloon *b, struct virtqueue *queue, const struct virtio_segment *segment,
                 unsigned reads, unsigned writes)
{
    if (READ_ONCE(b->is_broken) || virtqueue_add(queue, segment, reads, writes, b) != 0)
        return -EIO;
    virtqueue_kick(queue);
    return 0;
}

/*
 * Waits until the device is done with the queue's one buffer. -ETIMEDOUT, for waits shorter than
 * ANSWER_NS: it has it still. What a device does not answer to, or not as it should, it keeps; it
 * is not used any more.
 */
static int await(struct balloon *b, struct virtqueue *queue, uint64_t wait_ns)
{
    int error = READ_ONCE(b->is_broken)
                    ? -EIO
                    : wait_event(&b->answered, is_answered(queue), clock_monotonic_ns() + wait_ns,
                                 WAIT_UNINTERRUPTIBLE);

    if ((error == 0 && !queue->is_broken) || (error == -ETIMEDOUT && wait_ns < ANSWER_NS))
        return error;
    if (!READ_ONCE(b->is_broken))
        log_error("%s: the balloon did not answer as it should; it is not used any more",
                  b->device->device.name);
    WRITE_ONCE(b->is_broken, true);
    return -EIO;
}

static struct virtio_segment frames(struct balloon *b, unsigned count)
{
    return (struct virtio_segment){b->frame, count * (uint32_t)sizeof(b->frame[0])};
}

static void tell_actual(struct balloon *b)
{
    b->device->ops->config_write(b->device, CONFIG_ACTUAL, b->page_count);
}

/* --- inflate and deflate ------------------------------------------------------------------------
 */

/* How many pages may be taken without going below the floor. */
static uint64_t room(void)
{
    struct memory_stats memory;
    uint64_t floor;

    memory_get_stats(&memory);
    floor = max(memory.total / FLOOR_SHARE, (uint64_t)FLOOR_MIN);
    return memory.available > floor ? memory.available - floor : 0;
}

/* Up to a batch of pages goes to the host; how many did. */
static unsigned inflate(struct balloon *b, uint32_t most)
{
    unsigned count = (unsigned)min(min((uint64_t)most, (uint64_t)BATCH), room()), got = 0;
    struct virtio_segment segment;
    struct page *page;

    while (got < count && (page = page_alloc(0, PAGE_USER)) != NULL) {
        list_add(&b->pages, &page->list);
        b->frame[got++] = (uint32_t)(page_phys(page) >> PAGE_SHIFT);
    }
    b->page_count += got;
    if (got == 0)
        return 0;
    segment = frames(b, got);
    return offer(b, &b->inflate, &segment, 1, 0) == 0 && await(b, &b->inflate, ANSWER_NS) == 0 ? got
                                                                                               : 0;
}

/* Asks for a batch of pages. */
static void deflate_begin(struct balloon *b, uint32_t most)
{
    unsigned count = min(min(most, b->page_count), BATCH), i = 0;
    struct virtio_segment segment = frames(b, count);
    struct page *page;

    list_for_each_entry (page, &b->pages, list) {
        if (i == count)
            break;
        b->frame[i++] = (uint32_t)(page_phys(page) >> PAGE_SHIFT);
    }
    if (count != 0 && offer(b, &b->deflate, &segment, 1, 0) == 0)
        b->leaving = count;
}

/* Pages come back: those that were asked for. How many; what the device does not answer for stays
 * away, or comes later. */
static unsigned deflate_end(struct balloon *b, uint64_t wait_ns)
{
    unsigned count = b->leaving;

    if (count == 0 || await(b, &b->deflate, wait_ns) != 0)
        return 0;
    for (unsigned i = 0; i < count; i++) {
        struct page *page = list_first_entry(&b->pages, struct page, list);

        list_del(&page->list);
        page_free(page, 0);
    }
    b->leaving = 0;
    b->page_count -= count;
    return count;
}

static unsigned deflate(struct balloon *b, uint32_t most)
{
    deflate_begin(b, most);
    return deflate_end(b, ANSWER_NS);
}

/* True: it has what it wants. */
static bool adjust(struct balloon *b)
{
    uint32_t before = b->page_count, wanted = 0;

    (void)deflate_end(b, ANSWER_NS); /* what reclaim() did not wait for */
    if (READ_ONCE(b->is_broken))
        return false;
    b->device->ops->config_read(b->device, CONFIG_WANTED, &wanted, sizeof(wanted));
    while (b->page_count < wanted && inflate(b, wanted - b->page_count) != 0)
        continue;
    while (b->page_count > wanted && deflate(b, b->page_count - wanted) != 0)
        continue;
    if (b->page_count != before)
        tell_actual(b);
    return b->page_count == wanted;
}

/*
 * Memory is short: whoever wants some takes it from the host, which may be short of it, too. If it
 * takes long, the balloon's thread waits for it; whoever comes meanwhile does not.
 */
static uint64_t reclaim(struct memory_shrinker *shrinker, uint64_t pages)
{
    struct balloon *b = container_of(shrinker, struct balloon, shrinker);
    uint64_t freed;
    unsigned part;

    if (!mutex_trylock(&b->lock))
        return 0;
    freed = deflate_end(b, 0);
    for (part = 1; freed < pages && part != 0 && b->leaving == 0; freed += part) {
        deflate_begin(b, BATCH);
        part = deflate_end(b, SHORT_NS);
        if (b->leaving != 0 && !READ_ONCE(b->is_broken)) {
            log_warn("%s: memory is short, and the host gave none of the balloon's %u MiB back "
                     "within a second: programs may end that need not",
                     b->device->device.name, b->page_count >> (20 - PAGE_SHIFT));
            WRITE_ONCE(b->attention, true);
            waitq_wake_all(&b->work);
        }
    }
    if (freed != 0)
        tell_actual(b);
    mutex_unlock(&b->lock);
    return freed;
}

/* --- statistics and free pages ------------------------------------------------------------------
 */

/* The device gives the buffer back when it wants to know (section 5.5.6.3). */
static void offer_stats(struct balloon *b)
{
    struct virtio_segment segment = {b->stat, sizeof(b->stat)};
    struct memory_stats memory;

    memory_get_stats(&memory);
    b->stat[0] = (struct stat){STAT_FREE, memory.free << PAGE_SHIFT};
    b->stat[1] = (struct stat){STAT_TOTAL, memory.total << PAGE_SHIFT};
    b->stat[2] = (struct stat){STAT_AVAILABLE, memory.available << PAGE_SHIFT};
    b->stat[3] = (struct stat){STAT_CACHES, memory.cached << PAGE_SHIFT};
    (void)virtqueue_add(&b->stats, &segment, 1, 0, b);
    virtqueue_kick(&b->stats);
}

static void report_free(struct balloon *b)
{
    struct virtio_segment segment[REPORT_BLOCKS];
    struct page *block[REPORT_BLOCKS];
    unsigned count;
    int error = 0;

    while (error == 0 && (count = page_report_take(block, REPORT_BLOCKS)) != 0) {
        for (unsigned i = 0; i < count; i++)
            segment[i] = (struct virtio_segment){page_virt(block[i]), PAGE_SIZE << PAGE_ORDER_MAX};
        error = offer(b, &b->reporting, segment, 0, count);
        if (error != 0 || (error = await(b, &b->reporting, ANSWER_NS)) == 0)
            page_report_done(block, count);
    }
}

/* --- the thread ---------------------------------------------------------------------------------
 */

static void work(void *argument)
{
    struct balloon *b = argument;
    bool is_content = true;
    uint32_t written;

    while (!READ_ONCE(b->is_broken)) {
        uint64_t deadline =
            b->has_reporting || !is_content ? clock_monotonic_ns() + LOOK_NS : WAIT_FOREVER;

        (void)wait_event(&b->work, READ_ONCE(b->attention), deadline, WAIT_UNINTERRUPTIBLE);
        WRITE_ONCE(b->attention, false);
        mutex_lock(&b->lock);
        is_content = adjust(b);
        if (b->has_stats && virtqueue_get(&b->stats, &written) != NULL)
            offer_stats(b);
        if (b->has_reporting)
            report_free(b);
        mutex_unlock(&b->lock);
    }
}

static void balloon_interrupt(struct virtio_device *device)
{
    struct balloon *b = device->device.data;

    WRITE_ONCE(b->attention, true);
    waitq_wake_all(&b->answered);
    waitq_wake_all(&b->work);
}

static void balloon_config_changed(struct virtio_device *device)
{
    struct balloon *b = device->device.data;

    if (device->ops->needs_reset(device)) {
        log_error("%s: the balloon is broken; it is not used any more", device->device.name);
        WRITE_ONCE(b->is_broken, true);
    }
    balloon_interrupt(device);
}

/* --- start --------------------------------------------------------------------------------------
 */

/* Queues are numbered through as the device offers them (section 5.5.2). */
static int start_queues(struct balloon *b, uint64_t offered)
{
    struct virtio_device *device = b->device;
    unsigned index = 2;
    int error = virtqueue_init(&b->inflate, device, 0);

    if (error == 0)
        error = virtqueue_init(&b->deflate, device, 1);
    if (error == 0 && virtio_has(device, F_STATS))
        error = virtqueue_init(&b->stats, device, index);
    b->has_stats = error == 0 && virtio_has(device, F_STATS);
    index += (offered >> F_STATS & 1) + (offered >> F_FREE_PAGE_HINT & 1);
    if (error == 0 && virtio_has(device, F_REPORTING))
        error = virtqueue_init(&b->reporting, device, index);
    b->has_reporting =
        error == 0 && virtio_has(device, F_REPORTING) && b->reporting.size >= REPORT_BLOCKS;
    return error;
}

static int start(struct balloon *b)
{
    struct virtio_device *device = b->device;
    uint64_t offered = device->ops->features(device);
    struct thread *thread;
    int error =
        virtio_accept(device, BIT64(F_STATS) | BIT64(F_DEFLATE_ON_OOM) | BIT64(F_REPORTING));

    if (error == 0)
        error = start_queues(b, offered);
    if (error != 0)
        return error;
    device->interrupt = balloon_interrupt;
    device->config_changed = balloon_config_changed;
    device->ops->ready(device);
    b->attention = true;
    if (b->has_stats)
        offer_stats(b); /* the queue is the thread's from then on */
    error = thread_spawn("balloon", work, b, &thread);
    if (error != 0)
        return error;
    if (virtio_has(device, F_DEFLATE_ON_OOM))
        memory_add_shrinker(&b->shrinker);
    return 0;
}

static int balloon_probe(struct device *base)
{
    struct balloon *b = kzalloc(sizeof(*b));
    int error;

    if (b == NULL)
        return -ENOMEM;
    b->device = virtio_device_of(base);
    b->shrinker = (struct memory_shrinker){.name = "balloon", .reclaim = reclaim};
    list_init(&b->pages);
    waitq_init(&b->work);
    waitq_init(&b->answered);
    mutex_init(&b->lock, RANK_DEVICE_COMMAND);
    base->data = b;
    error = start(b);
    if (error == 0)
        return 0;
    b->device->interrupt = b->device->config_changed = NULL;
    b->device->ops->reset(b->device);
    virtqueue_free(&b->inflate);
    virtqueue_free(&b->deflate);
    virtqueue_free(&b->stats);
    virtqueue_free(&b->reporting);
    kfree(b);
    return error;
}

static const struct match balloon_match[] = {
    {.id = VIRTIO_ID_BALLOON},
    {0},
};

static const struct driver virtio_balloon = {
    .name = "virtio_balloon",
    .bus = &virtio_bus,
    .stage = PROBE_DEVICE,
    .match = balloon_match,
    .probe = balloon_probe,
};
DRIVER(virtio_balloon);
