/* SPDX-License-Identifier: MIT */
/*
 * What PCI's files need around them: a tree that says what the test wants, a driver that takes
 * every function, and a controller of message interrupts. Registers lie at their physical
 * addresses; a test supplies them (arch/mmio.h).
 */
#ifndef UNIT_PCI_FAKE_H
#define UNIT_PCI_FAKE_H

#include "../../../kernel/drivers/pci/host.h"

#define FAKE_CONFIG    0x100000000000UL /* where the host's registers lie */
#define FAKE_FUNCTIONS 64U

struct pci_fake {
    struct fw_node node;   /* the host's */
    const uint8_t *ranges; /* its property */
    uint32_t ranges_size;
    uint32_t buses[2]; /* bus-range */
    uint64_t registers_size;
    struct pci_device *probed[FAKE_FUNCTIONS]; /* in order */
    unsigned probed_count;
    int probe_result; /* what the driver says */
    uint32_t unit[4]; /* asked of interrupt-map */
    int msi_error;    /* of msi_find() */
    unsigned attached, mapped, mapped_bytes;
};

extern struct pci_fake pci_fake;

/* Walks a host with these windows and buses. */
void pci_fake_walk(struct pci_host *host, struct pci_window low, struct pci_window high,
                   unsigned last_bus);
/* Gives everything back. */
void pci_fake_end(void);

#endif
