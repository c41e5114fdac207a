/* SPDX-License-Identifier: MIT */
/*
 * Message interrupts: a device writes a word to an address, and a controller (GICv2m, an ITS) makes
 * an interrupt line of it. A bus asks for its device's lines; the controller says what to write
 * where. Thread context. A line's interrupts are edges: none is lost while it is masked.
 */
#ifndef DEVICE_MSI_H
#define DEVICE_MSI_H

#include <device/firmware.h>
#include <lib/list.h>

struct msi_controller;

struct msi_message {
    uint64_t address;
    uint32_t data;
};

/* A device's share of a controller; the bus's. */
struct msi_device {
    struct msi_controller *controller;
    uint32_t id;           /* what the controller tells it from others by */
    unsigned vector_count; /* vectors are numbered from 0 */
    void *data;            /* the controller's */
};

struct msi_controller_ops {
    /* Before a device's first map: room for vector_count. -errno. */
    int (*attach)(struct msi_device *device);
    /* The line for irq_request() that a vector gets, and its message; -ENOSPC: none is left. */
    int (*map)(struct msi_device *device, unsigned vector, struct msi_message *message);
    /* The handler is gone and the device silent. */
    void (*unmap)(struct msi_device *device, unsigned vector, unsigned irq);
    /* All vectors are unmapped. */
    void (*detach)(struct msi_device *device);
};

struct msi_controller {
    const struct msi_controller_ops *ops;
    const struct fw_node *node;
    void *data;
    struct list_node list;
};

/* Boot. The controller is set up when the first device attaches, not now. */
void msi_controller_register(struct msi_controller *controller);

/* Which controller takes the messages of what has this requester id behind `host`, by its msi-map
 * or msi-parent, and under which id: sets controller and id. -ENODEV: none; -EINVAL: a bad property
 * (logged). */
int msi_find(const struct fw_node *host, uint32_t requester, struct msi_device *device);

#endif
