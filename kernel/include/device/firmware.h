/* SPDX-License-Identifier: MIT */
/*
 * The machine as the firmware describes it: a tree of nodes with properties, whether it came from a
 * device tree or was made from ACPI tables. It is built once on the boot CPU (device/dt.h) and only
 * read afterwards, so nothing here takes a lock; any context. Text and values stay in the tree's
 * memory, which is hostile until checked: every function checks what it reads, and those that
 * return an error for a malformed property say so in the log, with the path of the node.
 */
#ifndef DEVICE_FIRMWARE_H
#define DEVICE_FIRMWARE_H

#include <lib/compiler.h>
#include <lib/types.h>

struct device;
struct irqchip;

#define FW_NODE_NONE 0xffff /* as an index */

enum fw_node_flags {
    FW_DISABLED = 0x01,   /* `status` is neither "okay" nor "ok" */
    FW_MEMORY = 0x02,     /* device_type = "memory" */
    FW_CPU = 0x04,        /* device_type = "cpu" */
    FW_INTERRUPTS = 0x08, /* has interrupt-controller */
    FW_PHANDLE = 0x10,    /* phandle is from `phandle`, not from `linux,phandle` */
};

struct fw_node {
    uint16_t parent, child, next; /* indices of nodes */
    uint32_t phandle;             /* 0: none */
    uint32_t name;                /* offset of the name in the tree */
    uint32_t properties;          /* offset of the first property */
    uint32_t compatible;          /* offset of the value, 0: none */
    uint32_t compatible_size;
    uint8_t address_cells, size_cells; /* what it sets for its children; 2 and 1 unless said */
    uint8_t flags;
    uint16_t match;          /* device.c: index of the matched driver entry */
    uint16_t next_in_stage;  /* device.c */
    struct device *device;   /* once probed */
    struct irqchip *irqchip; /* set by an interrupt controller's driver */
};

/* All nodes, in document order: parents first. */
extern struct fw_nodes {
    struct fw_node *first, *end;
} fw_nodes;

static inline struct fw_node *fw_node_at(unsigned index)
{
    struct fw_node *node = fw_nodes.first + index;

    return node < fw_nodes.end ? node : NULL;
}

static inline struct fw_node *fw_root(void) /* NULL before a tree was read */
{
    return fw_node_at(0);
}

static inline struct fw_node *fw_parent(const struct fw_node *node)
{
    return fw_node_at(node->parent);
}

static inline struct fw_node *fw_first_child(const struct fw_node *node)
{
    return fw_node_at(node->child);
}

static inline struct fw_node *fw_next_sibling(const struct fw_node *node)
{
    return fw_node_at(node->next);
}

unsigned fw_node_count(void);

#define fw_for_each_child(node, parent) \
    for ((node) = fw_first_child(parent); (node) != NULL; (node) = fw_next_sibling(node))
#define fw_for_each(node) for ((node) = fw_nodes.first; (node) < fw_nodes.end; (node)++)

/* With its unit address: "pl011@9000000". */
const char *fw_name(const struct fw_node *node);
/* "/soc/serial@0" into `to`, cut at the front if it does not fit; returns `to`. */
char *fw_path(const struct fw_node *node, char *to, size_t size);
#define FW_PATH_MAX 96

/* "/path", "alias" or "alias/path", up to NUL or ':'. A component may leave out its unit address if
 * that is clear. */
struct fw_node *fw_find_path(const char *path);
/* What the loader passed in /chosen, "" if nothing. */
const char *fw_boot_arguments(void);
struct fw_node *fw_find_phandle(uint32_t phandle);
/* The child with that name, with or without unit address. */
struct fw_node *fw_find_child(const struct fw_node *parent, const char *name);
/* The first enabled node after `from` (NULL: any) with that string in its `compatible`. */
struct fw_node *fw_find_compatible(const struct fw_node *from, const char *compatible);
bool fw_is_compatible(const struct fw_node *node, const char *compatible);
/* The index-th string of `compatible`, NULL past the end. */
const char *fw_compatible(const struct fw_node *node, unsigned index);

static inline bool fw_is_enabled(const struct fw_node *node)
{
    return !(node->flags & FW_DISABLED);
}

/* The value, 4-byte aligned, and its size in bytes; NULL if absent. */
const void *fw_property(const struct fw_node *node, const char *name, uint32_t *size);
bool fw_has_property(const struct fw_node *node, const char *name);
/* 0; -ENOENT: absent, *value is left; -EINVAL: not of that size (logged). */
int fw_property_u32(const struct fw_node *node, const char *name, uint32_t *value);
int fw_property_u64(const struct fw_node *node, const char *name,
                    uint64_t *value); /* 1 or 2 cells */
/* Cell `index` of a list of cells: -ENOENT past its end. */
int fw_property_cell(const struct fw_node *node, const char *name, unsigned index, uint32_t *value);
/* The first (index-th) string; NULL if absent, past the end, or not terminated (logged). */
const char *fw_property_string(const struct fw_node *node, const char *name);
const char *fw_property_string_at(const struct fw_node *node, const char *name, unsigned index);

/*
 * Registers or memory `index` of a node: its `reg` by the parent's #cells, translated by the
 * `ranges` of every bus above to a CPU address. -ENOENT: no such index; -EINVAL: a bad property
 * (logged); -ENXIO: not visible to the CPU (a parent has no `ranges`); -ERANGE: over 64 bits.
 */
int fw_reg(const struct fw_node *node, unsigned index, paddr_t *base, uint64_t *size);
/* Raw address without translation: a CPU's MPIDR, a bus number. */
int fw_reg_raw(const struct fw_node *node, unsigned index, uint64_t *address);

#define FW_INTERRUPT_CELLS_MAX 8

struct fw_interrupt {
    struct fw_node *controller;
    uint32_t cell[FW_INTERRUPT_CELLS_MAX];
    unsigned cell_count;
};

/* Interrupt `index`, from interrupts-extended or interrupts with the inherited parent. Errors as
 * fw_reg; -ENODEV: no controller. */
int fw_interrupt(const struct fw_node *node, unsigned index, struct fw_interrupt *interrupt);
/* What interrupt-map makes of a child's unit: the cells of its address and of its own specifier
 * (for PCI three and the pin). -ENOENT: no entry. */
int fw_interrupt_map(const struct fw_node *node, const uint32_t *unit, unsigned unit_cells,
                     struct fw_interrupt *interrupt);
/* The same by its name in interrupt-names; -ENOENT. */
int fw_interrupt_index(const struct fw_node *node, const char *name);

#endif
