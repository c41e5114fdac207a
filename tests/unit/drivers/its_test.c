/* SPDX-License-Identifier: MIT */
/*
 * kernel/drivers/irqchip/gicv3_its.c and gicv3_lpi.c against an ITS made here. A driver has one ITS
 * for good, so each test runs in a process of its own.
 */
#include <unit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lib/errno.h>
#include <mm/page.h>

#include "its_fake.h"

static struct msi_device net = {.id = 8, .vector_count = 5},
                         disk = {.id = 0x123, .vector_count = 1};

static int attach(struct msi_device *device)
{
    device->controller = its_fake.controller;
    return its_fake.controller->ops->attach(device);
}

static int map(struct msi_device *device, unsigned vector, struct msi_message *message)
{
    return its_fake.controller->ops->map(device, vector, message);
}

static void start(void)
{
    assert_int_equal(fake_its_probe(), 0);
    assert_int_equal(its_fake.mappings, 0); /* only when somebody wants it */
    assert_int_equal(attach(&net), 0);
}

static void sets_up(void **state)
{
    start();
    assert_int_equal(its_fake.control & 1, 1);
    assert_int_equal(its_fake.target[0], 1UL << 63);
    assert_int_equal(its_fake.target[1], 1UL << 63 | 1UL << 16);
    assert_int_equal(its_fake.lpi_control[0] & its_fake.lpi_control[1], 1);
    assert_int_equal(its_fake.configurations & 0x1f, 13); /* 14 bits of number */
    assert_true(its_fake.pending[0] >> 62 & 1);
    assert_ptr_equal(its_fake.lpi_chip, its_fake.chip);
    assert_int_equal(its_fake.syncs, 3); /* collections and the device */
    assert_int_equal(its_fake.itt_bits[0], 3);
    assert_int_equal(fake_its_probe(), -ENODEV); /* a second one */
}

static void maps_and_moves(void **state)
{
    struct msi_message message;
    const struct its_event *event;
    unsigned before, pages;
    int irq;

    start();
    pages = its_fake.pages;
    assert_int_equal(attach(&disk), 0);
    assert_int_equal(map(&net, 3, &message), FAKE_IRQ);
    assert_int_equal(message.address, FAKE_ITS + 0x10040);
    assert_int_equal(message.data, 3);
    irq = map(&disk, 0, &message);
    assert_int_equal(irq, FAKE_IRQ + 1);
    event = fake_its_event(0x123, 0);
    assert_int_equal(event->lpi, 8193);
    assert_false(fake_its_enabled(8193));
    before = its_fake.invalidations;
    its_fake.chip->ops->unmask(its_fake.chip, 1);
    assert_true(fake_its_enabled(8193));
    assert_int_equal(its_fake.invalidations, before + 1);
    assert_int_equal(its_fake.chip->ops->set_affinity(its_fake.chip, 1, 1), 0);
    assert_int_equal(event->cpu, 1);
    its_fake.chip->ops->mask(its_fake.chip, 1);
    assert_false(fake_its_enabled(8193));
    its_fake.controller->ops->unmap(&disk, 0, (unsigned)irq);
    assert_null(fake_its_event(0x123, 0));
    its_fake.controller->ops->detach(&disk);
    assert_int_equal(its_fake.pages, pages);
    assert_int_equal(attach(&disk), 0); /* once more: the same line, on CPU 0 again */
    assert_int_equal(map(&disk, 0, &message), irq);
    assert_int_equal(fake_its_event(0x123, 0)->cpu, 0);
}

/* 512 lines, each given once; the queue of commands goes round several times. */
static void runs_out_of_lines(void **state)
{
    static struct msi_device many = {.id = 0x55, .vector_count = 1024};
    struct msi_message message;

    start();
    assert_int_equal(attach(&many), 0);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(map(&many, i, &message), (int)(FAKE_IRQ + i));
    assert_int_equal(map(&many, 512, &message), -ENOSPC);
    its_fake.controller->ops->unmap(&many, 77, FAKE_IRQ + 77);
    assert_int_equal(map(&many, 512, &message), FAKE_IRQ + 77);
    assert_int_equal(fake_its_event(0x55, 512)->lpi, 8192 + 77);
    assert_true(its_fake.commands > 1024);
}

static void refuses_what_has_no_room(void **state)
{
    struct msi_device far = {.id = 0x10000, .vector_count = 1},
                      wide = {.id = 9, .vector_count = 1U << 17};

    start();
    assert_int_equal(attach(&far), -ERANGE);
    assert_int_equal(attach(&wide), -ERANGE);
    far.id = 0xffff;
    assert_int_equal(attach(&far), 0);
}

/* One level of devices, in 64 KiB: 8,192 of 8 bytes. */
static void one_level(void **state)
{
    struct msi_device far = {.id = 8192, .vector_count = 1};

    its_fake.is_flat = true;
    start();
    assert_int_equal(attach(&far), -ERANGE);
    far.id = 8191;
    assert_int_equal(attach(&far), 0);
}

static void pages_of_64k(void **state)
{
    its_fake.page_size = 2;
    start();
    assert_int_equal(its_fake.table[0] & 0xff, 0);
    assert_int_equal(attach(&disk), 0);
}

static void pages_of_16k(void **state)
{
    its_fake.page_size = 1;
    its_fake.is_flat = true;
    start();
    assert_int_equal(its_fake.table[0] & 0xff, 3);
    assert_int_equal(attach(&disk), 0);
}

static void sees_no_caches(void **state)
{
    struct msi_message message;

    its_fake.no_caches = true;
    start();
    assert_int_equal(map(&net, 0, &message), FAKE_IRQ);
    its_fake.chip->ops->unmask(its_fake.chip, 0);
    assert_true(fake_its_enabled(8192));
}

static void redistributors_by_address(void **state)
{
    its_fake.type |= 1UL << 19;
    start();
    assert_int_equal(its_fake.target[1], 1UL << 63 | FAKE_REDISTRIBUTOR(1));
}

static void never_comes_to_rest(void **state)
{
    its_fake.never_rests = true;
    assert_int_equal(fake_its_probe(), 0);
    assert_int_equal(attach(&net), -EIO);
    assert_non_null(strstr(unit_log, "does not come to rest"));
    its_fake.never_rests = false;
    assert_int_equal(attach(&net), -EIO); /* it is not asked again */
    assert_int_equal(its_fake.commands, 0);
}

/* Whatever it is that stops a command: an error, once told, and no command after it. */
static void breaks_at(enum its_answer answer, unsigned number, bool starts)
{
    struct msi_message message;
    uint64_t writer;

    its_fake.answer = answer;
    its_fake.answer_from = number;
    assert_int_equal(fake_its_probe(), 0);
    assert_int_equal(attach(&net), starts ? 0 : -EIO);
    if (starts)
        assert_int_equal(map(&net, 0, &message), -EIO);
    assert_non_null(strstr(unit_log, "a command is not taken"));
    writer = its_fake.writer;
    assert_int_equal(map(&net, 1, &message), -EIO);
    assert_int_equal(attach(&disk), -EIO);
    for (unsigned i = 0; i < 1000; i++) /* more than there are lines: none is lost */
        assert_int_equal(map(&net, 1, &message), -EIO);
    its_fake.chip->ops->unmask(its_fake.chip, 0);
    assert_int_equal(its_fake.chip->ops->set_affinity(its_fake.chip, 0, 1), -EIO);
    assert_int_equal(its_fake.writer, writer);
}

static void takes_no_collection(void **state)
{
    breaks_at(ITS_SILENT, 0, false);
}

static void takes_no_device(void **state)
{
    breaks_at(ITS_STALLS, 4, false);
}

static void takes_no_event(void **state)
{
    breaks_at(ITS_SILENT, 6, true);
}

static void says_where_it_cannot_be(void **state)
{
    breaks_at(ITS_WILD, 7, true);
}

/* What the ITS was told of stays with it when it does not answer; else pages come back. */
static void breaks_at_the_end(void **state)
{
    struct msi_message message;
    unsigned pages;

    start();
    assert_int_equal(map(&net, 0, &message), FAKE_IRQ);
    pages = its_fake.pages;
    its_fake.answer = ITS_STALLS;
    its_fake.controller->ops->unmap(&net, 0, FAKE_IRQ);
    its_fake.controller->ops->detach(&net);
    assert_int_equal(its_fake.pages, pages);
}

static void out_of_memory(unsigned left)
{
    int error;

    its_fake.allocations_left = left;
    assert_int_equal(fake_its_probe(), 0);
    error = attach(&net);
    if (error == 0)
        exit(EXIT_SUCCESS); /* enough */
    assert_int_equal(error, -ENOMEM);
    its_fake.allocations_left = 100;
    error = attach(&net);
    assert_true(error == 0 || error == -EIO);
}

static void no_memory_0(void **state)
{
    out_of_memory(0);
}

static void no_memory_3(void **state)
{
    out_of_memory(3); /* for a table of the ITS */
}

static void no_memory_6(void **state)
{
    out_of_memory(6); /* for the second level */
}

static void no_memory_7(void **state)
{
    out_of_memory(7); /* for the events */
}

static void not_mapped(void **state)
{
    its_fake.cannot_map = true;
    assert_int_equal(fake_its_probe(), 0);
    assert_int_equal(attach(&net), -ENOMEM);
    its_fake.cannot_map = false;
    assert_int_equal(attach(&net), 0);
}

static void tree_is_wrong(void **state)
{
    its_fake.registers_size = 0x10000;
    assert_int_equal(fake_its_probe(), 0);
    assert_int_equal(attach(&net), -EINVAL);
}

static void no_lpis(void **state)
{
    its_fake.has_no_lpis = true;
    assert_int_equal(fake_its_probe(), 0);
    assert_int_equal(attach(&net), -ENODEV);
    assert_int_equal(its_fake.pages, 0);
}

static void lpis_in_use(void **state)
{
    its_fake.lpis_in_use = true;
    assert_int_equal(fake_its_probe(), 0);
    assert_int_equal(attach(&net), -EBUSY);
}

static void a_cpu_without_redistributor(void **state)
{
    its_fake.no_redistributor = true;
    assert_int_equal(fake_its_probe(), 0);
    assert_int_equal(attach(&net), -ENODEV);
}

static int run_alone(const struct CMUnitTest *test)
{
    const struct CMUnitTest tests[] = {*test};
    int status;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        fake_its_reset();
        exit(cmocka_run_group_tests_name(test->name, tests, NULL, NULL));
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_up),
        cmocka_unit_test(maps_and_moves),
        cmocka_unit_test(runs_out_of_lines),
        cmocka_unit_test(refuses_what_has_no_room),
        cmocka_unit_test(one_level),
        cmocka_unit_test(pages_of_64k),
        cmocka_unit_test(pages_of_16k),
        cmocka_unit_test(sees_no_caches),
        cmocka_unit_test(redistributors_by_address),
        cmocka_unit_test(never_comes_to_rest),
        cmocka_unit_test(takes_no_collection),
        cmocka_unit_test(takes_no_device),
        cmocka_unit_test(takes_no_event),
        cmocka_unit_test(says_where_it_cannot_be),
        cmocka_unit_test(breaks_at_the_end),
        cmocka_unit_test(no_memory_0),
        cmocka_unit_test(no_memory_3),
        cmocka_unit_test(no_memory_6),
        cmocka_unit_test(no_memory_7),
        cmocka_unit_test(not_mapped),
        cmocka_unit_test(tree_is_wrong),
        cmocka_unit_test(no_lpis),
        cmocka_unit_test(lpis_in_use),
        cmocka_unit_test(a_cpu_without_redistributor),
    };
    int failed = 0;

    for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        failed += run_alone(&tests[i]);
    return failed != 0;
}
