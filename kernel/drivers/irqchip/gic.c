/* SPDX-License-Identifier: MIT */
/*
 * The distributor as GICv2 and GICv3 share it (Arm IHI 0048B, IHI 0069), and the interrupt
 * specifiers of the bindings arm,gic.yaml and arm,gic-v3.yaml. Extended SPI and PPI ranges are left
 * out.
 */
#include "gic.h"

#include <arch/el3.h>
#include <lib/errno.h>

unsigned gicd_line_count(const void *distributor)
{
    unsigned count = 32 * ((readl_relaxed(distributor + GICD_TYPER) & 0x1f) + 1);

    return count < GIC_LINES_MAX ? count : GIC_LINES_MAX;
}

void gicd_open_to_nonsecure(paddr_t distributor, unsigned line_count, uint32_t control)
{
    if (!el3_is_ours())
        return;
    el3_write32(distributor + GICD_CTLR, 0);
    for (unsigned hw = GIC_PRIVATE; hw < line_count; hw += 32)
        el3_write32(distributor + GICD_IGROUPR + hw / 8, ~0U);
    el3_write32(distributor + GICD_CTLR, control);
}

void gic_deactivate(void *registers, unsigned first_hw)
{
    uint32_t active = readl_relaxed(registers + GICD_ISACTIVER + first_hw / 8);

    if (active != 0)
        writel_relaxed(active, registers + GICD_ICACTIVER + first_hw / 8);
}

void gicd_init_spis(void *distributor, unsigned line_count, unsigned group)
{
    for (unsigned hw = GIC_PRIVATE; hw < line_count; hw += 32) {
        writel_relaxed(~0U, distributor + GICD_ICENABLER + hw / 8);
        gic_deactivate(distributor, hw);
        writel_relaxed(group ? ~0U : 0, distributor + GICD_IGROUPR + hw / 8);
    }
    for (unsigned hw = GIC_PRIVATE; hw < line_count; hw += 16)
        writel_relaxed(0, distributor + GICD_ICFGR + hw / 4);
    for (unsigned hw = GIC_PRIVATE; hw < line_count; hw += 4)
        writel_relaxed(GIC_PRIORITY * 0x01010101U, distributor + GICD_IPRIORITYR + hw);
}

/* Two bits a line, the upper one: edge. PPIs may have it fixed: what they keep is what they are. */
int gic_set_trigger(void *registers, unsigned hw, enum irq_trigger trigger)
{
    void *config = registers + GICD_ICFGR + hw / 16 * 4;
    uint32_t bit = 2U << (hw % 16 * 2), old = readl_relaxed(config);
    bool is_edge = trigger == IRQ_EDGE_RISING || trigger == IRQ_EDGE_FALLING;
    uint32_t new = is_edge ? old | bit : old & ~bit;

    if (hw < GIC_SGI_COUNT)
        return -EINVAL;
    if (new == old)
        return 0;
    writel_relaxed(new, config);
    if (readl_relaxed(config) != new &&hw >= GIC_PRIVATE)
        return -EINVAL;
    return 0;
}

int gic_translate(struct irqchip *chip, const uint32_t *cell, unsigned count, unsigned *hw,
                  enum irq_trigger *trigger)
{
    static const uint8_t trigger_of[16] = {
        [1] = IRQ_EDGE_RISING,
        [2] = IRQ_EDGE_FALLING,
        [4] = IRQ_LEVEL_HIGH,
        [8] = IRQ_LEVEL_LOW,
    };

    if (count < 3)
        return -EINVAL;
    if (cell[0] == 0 && cell[1] < chip->line_count - GIC_PRIVATE)
        *hw = GIC_PRIVATE + cell[1];
    else if (cell[0] == 1 && cell[1] < GIC_PRIVATE - GIC_SGI_COUNT)
        *hw = GIC_SGI_COUNT + cell[1];
    else
        return -EINVAL;
    *trigger = (enum irq_trigger)trigger_of[cell[2] & 0xf];
    return 0;
}
