/* SPDX-License-Identifier: MIT */
/*
 * Host bridges whose configuration space is memory, 4 KiB a function (ECAM) or 256 bytes (CAM), by
 * the binding host-generic-pci.yaml. The firmware has set nothing up. The I/O window is left out.
 */
#include "host.h"

#include <core/log.h>
#include <lib/endian.h>
#include <lib/errno.h>
#include <mm/slab.h>

/* The first cell of a PCI address: which space (IEEE 1275 PCI binding section 2.2.1.1). */
#define SPACE(cell)  ((cell) >> 24 & 3)
#define SPACE_MEMORY 2U
#define SPACE_LONG   3U

#define FIRST_PLACE 0x100000U /* in a window at bus address 0, which reads as 'none' in a BAR */

static uint64_t load_cells(const uint8_t *data, unsigned count)
{
    return count == 1 ? load_be32(data) : load_be64(data);
}

/* The first window of each kind counts. */
static void take_window(struct pci_host *host, uint32_t space, struct pci_window window)
{
    bool is_low = window.bus < BIT64(32) && window.size <= BIT64(32) - window.bus;
    struct pci_window *to = is_low ? &host->low : &host->high;

    if ((SPACE(space) != SPACE_MEMORY && SPACE(space) != SPACE_LONG) || to->size != 0)
        return;
    if (window.size == 0 || window.bus + (window.size - 1) < window.bus ||
        window.cpu + (window.size - 1) < window.cpu) {
        log_error("%s: a range of 0x%lx bytes at 0x%lx makes no sense; left out", host->name,
                  (unsigned long)window.size, (unsigned long)window.cpu);
        return;
    }
    if (window.bus == 0)
        window.next = FIRST_PLACE;
    *to = window;
}

int pci_read_windows(struct pci_host *host)
{
    unsigned cpu_cells = fw_parent(host->node)->address_cells;
    uint32_t size, step = 4 * (3 + cpu_cells + 2);
    const uint8_t *data = fw_property(host->node, "ranges", &size);

    if (data == NULL || host->node->address_cells != 3 || host->node->size_cells != 2 ||
        cpu_cells == 0 || cpu_cells > 2 || size % step != 0) {
        log_error("%s: 'ranges', #address-cells and #size-cells are not those of a PCI host; not "
                  "used",
                  host->name);
        return -EINVAL;
    }
    for (; size >= step; size -= step, data += step)
        take_window(host, load_be32(data),
                    (struct pci_window){
                        .bus = load_be64(data + 4),
                        .cpu = load_cells(data + 12, cpu_cells),
                        .size = load_be64(data + 12 + 4 * cpu_cells),
                    });
    return 0;
}

/* Bus numbers: those of `bus-range` whose registers there are. */
static int read_buses(struct pci_host *host, const struct device *device)
{
    uint64_t size, bus_size = 256ULL << host->shift;
    uint32_t first = 0, last = 255;
    int error = device_registers(device, 0, &host->config, &size);

    if (error != 0)
        return error;
    if (fw_property_cell(host->node, "bus-range", 0, &first) == 0)
        fw_property_cell(host->node, "bus-range", 1, &last);
    if (first > last || last > 255 || size < bus_size) {
        log_error("%s: buses %u to %u with 0x%lx bytes of registers make no sense; not used",
                  host->name, first, last, (unsigned long)size);
        return -EINVAL;
    }
    if (last - first >= size / bus_size)
        last = first + (uint32_t)(size / bus_size) - 1;
    host->first_bus = first;
    host->last_bus = last;
    return 0;
}

static int ecam_probe(struct device *device)
{
    struct pci_host *host = kzalloc(sizeof(*host));
    int error;

    if (host == NULL)
        return -ENOMEM;
    host->node = device->node;
    host->name = device->name;
    host->shift = (unsigned)(uintptr_t)device->match->data;
    error = read_buses(host, device);
    if (error == 0)
        error = pci_read_windows(host);
    if (error != 0) {
        kfree(host);
        return error;
    }
    pci_enumerate(host);
    return 0;
}

static const struct match ecam_match[] = {
    {.compatible = "pci-host-ecam-generic", .data = (void *)12},
    {.compatible = "pci-host-cam-generic", .data = (void *)8},
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
