/* SPDX-License-Identifier: MIT */
/*
 * Address spaces against a model: random mmap, munmap, mprotect, mremap, madvise, fork, brk and
 * accesses, after each of which every page must hold what an array says, or fault as it says. Page
 * tables, areas, faults and the frame allocator are the kernel's; the TLB is one that never forgets
 * by itself.
 */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

#include <arch/uaccess.h>
#include <lib/errno.h>
#include <mm/memory.h>

#define BASE   0x10000000UL
#define PAGES  1536u /* three blocks of 2 MiB */
#define SPACES 3u

struct model_page {
    bool mapped;
    uint8_t prot;
    uint8_t shared; /* index of the shared object plus one, or 0 */
    uint16_t index; /* page of the object */
    uint8_t value;  /* private contents */
};

static struct vmspace *space[SPACES];
static struct model_page model[SPACES][PAGES];
static struct vm_object *object;
static uint8_t object_value[64];

static vaddr_t address(unsigned page)
{
    return BASE + page * PAGE_SIZE;
}

static uint8_t *expected(unsigned s, unsigned p)
{
    struct model_page *page = &model[s][p];

    return page->shared ? &object_value[page->index] : &page->value;
}

static void check_page(unsigned s, unsigned p)
{
    struct model_page *page = &model[s][p];
    uint8_t *byte;
    int error = cpu_access(space[s], address(p) + 7, FAULT_READ, &byte);

    if (!page->mapped)
        assert_int_equal(error, -EFAULT);
    else if (page->prot == 0)
        assert_int_equal(error, -EACCES);
    else
        assert_int_equal(error, 0);
    if (error == 0)
        assert_int_equal(*byte, *expected(s, p));
}

static void write_page(unsigned s, unsigned p)
{
    struct model_page *page = &model[s][p];
    uint8_t *byte, value = (uint8_t)rand();
    int error = cpu_access(space[s], address(p) + 7, FAULT_WRITE, &byte);

    if (!page->mapped)
        assert_int_equal(error, -EFAULT);
    else
        assert_int_equal(error, page->prot & VM_WRITE ? 0 : -EACCES);
    if (error == 0)
        *byte = *expected(s, p) = value;
}

static void do_map(unsigned s, unsigned p, unsigned count)
{
    unsigned prot = (unsigned)rand() % 3 == 0 ? VM_READ : VM_READ | VM_WRITE;
    bool shared = rand() % 5 == 0;
    unsigned index = (unsigned)rand() % 8;
    vaddr_t at;

    if (shared && count > 32)
        count = 32;
    assert_int_equal(vm_map(space[s], address(p), count * PAGE_SIZE, prot,
                            VM_FIXED | (shared ? VM_SHARED : 0), shared ? object : NULL,
                            index * PAGE_SIZE, &at),
                     0);
    assert_int_equal(at, address(p));
    for (unsigned i = 0; i < count; i++)
        model[s][p + i] = (struct model_page){.mapped = true,
                                              .prot = (uint8_t)prot,
                                              .shared = shared,
                                              .index = (uint16_t)(index + i)};
}

static void do_unmap(unsigned s, unsigned p, unsigned count)
{
    assert_int_equal(vm_unmap(space[s], address(p), count * PAGE_SIZE), 0);
    memset(&model[s][p], 0, count * sizeof(model[s][p]));
}

static void do_protect(unsigned s, unsigned p, unsigned count)
{
    static const unsigned prots[] = {0, VM_READ, VM_READ | VM_WRITE, VM_READ | VM_WRITE};
    unsigned prot = prots[rand() % 4], i = 0;
    int error = vm_protect(space[s], address(p), count * PAGE_SIZE, prot);

    while (i < count && model[s][p + i].mapped)
        model[s][p + i++].prot = (uint8_t)prot;
    assert_int_equal(error, i < count ? -ENOMEM : 0);
}

static void do_discard(unsigned s, unsigned p, unsigned count)
{
    bool hole = false;

    for (unsigned i = 0; i < count; i++) {
        hole |= !model[s][p + i].mapped;
        model[s][p + i].value = 0;
    }
    assert_int_equal(vm_advise(space[s], address(p), count * PAGE_SIZE, 4), hole ? -ENOMEM : 0);
}

/* Pages that look like one area from p on. */
static unsigned run_from(unsigned s, unsigned p, unsigned max)
{
    unsigned n = 0;

    while (n < max && p + n < PAGES && model[s][p + n].mapped &&
           model[s][p + n].prot == model[s][p].prot && !model[s][p + n].shared)
        n++;
    return n;
}

static void do_move(unsigned s, unsigned p, unsigned count)
{
    unsigned to = (unsigned)rand() % PAGES, n = run_from(s, p, count);
    vaddr_t at;

    if (n == 0 || to + n > PAGES || (to < p + n && p < to + n))
        return;
    assert_int_equal(vm_remap(space[s], address(p), n * PAGE_SIZE, n * PAGE_SIZE,
                              REMAP_MAYMOVE | REMAP_FIXED, address(to), &at),
                     0);
    memcpy(&model[s][to], &model[s][p], n * sizeof(model[s][p]));
    memset(&model[s][p], 0, n * sizeof(model[s][p]));
}

/* fork into another place of the table. */
static void do_clone(unsigned s)
{
    unsigned to = (unsigned)rand() % SPACES;

    if (to == s)
        return;
    vmspace_unref(space[to]);
    assert_int_equal(vmspace_clone(space[s], &space[to]), 0);
    memcpy(model[to], model[s], sizeof(model[s]));
}

static int setup(void **state)
{
    (void)state;
    machine_start();
    object = object_create_shared();
    memset(object_value, 0, sizeof(object_value));
    memset(model, 0, sizeof(model));
    for (unsigned s = 0; s < SPACES; s++)
        space[s] = vmspace_create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned s = 0; s < SPACES; s++)
        vmspace_unref(space[s]);
    object_unref(object);
    machine_stop();
    return 0;
}

static void random_step(unsigned *weight)
{
    unsigned s = (unsigned)rand() % SPACES, p = (unsigned)rand() % PAGES;
    unsigned most = rand() % 16 == 0 ? PAGES : 24, count = 1 + (unsigned)rand() % most;

    if (p + count > PAGES)
        count = PAGES - p;
    switch ((unsigned)rand() % *weight) {
    case 0:
    case 1:
        do_map(s, p, count);
        break;
    case 2:
        do_unmap(s, p, count);
        break;
    case 3:
        do_protect(s, p, count);
        break;
    case 4:
        do_discard(s, p, count);
        break;
    case 5:
        do_move(s, p, count);
        break;
    case 6:
        if (rand() % 8 == 0)
            do_clone(s);
        break;
    default:
        for (unsigned i = 0; i < count; i++) {
            if (rand() % 2)
                write_page(s, p + i);
            else
                check_page(s, p + i);
        }
    }
}

static void behaves_like_the_model(void **state)
{
    unsigned weight = 12;

    (void)state;
    for (unsigned seed = 1; seed <= 12; seed++) {
        srand(seed);
        for (unsigned step = 0; step < 3000; step++)
            random_step(&weight);
        for (unsigned s = 0; s < SPACES; s++) {
            for (unsigned p = 0; p < PAGES; p++)
                check_page(s, p);
            assert_int_equal(space[s]->pages_resident, vm_resident_pages(space[s], 0, USER_TOP));
        }
    }
}

static void all_memory_comes_back(void **state)
{
    unsigned weight = 12;
    uint64_t before;

    (void)state;
    machine_start();
    before = machine_free_pages();
    object = object_create_shared();
    memset(model, 0, sizeof(model));
    memset(object_value, 0, sizeof(object_value));
    for (unsigned s = 0; s < SPACES; s++)
        space[s] = vmspace_create();
    srand(99);
    for (unsigned step = 0; step < 5000; step++)
        random_step(&weight);
    for (unsigned s = 0; s < SPACES; s++)
        vmspace_unref(space[s]);
    object_unref(object);
    assert_int_equal(machine_free_pages(), before);
    machine_stop();
}

static void large_areas_get_blocks(void **state)
{
    vaddr_t at;
    uint8_t *byte;
    paddr_t pa;
    unsigned prot;

    (void)state;
    assert_int_equal(vm_map(space[0], 0, 4 * HUGE_SIZE, VM_READ | VM_WRITE, 0, NULL, 0, &at), 0);
    assert_int_equal(at % HUGE_SIZE, 0);
    assert_int_equal(cpu_access(space[0], at + HUGE_SIZE + 12345, FAULT_WRITE, &byte), 0);
    assert_true(pt_query(&space[0]->pagetable, at + HUGE_SIZE, &pa, &prot));
    assert_true(prot & PT_BLOCK);
    *byte = 42;
    assert_int_equal(vm_protect(space[0], at + HUGE_SIZE + PAGE_SIZE, PAGE_SIZE, VM_READ), 0);
    assert_true(pt_query(&space[0]->pagetable, at + HUGE_SIZE, &pa, &prot));
    assert_false(prot & PT_BLOCK);
    assert_int_equal(cpu_access(space[0], at + HUGE_SIZE + 12345, FAULT_READ, &byte), 0);
    assert_int_equal(*byte, 42);
    assert_int_equal(cpu_access(space[0], at + HUGE_SIZE + PAGE_SIZE, FAULT_WRITE, &byte), -EACCES);
}

static void blocks_move(void **state)
{
    vaddr_t at, to = 0x5000000000UL,
                places[] = {to, to + HUGE_SIZE + PAGE_SIZE, to + 6 * HUGE_SIZE};
    uint8_t *byte;

    (void)state;
    assert_int_equal(vm_map(space[0], 0, 2 * HUGE_SIZE, VM_READ | VM_WRITE, 0, NULL, 0, &at), 0);
    for (unsigned p = 0; p < 1024; p += 3) {
        assert_int_equal(cpu_access(space[0], at + p * PAGE_SIZE, FAULT_WRITE, &byte), 0);
        *byte = (uint8_t)p;
    }
    for (unsigned i = 0; i < 3; i++) {
        vaddr_t from = at;

        assert_int_equal(vm_remap(space[0], from, 2 * HUGE_SIZE, 2 * HUGE_SIZE,
                                  REMAP_MAYMOVE | REMAP_FIXED, places[i], &at),
                         i == 1 ? -EINVAL : 0); /* the second overlaps */
        if (i == 1)
            at = from;
        for (unsigned p = 0; p < 1024; p++) {
            assert_int_equal(cpu_access(space[0], at + p * PAGE_SIZE, FAULT_READ, &byte), 0);
            assert_int_equal(*byte, p % 3 == 0 ? (uint8_t)p : 0);
        }
    }
    assert_int_equal(vm_remap(space[0], at, 2 * HUGE_SIZE, 2 * HUGE_SIZE,
                              REMAP_MAYMOVE | REMAP_FIXED, to + PAGE_SIZE, &at),
                     0);
    for (unsigned p = 0; p < 1024; p++) {
        assert_int_equal(cpu_access(space[0], at + p * PAGE_SIZE, FAULT_READ, &byte), 0);
        assert_int_equal(*byte, p % 3 == 0 ? (uint8_t)p : 0);
    }
}

static void stacks_grow_to_their_limit(void **state)
{
    vaddr_t at, top = 0x7000000000UL;
    uint8_t *byte;

    (void)state;
    space[0]->limit_stack = 64 * PAGE_SIZE;
    assert_int_equal(vm_map(space[0], top - 4 * PAGE_SIZE, 4 * PAGE_SIZE, VM_READ | VM_WRITE,
                            VM_FIXED | VM_GROWSDOWN, NULL, 0, &at),
                     0);
    assert_int_equal(cpu_access(space[0], top - 40 * PAGE_SIZE, FAULT_WRITE, &byte), 0);
    assert_int_equal(cpu_access(space[0], top - 64 * PAGE_SIZE, FAULT_WRITE, &byte), 0);
    assert_int_equal(cpu_access(space[0], top - 65 * PAGE_SIZE, FAULT_WRITE, &byte), -EFAULT);
    /* Nothing is placed in the guard below it. */
    space[0]->mmap_top = top;
    assert_int_equal(vm_map(space[0], 0, PAGE_SIZE, VM_READ, 0, NULL, 0, &at), 0);
    assert_int_equal(at, top - (64 + 256 + 1) * PAGE_SIZE);
}

static void gaps_are_found_from_the_top(void **state)
{
    vaddr_t a, b, c, d;

    (void)state;
    space[0]->mmap_top = 0x40000000;
    assert_int_equal(vm_map(space[0], 0, 4 * PAGE_SIZE, VM_READ, 0, NULL, 0, &a), 0);
    assert_int_equal(a, 0x40000000 - 4 * PAGE_SIZE);
    assert_int_equal(vm_map(space[0], 0, PAGE_SIZE, VM_WRITE, 0, NULL, 0, &b), 0);
    assert_int_equal(b, a - PAGE_SIZE);
    assert_int_equal(vm_unmap(space[0], a + PAGE_SIZE, 2 * PAGE_SIZE), 0);
    assert_int_equal(vm_map(space[0], 0, 3 * PAGE_SIZE, VM_READ, 0, NULL, 0, &c), 0);
    assert_int_equal(c, b - 3 * PAGE_SIZE);
    assert_int_equal(vm_map(space[0], 0, 2 * PAGE_SIZE, VM_EXEC, 0, NULL, 0, &d), 0);
    assert_int_equal(d, a + PAGE_SIZE);
    /* A hint is taken where it fits. */
    assert_int_equal(vm_map(space[0], 0x20000123, PAGE_SIZE, VM_READ, 0, NULL, 0, &d), 0);
    assert_int_equal(d, 0x20001000);
    assert_int_equal(vm_map(space[0], d, PAGE_SIZE, VM_READ, 0, NULL, 0, &c), 0);
    assert_int_not_equal(c, d);
    assert_int_equal(vm_map(space[0], d, PAGE_SIZE, VM_READ, VM_FIXED | VM_NOREPLACE, NULL, 0, &c),
                     -EEXIST);
}

static void memory_runs_out_politely(void **state)
{
    vaddr_t at, other;
    uint8_t *byte;
    int error = 0;

    (void)state;
    assert_int_equal(
        vm_map(space[0], 0, MACHINE_PAGES * PAGE_SIZE, VM_READ | VM_WRITE, 0, NULL, 0, &at), 0);
    for (unsigned p = 0; p < MACHINE_PAGES && error == 0; p++)
        error = cpu_access(space[0], at + p * PAGE_SIZE, FAULT_WRITE, &byte);
    assert_int_equal(error, -ENOMEM);
    /* More than all of RAM is not even promised, unless asked for without a promise. */
    assert_int_equal(vm_map(space[1], 0, (MACHINE_PAGES + 1) * PAGE_SIZE, VM_READ | VM_WRITE, 0,
                            NULL, 0, &other),
                     -ENOMEM);
    assert_int_equal(vm_map(space[1], 0, (MACHINE_PAGES + 1) * PAGE_SIZE, VM_READ | VM_WRITE,
                            VM_NORESERVE, NULL, 0, &other),
                     0);
    assert_int_equal(vm_map(space[1], 0, 1UL << 40, 0, 0, NULL, 0, &other), 0);
    assert_int_equal(vm_protect(space[1], other, 1UL << 40, VM_READ | VM_WRITE), -ENOMEM);
    assert_int_equal(vm_unmap(space[0], at, MACHINE_PAGES * PAGE_SIZE), 0);
    assert_int_equal(vm_map(space[0], 0, PAGE_SIZE, VM_READ | VM_WRITE, 0, NULL, 0, &at), 0);
    assert_int_equal(cpu_access(space[0], at, FAULT_WRITE, &byte), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gaps_are_found_from_the_top),
        TEST(stacks_grow_to_their_limit),
        TEST(large_areas_get_blocks),
        TEST(blocks_move),
        TEST(memory_runs_out_politely),
        TEST(behaves_like_the_model),
        cmocka_unit_test(all_memory_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
