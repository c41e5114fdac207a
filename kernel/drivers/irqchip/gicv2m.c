/* SPDX-License-Identifier: MIT */
/*
 * GICv2m: a frame of registers that makes shared interrupts of messages (Arm Server Base System
 * Architecture, appendix on GICv2m; binding arm,gic.yaml, arm,gic-v2m-frame). The data of a message
 * is the number of the interrupt.
 */
#include "gic.h"

#include <core/lock.h>
#include <core/log.h>
#include <device/device.h>
#include <device/msi.h>
#include <lib/bitmap.h>
#include <lib/errno.h>
#include <mm/kwindow.h>
#include <mm/slab.h>

#define MSI_TYPER      0x008
#define MSI_SETSPI     0x040
#define V2M_SIZE       0x1000
#define TYPER_FIRST(x) ((x) >> 16 & 0x3ff)
#define TYPER_COUNT(x) ((x)&0x3ff)

struct v2m {
    struct msi_controller msi;
    struct irqchip *chip;
    paddr_t doorbell;
    unsigned first, count; /* count 0: not looked at yet */
    struct spinlock lock;
    BITMAP(used, GIC_LINES_MAX); /* by number from `first` on; lock */
};

/* The numbers from the register, or those that the tree says instead. */
static int look_at(struct v2m *v, const struct fw_node *node)
{
    uint32_t type, first, count;
    uint64_t size;
    void *frame;
    int error = fw_reg(node, 0, &v->doorbell, &size);

    if (error != 0 || size < V2M_SIZE)
        return error != 0 ? error : -EINVAL;
    frame = device_map(v->doorbell, V2M_SIZE);
    if (frame == NULL)
        return -ENOMEM;
    type = readl(frame + MSI_TYPER);
    device_unmap(frame, V2M_SIZE);
    first = TYPER_FIRST(type);
    count = TYPER_COUNT(type);
    fw_property_u32(node, "arm,msi-base-spi", &first);
    fw_property_u32(node, "arm,msi-num-spis", &count);
    if (first < GIC_PRIVATE || count == 0 || first >= v->chip->line_count ||
        count > v->chip->line_count - first) {
        log_error("GICv2m: interrupts %u to %u are not those of a distributor with %u; not used",
                  first, first + count - 1, v->chip->line_count);
        return -EINVAL;
    }
    v->doorbell += MSI_SETSPI;
    v->first = first;
    v->count = count;
    return 0;
}

static int v2m_attach(struct msi_device *device)
{
    struct v2m *v = device->controller->data;

    v->chip = fw_parent(v->msi.node)->irqchip;
    if (v->chip == NULL)
        return -ENODEV;
    return v->count != 0 ? 0 : look_at(v, v->msi.node);
}

static int v2m_map(struct msi_device *device, unsigned vector, struct msi_message *message)
{
    struct v2m *v = device->controller->data;
    unsigned at, irq;
    int error;

    (void)vector;
    spin_lock(&v->lock);
    at = (unsigned)bitmap_find_clear(v->used, v->count, 0);
    if (at < v->count)
        bitmap_set(v->used, at);
    spin_unlock(&v->lock);
    if (at >= v->count)
        return -ENOSPC;
    irq = v->chip->first_irq + v->first + at;
    error = irq_set_trigger(irq, IRQ_EDGE_RISING);
    if (error != 0)
        return error; /* a line that cannot be used: it stays taken */
    *message = (struct msi_message){v->doorbell, v->first + at};
    return (int)irq;
}

static void v2m_unmap(struct msi_device *device, unsigned vector, unsigned irq)
{
    struct v2m *v = device->controller->data;

    (void)vector;
    spin_lock(&v->lock);
    bitmap_clear(v->used, irq - v->chip->first_irq - v->first);
    spin_unlock(&v->lock);
}

static void v2m_detach(struct msi_device *device)
{
    (void)device;
}

static const struct msi_controller_ops v2m_ops = {
    .attach = v2m_attach,
    .map = v2m_map,
    .unmap = v2m_unmap,
    .detach = v2m_detach,
};

static int v2m_probe(struct device *device)
{
    struct v2m *v = kzalloc(sizeof(*v));

    if (v == NULL)
        return -ENOMEM;
    spin_init(&v->lock, RANK_DEVICE);
    v->msi = (struct msi_controller){.ops = &v2m_ops, .node = device->node, .data = v};
    msi_controller_register(&v->msi);
    return 0;
}

static const struct match v2m_match[] = {
    {.compatible = "arm,gic-v2m-frame"},
    {0},
};

static const struct driver gicv2m = {
    .name = "gicv2m",
    .bus = &firmware_bus,
    .stage = PROBE_MSI,
    .match = v2m_match,
    .probe = v2m_probe,
};
DRIVER(gicv2m);
