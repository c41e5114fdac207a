/* SPDX-License-Identifier: MIT */
/*
 * PrimeCell Real Time Clock PL031 (Arm DDI 0224): seconds since 1970 in one register. Read once, at
 * start; the alarm is not used.
 */
#include <arch/mmio.h>
#include <core/clock.h>
#include <device/device.h>
#include <lib/errno.h>

#define RTCDR 0x000

#define REGISTERS_SIZE 0x1000

static int pl031_probe(struct device *device)
{
    void *registers = device_map_registers(device, 0, REGISTERS_SIZE);
    uint32_t seconds;

    if (registers == NULL)
        return -ENOMEM;
    seconds = readl(registers + RTCDR);
    if (seconds != 0)
        clock_set_realtime_ns(seconds * NS_PER_SECOND);
    return 0;
}

static const struct match pl031_match[] = {
    {.compatible = "arm,pl031"},
    {0},
};

static const struct driver pl031 = {
    .name = "pl031",
    .bus = &firmware_bus,
    .stage = PROBE_CLOCK,
    .match = pl031_match,
    .probe = pl031_probe,
};
DRIVER(pl031);
