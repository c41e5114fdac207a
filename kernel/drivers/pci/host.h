/* SPDX-License-Identifier: MIT */
/* What a host bridge gives to the enumeration of what is behind it, and the parts of that. */
#ifndef DRIVERS_PCI_HOST_H
#define DRIVERS_PCI_HOST_H

#include <device/pci.h>
#include <lib/list.h>

/* Configuration registers (PCI Local Bus 3.0 section 6.1, PCI-to-PCI Bridge 1.2 section 3.2). */
#define CONFIG_VENDOR       0x00
#define CONFIG_COMMAND      0x04
#define CONFIG_STATUS       0x06
#define CONFIG_HEADER       0x0e
#define CONFIG_BAR          0x10
#define CONFIG_CAPABILITIES 0x34
#define CONFIG_PIN          0x3d
#define CONFIG_SPACE        0x100 /* bytes that every function has */

#define COMMAND_IO          1U
#define COMMAND_MEMORY      2U
#define COMMAND_MASTER      4U
#define COMMAND_INTX_OFF    0x400U
#define STATUS_CAPABILITIES 0x10U

/* A stretch of bus addresses that the CPU reaches; BARs are placed from `next` on. */
struct pci_window {
    paddr_t cpu;
    uint64_t bus, size, next; /* next: offset of the first free byte */
};

struct pci_host {
    struct fw_node *node;
    const char *name;
    paddr_t config;                         /* registers of the first bus */
    unsigned shift;                         /* 1 << shift bytes of them a function: 8 or 12 */
    unsigned first_bus, last_bus, next_bus; /* next: the number that the next bridge gives out */
    struct pci_window low, high;            /* below, above 4 GiB of bus addresses; size 0: none */
    struct list_node functions;             /* struct pci_device, to be given to their drivers */
};

/* A bus: the host's own, or one behind a bridge. Stays for good. */
struct pci_branch {
    struct pci_host *host;
    const struct pci_branch *above; /* NULL: the host's own */
    uint8_t number, depth;
    uint8_t slot;     /* of the bridge on the bus above */
    bool passes_high; /* prefetchable memory above 4 GiB gets here */
    bool is_shared;   /* conventional: what is on it writes memory in the bridge's name */
    bool is_link;     /* PCI Express: there is only slot 0 */
    void *config;     /* registers of all its functions */
};

/* Reads `ranges` into the windows. -EINVAL (logged). */
int pci_read_windows(struct pci_host *host);
/* Finds what is behind the host, places BARs and bridges' windows, gives functions to drivers. */
void pci_enumerate(struct pci_host *host);
/* Sizes and places the first `count` BARs, then lets the function decode memory. -ENOSPC (logged):
 * one has no place, and nothing is decoded. */
int pci_set_up_bars(struct pci_device *device, unsigned count);

#endif
