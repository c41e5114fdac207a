/* SPDX-License-Identifier: MIT */
/*
 * Locality-specific interrupts (Arm IHI 0069 section 5.1): one table of configurations for all
 * redistributors, a byte a line, and a table of pending bits for each, which is the
 * redistributor's alone. Tables that firmware left enabled are not taken over.
 */
#include "gic.h"
#include "gicv3.h"

#include <arch/barrier.h>
#include <arch/cpu.h>
#include <core/log.h>
#include <core/percpu.h>
#include <lib/errno.h>
#include <mm/page.h>

#define GICD_TYPER_LPIS (1U << 17)

#define GICR_CTLR      0x00
#define GICR_PROPBASER 0x70
#define GICR_PENDBASER 0x78

#define GICR_CTLR_ENABLE_LPIS (1U << 0)
#define GICR_CACHE_SHIFT      7           /* InnerCache of both registers */
#define PENDBASER_ZERO        (1UL << 62) /* the table is all zero */

#define LPI_GROUP1 2U /* bit 1 of a configuration reads as one */
#define LPI_ENABLE 1U

#define CONFIG_ORDER  1U /* 8 KiB: (1 << GIC_LPI_BITS) - GIC_LPI_FIRST lines */
#define PENDING_ORDER 4U /* 64 KiB of alignment, of which the first page is used */

static uint8_t *config; /* by line */
static bool config_is_coherent = true;

void *gicv3_table_alloc(unsigned order)
{
    struct page *pages = page_alloc(order, PAGE_ZERO);

    if (pages == NULL)
        return NULL;
    dcache_clean_invalidate_poc(page_virt(pages), PAGE_SIZE << order);
    return page_virt(pages);
}

/* Section 6.6.1: the register keeps what the GIC can do. */
bool gicv3_table_offer(void *address, uint64_t value, unsigned cache_shift)
{
    writeq(value | GIC_TABLE_SHARED | GIC_TABLE_CACHED << cache_shift, address);
    if (readq(address) & GIC_TABLE_SHARE_MASK)
        return true;
    writeq(value | GIC_TABLE_UNCACHED << cache_shift, address);
    return false;
}

/* The first page of 64 KiB: the others go back. */
static void *pending_table(void)
{
    uint8_t *table = gicv3_table_alloc(PENDING_ORDER);

    for (unsigned order = 0; table != NULL && order < PENDING_ORDER; order++)
        page_free(virt_page(table + (PAGE_SIZE << order)), order);
    return table;
}

static int start_cpu(unsigned cpu)
{
    void *control, *pending;
    paddr_t phys;

    if (!gicv3_redistributor(cpu, &control, &phys))
        return -ENODEV;
    if (readl(control + GICR_CTLR) & GICR_CTLR_ENABLE_LPIS) {
        log_error("GICv3: LPIs of CPU %u are in use already; no message interrupts", cpu);
        return -EBUSY;
    }
    pending = pending_table();
    if (pending == NULL)
        return -ENOMEM;
    config_is_coherent &= gicv3_table_offer(
        control + GICR_PROPBASER, virt_phys(config) | (GIC_LPI_BITS - 1), GICR_CACHE_SHIFT);
    gicv3_table_offer(control + GICR_PENDBASER, virt_phys(pending) | PENDBASER_ZERO,
                      GICR_CACHE_SHIFT);
    dsb(sy); /* the tables before they are looked at */
    writel(readl(control + GICR_CTLR) | GICR_CTLR_ENABLE_LPIS, control + GICR_CTLR);
    dsb(sy);
    return 0;
}

int gicv3_lpi_start(void)
{
    unsigned cpu;

    if (!(gicv3_type() & GICD_TYPER_LPIS))
        return -ENODEV;
    config = gicv3_table_alloc(CONFIG_ORDER);
    if (config == NULL)
        return -ENOMEM;
    for (unsigned line = 0; line < GIC_LPI_COUNT; line++)
        gicv3_lpi_enable(line, false);
    cpumask_for_each (cpu, &cpu_online_mask) {
        int error = start_cpu(cpu);

        if (error != 0)
            return error; /* what CPUs were told of stays theirs */
    }
    return 0;
}

void gicv3_lpi_enable(unsigned line, bool on)
{
    config[line] = GIC_PRIORITY | LPI_GROUP1 | (on ? LPI_ENABLE : 0);
    if (config_is_coherent)
        dsb(ishst); /* before the command that makes caches of it read it again */
    else
        dcache_clean_invalidate_poc(&config[line], 1);
}
