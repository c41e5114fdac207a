/* SPDX-License-Identifier: MIT */
/* kernel/drivers/irqchip/gicv2m.c: numbers from its register or the tree, right and wrong ones. */
#include <unit.h>

#include <stdlib.h>
#include <string.h>

#include <arch/mmio.h>
#include <core/irqchip.h>
#include <device/device.h>
#include <device/msi.h>
#include <lib/errno.h>
#include <mm/kwindow.h>

#define FRAME 0x08020000UL

extern const struct driver *const driver_entry_gicv2m;

static struct irqchip gic;
static struct fw_node frame, parent;
static struct msi_controller *controller;
static struct msi_device device;
static uint64_t frame_size;
static uint32_t type, tree_first, tree_count; /* 0: the tree says nothing */
static int mappings, trigger_error, edges;
static bool cannot_map;

const struct bus firmware_bus = {"firmware"};

struct fw_nodes fw_nodes = {&parent, &parent + 1}; /* every node's parent is number 0 */

int fw_reg(const struct fw_node *node, unsigned index, paddr_t *base, uint64_t *size)
{
    (void)node, (void)index;
    *base = FRAME;
    *size = frame_size;
    return 0;
}

int fw_property_u32(const struct fw_node *node, const char *name, uint32_t *value)
{
    uint32_t told = strcmp(name, "arm,msi-base-spi") == 0 ? tree_first : tree_count;

    (void)node;
    if (told == 0)
        return -ENOENT;
    *value = told;
    return 0;
}

void *device_map(paddr_t pa, size_t size)
{
    (void)size;
    mappings += !cannot_map;
    return cannot_map ? NULL : (void *)pa;
}

void device_unmap(void *virt, size_t size)
{
    (void)size;
    assert_int_equal((uintptr_t)virt, FRAME);
    mappings--;
}

uint64_t fake_mmio_read(uintptr_t address, unsigned size)
{
    assert_int_equal(address, FRAME + 8);
    assert_int_equal(size, 4);
    return type;
}

void fake_mmio_write(uintptr_t address, uint64_t value, unsigned size)
{
    fail_msg("0x%lx written with 0x%lx, %u bytes", (unsigned long)address, (unsigned long)value,
             size);
}

void msi_controller_register(struct msi_controller *c)
{
    controller = c;
}

int irq_set_trigger(unsigned irq, enum irq_trigger trigger)
{
    (void)irq;
    edges += trigger == IRQ_EDGE_RISING;
    return trigger_error;
}

/* A frame of four interrupts from 80 on, of a distributor with 128. */
static int set_up(void **state)
{
    static struct device base;

    (void)state;
    gic = (struct irqchip){.line_count = 128, .first_irq = 0};
    parent.irqchip = &gic;
    frame_size = 0x1000;
    type = 80U << 16 | 4;
    tree_first = tree_count = 0;
    mappings = trigger_error = edges = 0;
    cannot_map = false;
    base = (struct device){.node = &frame};
    if (driver_entry_gicv2m->probe(&base) != 0)
        return -1;
    device = (struct msi_device){.controller = controller, .vector_count = 4};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(controller->data);
    return 0;
}

static int attach(void)
{
    return controller->ops->attach(&device);
}

static void gives_interrupts(void **state)
{
    struct msi_message message;

    assert_int_equal(attach(), 0);
    assert_int_equal(mappings, 0); /* given back */
    for (int i = 0; i < 4; i++) {
        assert_int_equal(controller->ops->map(&device, (unsigned)i, &message), 80 + i);
        assert_int_equal(message.address, FRAME + 0x40);
        assert_int_equal(message.data, 80 + i);
    }
    assert_int_equal(edges, 4);
    assert_int_equal(controller->ops->map(&device, 4, &message), -ENOSPC);
    controller->ops->unmap(&device, 2, 82);
    assert_int_equal(controller->ops->map(&device, 9, &message), 82);
    controller->ops->detach(&device);
}

static void numbers_of_a_chip_that_is_not_the_root(void **state)
{
    struct msi_message message;

    gic.first_irq = 500;
    assert_int_equal(attach(), 0);
    assert_int_equal(controller->ops->map(&device, 0, &message), 580);
    assert_int_equal(message.data, 80);
    controller->ops->unmap(&device, 0, 580);
    assert_int_equal(controller->ops->map(&device, 0, &message), 580);
}

static void the_tree_knows_better(void **state)
{
    struct msi_message message;

    type = 0; /* firmware left nothing there */
    tree_first = 127;
    tree_count = 1;
    assert_int_equal(attach(), 0);
    assert_int_equal(controller->ops->map(&device, 0, &message), 127);
    assert_int_equal(controller->ops->map(&device, 1, &message), -ENOSPC);
}

static void refuses(uint32_t value)
{
    type = value;
    assert_int_equal(attach(), -EINVAL);
    assert_non_null(strstr(unit_log, "GICv2m"));
    assert_int_equal(mappings, 0);
}

static void numbers_that_cannot_be(void **state)
{
    refuses(0);
    refuses(80U << 16);       /* none */
    refuses(31U << 16 | 4);   /* private ones */
    refuses(126U << 16 | 3);  /* past the distributor's end */
    refuses(1023U << 16 | 1); /* nowhere */
    refuses(32U << 16 | 1023);
    refuses(~0U);
    tree_first = ~0U; /* wraps around */
    tree_count = 2;
    refuses(80U << 16 | 4);
    tree_first = 64;
    tree_count = ~0U;
    refuses(80U << 16 | 4);
}

static void frame_cannot_be_used(void **state)
{
    frame_size = 0x100;
    assert_int_equal(attach(), -EINVAL);
    frame_size = 0x1000;
    cannot_map = true;
    assert_int_equal(attach(), -ENOMEM);
    cannot_map = false;
    parent.irqchip = NULL;
    assert_int_equal(attach(), -ENODEV);
    parent.irqchip = &gic;
    assert_int_equal(attach(), 0);
}

/* It is left out from then on; the next one is used. */
static void a_line_without_edges(void **state)
{
    struct msi_message message;

    assert_int_equal(attach(), 0);
    trigger_error = -EINVAL;
    assert_int_equal(controller->ops->map(&device, 0, &message), -EINVAL);
    trigger_error = 0;
    assert_int_equal(controller->ops->map(&device, 0, &message), 81);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gives_interrupts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_of_a_chip_that_is_not_the_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_tree_knows_better, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_that_cannot_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frame_cannot_be_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_without_edges, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
