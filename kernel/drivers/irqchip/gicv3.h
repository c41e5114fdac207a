/* SPDX-License-Identifier: MIT */
/*
 * What a GICv3 gives to its parts that make interrupts of messages (Arm IHI 0069): gicv3_lpi.c has
 * the tables that all redistributors share, gicv3_its.c translates messages. All of it is set up
 * when the first device wants a message interrupt.
 */
#ifndef DRIVERS_IRQCHIP_GICV3_H
#define DRIVERS_IRQCHIP_GICV3_H

#include <core/irqchip.h>

#define GIC_LPI_FIRST 8192U /* numbers of LPIs */
#define GIC_LPI_BITS  14U   /* of a number: the fewest that there can be (section 5.1.1) */
#define GIC_LPI_COUNT 512U  /* lines that we give out */

/* Attributes of a table's memory: shareability in the same bits of all registers that hold one. */
#define GIC_TABLE_SHARED     (1UL << 10) /* inner shareable */
#define GIC_TABLE_SHARE_MASK (3UL << 10)
#define GIC_TABLE_CACHED     7UL /* write-back, read- and write-allocate, in the register's place */
#define GIC_TABLE_UNCACHED   1UL

/* gicv3.c: the registers of an online CPU's redistributor, first frame. False: it has none. */
bool gicv3_redistributor(unsigned cpu, void **control, paddr_t *phys);
/* GICD_TYPER. */
uint32_t gicv3_type(void);
/* Interrupts from GIC_LPI_FIRST on are this chip's, from its line 0 on. */
void gicv3_set_lpi_chip(struct irqchip *chip);

/* gicv3_lpi.c: makes the tables, and all online CPUs take LPIs. Once; -errno (logged). */
int gicv3_lpi_start(void);
/* Whether a line of LPIs is delivered; caches of it must be told afterwards (INV). Any context. */
void gicv3_lpi_enable(unsigned line, bool on);

/* Zeroed memory of 1 << order pages for a table, clean in memory. NULL: none. */
void *gicv3_table_alloc(unsigned order);
/*
 * Tells a register of a table with all its bits but shareability and inner cacheability, the latter
 * at `cache_shift`. False: the GIC does not see our caches; what is written later must be cleaned.
 */
bool gicv3_table_offer(void *address, uint64_t value, unsigned cache_shift);

#endif
