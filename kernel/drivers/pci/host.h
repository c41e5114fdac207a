/* SPDX-License-Identifier: MIT */
/* What a host bridge gives to the enumeration of what is behind it. */
#ifndef DRIVERS_PCI_HOST_H
#define DRIVERS_PCI_HOST_H

#include <device/pci.h>

/* A stretch of bus addresses that the CPU reaches; BARs are placed from `next` on. */
struct pci_window {
    paddr_t cpu;
    uint64_t bus, size, next; /* next: offset of the first free byte */
};

struct pci_host {
    struct fw_node *node;
    const char *name;
    struct pci_window low, high; /* memory below and above 4 GiB of bus addresses; size 0: none */
    /* The registers of a function on the host's first bus; NULL: out of reach. */
    void *(*config)(struct pci_host *host, unsigned slot, unsigned function);
    void *data;
};

/* Finds the functions of the first bus, places their BARs, gives them to drivers. */
void pci_enumerate(struct pci_host *host);

#endif
