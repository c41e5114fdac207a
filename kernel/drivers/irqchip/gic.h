/* SPDX-License-Identifier: MIT */
/*
 * What GICv2 and GICv3 share: the distributor's registers for shared interrupts (SPIs) and the
 * meaning of interrupt specifiers. Arm IHI 0048B chapter 4.3, IHI 0069 chapter 12.9.
 */
#ifndef DRIVERS_IRQCHIP_GIC_H
#define DRIVERS_IRQCHIP_GIC_H

#include <arch/mmio.h>
#include <core/irqchip.h>

#define GICD_CTLR       0x000
#define GICD_TYPER      0x004
#define GICD_IGROUPR    0x080
#define GICD_ISENABLER  0x100
#define GICD_ICENABLER  0x180
#define GICD_ISACTIVER  0x300
#define GICD_ICACTIVER  0x380
#define GICD_IPRIORITYR 0x400
#define GICD_ITARGETSR  0x800
#define GICD_ICFGR      0xc00
#define GICD_SGIR       0xf00
#define GICD_IROUTER    0x6000

#define GIC_SGI_COUNT    16
#define GIC_PRIVATE      32   /* SGIs and PPIs: per CPU */
#define GIC_LINES_MAX    1020 /* numbers from here on are special: 1023 is 'none pending' */
#define GIC_PRIORITY     0xa0 /* one for all: nothing preempts an interrupt handler */
#define GIC_PRIORITY_ALL 0xf0 /* mask that lets GIC_PRIORITY through */

/* SPIs and PPIs that the distributor has, from GICD_TYPER. */
unsigned gicd_line_count(const void *distributor);
/* Entered at EL3 there was no firmware: gives all SPIs to the non-secure world. `distributor` and
 * CTLR's value as the secure world sees it. Nothing otherwise. */
void gicd_open_to_nonsecure(paddr_t distributor, unsigned line_count, uint32_t control);
/* Ends what a loader left active among 32 lines; Xen has no such register, and none active. */
void gic_deactivate(void *registers, unsigned first_hw);
/* All SPIs masked, inactive, level-triggered, at GIC_PRIORITY, in `group` 0 or 1. */
void gicd_init_spis(void *distributor, unsigned line_count, unsigned group);
/* `registers` is the distributor, or a redistributor's SGI frame for private lines. */
int gic_set_trigger(void *registers, unsigned hw, enum irq_trigger trigger);
int gic_translate(struct irqchip *chip, const uint32_t *cell, unsigned count, unsigned *hw,
                  enum irq_trigger *trigger);

#endif
