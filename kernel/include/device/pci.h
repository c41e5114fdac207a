/* SPDX-License-Identifier: MIT */
/*
 * PCI functions and their drivers (PCI Local Bus 3.0). A driver has .bus = &pci_bus and matches by
 * pci_id(vendor, device). When it is probed, memory BARs have addresses and memory decode and bus
 * mastering are on. Thread context. What configuration space says is checked by who reads it here.
 */
#ifndef DEVICE_PCI_H
#define DEVICE_PCI_H

#include <device/device.h>
#include <device/msi.h>
#include <lib/types.h>

#define PCI_BARS 6

struct pci_branch;

struct pci_bar {
    paddr_t base;  /* as the CPU sees it; 0: none, or no room */
    uint64_t size; /* bytes */
    bool is_io;
};

struct pci_device {
    struct device device;            /* name: "pci-BB:DD.F" */
    const struct pci_branch *branch; /* the bus it is on */
    void *config;                    /* its configuration space: 4 KiB, or 256 bytes */
    uint8_t slot, function;
    uint16_t vendor, id;
    struct pci_bar bar[PCI_BARS];
    struct msi_device msi; /* the rest is msix.c's */
    void *msix_table;      /* NULL: not enabled */
    uint8_t msix_capability;
    char name[16];
};

extern const struct bus pci_bus;

static inline uint32_t pci_id(uint16_t vendor, uint16_t id)
{
    return (uint32_t)vendor << 16 | id;
}

#define PCI_ID(vendor, id) ((uint32_t)(vendor) << 16 | (id))

static inline struct pci_device *pci_device_of(struct device *device)
{
    return container_of(device, struct pci_device, device);
}

/* Configuration registers, naturally aligned; all ones if nothing answers. */
uint8_t pci_read8(const struct pci_device *device, unsigned offset);
uint16_t pci_read16(const struct pci_device *device, unsigned offset);
uint32_t pci_read32(const struct pci_device *device, unsigned offset);
void pci_write16(const struct pci_device *device, unsigned offset, uint16_t value);
void pci_write32(const struct pci_device *device, unsigned offset, uint32_t value);

/* Where the index-th capability with that id lies: at most at 0xfc of the first 256 bytes, so that
 * what it should have must be checked; 0: there is none. A list that goes round comes to an end. */
unsigned pci_find_capability(const struct pci_device *device, unsigned id, unsigned index);

/* Maps part of a memory BAR. NULL: not there, or it does not lie inside (logged). */
void *pci_map(const struct pci_device *device, unsigned bar, uint64_t offset, uint64_t size);

/* Its INTx line for irq_request(), which others may share; -ENOENT: it has none. */
int pci_irq(const struct pci_device *device);

/*
 * Message interrupts instead of the INTx line. Enabling: how many vectors there are of the `wanted`
 * (over 0); -ENODEV: the function or the machine has none; other -errno (logged). Mapping: the line
 * of a vector for irq_request(), to begin with on that CPU; -ENOSPC. To unmap, first silence the
 * vector's user and free its handler; to disable, first unmap all.
 */
int pci_msix_enable(struct pci_device *device, unsigned wanted);
int pci_msix_map(struct pci_device *device, unsigned vector, unsigned cpu);
void pci_msix_unmap(struct pci_device *device, unsigned vector, unsigned irq);
void pci_msix_disable(struct pci_device *device);

#endif
