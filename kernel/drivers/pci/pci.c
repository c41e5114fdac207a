/* SPDX-License-Identifier: MIT */
/*
 * The functions of a PCI bus (PCI Local Bus 3.0 chapter 6): found, their BARs sized and placed in
 * the host's windows, given to drivers.
 */
#include "host.h"

#include <arch/mmio.h>
#include <core/log.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/printf.h>
#include <mm/kwindow.h>
#include <mm/page.h>
#include <mm/slab.h>

#define CONFIG_VENDOR       0x00
#define CONFIG_COMMAND      0x04
#define CONFIG_STATUS       0x06
#define CONFIG_HEADER       0x0e
#define CONFIG_BAR          0x10
#define CONFIG_CAPABILITIES 0x34
#define CONFIG_PIN          0x3d
#define CONFIG_SIZE         0x100

#define COMMAND_MEMORY      2U
#define COMMAND_MASTER      4U
#define STATUS_CAPABILITIES 0x10U
#define HEADER_MULTI        0x80U
#define HEADER_TYPE         0x7fU
#define BAR_IO              1U
#define BAR_64BIT           4U

const struct bus pci_bus = {"pci"};

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

unsigned pci_find_capability(const struct pci_device *device, unsigned id, unsigned from)
{
    unsigned at;

    if (!(pci_read16(device, CONFIG_STATUS) & STATUS_CAPABILITIES))
        return 0;
    at = pci_read8(device, from != 0 ? from + 1 : CONFIG_CAPABILITIES) & ~3U;
    for (unsigned i = 0; at >= 0x40 && i < CONFIG_SIZE / 4; i++) {
        if (pci_read8(device, at) == id)
            return at;
        at = pci_read8(device, at + 1) & ~3U;
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

int pci_irq(const struct pci_device *device)
{
    uint32_t pin = pci_read8(device, CONFIG_PIN);
    uint32_t unit[4] = {(uint32_t)(device->slot << 11 | device->function << 8), 0, 0, pin};
    struct fw_interrupt interrupt;
    int error;

    if (pin == 0 || pin > 4)
        return -ENOENT;
    error = fw_interrupt_map(device->host->node, unit, ARRAY_SIZE(unit), &interrupt);
    return error != 0 ? error : device_irq_of(device->name, 0, &interrupt);
}

/* --- BARs ---------------------------------------------------------------------------------------
 */

/* A place of that size, aligned to it; UINT64_MAX: no room. */
static uint64_t take_place(struct pci_window *window, uint64_t size)
{
    uint64_t at = align_up(window->bus + window->next, size) - window->bus;

    if (at < window->next || at > window->size || size > window->size - at)
        return UINT64_MAX;
    window->next = at + size;
    return at;
}

static void place(struct pci_device *device, unsigned index, bool is_long)
{
    struct pci_bar *bar = &device->bar[index];
    struct pci_window *window = is_long ? &device->host->high : &device->host->low;
    uint64_t at = take_place(window, bar->size), address;

    if (at == UINT64_MAX && is_long) {
        window = &device->host->low;
        at = take_place(window, bar->size);
    }
    if (at == UINT64_MAX) {
        log_warn("%s: no room for BAR %u of 0x%lx bytes", device->name, index,
                 (unsigned long)bar->size);
        return;
    }
    address = window->bus + at;
    pci_write32(device, CONFIG_BAR + 4 * index, (uint32_t)address);
    if (is_long)
        pci_write32(device, CONFIG_BAR + 4 * index + 4, (uint32_t)(address >> 32));
    bar->base = window->cpu + at;
}

/* Sizes and places one; how many registers it took. Decoding is off (section 6.2.5.1). */
static unsigned set_up_bar(struct pci_device *device, unsigned index)
{
    unsigned offset = CONFIG_BAR + 4 * index;
    uint32_t low = pci_read32(device, offset);
    bool is_long = !(low & BAR_IO) && (low & 6) == BAR_64BIT && index + 1 < PCI_BARS;
    uint64_t mask;

    device->bar[index].is_io = low & BAR_IO;
    pci_write32(device, offset, ~0U);
    mask = pci_read32(device, offset) & (low & BAR_IO ? ~3U : ~15U);
    if (is_long) {
        pci_write32(device, offset + 4, ~0U);
        mask |= (uint64_t)pci_read32(device, offset + 4) << 32;
    } else if (mask != 0) {
        mask |= ~0ULL << 32;
    }
    device->bar[index].size = mask & -mask; /* the lowest bit that can be set */
    pci_write32(device, offset, 0);
    if (mask != 0 && !(low & BAR_IO))
        place(device, index, is_long);
    return is_long ? 2 : 1;
}

static void set_up_bars(struct pci_device *device)
{
    uint16_t command = pci_read16(device, CONFIG_COMMAND);

    pci_write16(device, CONFIG_COMMAND, command & (uint16_t) ~(COMMAND_MEMORY | 1U));
    for (unsigned i = 0; i < PCI_BARS;)
        i += set_up_bar(device, i);
    pci_write16(device, CONFIG_COMMAND, command | COMMAND_MEMORY | COMMAND_MASTER);
}

/* --- functions ----------------------------------------------------------------------------------
 */

/* Only functions with a driver are touched. */
static void add_function(struct pci_host *host, unsigned slot, unsigned function, uint32_t id)
{
    uint16_t vendor = (uint16_t)id, type = (uint16_t)(id >> 16);
    const struct match *match;
    const struct driver *driver = device_find_driver_by_id(&pci_bus, pci_id(vendor, type), &match);
    struct pci_device *device;
    int error;

    if (driver == NULL) {
        log_debug("%s: no driver for %04x:%04x at %02x.%x", host->name, vendor, type, slot,
                  function);
        return;
    }
    device = kzalloc(sizeof(*device));
    if (device == NULL)
        return;
    device->host = host;
    device->config = host->config(host, slot, function);
    device->slot = (uint8_t)slot;
    device->function = (uint8_t)function;
    device->vendor = vendor;
    device->id = type;
    snprintf(device->name, sizeof(device->name), "pci-00:%02x.%x", slot & 31, function & 7);
    device->device =
        (struct device){.name = device->name, .bus = &pci_bus, .driver = driver, .match = match};
    if ((pci_read8(device, CONFIG_HEADER) & HEADER_TYPE) == 0)
        set_up_bars(device);
    error = device_add(&device->device);
    if (error != 0)
        kfree(device);
}

void pci_enumerate(struct pci_host *host)
{
    for (unsigned slot = 0; slot < 32; slot++) {
        unsigned count = 1;

        for (unsigned function = 0; function < count; function++) {
            const void *config = host->config(host, slot, function);
            uint32_t id = readl(config + CONFIG_VENDOR);

            if (id == ~0U || (uint16_t)id == 0xffff)
                continue;
            if (function == 0 && (readb(config + CONFIG_HEADER) & HEADER_MULTI))
                count = 8;
            add_function(host, slot, function, id);
        }
    }
}
