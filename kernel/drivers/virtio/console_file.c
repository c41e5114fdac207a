/* SPDX-License-Identifier: MIT */
/*
 * A port as a file: /dev/vportNpM, /dev/virtio-ports/NAME, /sys/class/virtio-ports/vportNpM/name.
 * One opener at a time. As on Linux: with nobody at the other end a read gives what came before and
 * then 0, a write waits (-EAGAIN), poll says POLLHUP; when the port is gone both give -ENODEV.
 */
#include "console.h"

#include <core/wait.h>
#include <file/file.h>
#include <file/pseudo.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/printf.h>
#include <lib/string.h>

#define MAJOR       250U /* of the numbers that Linux gives out as they are asked for */
#define MINOR(port) ((port)->console->number * 64 + (port)->id)
#define PIECE       512U        /* of a read, on its way to the program */
#define WRITE_MAX   (32U << 10) /* bytes of one write(2), as on Linux */
#define EVENTS      (POLL_READABLE | POLL_WRITABLE | POLLHUP)

static bool is_mine(const struct vport *port, const struct file *file)
{
    return READ_ONCE(port->opener) == file;
}

static bool can_read(struct vport *port, const struct file *file)
{
    return !is_mine(port, file) || !READ_ONCE(port->is_host_open) || vport_has_input(port);
}

static bool has_room(struct vport *port)
{
    reg_t flags = spin_lock_irq(&port->lock);
    bool has = vport_has_room(port);

    spin_unlock_irq(&port->lock, flags);
    return has;
}

static bool can_write(struct vport *port, const struct file *file)
{
    return !is_mine(port, file) || (READ_ONCE(port->is_host_open) && has_room(port));
}

static ssize_t read_some(struct vport *port, struct io *io)
{
    size_t done = 0, got;

    do {
        uint8_t part[PIECE];

        got = vport_take(port, part, min(io_left(io), (size_t)PIECE));
        if (io_copy_to(io, part, got) != (ssize_t)got)
            return done > 0 ? (ssize_t)done : -EFAULT;
        done += got;
    } while (got > 0 && io_left(io) > 0);
    return (ssize_t)done;
}

static ssize_t vport_read(struct file *file, struct io *io)
{
    struct vport *port = file->data;

    while (io_left(io) > 0) {
        bool is_open = smp_load_acquire(&port->is_host_open); /* then what it has sent */
        ssize_t done = is_mine(port, file) ? read_some(port, io) : -ENODEV;
        int error = -EAGAIN;

        if (done != 0 || !is_open)
            return done;
        if (!(io->flags & IO_NOWAIT))
            error = wait_event(&port->wait, can_read(port, file), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (error != 0)
            return error;
    }
    return 0;
}

/* A buffer's worth: bytes; -EAGAIN, -EFAULT. */
static ssize_t write_some(struct vport *port, struct io *io, size_t most)
{
    reg_t flags = spin_lock_irq(&port->lock);
    struct vport_buffer *buffer;
    uint8_t *data;
    ssize_t size;

    buffer = port->is_host_open ? vport_get_buffer(port, &data) : NULL;
    spin_unlock_irq(&port->lock, flags);
    if (buffer == NULL)
        return -EAGAIN;
    size = io_copy_from(io, data, min(most, (size_t)VPORT_ROOM));
    flags = spin_lock_irq(&port->lock);
    vport_send_buffer(port, buffer, size > 0 ? (size_t)size : 0);
    spin_unlock_irq(&port->lock, flags);
    return size;
}

static ssize_t vport_write(struct file *file, struct io *io)
{
    struct vport *port = file->data;
    size_t left = min(io_left(io), (size_t)WRITE_MAX), done = 0;
    ssize_t result = 0;

    while (done < left) {
        result = is_mine(port, file) ? write_some(port, io, left - done) : -ENODEV;
        if (result == -EAGAIN && !(io->flags & IO_NOWAIT)) {
            result =
                wait_event(&port->wait, can_write(port, file), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
            if (result == 0)
                continue;
        }
        if (result <= 0)
            break;
        done += (size_t)result;
    }
    return done > 0 ? (ssize_t)done : result;
}

static unsigned vport_poll(struct file *file, struct poll_waiter *pw)
{
    struct vport *port = file->data;

    poll_add(pw, &port->wait);
    if (!is_mine(port, file))
        return POLLHUP;
    return (can_read(port, file) ? POLL_READABLE : 0) | (can_write(port, file) ? POLLOUT : 0) |
           (READ_ONCE(port->is_host_open) ? 0 : POLLHUP);
}

/* What nobody has read is dropped: it was not meant for the next one. */
static void vport_release(struct file *file)
{
    struct vport *port = file->data;
    uint8_t part[PIECE];

    if (!is_mine(port, file))
        return;
    vconsole_tell(port, VCONSOLE_PORT_OPEN, 0);
    for (unsigned i = 0; i < 64 && vport_take(port, part, sizeof(part)) > 0; i++)
        ;
    WRITE_ONCE(port->opener, NULL);
}

static const struct file_ops vport_ops = {
    .flags = FILE_OPS_STREAM | FILE_OPS_ASYNC,
    .read = vport_read,
    .write = vport_write,
    .poll = vport_poll,
    .release = vport_release,
};

static int vport_open(struct file *file, void *data)
{
    struct vport *port = data;
    reg_t flags = spin_lock_irq(&port->lock);
    int error = !port->is_there ? -ENXIO : port->opener != NULL ? -EBUSY : 0;

    if (error == 0)
        port->opener = file;
    spin_unlock_irq(&port->lock, flags);
    if (error == 0)
        vport_listen(port);
    return error;
}

static void vport_changed(struct vport *port)
{
    waitq_wake(&port->wait, UINT32_MAX, EVENTS);
}

static const struct vport_user vport_user = {NULL, vport_changed};

void vport_file_changed(struct vport *port)
{
    waitq_wake(&port->wait, UINT32_MAX, EVENTS);
}

/* --- names -------------------------------------------------------------------------------------
 */

static int show_name(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    const struct vport *port = entry->data;

    pseudo_printf(text, "%s\n", port->name);
    return READ_ONCE(port->is_there) ? 0 : -ENODEV;
}

static int show_number(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    const struct vport *port = entry->data;

    pseudo_printf(text, "%u:%u\n", MAJOR, MINOR(port));
    return 0;
}

static bool is_file_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

static void register_names(struct vport *port, const char *device)
{
    char path[sizeof("class/virtio-ports/") + VPORT_NAME_SIZE], target[32];

    snprintf(path, sizeof(path), "class/virtio-ports/%s/dev", device);
    sys_register(path, show_number, port);
    if (port->name[0] == '\0')
        return;
    snprintf(path, sizeof(path), "class/virtio-ports/%s/name", device);
    sys_register(path, show_name, port);
    if (!is_file_name(port->name))
        return;
    snprintf(path, sizeof(path), "virtio-ports/%s", port->name);
    snprintf(target, sizeof(target), "../%s", device);
    pseudo_register_link(PSEUDO_DEV, path, target);
}

static void device_name(const struct vport *port, char name[24])
{
    snprintf(name, 24, "vport%up%u", port->console->number, port->id);
}

int vport_use_as_file(struct vport *port)
{
    struct char_device device = {&vport_ops, vport_open, port, MAJOR, MINOR(port), false};
    char name[24];
    int error;

    device_name(port, name);
    error = dev_register(name, 0600, &device);
    if (error != 0)
        return error;
    register_names(port, name);
    smp_store_release(&port->user, &vport_user);
    return 0;
}

void vport_file_removed(struct vport *port)
{
    char name[24];

    device_name(port, name);
    dev_unregister(name, MAJOR, MINOR(port));
    WRITE_ONCE(port->opener, NULL);
    vport_file_changed(port);
}
