/* SPDX-License-Identifier: MIT */
/*
 * The Arm generic timer (Arm ARM chapter D12), its virtual timer: the one that a guest may use
 * under every hypervisor and that bare metal has too. Binding arm,arch_timer.yaml.
 */
#include <arch/barrier.h>
#include <arch/sysreg.h>
#include <core/clockevent.h>
#include <core/irq.h>
#include <core/log.h>
#include <core/timer.h>
#include <device/device.h>
#include <lib/errno.h>

#define CNTV_CTL_ENABLE 1U
#define CNTV_CTL_IMASK  2U

/* interrupts: secure physical, physical, virtual, hypervisor */
#define VIRTUAL_TIMER_INDEX 2

#define FREQUENCY_MIN     1000000U
#define FREQUENCY_ASSUMED 62500000U

static unsigned timer_irq;

static void timer_set(uint64_t count)
{
    sysreg_write(cntv_cval_el0, count);
    sysreg_write(cntv_ctl_el0, CNTV_CTL_ENABLE);
    isb(); /* in force before the caller goes to sleep */
}

static void timer_stop(void)
{
    sysreg_write(cntv_ctl_el0, CNTV_CTL_IMASK);
    isb();
}

static void timer_cpu_init(void)
{
    timer_stop();
    irq_enable_line(timer_irq);
}

static const struct clockevent_ops timer_ops = {
    .set = timer_set,
    .stop = timer_stop,
    .cpu_init = timer_cpu_init,
};

/* The line is level: masked here, unmasked by the next set(). */
static void timer_handler(void *arg)
{
    (void)arg;
    sysreg_write(cntv_ctl_el0, CNTV_CTL_ENABLE | CNTV_CTL_IMASK);
    isb(); /* the level is gone before the interrupt is completed */
    timer_interrupt();
}

/* The tree's word counts before the register's: it is there because the register is wrong. */
static uint64_t find_frequency(const struct device *device)
{
    uint32_t from_tree = 0, frequency = (uint32_t)sysreg_read(cntfrq_el0);

    if (fw_property_u32(device->node, "clock-frequency", &from_tree) == 0) {
        if (from_tree >= FREQUENCY_MIN)
            return from_tree;
        log_error("Bad 'clock-frequency' of %s: %u Hz, expected at least %u; ignored", device->name,
                  from_tree, FREQUENCY_MIN);
    }
    if (frequency >= FREQUENCY_MIN)
        return frequency;
    log_error("The timer's frequency is unknown: CNTFRQ_EL0 is %u Hz and %s has no "
              "clock-frequency; assuming %u Hz, time may run wrong",
              frequency, device->name, FREQUENCY_ASSUMED);
    return FREQUENCY_ASSUMED;
}

/* irq_request() unmasks the line on this CPU, timer_cpu_init() on the others. */
static int timer_probe(struct device *device)
{
    int irq = device_irq_named(device, "virt");

    if (irq == -ENOENT)
        irq = device_irq(device, VIRTUAL_TIMER_INDEX);
    if (irq < 0)
        return irq;
    timer_irq = (unsigned)irq;
    timer_stop();
    clockevent_register(&timer_ops, find_frequency(device));
    return irq_request(timer_irq, timer_handler, NULL, "timer");
}

static const struct match timer_match[] = {
    {.compatible = "arm,armv8-timer"},
    {.compatible = "arm,armv7-timer"},
    {0},
};

static const struct driver arm_generic_timer = {
    .name = "arm_generic_timer",
    .bus = &firmware_bus,
    .stage = PROBE_TIMER,
    .match = timer_match,
    .probe = timer_probe,
};
DRIVER(arm_generic_timer);
