/* SPDX-License-Identifier: MIT */
/* The registers of virtio-mmio, of a device that refuses, changes while it is read, or is none. */
#include <unit.h>

#include "../../../kernel/drivers/virtio/virtio.h"

#include <arch/mmio.h>
#include <core/irq.h>
#include <lib/errno.h>
#include <mm/kwindow.h>
#include <mm/page.h>
#include <stdlib.h>
#include <string.h>

extern const struct driver *const driver_entry_virtio_mmio;

/* The mapping of page 0x10000 is itself: registers are numbers that the fake accessors get. */
#define SLOT 0x10000UL

static struct {
    uint32_t magic, version, id, status, interrupt_status, queue_size;
    uint64_t features, accepted;
    uint32_t feature_select, generation;
    bool refuses, keeps_status, generation_runs;
    uint8_t config[64];
    unsigned config_reads, acknowledged;
    uint64_t slot_size;
} reg;

static struct virtio_device *found;
static int probe_result, irq_result;
static void (*handler)(void *);
static void *handler_argument;
static unsigned config_changes, interrupts;

uint64_t fake_mmio_read(uintptr_t address, unsigned size)
{
    unsigned offset = (unsigned)(address - SLOT);
    uint64_t value = 0;

    if (offset >= 0x100) {
        assert_true(offset - 0x100 + size <= sizeof(reg.config));
        memcpy(&value, reg.config + offset - 0x100, size);
        reg.config_reads++;
        if (reg.generation_runs || reg.config_reads == 1) { /* it changes between two reads */
            reg.generation++;
            reg.config[0]++;
            reg.config[4]++;
        }
        return value;
    }
    assert_int_equal(size, 4);
    switch (offset) {
    case 0x000:
        return reg.magic;
    case 0x004:
        return reg.version;
    case 0x008:
        return reg.id;
    case 0x010:
        return reg.feature_select < 2 ? (uint32_t)(reg.features >> 32 * reg.feature_select) : 0;
    case 0x034:
        return reg.queue_size;
    case 0x060:
        return reg.interrupt_status;
    case 0x070:
        return reg.status;
    case 0x0fc:
        return reg.generation;
    default:
        return 0;
    }
}

void fake_mmio_write(uintptr_t address, uint64_t value, unsigned size)
{
    unsigned offset = (unsigned)(address - SLOT);

    assert_int_equal(size, 4);
    if (offset == 0x014 || offset == 0x024)
        reg.feature_select = (uint32_t)value;
    else if (offset == 0x020 && (reg.status & 3) == 3) /* else it has no driver (section 3.1.1) */
        reg.accepted |= value << 32 * reg.feature_select;
    else if (offset == 0x064)
        reg.acknowledged |= (unsigned)value;
    else if (offset == 0x070 && !(reg.keeps_status && value == 0))
        reg.status = (uint32_t)value & (reg.refuses ? ~8U : ~0U);
}

void *device_map(paddr_t pa, size_t size)
{
    assert_int_equal(pa, SLOT);
    assert_int_equal(size, PAGE_SIZE);
    return (void *)pa;
}

char *unit_ram = (char *)PAGE_SIZE;
char *unit_ram_pages = (char *)PAGE_SIZE;
uintptr_t kernel_image_offset;
const struct bus firmware_bus = {"firmware"};

int device_registers(const struct device *device, unsigned index, paddr_t *base, uint64_t *size)
{
    (void)device, (void)index;
    *base = SLOT;
    *size = reg.slot_size;
    return 0;
}

int device_irq(const struct device *device, unsigned index)
{
    (void)device, (void)index;
    return irq_result;
}

int irq_request(unsigned irq, irq_handler_fn *called, void *argument, const char *name)
{
    (void)irq, (void)name;
    handler = called;
    handler_argument = argument;
    return 0;
}

void irq_free(unsigned irq, void *argument)
{
    (void)irq;
    assert_ptr_equal(argument, handler_argument);
    handler = NULL;
}

int virtio_add(struct virtio_device *device)
{
    found = device;
    return probe_result;
}

static int probe(void)
{
    static struct device slot = {.name = "slot"};

    found = NULL;
    handler = NULL;
    config_changes = interrupts = 0;
    unit_log[0] = '\0';
    return driver_entry_virtio_mmio->probe(&slot);
}

static void reset_fake(uint32_t version)
{
    memset(&reg, 0, sizeof(reg));
    reg.magic = 0x74726976;
    reg.version = version;
    reg.id = 2;
    reg.slot_size = 0x200;
    reg.features = UINT64_MAX;
    probe_result = 0;
    irq_result = 40;
    reg.config_reads = 1000;
}

static void stop(void)
{
    free(found);
}

static void no_device(void **state)
{
    reset_fake(2);
    reg.magic = 0;
    assert_int_equal(probe(), -ENODEV);
    reset_fake(2);
    reg.id = 0;
    assert_int_equal(probe(), -ENODEV);
    reset_fake(3);
    assert_int_equal(probe(), -ENODEV);
    assert_non_null(strstr(unit_log, "expected 1 or 2"));
    reset_fake(2);
    reg.slot_size = 0x80;
    assert_int_equal(probe(), -ENODEV);
    assert_non_null(strstr(unit_log, "0x80 bytes"));
    reset_fake(2);
    irq_result = -EINVAL;
    assert_int_equal(probe(), -EINVAL);
    assert_null(found);
    reset_fake(2);
    probe_result = -EIO; /* its driver cannot use it */
    assert_int_equal(probe(), -EIO);
    assert_int_equal(reg.status, 0x80);
    assert_null(handler);
}

static void negotiates(void **state)
{
    reset_fake(2);
    assert_int_equal(probe(), 0);
    assert_true(found->ops->features(found) == UINT64_MAX);
    assert_int_equal(found->ops->accept(found, BIT64(32) | BIT64(3)), 0);
    assert_true(reg.accepted == (BIT64(32) | BIT64(3)));
    assert_int_equal(reg.status, 11);
    found->ops->reset(found);
    reg.accepted = 0;
    assert_int_equal(found->ops->accept(found, BIT64(32)), 0);
    assert_true(reg.accepted == BIT64(32));
    reg.refuses = true;
    assert_int_equal(found->ops->accept(found, BIT64(32)), -EIO);
    stop();
    reset_fake(1);
    assert_int_equal(probe(), 0);
    assert_true(found->ops->features(found) == UINT32_MAX);
    stop();
}

/* A field of eight bytes is two reads: it changes between them, once, and then all the time. */
static void changes_while_read(void **state)
{
    uint8_t value[8];

    reset_fake(2);
    assert_int_equal(probe(), 0);
    reg.config_reads = 0;
    found->ops->config_read(found, 0, value, sizeof(value));
    assert_int_equal(value[0], 1);
    assert_int_equal(value[4], 1);
    assert_int_equal(reg.config_reads, 4);
    reg.config_reads = 0;
    reg.generation_runs = true;
    found->ops->config_read(found, 0, value, sizeof(value));
    assert_in_range(reg.config_reads, 2, 64); /* it ends */
    stop();
}

static void on_interrupt(struct virtio_device *device)
{
    interrupts++;
}

static void on_change(struct virtio_device *device)
{
    config_changes++;
}

static void interrupt_status(void **state)
{
    static const uint32_t statuses[] = {0, 1, 2, 3, UINT32_MAX};

    reset_fake(2);
    assert_int_equal(probe(), 0);
    reg.interrupt_status = 3;
    handler(handler_argument); /* before the driver has said that it may */
    found->interrupt = on_interrupt;
    for (unsigned i = 0; i < ARRAY_SIZE(statuses); i++) {
        reg.interrupt_status = statuses[i];
        handler(handler_argument); /* nobody asks for changes */
    }
    assert_int_equal(interrupts, 3);
    found->config_changed = on_change;
    for (unsigned i = 0; i < ARRAY_SIZE(statuses); i++) {
        reg.acknowledged = 0;
        reg.interrupt_status = statuses[i];
        handler(handler_argument);
        assert_int_equal(reg.acknowledged, statuses[i]);
    }
    assert_int_equal(interrupts, 6);
    assert_int_equal(config_changes, 3);
    stop();
}

static void resets(void **state)
{
    reset_fake(2);
    assert_int_equal(probe(), 0);
    found->ops->ready(found);
    assert_int_equal(reg.status & 4, 4);
    assert_false(found->ops->needs_reset(found));
    reg.status |= 0x40;
    assert_true(found->ops->needs_reset(found));
    found->ops->reset(found);
    assert_int_equal(reg.status, 0);
    reg.status = 4;
    reg.keeps_status = true; /* it never says that it is done: that is waited for, not for ever */
    found->ops->reset(found);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_device),
        cmocka_unit_test(negotiates),
        cmocka_unit_test(changes_while_read),
        cmocka_unit_test(interrupt_status),
        cmocka_unit_test(resets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
