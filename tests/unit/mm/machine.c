/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

#include <arch/boot.h>
#include <arch/page_ops.h>
#include <core/ipi.h>
#include <core/percpu.h>
#include <core/wait.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <mm/memory.h>
#include <mm/pagecache.h>

#include "../../../kernel/arch/arm64/pagetable.h"
#include "../../../kernel/mm/fault.h"
#include "../../../kernel/mm/frames.h"
#include "../../../kernel/mm/tables.h"

#define TLB_ENTRIES 64u

char *unit_ram;
char *unit_ram_pages;
uintptr_t kernel_image_offset;
uint64_t kernel_root_table[512];
uint64_t memory_total_pages;
void ipi_call(const struct cpumask *mask, void (*fn)(void *), void *arg, bool wait)
{
    (void)mask, (void)wait;
    fn(arg);
}

/* --- one thread: nobody waits --- */

void waiter_init(struct waiter *waiter)
{
    (void)waiter;
}

void waitq_add(struct waitq *queue, struct waiter *waiter)
{
    (void)queue, (void)waiter;
    fail_msg("a sleep that nobody would end");
}

void waitq_remove(struct waiter *waiter)
{
    (void)waiter;
}

unsigned waitq_wake(struct waitq *queue, unsigned max, unsigned events)
{
    (void)queue, (void)max, (void)events;
    return 0;
}

void thread_prepare_sleep(enum wait_how how)
{
    (void)how;
}

int thread_sleep(uint64_t deadline_ns)
{
    (void)deadline_ns;
    return 0;
}

void thread_cancel_sleep(void)
{
}

/* --- what memory.c and section.c do on a real machine --- */

bool memory_is_ram(paddr_t base, uint64_t size)
{
    return base + size <= MACHINE_PAGES * PAGE_SIZE;
}

bool memory_reclaim_any(uint64_t pages)
{
    return pagecache_evict(pages) > 0 || pagecache_evict_mapped(pages) > 0;
}

bool reclaim_hold(struct vm_object *object)
{
    return atomic_inc_not_zero(&object->refs);
}

void reclaim_drop(struct vm_object *object)
{
    object_unref(object);
}

bool memory_charge_pinned(uint64_t pages)
{
    (void)pages;
    return true;
}

void memory_uncharge_pinned(uint64_t pages)
{
    (void)pages;
}

struct page *memory_reserved_page(paddr_t pa)
{
    struct page *page = phys_page(pa);

    page->flags |= PAGE_RESERVED | PAGE_ICACHE_CLEAN;
    return page;
}

bool section_grow(void)
{
    paddr_t base, end;

    if (unused_ranges.count == 0)
        return false;
    paddr_t window = align_down(unused_ranges.range[0].base, HUGE_SIZE);

    while (ranges_take_part(window, window + HUGE_SIZE, &base, &end))
        buddy_free_range(base, end);
    return true;
}

paddr_t pt_table_alloc(void)
{
    struct page *page = page_alloc(0, PAGE_ZERO | PAGE_ATOMIC | PAGE_USER);

    return page == NULL ? 0 : page_phys(page);
}

void pt_table_free(paddr_t table)
{
    page_free(phys_page(table), 0);
}

void memory_clear(void *start, size_t length)
{
    memset(start, 0, length);
}

void page_clear(void *page)
{
    memset(page, 0, PAGE_SIZE);
}

void page_copy(void *to, const void *from)
{
    memcpy(to, from, PAGE_SIZE);
}

void pt_activate(struct pagetable *pt)
{
    pt->asid = 1;
}

/* --- the MMU --- */

static struct {
    const struct pagetable *pt;
    vaddr_t va;
    paddr_t pa;
    unsigned prot;
} tlb[TLB_ENTRIES];

static void tlb_forget(const struct pagetable *pt, vaddr_t first, vaddr_t end)
{
    for (unsigned i = 0; i < TLB_ENTRIES; i++) {
        if (tlb[i].pt == pt && tlb[i].va >= first && tlb[i].va < end)
            tlb[i].pt = NULL;
    }
}

void tlb_flush(struct tlb_batch *batch)
{
    if (batch->first < batch->end)
        tlb_forget(batch->pagetable, batch->first, batch->end);
    for (unsigned i = 0; i < batch->frame_count; i++)
        pt_frame_release(batch->frame[i]);
    batch->frame_count = 0;
    if (batch->list != NULL)
        pt_frame_release_list(batch->list);
    batch->list = NULL;
    while (batch->tables != 0) {
        paddr_t table = batch->tables;

        batch->tables = *table_at(table);
        pt_table_free(table);
    }
    batch->first = ~(vaddr_t)0;
    batch->end = 0;
}

void tlb_finish(struct tlb_batch *batch)
{
    tlb_flush(batch);
}

/* A block may be cached by pages: all of it goes. */
void tlb_invalidate_page(struct pagetable *pt, vaddr_t va)
{
    vaddr_t block = align_down(va, HUGE_SIZE);

    tlb_forget(pt, block, block + HUGE_SIZE);
}

void tlb_invalidate_kernel(vaddr_t va, size_t len)
{
    (void)va, (void)len;
}

static bool allows(unsigned prot, unsigned access)
{
    return (prot & PT_READ) && (!(access & FAULT_WRITE) || (prot & PT_WRITE)) &&
           (!(access & FAULT_EXEC) || (prot & PT_EXEC));
}

int cpu_access(struct vmspace *vs, vaddr_t addr, unsigned access, uint8_t **byte)
{
    vaddr_t va = align_down(addr, PAGE_SIZE);
    unsigned slot = (unsigned)(va / PAGE_SIZE) % TLB_ENTRIES;

    vs->pagetable.asid = 1;
    for (unsigned tries = 0;; tries++) {
        if (tlb[slot].pt != &vs->pagetable || tlb[slot].va != va) {
            tlb[slot].pt = NULL;
            if (pt_query(&vs->pagetable, va, &tlb[slot].pa, &tlb[slot].prot) &&
                (tlb[slot].prot & PT_READ)) {
                tlb[slot].pt = &vs->pagetable;
                tlb[slot].va = va;
            }
        }
        if (tlb[slot].pt != NULL && allows(tlb[slot].prot, access)) {
            *byte = (uint8_t *)unit_ram + tlb[slot].pa + (addr & (PAGE_SIZE - 1));
            return 0;
        }
        assert_true(tries < 3); /* a fault that mends nothing would go on for ever */
        int error = vm_fault(vs, addr, access);

        if (error != 0)
            return error;
    }
}

/* --- */

void machine_start(void)
{
    size_t structs = MACHINE_PAGES * sizeof(struct page);

    unit_ram = aligned_alloc(HUGE_SIZE, MACHINE_PAGES * PAGE_SIZE);
    unit_ram_pages = calloc(1, structs);
    memset(tlb, 0, sizeof(tlb));
    memory_total_pages = MACHINE_PAGES;
    memory_page_init(MACHINE_PAGES);
    *(unsigned *)unit_cpu.pages = 0; /* the stock of the last machine, by its first field */
    ranges_add(HUGE_SIZE, MACHINE_PAGES * PAGE_SIZE);
    assert_int_equal(fault_init(), 0);
}

void machine_stop(void)
{
    unit_cpu.vmspace = NULL;
    free(unit_ram);
    free(unit_ram_pages);
    memset(&unused_ranges, 0, sizeof(unused_ranges));
    buddy_free_pages = 0;
}

uint64_t machine_free_pages(void)
{
    return memory_free_pages() + unused_ranges.pages / 64; /* which it sets aside for structures */
}
