/* SPDX-License-Identifier: MIT */
/*
 * Generic Interrupt Controller version 3 and 4 (Arm IHI 0069): distributor with affinity routing, a
 * redistributor per CPU, CPU interface by system registers. All interrupts are in group 1. Message
 * interrupts are in gicv3_lpi.c and gicv3_its.c; direct injection is left out.
 */
#include "gicv3.h"
#include "gic.h"

#include <arch/barrier.h>
#include <arch/cpu.h>
#include <arch/el3.h>
#include <arch/sysreg.h>
#include <core/ipi.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <device/device.h>
#include <device/dt.h>
#include <lib/errno.h>
#include <mm/kwindow.h>
#include <mm/slab.h>

/* System registers by encoding (IHI 0069 section 12.2): assemblers differ in the names they know.
 */
#define ICC_PMR_EL1     s3_0_c4_c6_0
#define ICC_IAR1_EL1    s3_0_c12_c12_0
#define ICC_EOIR1_EL1   s3_0_c12_c12_1
#define ICC_BPR1_EL1    s3_0_c12_c12_3
#define ICC_CTLR_EL1    s3_0_c12_c12_4
#define ICC_SRE_EL1     s3_0_c12_c12_5
#define ICC_IGRPEN1_EL1 s3_0_c12_c12_7
#define ICC_SGI1R_EL1   s3_0_c12_c11_5

/* One step more, so that the names above are expanded before they become text. */
#define icc_read(name)         sysreg_read(name)
#define icc_write(name, value) sysreg_write(name, value)

#define GICD_CTLR_RWP (1U << 31)
#define GICD_CTLR_ARE (1U << 4)
#define GICD_CTLR_ENABLE_G1A \
    (1U << 1) /* group 1 with affinity routing; group 1 if there is one world */
#define GICD_CTLR_ENABLE_G1 (1U << 0)

#define GICD_CTLR_SECURE_ARE_BOTH (3U << 4) /* affinity routing, as the secure world sees it */

#define GICR_CTLR       0x00
#define GICR_TYPER      0x08
#define GICR_WAKER      0x14
#define GICR_FRAME_SIZE 0x10000UL
#define GICR_SGI_FRAME  GICR_FRAME_SIZE /* second frame: registers of the distributor's layout */

#define GICR_CTLR_RWP            (1U << 3)
#define GICR_TYPER_VLPIS         (1U << 1)
#define GICR_TYPER_LAST          (1U << 4)
#define GICR_WAKER_SLEEP         (1U << 1)
#define GICR_WAKER_CHILDREN_DOWN (1U << 2)

#define REGION_MAX 16
#define POLL_MAX   1000000U /* reads before a register that does not answer is given up */

struct redistributor {
    uint32_t affinity; /* Aff3.2.1.0, a byte each */
    void *control;     /* first frame; the pages used are mapped, not the whole */
    void *private;     /* SGI frame */
    paddr_t private_phys;
};

static struct {
    void *distributor;
    struct redistributor *redistributor; /* one a CPU of the tree */
    unsigned redistributor_count;
    struct redistributor *of_cpu[MAX_CPUS]; /* by logical number, from cpu_init on */
    uint64_t mpidr[MAX_CPUS];
    struct irqchip *lpi_chip; /* NULL: there are no LPIs */
} gic;

static uint32_t affinity_of(uint64_t mpidr)
{
    return (uint32_t)(mpidr & 0xffffff) | (uint32_t)(mpidr >> 32 & 0xff) << 24;
}

static void wait_clear(const void *address, uint32_t bits, const char *what)
{
    for (unsigned i = 0; readl_relaxed(address) & bits; i++) {
        if (i == POLL_MAX) {
            log_error("GICv3: %s does not answer; going on", what);
            return;
        }
        cpu_relax();
    }
}

static void *private_registers(void)
{
    return gic.of_cpu[this_cpu()->id]->private;
}

static void gicv3_handle(struct irqchip *chip)
{
    for (;;) {
        unsigned hw = (unsigned)icc_read(ICC_IAR1_EL1);

        dsb(sy); /* the acknowledge is done before the handler talks to the device (section 4.1.1)
                  */
        if (hw < GIC_SGI_COUNT)
            ipi_dispatch(hw);
        else if (hw < GIC_LINES_MAX)
            irq_dispatch(chip, hw);
        else if (hw >= GIC_LPI_FIRST && gic.lpi_chip != NULL)
            irq_dispatch(gic.lpi_chip, hw - GIC_LPI_FIRST);
        else
            return; /* 1020 to 1023 are no interrupts (section 2.2.1) */
        icc_write(ICC_EOIR1_EL1, hw);
        isb(); /* priority dropped before interrupts are unmasked or IAR is read again */
    }
}

static void gicv3_mask(struct irqchip *chip, unsigned hw)
{
    uint32_t bit = 1U << hw % 32;

    (void)chip;
    if (hw < GIC_PRIVATE) {
        writel_relaxed(bit, private_registers() + GICD_ICENABLER);
        wait_clear(gic.of_cpu[this_cpu()->id]->control + GICR_CTLR, GICR_CTLR_RWP,
                   "a redistributor");
        return;
    }
    writel_relaxed(bit, gic.distributor + GICD_ICENABLER + hw / 32 * 4);
    wait_clear(gic.distributor + GICD_CTLR, GICD_CTLR_RWP, "the distributor");
}

static void gicv3_unmask(struct irqchip *chip, unsigned hw)
{
    void *registers = hw < GIC_PRIVATE ? private_registers() : gic.distributor;

    (void)chip;
    writel(1U << hw % 32, registers + GICD_ISENABLER + hw / 32 * 4);
}

static int gicv3_set_trigger(struct irqchip *chip, unsigned hw, enum irq_trigger trigger)
{
    (void)chip;
    return gic_set_trigger(hw < GIC_PRIVATE ? private_registers() : gic.distributor, hw, trigger);
}

static int gicv3_set_affinity(struct irqchip *chip, unsigned hw, unsigned cpu)
{
    (void)chip;
    if (gic.of_cpu[cpu] == NULL)
        return -EINVAL;
    writeq(gic.mpidr[cpu], gic.distributor + GICD_IROUTER + 8UL * hw);
    return 0;
}

/* The fields of ICC_SGI1R_EL1 that all CPUs of one write share: Aff3-1 and the range of Aff0. */
static uint64_t sgi_cluster(uint64_t mpidr)
{
    return (mpidr >> 32 & 0xff) << 48 | (mpidr >> 16 & 0xff) << 32 | (mpidr >> 8 & 0xff) << 16 |
           (mpidr >> 4 & 0xf) << 44;
}

/* One write for each run of CPUs with the same upper affinity; numbers follow affinity. */
static void gicv3_send_ipi(struct irqchip *chip, const struct cpumask *mask, unsigned ipi)
{
    unsigned cpu = cpumask_first(mask);

    (void)chip;
    dsb(ishst); /* the targets' handlers see what was written before: a register write is no store
                 */
    while (cpu < MAX_CPUS) {
        uint64_t cluster = sgi_cluster(gic.mpidr[cpu]), list = 0;

        for (; cpu < MAX_CPUS && sgi_cluster(gic.mpidr[cpu]) == cluster;
             cpu = cpumask_next(mask, cpu + 1))
            list |= 1UL << (gic.mpidr[cpu] & 0xf);
        icc_write(ICC_SGI1R_EL1, cluster | (uint64_t)ipi << 24 | list);
    }
    isb();
}

bool gicv3_redistributor(unsigned cpu, void **control, paddr_t *phys)
{
    const struct redistributor *r = gic.of_cpu[cpu];

    if (r == NULL)
        return false;
    *control = r->control;
    *phys = r->private_phys - GICR_SGI_FRAME;
    return true;
}

uint32_t gicv3_type(void)
{
    return readl(gic.distributor + GICD_TYPER);
}

void gicv3_set_lpi_chip(struct irqchip *chip)
{
    WRITE_ONCE(gic.lpi_chip, chip);
}

/* Wakes this CPU's redistributor (section 11.1): it then accepts interrupts for the CPU. */
static __cold void wake_redistributor(void *control)
{
    uint32_t waker = readl_relaxed(control + GICR_WAKER);

    writel_relaxed(waker & ~GICR_WAKER_SLEEP, control + GICR_WAKER);
    wait_clear(control + GICR_WAKER, GICR_WAKER_CHILDREN_DOWN, "a sleeping redistributor");
}

static struct redistributor *find_redistributor(uint32_t affinity)
{
    for (unsigned i = 0; i < gic.redistributor_count; i++) {
        if (gic.redistributor[i].affinity == affinity && gic.redistributor[i].control != NULL)
            return &gic.redistributor[i];
    }
    return NULL;
}

static __cold void init_private_lines(const struct redistributor *r)
{
    void *private = r->private, *control = r->control;

    if (el3_is_ours()) /* there is no firmware that would have given them to us */
        el3_write32(r->private_phys + GICD_IGROUPR, ~0U);
    writel_relaxed(~0U, private + GICD_IGROUPR);
    writel_relaxed(0xffff0000U, private + GICD_ICENABLER);
    gic_deactivate(private, 0);
    for (unsigned hw = 0; hw < GIC_PRIVATE; hw += 4)
        writel_relaxed(GIC_PRIORITY * 0x01010101U, private + GICD_IPRIORITYR + hw);
    wait_clear(control + GICR_CTLR, GICR_CTLR_RWP, "a redistributor");
    writel_relaxed(0x0000ffffU, private + GICD_ISENABLER);
}

static __cold void init_cpu_interface(void)
{
    reg_t enable = icc_read(ICC_SRE_EL1) | 1;

    icc_write(ICC_SRE_EL1, enable);
    isb(); /* the other ICC registers exist from here on */
    if (!(icc_read(ICC_SRE_EL1) & 1))
        panic("GICv3: firmware or hypervisor keeps the system registers (ICC_SRE_EL1.SRE is 0)");
    icc_write(ICC_PMR_EL1, GIC_PRIORITY_ALL);
    icc_write(ICC_BPR1_EL1, 0);
    icc_write(ICC_CTLR_EL1, 0); /* EOImode 0: EOIR drops the priority and deactivates */
    icc_write(ICC_IGRPEN1_EL1, 1);
    isb();
}

static __cold void gicv3_cpu_init(struct irqchip *chip)
{
    unsigned cpu = this_cpu()->id;
    struct redistributor *r = find_redistributor(affinity_of(cpu_mpidr()));

    (void)chip;
    if (r == NULL)
        panic("GICv3: no redistributor for CPU %u, MPIDR 0x%lx", cpu, (unsigned long)cpu_mpidr());
    gic.of_cpu[cpu] = r;
    gic.mpidr[cpu] = cpu_mpidr();
    wake_redistributor(r->control);
    init_private_lines(r);
    init_cpu_interface();
    if (el3_is_ours())
        el3_seal();
}

static const struct irqchip_ops gicv3_ops = {
    .cpu_init = gicv3_cpu_init,
    .handle = gicv3_handle,
    .mask = gicv3_mask,
    .unmask = gicv3_unmask,
    .set_trigger = gicv3_set_trigger,
    .set_affinity = gicv3_set_affinity,
    .translate = gic_translate,
    .send_ipi = gicv3_send_ipi,
};

static struct irqchip gicv3_chip = {
    .name = "GICv3",
    .ops = &gicv3_ops,
    .per_cpu_count = GIC_PRIVATE,
};

/* Which CPU of the list has this affinity and no frames yet. */
static __cold struct redistributor *wanting(uint32_t affinity)
{
    for (unsigned i = 0; i < gic.redistributor_count; i++) {
        if (gic.redistributor[i].affinity == affinity)
            return gic.redistributor[i].control == NULL ? &gic.redistributor[i] : NULL;
    }
    return NULL;
}

/*
 * Walks the redistributors of one region; frames lie side by side, GICR_TYPER tells whose each is.
 * Of the frames of CPUs in the tree two pages are mapped, where the registers are: a region can
 * hold hundreds of CPUs. Returns how many CPUs were found.
 */
static __cold unsigned scan_region(paddr_t base, uint64_t size, uint64_t stride, unsigned missing)
{
    unsigned found = 0;

    for (uint64_t offset = 0; found < missing && offset + 2 * GICR_FRAME_SIZE <= size;) {
        void *control = device_map(base + offset, 0x1000);
        struct redistributor *r;
        uint64_t type;

        if (control == NULL)
            return found;
        type = readq_relaxed(control + GICR_TYPER);
        r = wanting((uint32_t)(type >> 32));
        if (r != NULL) {
            r->private_phys = base + offset + GICR_SGI_FRAME;
            r->private = device_map(r->private_phys, 0x1000);
            r->control = r->private != NULL ? control : NULL;
            found += r->control != NULL;
        }
        if (r == NULL || r->control == NULL)
            device_unmap(control, 0x1000);
        if (type & GICR_TYPER_LAST)
            break;
        offset += stride != 0               ? stride
                  : type & GICR_TYPER_VLPIS ? 4 * GICR_FRAME_SIZE
                                            : 2 * GICR_FRAME_SIZE;
    }
    return found;
}

static __cold int list_cpus(void)
{
    unsigned count = dt_cpu_count();
    struct dt_cpu cpu;

    gic.redistributor = kzalloc_array(count + 1, sizeof(*gic.redistributor));
    if (gic.redistributor == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        if (dt_cpu(i, &cpu) == 0 && cpu.mpidr != cpu_mpidr())
            gic.redistributor[gic.redistributor_count++].affinity = affinity_of(cpu.mpidr);
    }
    gic.redistributor[gic.redistributor_count++].affinity = affinity_of(cpu_mpidr());
    return 0;
}

static __cold int find_redistributors(const struct device *device)
{
    uint32_t regions = 1;
    uint64_t stride = 0;
    unsigned found = 0;
    int error = list_cpus();

    if (error != 0)
        return error;
    fw_property_u32(device->node, "#redistributor-regions", &regions);
    fw_property_u64(device->node, "redistributor-stride", &stride);
    if (regions == 0 || regions > REGION_MAX || (stride & (2 * GICR_FRAME_SIZE - 1)) != 0) {
        log_error("GICv3: %u redistributor regions with stride 0x%lx make no sense", regions,
                  (unsigned long)stride);
        return -EINVAL;
    }
    for (unsigned i = 0; i < regions && found < gic.redistributor_count; i++) {
        uint64_t size;
        paddr_t base;

        error = device_registers(device, 1 + i, &base, &size);
        if (error != 0)
            return error;
        found += scan_region(base, size, stride, gic.redistributor_count - found);
    }
    if (found < gic.redistributor_count)
        log_warn("GICv3: %u of %u CPUs have no redistributor", gic.redistributor_count - found,
                 gic.redistributor_count);
    return 0;
}

static __cold void init_distributor(paddr_t distributor)
{
    uint64_t boot_cpu = cpu_mpidr();

    gicd_open_to_nonsecure(distributor, gicv3_chip.line_count, GICD_CTLR_SECURE_ARE_BOTH);
    writel_relaxed(0, gic.distributor + GICD_CTLR);
    wait_clear(gic.distributor + GICD_CTLR, GICD_CTLR_RWP, "the distributor");
    gicd_init_spis(gic.distributor, gicv3_chip.line_count, 1);
    wait_clear(gic.distributor + GICD_CTLR, GICD_CTLR_RWP, "the distributor");
    writel_relaxed(GICD_CTLR_ARE | GICD_CTLR_ENABLE_G1A | GICD_CTLR_ENABLE_G1,
                   gic.distributor + GICD_CTLR);
    wait_clear(gic.distributor + GICD_CTLR, GICD_CTLR_RWP, "the distributor");
    for (unsigned hw = GIC_PRIVATE; hw < gicv3_chip.line_count; hw++)
        writeq_relaxed(boot_cpu, gic.distributor + GICD_IROUTER + 8UL * hw);
}

static __cold int gicv3_probe(struct device *device)
{
    paddr_t distributor;
    uint64_t size;
    int error;

    if (gic.distributor != NULL)
        return -ENODEV;
    gic.distributor = device_map_registers(device, 0, 0x10000);
    if (gic.distributor == NULL || device_registers(device, 0, &distributor, &size) != 0)
        return -EINVAL;
    gicv3_chip.line_count = gicd_line_count(gic.distributor);
    error = find_redistributors(device);
    if (error != 0)
        return error;
    init_distributor(distributor);
    error = irqchip_register(&gicv3_chip);
    if (error == 0)
        device->node->irqchip = &gicv3_chip;
    return error;
}

static const struct match gicv3_match[] = {
    {.compatible = "arm,gic-v3"},
    {0},
};

static const struct driver gicv3 = {
    .name = "gicv3",
    .bus = &firmware_bus,
    .stage = PROBE_IRQCHIP,
    .match = gicv3_match,
    .probe = gicv3_probe,
};
DRIVER(gicv3);
