/* SPDX-License-Identifier: MIT */
/*
 * Virtio over memory-mapped registers (OASIS Virtual I/O Device 1.2 section 4.2), version 2 and the
 * legacy version 1 of section 4.2.4, which QEMU has unless told otherwise. Machines have many empty
 * slots, several in one page: a page is mapped once, and a slot is looked at before anything else.
 */
#include "virtio.h"

#include <arch/barrier.h>
#include <arch/mmio.h>
#include <core/irq.h>
#include <core/log.h>
#include <lib/align.h>
#include <lib/endian.h>
#include <lib/errno.h>
#include <mm/kwindow.h>
#include <mm/page.h>
#include <mm/slab.h>

#define MAGIC_VALUE         0x000
#define VERSION             0x004
#define DEVICE_ID           0x008
#define DEVICE_FEATURES     0x010
#define DEVICE_FEATURES_SEL 0x014
#define DRIVER_FEATURES     0x020
#define DRIVER_FEATURES_SEL 0x024
#define GUEST_PAGE_SIZE     0x028 /* version 1 */
#define QUEUE_SEL           0x030
#define QUEUE_NUM_MAX       0x034
#define QUEUE_NUM           0x038
#define QUEUE_ALIGN         0x03c /* version 1 */
#define QUEUE_PFN           0x040 /* version 1 */
#define QUEUE_READY         0x044
#define QUEUE_NOTIFY        0x050
#define INTERRUPT_STATUS    0x060
#define INTERRUPT_ACK       0x064
#define STATUS              0x070
#define QUEUE_DESC          0x080
#define QUEUE_DRIVER        0x090
#define QUEUE_DEVICE        0x0a0
#define CONFIG_GENERATION   0x0fc
#define CONFIG              0x100

#define MAGIC              0x74726976U /* "virt" */
#define SLOT_SIZE          0x200
#define STATUS_ACKNOWLEDGE 1U
#define STATUS_DRIVER      2U
#define STATUS_DRIVER_OK   4U
#define STATUS_FEATURES_OK 8U
#define STATUS_NEEDS_RESET 0x40U
#define STATUS_FAILED      0x80U

#define RESET_POLLS  1000000U /* reads of a device that does not answer */
#define CONFIG_TRIES 16U      /* reads of a field that changes all the time */

static uint32_t get(struct virtio_device *device, unsigned offset)
{
    return readl(device->registers + offset);
}

static void set(struct virtio_device *device, unsigned offset, uint32_t value)
{
    writel(value, device->registers + offset);
}

static uint64_t mmio_features(struct virtio_device *device)
{
    uint64_t low;

    set(device, DEVICE_FEATURES_SEL, 0);
    low = get(device, DEVICE_FEATURES);
    if (device->version == 1)
        return low;
    set(device, DEVICE_FEATURES_SEL, 1);
    return low | (uint64_t)get(device, DEVICE_FEATURES) << 32;
}

static int mmio_accept(struct virtio_device *device, uint64_t features)
{
    set(device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER); /* a reset took them */
    set(device, DRIVER_FEATURES_SEL, 0);
    set(device, DRIVER_FEATURES, (uint32_t)features);
    if (device->version == 1)
        return 0;
    set(device, DRIVER_FEATURES_SEL, 1);
    set(device, DRIVER_FEATURES, (uint32_t)(features >> 32));
    set(device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
    return get(device, STATUS) & STATUS_FEATURES_OK ? 0 : -EIO;
}

static uint32_t mmio_queue_size(struct virtio_device *device, unsigned index)
{
    set(device, QUEUE_SEL, index);
    return get(device, QUEUE_NUM_MAX);
}

static void set_address(struct virtio_device *device, unsigned offset, const void *memory)
{
    paddr_t address = virt_phys(memory);

    set(device, offset, (uint32_t)address);
    set(device, offset + 4, (uint32_t)(address >> 32));
}

static void mmio_queue_start(struct virtio_device *device, struct virtqueue *queue)
{
    set(device, QUEUE_SEL, queue->index);
    set(device, QUEUE_NUM, queue->size);
    if (device->version == 1) {
        set(device, QUEUE_ALIGN, PAGE_SIZE);
        set(device, QUEUE_PFN, (uint32_t)(virt_phys(queue->descriptor) >> PAGE_SHIFT));
        return;
    }
    set_address(device, QUEUE_DESC, queue->descriptor);
    set_address(device, QUEUE_DRIVER, queue->available);
    set_address(device, QUEUE_DEVICE, queue->used);
    set(device, QUEUE_READY, 1);
}

static void mmio_notify(struct virtio_device *device, unsigned index)
{
    writel_relaxed(index, device->registers + QUEUE_NOTIFY);
}

static void mmio_ready(struct virtio_device *device)
{
    set(device, STATUS, get(device, STATUS) | STATUS_DRIVER_OK);
}

static void mmio_reset(struct virtio_device *device)
{
    set(device, STATUS, 0);
    for (unsigned i = 0; get(device, STATUS) != 0 && i < RESET_POLLS; i++)
        cpu_relax(); /* section 2.1.2: it reads as 0 when the reset is over */
}

static bool mmio_needs_reset(struct virtio_device *device)
{
    return get(device, STATUS) & STATUS_NEEDS_RESET;
}

/* Fields are read by their own width (section 4.2.2.2). */
static void read_config_once(struct virtio_device *device, unsigned offset, void *to, unsigned size)
{
    const void *from = device->registers + CONFIG + offset;
    unsigned step = size == 2 || size == 4 ? size : size == 8 ? 4 : 1;

    for (unsigned at = 0; at < size; at += step) {
        if (step == 4)
            store_u32(to + at, readl(from + at));
        else if (step == 2)
            store_u16(to + at, readw(from + at));
        else
            *(uint8_t *)(to + at) = readb(from + at);
    }
}

static void mmio_config_read(struct virtio_device *device, unsigned offset, void *to, unsigned size)
{
    uint32_t before;

    for (unsigned i = 0; i < CONFIG_TRIES; i++) {
        before = device->version == 1 ? 0 : get(device, CONFIG_GENERATION);
        read_config_once(device, offset, to, size);
        if (device->version == 1 || get(device, CONFIG_GENERATION) == before)
            return;
    }
}

static void mmio_config_write(struct virtio_device *device, unsigned offset, uint32_t value)
{
    set(device, CONFIG + offset, value);
}

static const struct virtio_transport_ops mmio_ops = {
    .features = mmio_features,
    .accept = mmio_accept,
    .queue_size = mmio_queue_size,
    .queue_start = mmio_queue_start,
    .notify = mmio_notify,
    .ready = mmio_ready,
    .reset = mmio_reset,
    .needs_reset = mmio_needs_reset,
    .config_read = mmio_config_read,
    .config_write = mmio_config_write,
};

static void mmio_interrupt(void *arg)
{
    struct virtio_device *device = arg;
    uint32_t status = get(device, INTERRUPT_STATUS);

    set(device, INTERRUPT_ACK, status);
    virtio_interrupted(device, status);
}

/* Slots come in order of address: the page of the one before is usually the page of this one. */
static void *map_slot(paddr_t base)
{
    static paddr_t mapped_page = UINT64_MAX;
    static void *mapped;
    paddr_t page = align_down(base, (paddr_t)PAGE_SIZE);

    if (page != mapped_page) {
        mapped = device_map(page, PAGE_SIZE);
        mapped_page = mapped != NULL ? page : UINT64_MAX;
    }
    return mapped != NULL ? mapped + (base - page) : NULL;
}

/* The slot has a device: sets it up as far as a driver expects it. */
static int start(struct device *slot, void *registers, uint32_t version)
{
    struct virtio_device *device = kzalloc(sizeof(*device));
    int error;

    if (device == NULL)
        return -ENOMEM;
    device->device.name = slot->name;
    device->device.node = slot->node;
    device->ops = &mmio_ops;
    device->registers = registers;
    device->type = readl(registers + DEVICE_ID);
    device->version = version;
    device->irq = device_irq(slot, 0);
    error = device->irq;
    if (device->irq < 0)
        goto free;
    set(device, STATUS, 0); /* reset */
    set(device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    if (version == 1)
        set(device, GUEST_PAGE_SIZE, PAGE_SIZE);
    error = irq_request((unsigned)device->irq, mmio_interrupt, device, slot->name);
    if (error != 0)
        goto free;
    error = virtio_add(device);
    if (error == 0) {
        slot->data = device;
        return 0;
    }
    set(device, STATUS, error == -ENODEV ? 0 : STATUS_FAILED);
    irq_free((unsigned)device->irq, device);
free:
    kfree(device);
    return error;
}

static int mmio_probe(struct device *slot)
{
    uint32_t version;
    void *registers;
    uint64_t size;
    paddr_t base;

    if (device_registers(slot, 0, &base, &size) != 0)
        return -ENODEV;
    if (size < SLOT_SIZE && size < 0x100) {
        log_error("Bad 'reg' property of %s: 0x%lx bytes, expected at least 0x100; not used",
                  slot->name, (unsigned long)size);
        return -ENODEV;
    }
    registers = map_slot(base);
    if (registers == NULL)
        return -ENOMEM;
    if (readl_relaxed(registers + MAGIC_VALUE) != MAGIC ||
        readl_relaxed(registers + DEVICE_ID) == 0)
        return -ENODEV; /* an empty slot */
    version = readl_relaxed(registers + VERSION);
    if (version != 1 && version != 2) {
        log_warn("%s: virtio-mmio version %u, expected 1 or 2; not used", slot->name, version);
        return -ENODEV;
    }
    return start(slot, registers, version);
}

static const struct match mmio_match[] = {
    {.compatible = "virtio,mmio"},
    {0},
};

static const struct driver virtio_mmio = {
    .name = "virtio_mmio",
    .bus = &firmware_bus,
    .stage = PROBE_DEVICE,
    .match = mmio_match,
    .probe = mmio_probe,
};
DRIVER(virtio_mmio);
