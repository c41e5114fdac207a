/* SPDX-License-Identifier: MIT */
/*
 * The port that is the fast way for what the program reads and writes (remora.console=virtio,
 * abi/bootargs.h). The console's lock guards its output. A console port would not do: QEMU drops
 * the output of one when its reader is slow.
 */
#include "console.h"

#include <device/console.h>
#include <lib/compiler.h>

#define DRAIN_MAX 50000000U /* polls of a device that does not answer */

static struct console_device main_console;
static bool is_open; /* the console takes input */

static size_t main_write(struct console_device *console, const uint8_t *from, size_t size)
{
    return vport_send(console->data, from, size);
}

static void main_notify_output(struct console_device *console, bool on)
{
    vport_interrupts(console->data, on);
}

static void main_drain(struct console_device *console)
{
    for (unsigned i = 0; i < DRAIN_MAX && vport_pending(console->data) != 0; i++)
        ;
}

static void main_receive(struct console_device *console, bool on)
{
    (void)console;
    WRITE_ONCE(is_open, on);
}

static void main_resume_input(struct console_device *console)
{
    vport_resume(console->data);
}

static const struct console_device_ops main_ops = {
    .write = main_write,
    .notify_output = main_notify_output,
    .receive = main_receive,
    .resume_input = main_resume_input,
    .drain = main_drain,
};

/* What is full says so by main_receive(). */
static size_t main_input(struct vport *port, const uint8_t *from, size_t size)
{
    (void)port;
    if (!READ_ONCE(is_open))
        return 0;
    console_input(&main_console, from, size);
    return size;
}

static void main_changed(struct vport *port)
{
    (void)port;
    console_output_ready(&main_console);
}

static const struct vport_user main_user = {main_input, main_changed};

int vport_use_as_main(struct vport *port)
{
    struct device *device = &port->console->device->device;

    main_console = (struct console_device){
        .name = device->name, .ops = &main_ops, .node = device->node, .data = port};
    smp_store_release(&port->user, &main_user);
    vport_listen(port);
    console_replace(&main_console);
    vport_resume(port); /* what came before */
    return 0;
}
