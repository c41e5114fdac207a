/* SPDX-License-Identifier: MIT */
/* The frame allocator: blocks do not overlap, are aligned, merge again; the reserve holds. */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

#include <mm/memory.h>

#include "../../../kernel/mm/frames.h"

#define BLOCKS 512u

static int setup(void **state)
{
    (void)state;
    machine_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

static void blocks_are_apart_and_come_back(void **state)
{
    struct {
        struct page *page;
        unsigned order;
    } block[BLOCKS] = {0};
    static uint8_t owner[MACHINE_PAGES];
    uint64_t before = machine_free_pages();

    (void)state;
    memset(owner, 0, sizeof(owner));
    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = (unsigned)rand() % BLOCKS;

        if (block[i].page == NULL) {
            block[i].order = rand() % 8 == 0 ? (unsigned)rand() % 7 : 0;
            block[i].page = page_alloc(block[i].order, 0);
            if (block[i].page == NULL)
                continue;
            paddr_t pa = page_phys(block[i].page);

            assert_int_equal(pa & ((PAGE_SIZE << block[i].order) - 1), 0);
            for (unsigned p = 0; p < 1u << block[i].order; p++)
                assert_int_equal(owner[pa / PAGE_SIZE + p]++, 0);
        } else {
            for (unsigned p = 0; p < 1u << block[i].order; p++)
                owner[page_phys(block[i].page) / PAGE_SIZE + p] = 0;
            page_free(block[i].page, block[i].order);
            block[i].page = NULL;
        }
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (block[i].page != NULL)
            page_free(block[i].page, block[i].order);
    }
    assert_int_equal(machine_free_pages(), before);
}

static void freed_pages_merge(void **state)
{
    static struct page *page[MACHINE_PAGES];
    unsigned count = 0;

    (void)state;
    while ((page[count] = page_alloc(0, PAGE_ATOMIC)) != NULL)
        count++;
    assert_in_range(count, MACHINE_PAGES - 600, MACHINE_PAGES - 512);
    while (count > 0)
        page_free(page[--count], 0);
    for (count = 0; page_alloc(PAGE_ORDER_MAX, 0) != NULL;)
        count++;
    assert_in_range(count, MACHINE_PAGES / 512 - 4, MACHINE_PAGES / 512 - 1);
}

static void programs_leave_a_reserve(void **state)
{
    (void)state;
    while (page_alloc(0, PAGE_USER) != NULL)
        ;
    assert_in_range(machine_free_pages(), 16, 256);
    assert_non_null(page_alloc(0, 0));
    assert_non_null(page_alloc(1, PAGE_ATOMIC));
}

static void zeroed_pages_are_zero(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        struct page *page = page_alloc(i % 3, PAGE_ZERO);
        char *memory = page_virt(page);

        for (size_t b = 0; b < PAGE_SIZE << (i % 3); b++)
            assert_int_equal(memory[b], 0);
        memset(memory, 0x55, PAGE_SIZE << (i % 3));
        page_free(page, i % 3);
    }
}

static void compounds_count_as_one(void **state)
{
    uint64_t before = machine_free_pages();
    struct page *page = page_alloc(4, 0);

    (void)state;
    page_make_compound(page, 4);
    page_ref(page + 7);
    assert_int_equal(atomic_read(&page->refs), 2);
    page_unref(page + 3);
    page_unref(page + 15);
    assert_int_equal(machine_free_pages(), before);
    page = page_alloc(4, 0);
    page_make_compound(page, 4);
    page_split_compound(page);
    for (unsigned i = 0; i < 16; i++)
        page_unref(page + i);
    assert_int_equal(machine_free_pages(), before);
}

static void ranges_split_and_join(void **state)
{
    (void)state;
    memset(&unused_ranges, 0, sizeof(unused_ranges));
    ranges_add(0x10000, 0x20000);
    ranges_add(0x30000, 0x40000);
    ranges_add(0x20000, 0x30000);
    assert_int_equal(unused_ranges.count, 1);
    assert_int_equal(unused_ranges.pages, 0x30);
    assert_int_equal(ranges_take(0x1000, 0x8000, 0x11000, 0x40000), 0x18000);
    assert_int_equal(unused_ranges.count, 2);
    assert_int_equal(ranges_take(0x40000, 0x1000, 0, 0x100000), 0);
    paddr_t base, end;

    assert_true(ranges_take_part(0x12000, 0x14000, &base, &end));
    assert_int_equal(base, 0x12000);
    assert_int_equal(end, 0x14000);
    assert_int_equal(unused_ranges.count, 3);
    assert_false(ranges_take_part(0x50000, 0x60000, &base, &end));
    memset(&unused_ranges, 0, sizeof(unused_ranges));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blocks_are_apart_and_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(freed_pages_merge, setup, teardown),
        cmocka_unit_test_setup_teardown(programs_leave_a_reserve, setup, teardown),
        cmocka_unit_test_setup_teardown(zeroed_pages_are_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(compounds_count_as_one, setup, teardown),
        cmocka_unit_test(ranges_split_and_join),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
