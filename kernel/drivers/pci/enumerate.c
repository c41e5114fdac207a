/* SPDX-License-Identifier: MIT */
/*
 * Which functions there are, bridges and what is behind them included (PCI Local Bus 3.0 chapter 6,
 * PCI-to-PCI Bridge 1.2 section 3.2). Only functions with a driver and bridges are set up. Buses
 * are numbered and windows filled in the order of the walk, so that what is behind a bridge lies in
 * one stretch of each; drivers are called when all of it is in place.
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

#define HEADER_MULTI  0x80U
#define HEADER_TYPE   0x7fU
#define HEADER_BRIDGE 1U

#define SLOTS       32U
#define FUNCTIONS   8U
#define DEPTH_MAX   8U
#define BRIDGE_BARS 2U

#define BRIDGE_PRIMARY        0x18
#define BRIDGE_SECONDARY      0x19
#define BRIDGE_SUBORDINATE    0x1a
#define BRIDGE_MEMORY         0x20 /* base, then limit: 16 bits each, of 1 MiB */
#define BRIDGE_PREFETCH       0x24
#define BRIDGE_PREFETCH_BASE  0x28 /* upper halves */
#define BRIDGE_PREFETCH_LIMIT 0x2c
#define BRIDGE_WINDOW_64BIT   1U
#define BRIDGE_UNIT           0x100000ULL
#define BRIDGE_CLOSED         0x0000fff0U /* base above limit */

#define CAPABILITY_EXPRESS 0x10U
#define EXPRESS_FLAGS      2U
#define EXPRESS_TYPE(x)    ((x) >> 4 & 0xfU)
#define EXPRESS_ROOT_PORT  4U
#define EXPRESS_UPSTREAM   5U
#define EXPRESS_DOWNSTREAM 6U
#define EXPRESS_NONE       16U

const struct bus pci_bus = {"pci"};

static void walk(struct pci_branch *branch);

static void *config_of(const struct pci_branch *branch, unsigned slot, unsigned function)
{
    return branch->config + ((slot * FUNCTIONS + function) << branch->host->shift);
}

/* Of a whole bus the 2 MiB around it, if they all are the host's: one entry of the page table
 * instead of hundreds. */
static void *map_bus(const struct pci_host *host, unsigned number, bool is_link)
{
    size_t bus_size = 256UL << host->shift;
    paddr_t at = host->config + (number - host->first_bus) * bus_size;
    paddr_t end = host->config + (host->last_bus - host->first_bus + 1) * bus_size;
    paddr_t around = align_down(at, (paddr_t)HUGE_SIZE);
    void *map;

    if (is_link)
        return device_map(at, (size_t)FUNCTIONS << host->shift);
    if (around < host->config || end - around < HUGE_SIZE)
        return device_map(at, bus_size);
    map = device_map(around, HUGE_SIZE);
    return map != NULL ? map + (at - around) : NULL;
}

/* NULL: no memory (logged). */
static struct pci_branch *make_branch(struct pci_host *host, const struct pci_branch *above,
                                      unsigned number, bool is_link)
{
    struct pci_branch *branch = kzalloc(sizeof(*branch));
    void *config = branch != NULL ? map_bus(host, number, is_link) : NULL;

    if (config == NULL) {
        log_error("%s: no memory for bus %u; left out", host->name, number);
        kfree(branch);
        return NULL;
    }
    *branch = (struct pci_branch){
        .host = host,
        .above = above,
        .number = (uint8_t)number,
        .depth = above != NULL ? (uint8_t)(above->depth + 1) : 0,
        .is_link = is_link,
        .config = config,
    };
    return branch;
}

/* --- bridges ------------------------------------------------------------------------------------
 */

/* What kind of port it is; conventional bridges have no such capability. */
static unsigned express_type(const struct pci_device *bridge)
{
    unsigned at = pci_find_capability(bridge, CAPABILITY_EXPRESS, 0);

    return at != 0 ? EXPRESS_TYPE(pci_read16(bridge, at + EXPRESS_FLAGS)) : EXPRESS_NONE;
}

/* The next free bus address, in units of bridges. */
static uint64_t align_window(struct pci_window *window)
{
    uint64_t address = align_up(window->bus + window->next, BRIDGE_UNIT);

    window->next = address - window->bus;
    return address;
}

static uint32_t window_bits(uint64_t base, uint64_t end)
{
    return (uint32_t)(base >> 16 & 0xfff0) | (uint32_t)((end - 1) & 0xfff00000);
}

/* What was placed since `low` and `high` passes the bridge. */
static void open_bridge(const struct pci_device *bridge, uint64_t low, uint64_t high)
{
    struct pci_host *host = bridge->branch->host;
    uint64_t end = align_window(&host->low);

    pci_write32(bridge, BRIDGE_MEMORY, end > low ? window_bits(low, end) : BRIDGE_CLOSED);
    end = align_window(&host->high);
    pci_write32(bridge, BRIDGE_PREFETCH, end > high ? window_bits(high, end) : BRIDGE_CLOSED);
    pci_write32(bridge, BRIDGE_PREFETCH_BASE, end > high ? (uint32_t)(high >> 32) : 0);
    pci_write32(bridge, BRIDGE_PREFETCH_LIMIT, end > high ? (uint32_t)((end - 1) >> 32) : 0);
}

static void set_buses(const struct pci_device *bridge, unsigned secondary, unsigned last)
{
    uint32_t timer = pci_read32(bridge, BRIDGE_PRIMARY) & 0xff000000U;

    pci_write32(bridge, BRIDGE_PRIMARY,
                timer | last << 16 | secondary << 8 | bridge->branch->number);
}

static void set_name(struct pci_device *device)
{
    snprintf(device->name, sizeof(device->name), "pci-%02x:%02x.%x", device->branch->number,
             device->slot & 31, device->function & 7);
}

static void add_bridge(struct pci_device *bridge)
{
    const struct pci_branch *above = bridge->branch;
    struct pci_host *host = above->host;
    unsigned type = express_type(bridge);
    bool is_link = type == EXPRESS_ROOT_PORT || type == EXPRESS_DOWNSTREAM;
    struct pci_branch *branch = NULL;
    uint64_t low, high;

    set_name(bridge);
    if (host->next_bus > host->last_bus || above->depth == DEPTH_MAX)
        log_warn("%s: no bus number is left for what is behind it, or it is more than %u bridges "
                 "deep; left out",
                 bridge->name, DEPTH_MAX);
    else if (pci_set_up_bars(bridge, BRIDGE_BARS) == 0)
        branch = make_branch(host, above, host->next_bus, is_link);
    if (branch == NULL)
        return;
    host->next_bus++;
    branch->slot = bridge->slot;
    branch->is_shared = above->is_shared || (!is_link && type != EXPRESS_UPSTREAM);
    branch->passes_high = host->high.size != 0 && (above->above == NULL || above->passes_high) &&
                          (pci_read16(bridge, BRIDGE_PREFETCH) & 0xf) == BRIDGE_WINDOW_64BIT;
    low = align_window(&host->low);
    high = align_window(&host->high);
    set_buses(bridge, branch->number, host->last_bus);
    walk(branch);
    set_buses(bridge, branch->number, host->next_bus - 1);
    open_bridge(bridge, low, high);
}

/* --- functions ----------------------------------------------------------------------------------
 */

static void add_function(struct pci_device *device)
{
    struct pci_host *host = device->branch->host;
    const struct match *match;
    const struct driver *driver =
        device_find_driver_by_id(&pci_bus, pci_id(device->vendor, device->id), &match);
    struct pci_device *copy;

    if (driver == NULL) {
        log_debug("%s: no driver for %04x:%04x at %02x:%02x.%x", host->name, device->vendor,
                  device->id, device->branch->number, device->slot, device->function);
        return;
    }
    set_name(device);
    copy = kmalloc(sizeof(*copy));
    if (copy == NULL)
        return;
    *copy = *device;
    copy->device =
        (struct device){.name = copy->name, .bus = &pci_bus, .driver = driver, .match = match};
    if (pci_set_up_bars(copy, PCI_BARS) != 0) {
        kfree(copy);
        return;
    }
    list_add_tail(&host->functions, &copy->device.list);
}

static __noinline void look_at(struct pci_branch *branch, unsigned slot, unsigned function,
                               uint32_t id, unsigned header)
{
    struct pci_device device = {
        .branch = branch,
        .config = config_of(branch, slot, function),
        .slot = (uint8_t)slot,
        .function = (uint8_t)function,
        .vendor = (uint16_t)id,
        .id = (uint16_t)(id >> 16),
    };

    if ((header & HEADER_TYPE) == HEADER_BRIDGE)
        add_bridge(&device);
    else if ((header & HEADER_TYPE) == 0)
        add_function(&device);
}

static void walk(struct pci_branch *branch)
{
    for (unsigned slot = 0; slot < (branch->is_link ? 1 : SLOTS); slot++) {
        unsigned count = 1;

        for (unsigned function = 0; function < count; function++) {
            const void *config = config_of(branch, slot, function);
            uint32_t id = readl_relaxed(config + CONFIG_VENDOR);
            unsigned header;

            if ((uint16_t)id == 0xffff || id == 0)
                continue;
            header = readb_relaxed(config + CONFIG_HEADER);
            if (function == 0 && (header & HEADER_MULTI))
                count = FUNCTIONS;
            look_at(branch, slot, function, id, header);
        }
    }
}

void pci_enumerate(struct pci_host *host)
{
    struct pci_branch *root = make_branch(host, NULL, host->first_bus, false);
    struct pci_device *device, *next;

    list_init(&host->functions);
    host->next_bus = host->first_bus + 1;
    if (root == NULL)
        return;
    walk(root);
    list_for_each_entry_safe (device, next, &host->functions, device.list) {
        list_del(&device->device.list);
        if (device_add(&device->device) == 0)
            continue;
        pci_write16(device, CONFIG_COMMAND, COMMAND_INTX_OFF); /* it neither decodes nor writes */
        kfree(device);
    }
}
