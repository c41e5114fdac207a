/* SPDX-License-Identifier: MIT */
/* A console's port as a terminal: /dev/hvc0 and so on, in the order in which they come. */
#include "console.h"

#include <core/wait.h>
#include <device/console.h>
#include <device/tty.h>
#include <lib/errno.h>
#include <lib/printf.h>
#include <mm/slab.h>

#define MAJOR 229U /* as Linux has it */

struct vport_tty {
    struct tty tty;
    struct vport *port;
};

static struct vport *port_of(struct tty *tty)
{
    return container_of(tty, struct vport_tty, tty)->port;
}

static size_t send(struct vport *port, const uint8_t *from, size_t size)
{
    reg_t flags = spin_lock_irq(&port->lock);
    size_t sent = vport_send(port, from, size);

    spin_unlock_irq(&port->lock, flags);
    return sent;
}

static bool hvc_can_write(struct tty *tty)
{
    struct vport *port = port_of(tty);
    reg_t flags = spin_lock_irq(&port->lock);
    bool has_room = !port->is_there || vport_has_room(port);

    spin_unlock_irq(&port->lock, flags);
    return has_room;
}

static ssize_t hvc_write(struct tty *tty, const uint8_t *from, size_t size, bool nowait)
{
    struct vport *port = port_of(tty);

    for (;;) {
        size_t sent = READ_ONCE(port->is_there) ? send(port, from, size) : 0;
        int error = -EAGAIN;

        if (sent > 0)
            return (ssize_t)sent;
        if (!READ_ONCE(port->is_there))
            return -EIO;
        if (!nowait)
            error =
                wait_event(&tty->writable, hvc_can_write(tty), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (error != 0)
            return error;
    }
}

static void hvc_echo(struct tty *tty, const uint8_t *from, size_t size)
{
    send(port_of(tty), from, size);
}

static void hvc_input_room(struct tty *tty)
{
    vport_resume(port_of(tty));
}

static size_t hvc_output_pending(struct tty *tty)
{
    struct vport *port = port_of(tty);
    reg_t flags = spin_lock_irq(&port->lock);
    size_t pending = port->is_there ? vport_pending(port) : 0;

    if (pending != 0)
        vport_interrupts(port, true);
    spin_unlock_irq(&port->lock, flags);
    return pending;
}

static const struct tty_ops hvc_ops = {
    .write = hvc_write,
    .echo = hvc_echo,
    .input_room = hvc_input_room,
    .output_pending = hvc_output_pending,
    .can_write = hvc_can_write,
};

static size_t hvc_input(struct vport *port, const uint8_t *from, size_t size)
{
    return tty_input(port->tty, from, size);
}

static void hvc_changed(struct vport *port)
{
    waitq_wake(&port->tty->writable, UINT32_MAX, CONSOLE_WRITABLE);
}

static const struct vport_user hvc_user = {hvc_input, hvc_changed};

int vport_use_as_terminal(struct vport *port)
{
    static unsigned count;
    struct vport_tty *hvc;
    char name[16];
    int error;

    if (port->tty == NULL) {
        hvc = kzalloc(sizeof(*hvc));
        if (hvc == NULL)
            return -ENOMEM;
        hvc->port = port;
        error = tty_init(&hvc->tty, &hvc_ops);
        snprintf(name, sizeof(name), "hvc%u", count);
        if (error == 0)
            error = tty_show(&hvc->tty, name, MAJOR, count);
        if (error != 0) {
            kfree(hvc->tty.input);
            kfree(hvc->tty.line_end);
            kfree(hvc);
            return error;
        }
        count++;
        port->tty = &hvc->tty;
    }
    port->tty->hung_up = false;
    smp_store_release(&port->user, &hvc_user);
    vport_listen(port);
    vport_resume(port); /* what came before */
    return 0;
}

void vport_terminal_removed(struct vport *port)
{
    tty_hangup(port->tty);
    waitq_wake_all(&port->tty->writable);
}

void vport_terminal_size(struct vport *port, unsigned columns, unsigned rows)
{
    struct tty_winsize size = {.rows = (uint16_t)rows, .columns = (uint16_t)columns};

    if (port->tty != NULL)
        tty_set_winsize(port->tty, &size);
}
