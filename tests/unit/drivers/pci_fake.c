/* SPDX-License-Identifier: MIT */
#include "pci_fake.h"

#include <stdlib.h>
#include <string.h>

#include <core/irq.h>
#include <core/percpu.h>
#include <lib/errno.h>
#include <mm/kwindow.h>

struct pci_fake pci_fake;

/* --- memory -------------------------------------------------------------------------------------
 */

void *device_map(paddr_t pa, size_t size)
{
    pci_fake.mapped_bytes += size != 0;
    return (void *)pa;
}

void device_unmap(void *virt, size_t size)
{
    (void)virt, (void)size;
    pci_fake.mapped_bytes--;
}

/* --- drivers ------------------------------------------------------------------------------------
 */

const struct bus firmware_bus = {"firmware"};

static int take(struct device *device)
{
    (void)device;
    return pci_fake.probe_result;
}

static const struct driver taker = {.name = "taker", .bus = &pci_bus, .probe = take};

const struct driver *device_find_driver_by_id(const struct bus *bus, uint32_t id,
                                              const struct match **match)
{
    (void)bus;
    *match = NULL;
    return (uint16_t)id != 0xdead ? &taker : NULL; /* pci_id(): the device in the lower half */
}

int device_add(struct device *device)
{
    int error = device->driver->probe(device);

    if (error == 0 && pci_fake.probed_count < FAKE_FUNCTIONS)
        pci_fake.probed[pci_fake.probed_count++] = pci_device_of(device);
    else if (error == 0)
        error = -ENOMEM;
    return error;
}

/* --- the tree -----------------------------------------------------------------------------------
 */

static struct fw_node parent = {.address_cells = 2, .size_cells = 2};

struct fw_nodes fw_nodes = {&parent, &parent + 1}; /* every node's parent is number 0 */

const void *fw_property(const struct fw_node *node, const char *name, uint32_t *size)
{
    (void)node;
    *size = pci_fake.ranges_size;
    return strcmp(name, "ranges") == 0 ? pci_fake.ranges : NULL;
}

int fw_property_cell(const struct fw_node *node, const char *name, unsigned index, uint32_t *value)
{
    (void)node, (void)name;
    *value = pci_fake.buses[index];
    return 0;
}

int device_registers(const struct device *device, unsigned index, paddr_t *base, uint64_t *size)
{
    (void)device, (void)index;
    *base = FAKE_CONFIG;
    *size = pci_fake.registers_size;
    return 0;
}

int fw_interrupt_map(const struct fw_node *node, const uint32_t *unit, unsigned unit_cells,
                     struct fw_interrupt *interrupt)
{
    (void)node, (void)interrupt;
    memcpy(pci_fake.unit, unit, unit_cells * sizeof(*unit));
    return 0;
}

int device_irq_of(const char *name, unsigned index, const struct fw_interrupt *interrupt)
{
    (void)name, (void)index, (void)interrupt;
    return 7;
}

/* --- message interrupts -------------------------------------------------------------------------
 */

static int attach(struct msi_device *device)
{
    (void)device;
    pci_fake.attached++;
    return 0;
}

static int map(struct msi_device *device, unsigned vector, struct msi_message *message)
{
    (void)device;
    *message = (struct msi_message){0x123456789abcUL, 1000 + vector};
    pci_fake.mapped++;
    return 50 + (int)vector;
}

static void unmap(struct msi_device *device, unsigned vector, unsigned irq)
{
    (void)device, (void)vector, (void)irq;
    pci_fake.mapped--;
}

static void detach(struct msi_device *device)
{
    (void)device;
    pci_fake.attached--;
}

int msi_find(const struct fw_node *host, uint32_t requester, struct msi_device *device)
{
    static const struct msi_controller_ops ops = {attach, map, unmap, detach};
    static struct msi_controller controller = {.ops = &ops};

    (void)host;
    device->controller = &controller;
    device->id = requester;
    return pci_fake.msi_error;
}

int irq_set_affinity(unsigned irq, const struct cpumask *mask)
{
    (void)irq, (void)mask;
    return 0;
}

/* --- walks --------------------------------------------------------------------------------------
 */

void pci_fake_walk(struct pci_host *host, struct pci_window low, struct pci_window high,
                   unsigned last_bus)
{
    *host = (struct pci_host){
        .node = &pci_fake.node,
        .name = "pcie",
        .config = FAKE_CONFIG,
        .shift = 12,
        .last_bus = last_bus,
        .low = low,
        .high = high,
    };
    pci_enumerate(host);
}

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0"; /* buses stay for good, as on a machine */
}

void pci_fake_end(void)
{
    for (unsigned i = 0; i < pci_fake.probed_count; i++)
        free(pci_fake.probed[i]);
    memset(&pci_fake, 0, sizeof(pci_fake));
}
