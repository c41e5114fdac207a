/* SPDX-License-Identifier: MIT */
/*
 * Generic Interrupt Controller version 2 (Arm IHI 0048B) and the GIC-400: one distributor, a CPU
 * interface banked per CPU, up to 8 CPUs. Interrupts are handled with EOImode 0: one write drops
 * the priority and deactivates. Virtualisation and GICv2m registers are left alone.
 */
#include "gic.h"

#include <arch/barrier.h>
#include <arch/el3.h>
#include <core/ipi.h>
#include <core/log.h>
#include <core/percpu.h>
#include <device/device.h>
#include <lib/errno.h>

#define GICC_CTLR 0x00
#define GICC_PMR  0x04
#define GICC_BPR  0x08
#define GICC_IAR  0x0c
#define GICC_EOIR 0x10

#define GICC_SIZE 0x100

#define GICD_CTLR_ENABLE_BOTH 3U /* groups 0 and 1, as the secure world sees it */
#define GICC_CTLR_ENABLE_BOTH 3U

#define GICV2_CPUS 8

static struct {
    void *distributor, *cpu_interface;
    paddr_t distributor_phys, cpu_interface_phys; /* for EL3 only */
    uint8_t cpu_mask[GICV2_CPUS]; /* the CPU's bit in ITARGETSR and SGIR, by logical number */
} gic;

static void gicv2_handle(struct irqchip *chip)
{
    for (;;) {
        uint32_t claim = readl(gic.cpu_interface + GICC_IAR);
        unsigned hw = claim & 0x3ff;

        if (hw >= GIC_LINES_MAX) { /* section 3.2.2: 1023 is no interrupt */
            return;
        }
        if (hw < GIC_SGI_COUNT)
            ipi_dispatch(hw);
        else
            irq_dispatch(chip, hw);
        /* What came from IAR goes back whole: for an SGI it names the sender (section 4.4.5). */
        writel(claim, gic.cpu_interface + GICC_EOIR);
    }
}

static void gicv2_mask(struct irqchip *chip, unsigned hw)
{
    (void)chip;
    writel_relaxed(1U << hw % 32, gic.distributor + GICD_ICENABLER + hw / 32 * 4);
    /* The read returns when the distributor has taken the write: both go to the same device. */
    readl_relaxed(gic.distributor + GICD_ICENABLER + hw / 32 * 4);
}

static void gicv2_unmask(struct irqchip *chip, unsigned hw)
{
    (void)chip;
    writel(1U << hw % 32, gic.distributor + GICD_ISENABLER + hw / 32 * 4);
}

static int gicv2_set_trigger(struct irqchip *chip, unsigned hw, enum irq_trigger trigger)
{
    (void)chip;
    return gic_set_trigger(gic.distributor, hw, trigger);
}

static int gicv2_set_affinity(struct irqchip *chip, unsigned hw, unsigned cpu)
{
    (void)chip;
    if (cpu >= GICV2_CPUS || gic.cpu_mask[cpu] == 0)
        return -EINVAL;
    writeb(gic.cpu_mask[cpu], gic.distributor + GICD_ITARGETSR + hw);
    return 0;
}

static void gicv2_send_ipi(struct irqchip *chip, const struct cpumask *mask, unsigned ipi)
{
    uint32_t targets = 0;
    unsigned cpu;

    (void)chip;
    cpumask_for_each (cpu, mask)
        targets |= cpu < GICV2_CPUS ? gic.cpu_mask[cpu] : 0;
    dsb(ishst); /* the targets' handlers see what was written before */
    writel_relaxed(targets << 16 | ipi, gic.distributor + GICD_SGIR);
}

/* The CPU interface's own number: the banked target registers of the SGIs show it (4.3.12). */
static __cold uint8_t read_cpu_mask(void)
{
    uint32_t mask = 0;

    for (unsigned offset = 0; offset < GIC_PRIVATE && mask == 0; offset += 4)
        mask = readl_relaxed(gic.distributor + GICD_ITARGETSR + offset);
    mask |= mask >> 16;
    mask |= mask >> 8;
    return (mask & 0xff) != 0 ? (uint8_t)mask : 1; /* a GIC for one CPU reads as zero */
}

/* Entered at EL3: this CPU's private lines and priority mask for the non-secure world, which can
 * set neither itself (sections 4.3.4, 4.4.2, 4.6.4). */
static __cold void open_to_nonsecure(void)
{
    if (!el3_is_ours())
        return;
    el3_write32(gic.distributor_phys + GICD_IGROUPR, ~0U);
    el3_write32(gic.cpu_interface_phys + GICC_PMR, 0xff);
    el3_write32(gic.cpu_interface_phys + GICC_CTLR, GICC_CTLR_ENABLE_BOTH);
    el3_seal();
}

static __cold void gicv2_cpu_init(struct irqchip *chip)
{
    unsigned cpu = this_cpu()->id;

    (void)chip;
    if (cpu >= GICV2_CPUS) {
        log_error("CPU %u: GICv2 serves only %u CPUs; no interrupts there", cpu, GICV2_CPUS);
        return;
    }
    open_to_nonsecure();
    gic.cpu_mask[cpu] = read_cpu_mask();
    writel_relaxed(0xffff0000U, gic.distributor + GICD_ICENABLER);
    gic_deactivate(gic.distributor, 0);
    for (unsigned hw = 0; hw < GIC_PRIVATE; hw += 4)
        writel_relaxed(GIC_PRIORITY * 0x01010101U, gic.distributor + GICD_IPRIORITYR + hw);
    writel_relaxed(0x0000ffffU, gic.distributor + GICD_ISENABLER);
    writel_relaxed(GIC_PRIORITY_ALL, gic.cpu_interface + GICC_PMR);
    writel_relaxed(0, gic.cpu_interface + GICC_BPR);
    writel(1, gic.cpu_interface + GICC_CTLR);
}

static const struct irqchip_ops gicv2_ops = {
    .cpu_init = gicv2_cpu_init,
    .handle = gicv2_handle,
    .mask = gicv2_mask,
    .unmask = gicv2_unmask,
    .set_trigger = gicv2_set_trigger,
    .set_affinity = gicv2_set_affinity,
    .translate = gic_translate,
    .send_ipi = gicv2_send_ipi,
};

static struct irqchip gicv2_chip = {
    .name = "GICv2",
    .ops = &gicv2_ops,
    .per_cpu_count = GIC_PRIVATE,
};

static __cold int gicv2_probe(struct device *device)
{
    uint8_t boot_mask;
    uint64_t size;
    int error;

    if (gic.distributor != NULL)
        return -ENODEV;
    gic.distributor = device_map_registers(device, 0, 0x1000);
    gic.cpu_interface = device_map_registers(device, 1, GICC_SIZE);
    if (gic.distributor == NULL || gic.cpu_interface == NULL)
        return -EINVAL;
    if (el3_is_ours() && (device_registers(device, 0, &gic.distributor_phys, &size) != 0 ||
                          device_registers(device, 1, &gic.cpu_interface_phys, &size) != 0))
        return -EINVAL;
    gicv2_chip.line_count = gicd_line_count(gic.distributor);
    gicd_open_to_nonsecure(gic.distributor_phys, gicv2_chip.line_count, GICD_CTLR_ENABLE_BOTH);
    writel_relaxed(0, gic.distributor + GICD_CTLR);
    gicd_init_spis(gic.distributor, gicv2_chip.line_count, 0);
    boot_mask = read_cpu_mask();
    for (unsigned hw = GIC_PRIVATE; hw < gicv2_chip.line_count; hw += 4)
        writel_relaxed(boot_mask * 0x01010101U, gic.distributor + GICD_ITARGETSR + hw);
    writel(1, gic.distributor + GICD_CTLR);
    error = irqchip_register(&gicv2_chip);
    if (error == 0)
        device->node->irqchip = &gicv2_chip;
    return error;
}

static const struct match gicv2_match[] = {
    {.compatible = "arm,cortex-a15-gic"},
    {.compatible = "arm,gic-400"},
    {.compatible = "arm,cortex-a7-gic"},
    {.compatible = "arm,cortex-a9-gic"},
    {0},
};

static const struct driver gicv2 = {
    .name = "gicv2",
    .bus = &firmware_bus,
    .stage = PROBE_IRQCHIP,
    .match = gicv2_match,
    .probe = gicv2_probe,
};
DRIVER(gicv2);
