/* SPDX-License-Identifier: MIT */
/*
 * What drivers of PCI functions call: registers, capabilities, BARs, the INTx line (PCI Local Bus
 * 3.0 chapter 6).
 */
#include "host.h"

#include <arch/mmio.h>
#include <core/log.h>
#include <lib/errno.h>
#include <mm/kwindow.h>

#define CAPABILITY_FIRST 0x40U /* before it lies the header */
#define CAPABILITIES_MAX 48U   /* as many have room behind it: more go round */
#define PINS             4U

uint8_t pci_read8(const struct pci_device *device, unsigned offset)
{
    return readb(device->config + offset);
}

uint16_t pci_read16(const struct pci_device *device, unsigned offset)
{
    return readw(device->config + offset);
}

uint32_t pci_read32(const struct pci_device *device, unsigned offset)
{
    return readl(device->config + offset);
}

void pci_write16(const struct pci_device *device, unsigned offset, uint16_t value)
{
    writew(value, device->config + offset);
}

void pci_write32(const struct pci_device *device, unsigned offset, uint32_t value)
{
    writel(value, device->config + offset);
}

unsigned pci_find_capability(const struct pci_device *device, unsigned id, unsigned index)
{
    unsigned at = CONFIG_CAPABILITIES - 1;

    if (!(pci_read16(device, CONFIG_STATUS) & STATUS_CAPABILITIES))
        return 0;
    for (unsigned i = 0; i < CAPABILITIES_MAX; i++) {
        at = pci_read8(device, at + 1) & ~3U;
        if (at < CAPABILITY_FIRST)
            return 0;
        if (pci_read8(device, at) == id && index-- == 0)
            return at;
    }
    return 0;
}

void *pci_map(const struct pci_device *device, unsigned bar, uint64_t offset, uint64_t size)
{
    const struct pci_bar *b = bar < PCI_BARS ? &device->bar[bar] : NULL;

    if (b == NULL || b->base == 0 || b->is_io || offset > b->size || size > b->size - offset) {
        log_error("%s: 0x%lx bytes at 0x%lx of BAR %u are not there", device->name,
                  (unsigned long)size, (unsigned long)offset, bar);
        return NULL;
    }
    return device_map(b->base + offset, size);
}

/* Bridges pass the pins of what is behind them on, turned by the slot (PCI-to-PCI Bridge 1.2
 * section 9.1), up to the host's own bus, whose slots interrupt-map tells of. */
int pci_irq(const struct pci_device *device)
{
    const struct pci_branch *branch = device->branch;
    uint32_t slot = device->slot, pin = pci_read8(device, CONFIG_PIN);
    uint32_t unit[4] = {0};
    struct fw_interrupt interrupt;
    int error;

    if (pin == 0 || pin > PINS)
        return -ENOENT;
    for (; branch->above != NULL; branch = branch->above) {
        pin = (pin - 1 + slot) % PINS + 1;
        slot = branch->slot;
    }
    unit[0] = (uint32_t)branch->number << 16 | slot << 11;
    unit[3] = pin;
    error = fw_interrupt_map(branch->host->node, unit, ARRAY_SIZE(unit), &interrupt);
    return error != 0 ? error : device_irq_of(device->name, 0, &interrupt);
}
