/* SPDX-License-Identifier: MIT */
/* Virtio devices to their drivers, whatever the transport. */
#include "virtio.h"

#include <lib/errno.h>

const struct bus virtio_bus = {"virtio"};

int virtio_add(struct virtio_device *device)
{
    device->device.bus = &virtio_bus;
    device->device.driver =
        device_find_driver_by_id(&virtio_bus, device->type, &device->device.match);
    return device->device.driver != NULL ? device_add(&device->device) : -ENODEV;
}
