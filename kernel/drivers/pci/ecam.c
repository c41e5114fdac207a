/* SPDX-License-Identifier: MIT */
/*
 * Host bridges whose configuration space is memory, 4 KiB a function, by the binding
 * host-generic-pci.yaml. The firmware has set nothing up. Buses behind bridges are left out.
 */
#include "host.h"

#include <core/log.h>
#include <lib/endian.h>
#include <lib/errno.h>
#include <mm/kwindow.h>
#include <mm/slab.h>

#define ECAM_BUS_SIZE      0x100000UL
#define ECAM_FUNCTION_SIZE 0x1000UL

/* The first cell of a PCI address: which space. */
#define SPACE(cell)  ((cell) >> 24 & 3)
#define SPACE_MEMORY 2U
#define SPACE_LONG   3U

static void *ecam_config(struct pci_host *host, unsigned slot, unsigned function)
{
    return host->data + (slot * 8 + function) * ECAM_FUNCTION_SIZE;
}

static uint64_t load_cells(const uint8_t *data, unsigned count)
{
    return count == 1 ? load_be32(data) : load_be64(data);
}

static void take_range(struct pci_host *host, uint32_t space, struct pci_window window)
{
    bool is_low = window.bus < BIT64(32) && window.size <= BIT64(32) - window.bus;
    struct pci_window *to = is_low ? &host->low : &host->high;

    if ((SPACE(space) != SPACE_MEMORY && SPACE(space) != SPACE_LONG) || to->size != 0)
        return;
    if (window.bus + window.size < window.bus || window.cpu + window.size < window.cpu) {
        log_error("%s: a range of 0x%lx bytes at 0x%lx makes no sense; left out", host->name,
                  (unsigned long)window.size, (unsigned long)window.cpu);
        return;
    }
    /* Offset 0 would read as 'no address' in a BAR. */
    if (window.bus == 0)
        window.next = ECAM_BUS_SIZE;
    *to = window;
}

static int read_ranges(struct pci_host *host)
{
    unsigned cpu_cells = fw_parent(host->node)->address_cells;
    uint32_t size, step = 4 * (3 + cpu_cells + 2);
    const uint8_t *data = fw_property(host->node, "ranges", &size);

    if (data == NULL || host->node->address_cells != 3 || host->node->size_cells != 2 ||
        cpu_cells == 0 || cpu_cells > 2 || size % step != 0) {
        log_error("%s: 'ranges' and #cells are not those of a PCI host; not used", host->name);
        return -EINVAL;
    }
    for (; size >= step; size -= step, data += step)
        take_range(host, load_be32(data),
                   (struct pci_window){
                       .bus = load_be64(data + 4),
                       .cpu = load_cells(data + 12, cpu_cells),
                       .size = load_be64(data + 12 + 4 * cpu_cells),
                   });
    return 0;
}

static int ecam_probe(struct device *device)
{
    struct pci_host *host = kzalloc(sizeof(*host));
    int error = -ENOMEM;

    if (host == NULL)
        return -ENOMEM;
    host->node = device->node;
    host->name = device->name;
    host->config = ecam_config;
    host->data = device_map_registers(device, 0, ECAM_BUS_SIZE);
    if (host->data != NULL)
        error = read_ranges(host);
    if (error != 0) {
        kfree(host);
        return error;
    }
    pci_enumerate(host);
    return 0;
}

static const struct match ecam_match[] = {
    {.compatible = "pci-host-ecam-generic"},
    {0},
};

static const struct driver pci_ecam = {
    .name = "pci_ecam",
    .bus = &firmware_bus,
    .stage = PROBE_DEVICE,
    .match = ecam_match,
    .probe = ecam_probe,
};
DRIVER(pci_ecam);
