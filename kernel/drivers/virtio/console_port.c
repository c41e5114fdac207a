/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a console's port: eight buffers each way. Input stays with the device until its
 * user takes it, so that the other end is held back.
 */
#include "console.h"

#include <arch/barrier.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#define BUFFERS 8U
#define PIECE   64U /* bytes of input that its user gets at a time */

struct vport_buffer {
    struct vport_buffer *next;
    uint32_t size;
    uint8_t data[VPORT_ROOM];
};

_Static_assert(sizeof(struct vport_buffer) <= 2048, "a block of the slab, contiguous in memory");

/* --- output ------------------------------------------------------------------------------------
 */

static void make_idle(struct vport *port, struct vport_buffer *buffer)
{
    port->pending -= buffer->size;
    buffer->size = 0;
    buffer->next = port->idle;
    port->idle = buffer;
}

static bool take_back(struct vport *port)
{
    struct vport_buffer *buffer;
    uint32_t written;

    while ((buffer = virtqueue_get(&port->transmit, &written)) != NULL)
        make_idle(port, buffer);
    return port->idle != NULL;
}

bool vport_has_room(struct vport *port)
{
    if (take_back(port))
        return true;
    virtqueue_interrupts(&port->transmit, true);
    return take_back(port);
}

struct vport_buffer *vport_get_buffer(struct vport *port, uint8_t **data)
{
    struct vport_buffer *buffer;

    if (!vport_has_room(port))
        return NULL;
    buffer = port->idle;
    port->idle = buffer->next;
    *data = buffer->data;
    return buffer;
}

static bool put(struct vport *port, struct vport_buffer *buffer, size_t size)
{
    struct virtio_segment segment = {buffer->data, (uint32_t)size};

    buffer->size = (uint32_t)size;
    port->pending += size;
    if (size != 0 && virtqueue_add(&port->transmit, &segment, 1, 0, buffer) == 0)
        return true;
    make_idle(port, buffer);
    return false;
}

void vport_send_buffer(struct vport *port, struct vport_buffer *buffer, size_t size)
{
    if (put(port, buffer, size))
        virtqueue_kick(&port->transmit);
}

size_t vport_send(struct vport *port, const uint8_t *from, size_t size)
{
    size_t done = 0;

    take_back(port);
    while (done < size && port->idle != NULL) {
        size_t part = min(size - done, (size_t)VPORT_ROOM);
        struct vport_buffer *buffer = port->idle;

        port->idle = buffer->next;
        memcpy(buffer->data, from + done, part);
        if (!put(port, buffer, part))
            break;
        done += part;
    }
    virtqueue_kick(&port->transmit);
    return done;
}

size_t vport_pending(struct vport *port)
{
    take_back(port);
    return port->pending;
}

void vport_interrupts(struct vport *port, bool on)
{
    virtqueue_interrupts(&port->transmit, on);
}

/* --- input -------------------------------------------------------------------------------------
 */

static void offer(struct vport *port, struct vport_buffer *buffer)
{
    struct virtio_segment segment = {buffer->data, VPORT_ROOM};

    if (virtqueue_add(&port->receive, &segment, 0, 1, buffer) != 0)
        kfree(buffer); /* cannot be: there are more descriptors than buffers */
}

/* The filled buffer that is looked at. Empty ones go back to the device: a round of them at most,
 * or one that knows no end would keep us here. */
static bool has_part_locked(struct vport *port)
{
    uint32_t written;

    for (unsigned i = 0; i < BUFFERS && port->part_at == port->part_size; i++) {
        if (port->part != NULL) {
            offer(port, port->part);
            virtqueue_kick(&port->receive);
        }
        port->part_at = port->part_size = 0;
        port->part = virtqueue_get(&port->receive, &written);
        if (port->part == NULL)
            return false;
        port->part_size = min(written, VPORT_ROOM); /* what the device says is not trusted */
    }
    return port->part_at != port->part_size;
}

size_t vport_take(struct vport *port, void *to, size_t size)
{
    reg_t flags = spin_lock_irq(&port->lock);
    size_t part = 0;

    if (has_part_locked(port)) {
        part = min(size, (size_t)(port->part_size - port->part_at));
        memcpy(to, port->part->data + port->part_at, part);
        port->part_at += (uint32_t)part;
    }
    spin_unlock_irq(&port->lock, flags);
    return part;
}

bool vport_has_input(struct vport *port)
{
    reg_t flags = spin_lock_irq(&port->lock);
    bool has = has_part_locked(port);

    spin_unlock_irq(&port->lock, flags);
    return has;
}

/* Gives input to the user until there is no more, or it takes no more. One CPU at a time. */
static void pass_on(struct vport *port)
{
    reg_t flags = spin_lock_irq(&port->lock);

    if (port->is_busy) {
        spin_unlock_irq(&port->lock, flags);
        return;
    }
    port->is_busy = true;
    while (port->takes_input && has_part_locked(port)) {
        size_t size = min(port->part_size - port->part_at, PIECE), taken;
        const uint8_t *from = port->part->data + port->part_at;

        port->takes_input = false; /* unless vport_resume() says so meanwhile, or all is taken */
        spin_unlock_irq(&port->lock, flags);
        taken = port->user->input(port, from, size);
        flags = spin_lock_irq(&port->lock);
        port->part_at += (uint32_t)taken;
        if (taken == size)
            port->takes_input = true;
    }
    port->is_busy = false;
    spin_unlock_irq(&port->lock, flags);
}

void vport_resume(struct vport *port)
{
    reg_t flags = spin_lock_irq(&port->lock);

    port->takes_input = true;
    spin_unlock_irq(&port->lock, flags);
    pass_on(port);
}

void vport_interrupt(struct vport *port)
{
    const struct vport_user *user = smp_load_acquire(&port->user);

    if (user == NULL)
        return;
    if (user->changed != NULL)
        user->changed(port);
    if (user->input != NULL)
        pass_on(port);
}

/*
 * QEMU gives a port no input before it is open, and looks again only when it is told of buffers:
 * that was done when the port came, so it is told once more.
 */
void vport_listen(struct vport *port)
{
    struct virtio_device *device = port->console->device;

    vconsole_tell(port, VCONSOLE_PORT_OPEN, 1);
    device->ops->notify(device, port->receive.index);
}

static struct vport_buffer *make_buffer(void)
{
    struct vport_buffer *buffer = kmalloc(sizeof(*buffer));

    if (buffer != NULL)
        buffer->size = 0;
    return buffer;
}

int vport_start(struct vport *port)
{
    for (; port->made < 2 * BUFFERS; port->made++) {
        struct vport_buffer *buffer = make_buffer();

        if (buffer == NULL)
            return -ENOMEM;
        if (port->made < BUFFERS)
            make_idle(port, buffer);
        else
            offer(port, buffer);
    }
    port->takes_input = true;
    virtqueue_interrupts(&port->transmit, false);
    virtqueue_kick(&port->receive);
    return 0;
}
