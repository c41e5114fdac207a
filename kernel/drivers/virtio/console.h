/* SPDX-License-Identifier: MIT */
/*
 * A virtio console (OASIS Virtual I/O Device 1.2 section 5.3) is a device with ports: console.c has
 * the device and its control messages, console_port.c a port's bytes. A port is used by one of
 * three: the command's console (console_main.c), a terminal /dev/hvcN (console_tty.c), or the file
 * /dev/vportNpM (console_file.c).
 */
#ifndef DRIVERS_VIRTIO_CONSOLE_H
#define DRIVERS_VIRTIO_CONSOLE_H

#include "virtio.h"

#include <core/lock.h>
#include <core/waitq.h>
#include <core/work.h>

struct control;
struct file;
struct tty;
struct virtio_console;
struct vport;

#define VPORT_NAME_SIZE 96U /* with its NUL; longer names are cut */

/* Section 5.3.6.2 */
enum vconsole_event {
    VCONSOLE_DEVICE_READY,
    VCONSOLE_PORT_ADD,
    VCONSOLE_PORT_REMOVE,
    VCONSOLE_PORT_READY,
    VCONSOLE_CONSOLE_PORT,
    VCONSOLE_RESIZE,
    VCONSOLE_PORT_OPEN,
    VCONSOLE_PORT_NAME,
};

/* What its user wants to know of a port. Interrupt context. */
struct vport_user {
    /* Takes what it can of the input and returns how much; less than all of it: no more until
     * vport_resume(). NULL: input waits for vport_take(). */
    size_t (*input)(struct vport *port, const uint8_t *from, size_t size);
    void (*changed)(struct vport *port); /* the device has input, or is done with output */
};

struct vport_buffer;

struct vport {
    struct virtio_console *console;
    unsigned id;
    const struct vport_user *user; /* NULL: nobody yet; set once while it is there */
    char name[VPORT_NAME_SIZE];    /* "": it has none */
    bool is_there;                 /* added and not removed */
    bool is_terminal, is_shown;
    unsigned made; /* buffers, which stay for good */

    struct virtqueue transmit; /* the user locks it: `lock`, or the console's lock */
    struct vport_buffer *idle;
    size_t pending; /* bytes with the device */

    struct spinlock lock; /* what follows; taken in interrupt context */
    struct virtqueue receive;
    bool takes_input; /* its user does */
    bool is_busy;     /* input is being given to it */
    struct vport_buffer *part;
    uint32_t part_at, part_size;
    bool is_host_open;   /* somebody is at the other end */
    struct file *opener; /* console_file.c: the one that has it open */

    struct waitq wait; /* console_file.c */
    struct tty *tty;   /* console_tty.c: stays when the port goes */
};

struct virtio_console {
    struct virtio_device *device;
    unsigned number; /* N of /dev/vportNpM */
    unsigned port_count;
    struct vport *port; /* port_count, by id; they stay for good, whatever is plugged in */

    struct mutex lock; /* what we tell the device */
    struct virtqueue control_transmit;
    struct control *command; /* NULL: one terminal without control messages */
    bool is_silent;          /* it took no command: the last one stays with it */

    struct virtqueue control_receive; /* the rest: the probing thread's, then the worker's */
    uint8_t *messages;
    bool is_settled; /* the worker's */
    bool has_ports;  /* one was added */
    bool has_warned; /* of nonsense */
    struct work work;
};

/* console.c. Tells the device something about a port. Thread context. */
void vconsole_tell(struct vport *port, enum vconsole_event event, unsigned value);

/* console_port.c. Buffers for a port with queues, and its input begins. -ENOMEM. */
int vport_start(struct vport *port);
/* Tells the device that the port's user listens. Thread context. */
void vport_listen(struct vport *port);
void vport_interrupt(struct vport *port);
/* The user takes input again. No lock held. */
void vport_resume(struct vport *port);
/* Input that waits: how much there was, at most `size`; 0: none. */
size_t vport_take(struct vport *port, void *to, size_t size);
bool vport_has_input(struct vport *port);
/* Output, as much as there is room for. The caller locks `transmit`, as for all that follow. */
size_t vport_send(struct vport *port, const uint8_t *from, size_t size);
/* A buffer to fill, of VPORT_ROOM bytes at *data, and what to do with it: send some bytes or
 * nothing. NULL: no room; the device will interrupt when there is. */
#define VPORT_ROOM 2032U
struct vport_buffer *vport_get_buffer(struct vport *port, uint8_t **data);
void vport_send_buffer(struct vport *port, struct vport_buffer *buffer, size_t size);
bool vport_has_room(struct vport *port);
size_t vport_pending(struct vport *port); /* bytes that the device has not taken */
void vport_interrupts(struct vport *port, bool on);

/* How the three begin to use a port, in thread context, once a port: 0, -errno. Removed: it is not
 * there any more. */
int vport_use_as_main(struct vport *port);
int vport_use_as_terminal(struct vport *port);
int vport_use_as_file(struct vport *port);
void vport_terminal_removed(struct vport *port);
void vport_file_removed(struct vport *port);
/* The other end was opened or closed. */
void vport_file_changed(struct vport *port);
void vport_terminal_size(struct vport *port, unsigned columns, unsigned rows);

#endif
