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

int virtio_accept(struct virtio_device *device, uint64_t wanted)
{
    uint64_t offered = device->ops->features(device);

    wanted |= BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_RING_F_INDIRECT);
    if (offered & BIT64(VIRTIO_F_VERSION_1))
        wanted |= BIT64(VIRTIO_F_RING_PACKED);
    device->accepted = offered & wanted;
    return device->ops->accept(device, device->accepted);
}
