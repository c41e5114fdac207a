/* SPDX-License-Identifier: MIT */
/*
 * Base addresses of functions: sized, and placed in the host's windows one after the other (PCI
 * Local Bus 3.0 section 6.2.5.1). I/O space gets none.
 */
#include "host.h"

#include <core/log.h>
#include <lib/align.h>
#include <lib/errno.h>

#define BAR_IO           1U
#define BAR_TYPE         6U
#define BAR_64BIT        4U
#define BAR_PREFETCHABLE 8U

#define NO_PLACE UINT64_MAX

/* A place of that size, aligned to it. */
static uint64_t take_place(struct pci_window *window, uint64_t size)
{
    uint64_t at = align_up(window->bus + window->next, size) - window->bus;

    if (at < window->next || at > window->size || size > window->size - at)
        return NO_PLACE;
    window->next = at + size;
    return at;
}

/* Above 4 GiB if the BAR and, behind bridges, the bridges can: they pass only prefetchable memory
 * there (PCI-to-PCI Bridge 1.2 section 3.2.5.9). */
static bool may_be_high(const struct pci_branch *branch, uint32_t bar)
{
    return (bar & BAR_TYPE) == BAR_64BIT &&
           (branch->above == NULL || (branch->passes_high && (bar & BAR_PREFETCHABLE)));
}

static int place(struct pci_device *device, unsigned index, uint32_t kind)
{
    struct pci_bar *bar = &device->bar[index];
    struct pci_host *host = device->branch->host;
    struct pci_window *window = may_be_high(device->branch, kind) ? &host->high : &host->low;
    uint64_t at = take_place(window, bar->size), address;

    if (at == NO_PLACE && window == &host->high) {
        window = &host->low;
        at = take_place(window, bar->size);
    }
    if (at == NO_PLACE) {
        log_error("%s: no room for the 0x%lx bytes of BAR %u; not used", device->name,
                  (unsigned long)bar->size, index);
        return -ENOSPC;
    }
    address = window->bus + at;
    pci_write32(device, CONFIG_BAR + 4 * index, (uint32_t)address);
    if ((kind & BAR_TYPE) == BAR_64BIT)
        pci_write32(device, CONFIG_BAR + 4 * index + 4, (uint32_t)(address >> 32));
    bar->base = window->cpu + at;
    return 0;
}

/* How many registers it takes; -ENOSPC. */
static int set_up_bar(struct pci_device *device, unsigned index, unsigned count)
{
    unsigned offset = CONFIG_BAR + 4 * index;
    uint32_t kind = pci_read32(device, offset);
    bool is_io = kind & BAR_IO, is_long = !is_io && (kind & BAR_TYPE) == BAR_64BIT;
    uint64_t mask;

    if (is_long && index + 1 >= count)
        return 1; /* its other half would not be there */
    pci_write32(device, offset, ~0U);
    mask = pci_read32(device, offset) & (is_io ? ~3U : ~15U);
    if (is_long) {
        pci_write32(device, offset + 4, ~0U);
        mask |= (uint64_t)pci_read32(device, offset + 4) << 32;
    }
    pci_write32(device, offset, 0);
    device->bar[index] = (struct pci_bar){.size = mask & -mask, .is_io = is_io};
    if (mask != 0 && !is_io && place(device, index, kind) != 0)
        return -ENOSPC;
    return is_long ? 2 : 1;
}

int pci_set_up_bars(struct pci_device *device, unsigned count)
{
    uint16_t command =
        pci_read16(device, CONFIG_COMMAND) & (uint16_t) ~(COMMAND_MEMORY | COMMAND_IO);

    pci_write16(device, CONFIG_COMMAND, command);
    for (unsigned i = 0; i < count;) {
        int used = set_up_bar(device, i, count);

        if (used < 0)
            return used;
        i += (unsigned)used;
    }
    pci_write16(device, CONFIG_COMMAND, command | COMMAND_MEMORY | COMMAND_MASTER);
    return 0;
}
