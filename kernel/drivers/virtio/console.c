/* SPDX-License-Identifier: MIT */
/*
 * Virtio console (OASIS Virtual I/O Device 1.2 section 5.3): its port 1 is the fast way for what
 * programs read and write. It takes over the console when the host says that it reads there
 * (remora.console=virtio, abi/bootargs.h). Port 0 is not used: QEMU drops a console port's output
 * when its reader is slow.
 */
#include "virtio.h"

#include <abi/bootargs.h>
#include <arch/barrier.h>
#include <core/clock.h>
#include <core/lock.h>
#include <core/log.h>
#include <device/console.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/slab.h>

#define F_MULTIPORT 1

/* Section 5.3.2: a pair for port 0, for control, then for the other ports. */
#define CONTROL_RECEIVE_QUEUE  2
#define CONTROL_TRANSMIT_QUEUE 3
#define PORT                   1U
#define RECEIVE_QUEUE          4
#define TRANSMIT_QUEUE         5

/* Section 5.3.6.2 */
struct control {
    uint32_t port;
    uint16_t event, value;
};

enum control_event { DEVICE_READY = 0, PORT_ADD = 1, PORT_READY = 3, PORT_OPEN = 6 };

#define CONTROL_SIZE    64U /* bytes of a message with the name that may follow it */
#define CONTROL_BUFFERS 8U
#define CONTROL_WAIT_NS (1000 * NS_PER_MS)

#define BUFFER_SIZE 2048U /* one cache block of the slab, contiguous in memory */
#define BUFFERS     8U    /* each way */

#define DRAIN_MAX 50000000U /* polls of a device that does not answer */

struct virtio_console {
    struct console_device console;
    struct virtio_device *device;
    struct virtqueue control_receive, control_transmit;
    struct virtqueue receive, transmit; /* transmit: console's lock */
    uint8_t *message[VIRTQUEUE_SIZE];   /* by descriptor of control_receive */
    uint8_t *input[VIRTQUEUE_SIZE];     /* by descriptor */
    uint8_t *idle_output[BUFFERS];
    unsigned idle_count;
    uint8_t *output[VIRTQUEUE_SIZE];

    struct spinlock lock; /* the rest: the buffer that is being given to the console */
    bool is_open;         /* the console takes input */
    bool busy;
    uint8_t *part;
    uint32_t part_at, part_size;
};

/* --- output ------------------------------------------------------------------------------------
 */

static void take_back_output(struct virtio_console *v)
{
    uint32_t written;
    int number;

    while ((number = virtqueue_take(&v->transmit, &written)) >= 0)
        v->idle_output[v->idle_count++] = v->output[number];
}

static size_t vconsole_write(struct console_device *console, const uint8_t *from, size_t size)
{
    struct virtio_console *v = console->data;
    size_t done = 0;

    take_back_output(v);
    while (done < size && v->idle_count > 0) {
        size_t part = min(size - done, (size_t)BUFFER_SIZE);
        uint8_t *buffer = v->idle_output[--v->idle_count];
        int number;

        memcpy(buffer, from + done, part);
        number = virtqueue_put(&v->transmit, buffer, (uint32_t)part, false);
        if (number < 0) {
            v->idle_output[v->idle_count++] = buffer;
            break;
        }
        v->output[number] = buffer;
        done += part;
    }
    if (done > 0)
        virtqueue_kick(&v->transmit);
    return done;
}

static void vconsole_notify_output(struct console_device *console, bool on)
{
    struct virtio_console *v = console->data;

    virtqueue_interrupts(&v->transmit, on);
}

static void vconsole_drain(struct console_device *console)
{
    struct virtio_console *v = console->data;

    for (unsigned i = 0; i < DRAIN_MAX && v->idle_count < BUFFERS; i++)
        take_back_output(v);
}

/* --- input -------------------------------------------------------------------------------------
 */

/* The next filled buffer. The one before goes back to the device. */
static bool next_part(struct virtio_console *v)
{
    uint32_t written;
    int number;

    if (v->part != NULL) {
        number = virtqueue_put(&v->receive, v->part, BUFFER_SIZE, true);
        if (number >= 0) {
            v->input[number] = v->part;
            virtqueue_kick(&v->receive);
        }
        v->part = NULL;
    }
    number = virtqueue_take(&v->receive, &written);
    if (number < 0)
        return false;
    v->part = v->input[number];
    v->part_at = 0;
    v->part_size = min(written, (uint32_t)BUFFER_SIZE); /* what the device says is not trusted */
    return true;
}

/* Gives input to the console until there is no more, or no room. One CPU at a time. */
static void pass_on(struct virtio_console *v)
{
    reg_t flags = spin_lock_irq(&v->lock);

    if (v->busy) {
        spin_unlock_irq(&v->lock, flags);
        return;
    }
    v->busy = true;
    while (v->is_open && (v->part_at < v->part_size || next_part(v))) {
        size_t size = min(v->part_size - v->part_at, (uint32_t)CONSOLE_INPUT_BURST);
        const uint8_t *from = v->part + v->part_at;

        v->part_at += (uint32_t)size;
        spin_unlock_irq(&v->lock, flags);
        console_input(&v->console, from, size); /* calls receive(off) when it is full */
        flags = spin_lock_irq(&v->lock);
    }
    v->busy = false;
    spin_unlock_irq(&v->lock, flags);
}

static void vconsole_receive(struct console_device *console, bool on)
{
    struct virtio_console *v = console->data;

    WRITE_ONCE(v->is_open, on);
}

static void vconsole_resume_input(struct console_device *console)
{
    pass_on(console->data);
}

static const struct console_device_ops vconsole_ops = {
    .write = vconsole_write,
    .notify_output = vconsole_notify_output,
    .receive = vconsole_receive,
    .resume_input = vconsole_resume_input,
    .drain = vconsole_drain,
};

static void vconsole_interrupt(struct virtio_device *device)
{
    struct virtio_console *v = device->device.data;

    console_output_ready(&v->console);
    pass_on(v);
}

/* --- start -------------------------------------------------------------------------------------
 */

static bool is_wanted(void)
{
    const struct fw_node *chosen = fw_find_path("/chosen");
    const char *bootargs = chosen != NULL ? fw_property_string(chosen, "bootargs") : NULL;
    size_t length;
    const char *value = bootargs ? parse_option(bootargs, BOOTARGS_CONSOLE, &length) : NULL;

    return value != NULL && str_equal_n(value, length, "virtio");
}

static int fill_queues(struct virtio_console *v)
{
    for (unsigned i = 0; i < BUFFERS; i++) {
        uint8_t *input = kmalloc(BUFFER_SIZE), *output = kmalloc(BUFFER_SIZE);
        int number;

        if (input == NULL || output == NULL)
            return -ENOMEM;
        v->idle_output[v->idle_count++] = output;
        number = virtqueue_put(&v->receive, input, BUFFER_SIZE, true);
        if (number >= 0)
            v->input[number] = input;
        else
            kfree(input);
    }
    return 0;
}

/* --- ports -------------------------------------------------------------------------------------
 */

static void send_control(struct virtio_console *v, struct control *message, unsigned port,
                         enum control_event event, unsigned value)
{
    uint64_t deadline = clock_monotonic_ns() + CONTROL_WAIT_NS;
    uint32_t written;

    *message = (struct control){.port = port, .event = (uint16_t)event, .value = (uint16_t)value};
    if (virtqueue_put(&v->control_transmit, message, sizeof(*message), false) < 0)
        return;
    virtqueue_kick(&v->control_transmit);
    while (virtqueue_take(&v->control_transmit, &written) < 0 && clock_monotonic_ns() < deadline)
        cpu_relax();
}

/* Waits for the host to say that there is our port. */
static bool wait_for_port(struct virtio_console *v)
{
    uint64_t deadline = clock_monotonic_ns() + CONTROL_WAIT_NS;

    while (clock_monotonic_ns() < deadline) {
        uint32_t written;
        int number = virtqueue_take(&v->control_receive, &written);
        struct control message;

        if (number < 0) {
            cpu_relax();
            continue;
        }
        memcpy(&message, v->message[number], sizeof(message));
        if (written >= sizeof(message) && message.event == PORT_ADD && message.port == PORT)
            return true;
    }
    return false;
}

/* The later messages of the host, names and openings, are left unread. */
static int open_port(struct virtio_console *v)
{
    struct control *message = kmalloc(CONTROL_SIZE);

    if (message == NULL)
        return -ENOMEM;
    send_control(v, message, 0, DEVICE_READY, 1);
    if (!wait_for_port(v)) {
        log_error("%s: no port %u within a second; the console stays where it is",
                  v->device->device.name, PORT);
        return -EIO;
    }
    send_control(v, message, PORT, PORT_READY, 1);
    send_control(v, message, PORT, PORT_OPEN, 1);
    kfree(message);
    return 0;
}

static int init_queues(struct virtio_console *v)
{
    static const uint8_t numbers[4] = {CONTROL_RECEIVE_QUEUE, CONTROL_TRANSMIT_QUEUE, RECEIVE_QUEUE,
                                       TRANSMIT_QUEUE};
    struct virtqueue *queues[4] = {&v->control_receive, &v->control_transmit, &v->receive,
                                   &v->transmit};
    int error = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(queues) && error == 0; i++)
        error = virtqueue_init(queues[i], v->device, numbers[i]);
    for (unsigned i = 0; i < CONTROL_BUFFERS && error == 0; i++) {
        uint8_t *message = kmalloc(CONTROL_SIZE);
        int number = -ENOMEM;

        if (message != NULL)
            number = virtqueue_put(&v->control_receive, message, CONTROL_SIZE, true);
        if (number >= 0)
            v->message[number] = message;
        else
            error = number;
    }
    return error != 0 ? error : fill_queues(v);
}

static int vconsole_probe(struct device *base)
{
    struct virtio_device *device = virtio_device_of(base);
    struct virtio_console *v;
    uint64_t features =
        device->ops->features(device) & (BIT64(VIRTIO_F_VERSION_1) | BIT64(F_MULTIPORT));
    int error;

    if (!is_wanted() || !(features & BIT64(F_MULTIPORT)))
        return -ENODEV;
    v = kzalloc(sizeof(*v));
    if (v == NULL)
        return -ENOMEM;
    v->device = device;
    spin_init(&v->lock, RANK_TTY);
    v->console = (struct console_device){
        .name = base->name, .ops = &vconsole_ops, .node = base->node, .data = v};
    base->data = v;
    device->interrupt = vconsole_interrupt;
    error = virtio_accept(device, features);
    if (error == 0)
        error = init_queues(v);
    if (error != 0)
        return error; /* what it took stays with the device, which knows the addresses */
    virtqueue_interrupts(&v->transmit, false);
    virtqueue_interrupts(&v->control_transmit, false);
    virtqueue_interrupts(&v->control_receive, false);
    device->ops->ready(device);
    virtqueue_kick(&v->control_receive);
    virtqueue_kick(&v->receive);
    error = open_port(v);
    if (error != 0)
        return error;
    console_replace(&v->console);
    return 0;
}

static const struct match vconsole_match[] = {
    {.id = VIRTIO_ID_CONSOLE},
    {0},
};

static const struct driver virtio_console = {
    .name = "virtio_console",
    .bus = &virtio_bus,
    .stage = PROBE_DEVICE,
    .match = vconsole_match,
    .probe = vconsole_probe,
};
DRIVER(virtio_console);
