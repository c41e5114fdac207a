/* SPDX-License-Identifier: MIT */
/* The network stack on the host; see stack_fake.h. */
#include "stack_fake.h"

#include <stdlib.h>
#include <string.h>

#include <core/clock.h>
#include <core/timer.h>
#include <core/wait.h>
#include <core/work.h>
#include <device/firmware.h>
#include <device/rng.h>
#include <lib/errno.h>

#include "../../../kernel/net/net_link.h"
#include "../../../kernel/net/packet_queue.h"

const uint8_t stack_fake_mac[6] = {2, 0, 0, 0, 0, 1};
const uint8_t stack_fake_address[4] = {10, 0, 0, 2}, stack_fake_peer[4] = {10, 0, 0, 1};
uint8_t stack_fake_address6[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1};
uint8_t stack_fake_segment[128], stack_fake_dhcp_id[4];
size_t stack_fake_segment_size, stack_fake_longest;
uint32_t stack_fake_segment_length;
bool stack_fake_segment_is_v6;
uint8_t stack_fake_frame[256];
size_t stack_fake_frame_size;

static uint64_t now_ns = 1000000000;
static struct timer *armed;
static uint64_t armed_ns;
static struct netdev device;
static const struct netdev_stack *stack;
static struct netbuf *sent; /* with the device */
static unsigned sent_count;
static char io_bytes[65536];

/* ---- what the stack asks of the kernel ---- */

uint64_t clock_monotonic_ns(void)
{
    return now_ns;
}

uint64_t clock_realtime_ns(void)
{
    return now_ns;
}

uint64_t rng_u64(void)
{
    static uint64_t state = 1;

    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return state >> 3;
}

void rng_bytes(void *to, size_t size)
{
    memset(to, 0x5a, size);
}

void timer_init(struct timer *timer, void (*fire)(struct timer *))
{
    timer->fire = fire;
}

void timer_start(struct timer *timer, uint64_t at_ns)
{
    armed = timer;
    armed_ns = at_ns;
}

void work_init(struct work *work, void (*run)(struct work *))
{
    work->run = run;
    work->queued = false;
}

/* Runs at the next step, when nobody holds a lock. */
static struct work *queued[8];

bool work_queue(struct work *work)
{
    if (work->queued)
        return false;
    work->queued = true;
    for (unsigned i = 0; i < 8; i++) {
        if (queued[i] == NULL) {
            queued[i] = work;
            return true;
        }
    }
    abort();
}

static void run_work(void)
{
    for (unsigned i = 0; i < 8; i++) {
        struct work *work = queued[i];

        queued[i] = NULL;
        if (work == NULL)
            continue;
        work->queued = false;
        work->run(work);
    }
}

unsigned waitq_wake(struct waitq *queue, unsigned max, unsigned events)
{
    (void)queue;
    (void)max;
    (void)events;
    return 0;
}

struct fw_node *fw_find_path(const char *path)
{
    (void)path;
    return NULL;
}

const char *fw_property_string(const struct fw_node *node, const char *name)
{
    (void)node;
    (void)name;
    return NULL;
}

/* Nothing here waits. */
void thread_prepare_sleep(enum wait_how how)
{
    (void)how;
}

int thread_sleep(uint64_t deadline_ns)
{
    (void)deadline_ns;
    return 0;
}

void thread_cancel_sleep(void)
{
}

void waiter_init(struct waiter *waiter)
{
    (void)waiter;
}

void waitq_add(struct waitq *queue, struct waiter *waiter)
{
    (void)queue;
    (void)waiter;
}

void waitq_remove(struct waiter *waiter)
{
    (void)waiter;
}

void netbuf_free(struct netbuf *buffer)
{
    free(buffer);
}

void netbuf_free_chain(struct netbuf *first)
{
    while (first != NULL) {
        struct netbuf *rest = first->rest;

        free(first);
        first = rest;
    }
}

uint32_t netbuf_copy_out(const struct netbuf *first, uint32_t offset, void *to, uint32_t size)
{
    uint32_t done = 0;

    for (; first != NULL && done < size; first = first->rest) {
        uint32_t part = first->size < size - done ? first->size : size - done;

        memcpy((char *)to + done, first->data, part);
        done += part;
    }
    return offset == 0 ? done : 0;
}

void netdev_get_stats(const struct netdev *netdev, struct netdev_stats *sum)
{
    (void)netdev;
    *sum = (struct netdev_stats){0};
}

void netlink_tell(enum net_change what, unsigned link)
{
    (void)what;
    (void)link;
}

bool packet_queue_add(struct packet_queue *queue, struct queued_packet *packet, size_t limit)
{
    (void)queue;
    (void)limit;
    free(packet);
    return false;
}

/* ---- what programs have ---- */

struct inet_sock *inet_sock_alloc(const struct transport_ops *transport)
{
    struct inet_sock *sock = calloc(1, sizeof(*sock));

    atomic_set(&sock->refs, 1);
    sock->transport = transport;
    sock->options = (struct inet_options){.ttl = 64, .keep_idle_s = 7200, .keep_interval_s = 75};
    list_init(&sock->backlog);
    list_init(&sock->backlog_node);
    mutex_init(&sock->read_lock, RANK_FILE_TEXT);
    return sock;
}

void inet_sock_ref(struct inet_sock *sock)
{
    atomic_inc(&sock->refs);
}

void inet_sock_unref(struct inet_sock *sock)
{
    struct inet_error *next;

    if (!atomic_dec_and_test(&sock->refs))
        return;
    for (struct inet_error *error = sock->errors; error != NULL; error = next) {
        next = error->next;
        free(error);
    }
    free(sock);
}

void stack_fake_socket(struct socket *socket, bool is_stream)
{
    *socket = (struct socket){.family = AF_INET,
                              .type = is_stream ? SOCK_STREAM : SOCK_DGRAM,
                              .send_buffer = SOCKET_BUFFER_BYTES,
                              .receive_buffer = SOCKET_BUFFER_BYTES,
                              .reuse_address = true};
}

struct io stack_fake_io(size_t size)
{
    return (struct io){.left = size};
}

ssize_t io_copy_to(struct io *io, const void *from, size_t size)
{
    memcpy(io_bytes, from, size < sizeof(io_bytes) ? size : sizeof(io_bytes));
    io->left -= size;
    return (ssize_t)size;
}

ssize_t io_copy_from(struct io *io, void *to, size_t size)
{
    memset(to, 'o', size);
    io->left -= size;
    return (ssize_t)size;
}

void io_rewind(struct io *io, size_t size)
{
    io->left += size;
}

/* ---- the device ---- */

static void must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void look_at(const uint8_t *head, size_t size, const struct netbuf *frame)
{
    bool is_v6 = head[12] == 0x86 && head[13] == 0xdd;
    size_t ip = is_v6 ? 40 : (head[14] & 15u) * 4u, tcp = 14 + ip;
    unsigned protocol = head[is_v6 ? 20 : 23];

    must(size >= 14);
    if (frame->flags & NETBUF_CSUM_PARTIAL)
        must(frame->csum_start + frame->csum_offset + 2u <= frame->total);
    if (frame->gso != NETBUF_GSO_NONE)
        must(frame->gso_size != 0 && frame->header_size < frame->total &&
             (frame->flags & NETBUF_CSUM_PARTIAL));
    else
        must(frame->total <= device.mtu + 14);
    stack_fake_frame_size = size;
    memcpy(stack_fake_frame, head, size);
    if ((!is_v6 && (head[12] != 8 || head[13] != 0)) || size < tcp + 20)
        return;
    if (protocol == 6) {
        size_t header = (head[tcp + 12] >> 4) * 4u;

        if (frame->total < tcp + header)
            return; /* a program's own */
        stack_fake_segment_is_v6 = is_v6;
        stack_fake_segment_size = size - tcp < 128 ? size - tcp : 128;
        memcpy(stack_fake_segment, head + tcp, stack_fake_segment_size);
        stack_fake_segment_length =
            (uint32_t)(frame->total - tcp - header) + ((head[tcp + 13] & 3) != 0);
        if (frame->total - tcp - header > stack_fake_longest)
            stack_fake_longest = frame->total - tcp - header;
    } else if (protocol == 17 && head[tcp + 1] == 68 && size >= tcp + 16) {
        memcpy(stack_fake_dhcp_id, head + tcp + 12, 4);
    }
}

static void release_some(unsigned keep)
{
    while (sent_count > keep) {
        struct netbuf **last = &sent, *frame;

        while ((*last)->next != NULL)
            last = &(*last)->next;
        frame = *last;
        *last = NULL;
        sent_count--;
        frame->release(frame);
    }
}

static int fake_send(struct netdev *netdev, unsigned queue, struct netbuf *first)
{
    uint8_t head[256];
    uint32_t total = 0;

    (void)netdev;
    (void)queue;
    for (const struct netbuf *part = first; part != NULL; part = part->rest)
        total += part->size;
    must(total == first->total && ((uintptr_t)first->data & 1) == 0);
    look_at(head, netbuf_copy_out(first, 0, head, sizeof(head)), first);
    memset(first->data - NETBUF_HEADROOM, 0xee, NETBUF_HEADROOM); /* the driver may */
    first->next = sent;
    sent = first;
    sent_count++;
    release_some(4);
    return 0;
}

static void fake_kick(struct netdev *netdev, unsigned queue)
{
    (void)netdev;
    (void)queue;
}

static const struct netdev_ops fake_ops = {.send = fake_send, .kick = fake_kick};

int netdev_open(struct netdev *netdev)
{
    netdev->is_open = true;
    return 0;
}

void netdev_set_stack(const struct netdev_stack *new_stack)
{
    stack = new_stack;
    stack->added(&device);
}

/* ---- steps ---- */

void stack_fake_receive(const uint8_t *frame, size_t size, unsigned flags)
{
    struct netbuf *first = NULL, **link = &first;
    size_t at = 0;

    do { /* as a device's buffers: the first ones short enough to matter */
        size_t part = size - at < 1500 ? size - at : 1500;
        struct netbuf *buffer = aligned_alloc(16, (sizeof(*buffer) + part + 15) / 16 * 16);

        memset(buffer, 0, sizeof(*buffer));
        buffer->data = (uint8_t *)(buffer + 1);
        buffer->size = (uint32_t)part;
        memcpy(buffer->data, frame + at, part);
        *link = buffer;
        link = &buffer->rest;
        at += part;
    } while (at < size);
    first->total = (uint32_t)size;
    first->flags = (uint16_t)(flags & NETBUF_CSUM_VALID);
    stack->input(&device, 0, first);
}

void stack_fake_time(unsigned ms)
{
    now_ns += ms * (uint64_t)NS_PER_MS;
    for (unsigned i = 0; i < 200 && armed != NULL && armed_ns <= now_ns; i++) {
        struct timer *timer = armed;

        armed = NULL;
        timer->fire(timer);
        run_work();
    }
    run_work();
}

void stack_fake_configure(void); /* stack_address.c */

void stack_fake_start(unsigned features)
{
    static bool is_made;

    device.features = features & (NETDEV_TX_CSUM | NETDEV_TSO4 | NETDEV_TSO6);
    if (is_made)
        return;
    is_made = true;
    device.ops = &fake_ops;
    device.mtu = device.mtu_max = 1500;
    device.gso_max = 65535;
    device.link_up = true;
    device.queue_count = 1;
    memcpy(device.mac, stack_fake_mac, 6);
    memcpy(device.name, "eth0", 5);
    memcpy(stack_fake_address6 + 8, (const uint8_t[8]){0, 0, 0, 0xff, 0xfe, 0, 0, 1}, 8);
    net_stack_init();
    stack_fake_configure();
}

void stack_fake_stop(void)
{
    for (unsigned i = 0; i < 40; i++)
        stack_fake_time(10000);
    release_some(0);
    stack_fake_configure();
}
