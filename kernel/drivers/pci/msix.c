/* SPDX-License-Identifier: MIT */
/*
 * Message interrupts of a function: MSI-X (PCI Local Bus 3.0 section 6.8.2), a table of messages in
 * one of its BARs. Plain MSI is left out: what we drive has MSI-X or neither. Behind a bridge to a
 * conventional bus a controller could not tell functions apart: they keep their INTx lines.
 */
#include "host.h"

#include <arch/mmio.h>
#include <core/irq.h>
#include <core/log.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/kwindow.h>
#include <mm/slab.h>

#define CAPABILITY_MSIX 0x11U
#define MSIX_CONTROL    2U
#define MSIX_TABLE      4U
#define MSIX_CAP_SIZE   12U

#define CONTROL_LAST   0x7ffU
#define CONTROL_MASK   0x4000U
#define CONTROL_ENABLE 0x8000U

/* An entry of the table. */
#define ENTRY_SIZE    16U
#define ENTRY_ADDRESS 0
#define ENTRY_DATA    8
#define ENTRY_CONTROL 12
#define ENTRY_MASKED  1U

static void set_control(const struct pci_device *device, uint16_t bits)
{
    uint16_t control = pci_read16(device, device->msix_capability + MSIX_CONTROL);

    control &= (uint16_t) ~(CONTROL_MASK | CONTROL_ENABLE);
    pci_write16(device, device->msix_capability + MSIX_CONTROL, control | bits);
}

static uint32_t requester_of(const struct pci_device *device)
{
    return (uint32_t)device->branch->number << 8 | (uint32_t)device->slot << 3 | device->function;
}

/* The table has to lie inside its BAR. */
static void *map_table(const struct pci_device *device, unsigned count)
{
    uint32_t where = pci_read32(device, device->msix_capability + MSIX_TABLE);

    return pci_map(device, where & 7, where & ~7U, count * ENTRY_SIZE);
}

static void set_intx(const struct pci_device *device, bool on)
{
    uint16_t command = pci_read16(device, CONFIG_COMMAND) & (uint16_t)~COMMAND_INTX_OFF;

    pci_write16(device, CONFIG_COMMAND, command | (on ? 0 : COMMAND_INTX_OFF));
}

int pci_msix_enable(struct pci_device *device, unsigned wanted)
{
    unsigned at = pci_find_capability(device, CAPABILITY_MSIX, 0);
    int error;

    if (at == 0 || at + MSIX_CAP_SIZE > CONFIG_SPACE || device->branch->is_shared)
        return -ENODEV;
    error = msi_find(device->branch->host->node, requester_of(device), &device->msi);
    if (error != 0)
        return error;
    device->msix_capability = (uint8_t)at;
    device->msi.vector_count =
        min(wanted, (pci_read16(device, at + MSIX_CONTROL) & CONTROL_LAST) + 1U);
    device->msix_table = map_table(device, device->msi.vector_count);
    if (device->msix_table == NULL)
        return -EINVAL;
    error = device->msi.controller->ops->attach(&device->msi);
    if (error != 0) {
        device_unmap(device->msix_table, device->msi.vector_count * ENTRY_SIZE);
        device->msix_table = NULL;
        return error;
    }
    set_control(device, CONTROL_ENABLE | CONTROL_MASK);
    for (unsigned i = 0; i < device->msi.vector_count; i++)
        writel(ENTRY_MASKED, device->msix_table + i * ENTRY_SIZE + ENTRY_CONTROL);
    set_control(device, CONTROL_ENABLE);
    set_intx(device, false);
    return (int)device->msi.vector_count;
}

int pci_msix_map(struct pci_device *device, unsigned vector, unsigned cpu)
{
    void *entry = device->msix_table + vector * ENTRY_SIZE;
    struct msi_message message;
    struct cpumask mask = cpumask_of(cpu);
    int irq;

    if (vector >= device->msi.vector_count)
        return -EINVAL;
    irq = device->msi.controller->ops->map(&device->msi, vector, &message);
    if (irq < 0)
        return irq;
    irq_set_affinity((unsigned)irq, &mask);
    writel((uint32_t)message.address, entry + ENTRY_ADDRESS);
    writel((uint32_t)(message.address >> 32), entry + ENTRY_ADDRESS + 4);
    writel(message.data, entry + ENTRY_DATA);
    writel(0, entry + ENTRY_CONTROL);
    return irq;
}

void pci_msix_unmap(struct pci_device *device, unsigned vector, unsigned irq)
{
    void *control = device->msix_table + vector * ENTRY_SIZE + ENTRY_CONTROL;

    writel(ENTRY_MASKED, control);
    readl(control); /* no message is under way any more (section 6.8.2.9) */
    device->msi.controller->ops->unmap(&device->msi, vector, irq);
}

void pci_msix_disable(struct pci_device *device)
{
    if (device->msix_table == NULL)
        return;
    set_control(device, 0);
    set_intx(device, true);
    device->msi.controller->ops->detach(&device->msi);
    device_unmap(device->msix_table, device->msi.vector_count * ENTRY_SIZE);
    device->msix_table = NULL;
}
