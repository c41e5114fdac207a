/* SPDX-License-Identifier: MIT */
/*
 * Virtio console (OASIS Virtual I/O Device 1.2 section 5.3): the device, and the control messages
 * by which ports come, go, and get names. QEMU answers each of ours before it gives it back, so
 * that all ports are there when the first program starts; what comes later is an interrupt's and
 * the worker's. A device without F_MULTIPORT is one terminal.
 */
#include "console.h"

#include <abi/bootargs.h>
#include <arch/barrier.h>
#include <core/clock.h>
#include <core/log.h>
#include <core/wait.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/slab.h>

#define F_SIZE      0
#define F_MULTIPORT 1

/* Section 5.3.4 */
#define CONFIG_COLUMNS   0
#define CONFIG_ROWS      2
#define CONFIG_MAX_PORTS 4

/* Section 5.3.2: a pair for port 0, for control, then for the other ports. */
#define CONTROL_QUEUE 2U
#define PORTS_MAX     16U

struct control {
    uint32_t port;
    uint16_t event, value;
};

#define MESSAGE_SIZE    128U /* with the name that may follow */
#define MESSAGE_BUFFERS 32U  /* QEMU drops what finds no buffer */
#define MESSAGES_MAX    256U /* at a time: the worker has others to serve */
#define CONTROL_WAIT_NS (1000 * NS_PER_MS)

#define MAIN_NAME "remora" /* of the command's port, tool/machine.c */

static bool has_main;

/* --- to the device ------------------------------------------------------------------------------
 */

static void tell(struct virtio_console *v, unsigned port, enum vconsole_event event, unsigned value)
{
    uint64_t deadline = clock_monotonic_ns() + CONTROL_WAIT_NS;
    struct virtio_segment segment = {v->command, sizeof(*v->command)};
    uint32_t written;

    mutex_lock(&v->lock);
    if (v->command != NULL && !v->is_silent) {
        *v->command =
            (struct control){.port = port, .event = (uint16_t)event, .value = (uint16_t)value};
        v->is_silent = virtqueue_add(&v->control_transmit, &segment, 1, 0, v->command) != 0;
        virtqueue_kick(&v->control_transmit);
        while (!v->is_silent && virtqueue_get(&v->control_transmit, &written) == NULL) {
            v->is_silent = clock_monotonic_ns() >= deadline;
            cpu_relax();
        }
        if (v->is_silent)
            log_warn("%s: it took no control message for a second; its ports stay as they are",
                     v->device->device.name);
    }
    mutex_unlock(&v->lock);
}

void vconsole_tell(struct vport *port, enum vconsole_event event, unsigned value)
{
    tell(port->console, port->id, event, value);
}

/* --- ports -------------------------------------------------------------------------------------
 */

static void warn(struct virtio_console *v, const struct control *message)
{
    if (!v->has_warned)
        log_warn("%s: it sent control message %u for port %u, which makes no sense; left out, as "
                 "others like it",
                 v->device->device.name, message->event, message->port);
    v->has_warned = true;
}

static void set_there(struct vport *port, bool is_there)
{
    reg_t flags = spin_lock_irq(&port->lock);

    port->is_there = is_there;
    port->is_host_open = false;
    spin_unlock_irq(&port->lock, flags);
}

static void add_port(struct virtio_console *v, struct vport *port)
{
    int error = vport_start(port);

    if (error == 0) {
        v->has_ports = true;
        port->name[0] = '\0';
        port->is_terminal = false;
        set_there(port, true);
    } else {
        log_error("%s: port %u cannot be used: error %d", v->device->device.name, port->id, error);
    }
    vconsole_tell(port, VCONSOLE_PORT_READY, error == 0);
}

static void remove_port(struct vport *port)
{
    set_there(port, false);
    if (!port->is_shown)
        return;
    port->is_shown = false;
    if (port->is_terminal)
        vport_terminal_removed(port);
    else
        vport_file_removed(port);
}

static void set_host_open(struct vport *port, bool is_open)
{
    reg_t flags = spin_lock_irq(&port->lock);

    port->is_host_open = is_open;
    spin_unlock_irq(&port->lock, flags);
    if (port->is_shown && !port->is_terminal)
        vport_file_changed(port);
}

/* Up to its first NUL; what a terminal or a path could take for something else becomes '?'. */
static void set_name(struct vport *port, const uint8_t *from, size_t size)
{
    size_t i;

    if (port->is_shown)
        return; /* a name is for good */
    for (i = 0; i < size && i + 1 < VPORT_NAME_SIZE && from[i] != '\0'; i++)
        port->name[i] = (char)(from[i] > ' ' && from[i] < 0x7f ? from[i] : '?');
    port->name[i] = '\0';
}

static void set_size(struct vport *port, const uint8_t *from, size_t size)
{
    uint16_t columns_rows[2];

    if (size < sizeof(columns_rows))
        return;
    memcpy(columns_rows, from, sizeof(columns_rows));
    vport_terminal_size(port, columns_rows[0], columns_rows[1]);
}

/* Section 5.3.6.2 */
static void take_message(struct virtio_console *v, const uint8_t *bytes, size_t size)
{
    struct control message = {~0U, 0xffff, 0};
    struct vport *port;

    if (size >= sizeof(message))
        memcpy(&message, bytes, sizeof(message));
    port = message.port < v->port_count ? &v->port[message.port] : NULL;
    if (port == NULL || port->receive.size == 0 ||
        port->is_there == (message.event == VCONSOLE_PORT_ADD)) {
        warn(v, &message);
        return;
    }
    bytes += sizeof(message);
    size -= sizeof(message);
    if (message.event == VCONSOLE_PORT_ADD)
        add_port(v, port);
    else if (message.event == VCONSOLE_PORT_REMOVE)
        remove_port(port);
    else if (message.event == VCONSOLE_CONSOLE_PORT)
        port->is_terminal |= !port->is_shown;
    else if (message.event == VCONSOLE_RESIZE)
        set_size(port, bytes, size);
    else if (message.event == VCONSOLE_PORT_OPEN)
        set_host_open(port, message.value != 0);
    else if (message.event == VCONSOLE_PORT_NAME)
        set_name(port, bytes, size);
    else
        warn(v, &message);
}

static void offer_message(struct virtio_console *v, void *message)
{
    struct virtio_segment segment = {message, MESSAGE_SIZE};

    (void)virtqueue_add(&v->control_receive, &segment, 0, 1, message);
}

static void take_messages(struct virtio_console *v)
{
    uint32_t written;
    void *message;

    for (unsigned i = 0; i < MESSAGES_MAX; i++) {
        message = virtqueue_get(&v->control_receive, &written);
        if (message == NULL)
            break;
        take_message(v, message, min(written, MESSAGE_SIZE));
        offer_message(v, message);
        virtqueue_kick(&v->control_receive);
    }
}

/* Now that its name and kind are known. */
static void show_port(struct vport *port, bool is_main_wanted)
{
    int error;

    if (is_main_wanted && !has_main && strcmp(port->name, MAIN_NAME) == 0) {
        has_main = true;
        error = vport_use_as_main(port);
    } else {
        error = port->is_terminal ? vport_use_as_terminal(port) : vport_use_as_file(port);
    }
    port->is_shown = error == 0;
    if (error != 0)
        log_error("%s: port %u cannot be used: error %d", port->console->device->device.name,
                  port->id, error);
}

static void show_ports(struct virtio_console *v, bool is_main_wanted)
{
    for (unsigned i = 0; i < v->port_count; i++) {
        if (v->port[i].is_there && !v->port[i].is_shown)
            show_port(&v->port[i], is_main_wanted);
    }
}

static void control_work(struct work *work)
{
    struct virtio_console *v = container_of(work, struct virtio_console, work);

    take_messages(v);
    show_ports(v, false);
    if (virtqueue_has_news(&v->control_receive))
        work_queue(work);
}

/* --- interrupts --------------------------------------------------------------------------------
 */

static void vconsole_interrupt(struct virtio_device *device)
{
    struct virtio_console *v = device->device.data;

    for (unsigned i = 0; i < v->port_count; i++) {
        if (READ_ONCE(v->port[i].is_there))
            vport_interrupt(&v->port[i]);
    }
    if (READ_ONCE(v->is_settled) && virtqueue_has_news(&v->control_receive))
        work_queue(&v->work);
}

/* F_SIZE: of the only port's terminal. */
static void read_size(struct virtio_device *device)
{
    struct virtio_console *v = device->device.data;
    uint16_t columns, rows;

    device->ops->config_read(device, CONFIG_COLUMNS, &columns, sizeof(columns));
    device->ops->config_read(device, CONFIG_ROWS, &rows, sizeof(rows));
    vport_terminal_size(&v->port[0], columns, rows);
}

/* --- start -------------------------------------------------------------------------------------
 */

static bool is_main_wanted(void)
{
    const struct fw_node *chosen = fw_find_path("/chosen");
    const char *bootargs = chosen != NULL ? fw_property_string(chosen, "bootargs") : NULL;
    size_t length;
    const char *value = bootargs ? parse_option(bootargs, BOOTARGS_CONSOLE, &length) : NULL;

    return value != NULL && str_equal_n(value, length, "virtio");
}

/* The queues of one port; -ENOENT: the device has none. */
static int init_port(struct virtio_console *v, unsigned id)
{
    struct vport *port = &v->port[id];
    unsigned queue = id == 0 ? 0 : 2 * id + 2;
    int error;

    port->console = v;
    port->id = id;
    spin_init(&port->lock, RANK_TTY);
    waitq_init(&port->wait);
    error = virtqueue_init(&port->receive, v->device, queue);
    return error != 0 ? error : virtqueue_init(&port->transmit, v->device, queue + 1);
}

/* From `first` on, as many as the device has whole pairs for. */
static int init_ports(struct virtio_console *v, unsigned first, unsigned count)
{
    v->port = kzalloc_array(count, sizeof(*v->port));
    if (v->port == NULL)
        return -ENOMEM;
    v->port_count = count;
    for (unsigned id = first; id < count; id++) {
        int error = init_port(v, id);

        if (error == -ENOENT && id > first) {
            v->port_count = id;
            return 0;
        }
        if (error != 0)
            return error;
    }
    return 0;
}

static int init_control(struct virtio_console *v)
{
    int error = virtqueue_init(&v->control_receive, v->device, CONTROL_QUEUE);

    if (error == 0)
        error = virtqueue_init(&v->control_transmit, v->device, CONTROL_QUEUE + 1);
    if (error != 0)
        return error;
    v->messages = kmalloc((size_t)MESSAGE_SIZE * MESSAGE_BUFFERS);
    v->command = kmalloc(sizeof(*v->command));
    if (v->messages == NULL || v->command == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < MESSAGE_BUFFERS; i++)
        offer_message(v, v->messages + (size_t)i * MESSAGE_SIZE);
    virtqueue_interrupts(&v->control_transmit, false);
    return 0;
}

/* The device has been reset, and no port was added. */
static void give_back(struct virtio_console *v)
{
    for (unsigned i = 0; v->port != NULL && i < v->port_count; i++) {
        virtqueue_free(&v->port[i].receive);
        virtqueue_free(&v->port[i].transmit);
    }
    virtqueue_free(&v->control_receive);
    virtqueue_free(&v->control_transmit);
    kfree(v->messages);
    kfree(v->command);
    kfree(v->port);
    kfree(v);
}

/* The command's device has one port, which is port 1: queues of port 0 would be for nothing. */
static int init_queues(struct virtio_console *v, bool main_wanted)
{
    uint32_t count;
    int error;

    if (!virtio_has(v->device, F_MULTIPORT))
        return init_ports(v, 0, 1);
    v->device->ops->config_read(v->device, CONFIG_MAX_PORTS, &count, sizeof(count));
    error = init_control(v);
    return error != 0 ? error : init_ports(v, main_wanted && count == 2, min(count, PORTS_MAX));
}

/* All ports that the device tells of at once; the command's is waited for. */
static void settle(struct virtio_console *v, bool main_wanted)
{
    uint64_t deadline = clock_monotonic_ns() + CONTROL_WAIT_NS;

    if (v->command == NULL) {
        add_port(v, &v->port[0]);
        v->port[0].is_terminal = true;
    } else {
        tell(v, 0, VCONSOLE_DEVICE_READY, 1);
        do {
            take_messages(v);
            cpu_relax();
        } while (main_wanted && !v->has_ports && clock_monotonic_ns() < deadline);
    }
    if (main_wanted && !v->has_ports)
        log_error("%s: no port within a second; the console stays where it is",
                  v->device->device.name);
    show_ports(v, main_wanted);
    if (virtio_has(v->device, F_SIZE) && v->command == NULL)
        read_size(v->device);
}

static int vconsole_probe(struct device *base)
{
    static unsigned count;
    struct virtio_device *device = virtio_device_of(base);
    struct virtio_console *v = kzalloc(sizeof(*v));
    bool main_wanted = !has_main && is_main_wanted();
    int error;

    if (v == NULL)
        return -ENOMEM;
    v->device = device;
    mutex_init(&v->lock, RANK_DEVICE_COMMAND);
    work_init(&v->work, control_work);
    base->data = v;
    device->interrupt = vconsole_interrupt;
    error = virtio_accept(device, BIT64(F_SIZE) | BIT64(F_MULTIPORT));
    if (error == 0)
        error = init_queues(v, main_wanted);
    if (error != 0) {
        device->ops->reset(device);
        base->data = NULL;
        give_back(v);
        return error;
    }
    v->number = count++;
    device->ops->ready(device);
    if (v->command != NULL)
        virtqueue_kick(&v->control_receive);
    settle(v, main_wanted);
    if (v->command == NULL)
        return 0;
    WRITE_ONCE(v->is_settled, true);
    work_queue(&v->work); /* what came after */
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
