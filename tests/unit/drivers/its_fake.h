/* SPDX-License-Identifier: MIT */
/*
 * An Interrupt Translation Service with the redistributors of two CPUs, as the test's own reading
 * of Arm IHI 0069 chapters 5 and 12.19 has them. It takes commands out of the queue, looks whether
 * they make sense, and remembers what they say; or it does not answer. Memory is an arena, whose
 * pages are counted.
 */
#ifndef UNIT_ITS_FAKE_H
#define UNIT_ITS_FAKE_H

#include <core/irqchip.h>
#include <device/msi.h>

#define FAKE_ITS   0x08080000UL
#define FAKE_CPUS  2U
#define FAKE_EVENT 1024U
#define FAKE_IRQ   1000U /* first_irq of the chip that is registered */

#define FAKE_REDISTRIBUTOR(cpu) (0x080a0000UL + (cpu)*0x20000UL)

enum its_answer { ITS_TAKES, ITS_SILENT, ITS_STALLS, ITS_WILD };

struct its_event {
    uint32_t device, event, lpi, cpu;
    bool is_mapped;
};

struct its_fake {
    struct fw_node node;
    /* What it is like: before fake_its_probe(). */
    uint64_t type;           /* GITS_TYPER */
    unsigned page_size;      /* 0, 1, 2: the only one that its tables take; 3: any */
    bool is_flat;            /* no two levels */
    bool no_caches;          /* its registers keep no shareability */
    bool never_rests;        /* GITS_CTLR.Quiescent stays clear */
    bool has_no_lpis;        /* GICD_TYPER */
    bool lpis_in_use;        /* GICR_CTLR */
    bool no_redistributor;   /* of CPU 1 */
    uint64_t registers_size; /* in the tree */
    enum its_answer answer;  /* from the command with this number on */
    unsigned answer_from;
    unsigned allocations_left; /* of the arena, then none */
    bool cannot_map;           /* device_map() */

    /* What it was told. */
    struct msi_controller *controller;
    struct irqchip *chip, *lpi_chip;
    uint32_t control;
    uint64_t queue, writer, reader, table[8];
    uint64_t configurations, pending[FAKE_CPUS];
    uint32_t lpi_control[FAKE_CPUS];
    uint64_t target[FAKE_CPUS]; /* of the collection with that number; bit 63: mapped */
    uint32_t itt_device[4];
    uint64_t itt[4]; /* bit 63: mapped */
    unsigned itt_bits[4];
    struct its_event event[FAKE_EVENT];
    unsigned commands, syncs, invalidations;
    const void *cleaned; /* the last piece of memory that was */
    unsigned pages, mappings;
};

extern struct its_fake its_fake;

/* An ITS like QEMU's, of a machine that has just started. */
void fake_its_reset(void);
/* Gives it to the driver. */
int fake_its_probe(void);
/* The mapping of a device's event, NULL. */
const struct its_event *fake_its_event(uint32_t device, uint32_t event);
/* Whether the table of configurations enables a line. */
bool fake_its_enabled(uint32_t lpi);

#endif
