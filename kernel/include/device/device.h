/* SPDX-License-Identifier: MIT */
/*
 * Devices and drivers. A driver is one file that ends with its table of matches and a DRIVER()
 * line; nothing else names it. Matching is by hash of `compatible` for firmware nodes, by id for
 * buses that have ids (PCI, virtio, xenbus bring their own struct bus).
 */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include <device/firmware.h>
#include <lib/compiler.h>
#include <lib/list.h>

struct match {
    const char *compatible; /* on the firmware bus; NULL ends the table */
    uint32_t id;            /* on other buses; 0 ends the table */
    const void *data;       /* the driver's: a variant's operations or numbers */
};

enum probe_stage {
    PROBE_IRQCHIP, /* no interrupts, no timers yet */
    PROBE_TIMER,   /* interrupts can be requested, time stands still */
    PROBE_CLOCK,   /* the clock of the day: what the first program may have to have ends here */
    PROBE_CONSOLE, /* from here on calls may sleep; beside the first program, where it can be */
    PROBE_MSI,     /* who takes message interrupts, for the devices */
    PROBE_DEVICE,
    PROBE_STAGES,
};

struct bus {
    const char *name;
};

extern const struct bus firmware_bus;

struct driver {
    const char *name;
    const struct bus *bus;
    enum probe_stage stage;
    const struct match *match;
    /* 0: the device is the driver's; -EAGAIN: what it depends on is not there yet, try again later
     * in this stage; -ENODEV: not here after all, silently; else logged. */
    int (*probe)(struct device *device);
    /* Consoles only, before drivers: sends text by polling. The registers of the one that is used
     * are readied first, if `early_init` is not NULL; what is received from then on waits for
     * probe(). */
    void (*early_init)(void *registers, const struct match *match);
    void (*early_write)(void *registers, const char *text, size_t size);
};

struct device {
    const char *name; /* the node's, or the bus's */
    const struct bus *bus;
    const struct driver *driver;
    const struct match *match;
    struct fw_node *node; /* NULL on a bus without firmware nodes */
    void *data;           /* the driver's */
    struct list_node list;
};

/* An entry of the driver table; unit tests find a driver by the entry's name. */
#ifdef UNIT_TEST
#define DRIVER(driver_) const struct driver *const CONCAT(driver_entry_, driver_) = &(driver_)
#else
#define DRIVER(driver_)                                              \
    static const struct driver *const CONCAT(driver_entry_, driver_) \
        __used __section(".drivers") = &(driver_)
#endif

/* Matches every node once; the tree has been read. */
void device_match_all(void);
/* Probes what is matched for a stage. Before PROBE_CONSOLE: boot CPU, interrupts off. */
void device_probe(enum probe_stage stage);
/* Drivers that are built in, devices found, nodes that no driver claims: to the log, level debug.
 */
void device_log_all(void);

/* The driver and the match for a node, without probing: NULL if none (early console). */
const struct driver *device_find_driver(const struct fw_node *node, const struct match **match);

/* For buses: the driver on `bus` that has `id` in its table, NULL if none. */
const struct driver *device_find_driver_by_id(const struct bus *bus, uint32_t id,
                                              const struct match **match);
/* For buses: calls probe and keeps the device in the list. */
int device_add(struct device *device);
#define device_for_each(device) list_for_each_entry (device, &device_list, list)
extern struct list_node device_list;

/* --- resources, for probe functions; they log what is wrong ----------------------------------- */

/* Maps registers `index`, which must have at least `size` bytes. NULL on failure (logged). */
void *device_map_registers(const struct device *device, unsigned index, size_t size);
int device_registers(const struct device *device, unsigned index, paddr_t *base, uint64_t *size);

/* The number of interrupt `index` for irq_request(), its trigger set; -errno. */
int device_irq(const struct device *device, unsigned index);
/* The same for an interrupt that was found otherwise; name and index are for messages. */
int device_irq_of(const char *name, unsigned index, const struct fw_interrupt *interrupt);
int device_irq_named(const struct device *device, const char *name);

#endif
