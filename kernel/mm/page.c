/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator: a binary buddy system up to 2 MiB, and in front of it a stock of single
 * frames per CPU. Blocks never cross a 2 MiB window, so a buddy's structure always exists.
 */
#include "fault.h"
#include "frames.h"

#include <arch/irqflags.h>
#include <arch/page_ops.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#define STOCK_MAX 64U

/* Interrupts off to touch; only by its CPU. */
struct page_cpu {
    unsigned count;
    struct page *page[STOCK_MAX];
};

struct spinlock page_lock = SPINLOCK_INIT(RANK_PAGE);
static struct list_node free_list[PAGE_ORDER_MAX + 1]; /* page_lock */
uint64_t buddy_free_pages;                             /* page_lock */
static uint64_t reserve_pages;                         /* what PAGE_USER leaves to the kernel */
static unsigned stock_limit, stock_batch;
static struct page_cpu boot_stock;

static inline struct page *buddy_of(struct page *page, unsigned order)
{
    size_t number = (size_t)(page - (struct page *)VMEMMAP_BASE) ^ (1UL << order);

    return (struct page *)VMEMMAP_BASE + number;
}

static void buddy_free(struct page *page, unsigned order)
{
    buddy_free_pages += 1UL << order;
    for (; order < PAGE_ORDER_MAX; order++) {
        struct page *buddy = buddy_of(page, order);

        if (!(buddy->flags & PAGE_FREE) || buddy->order != order)
            break;
        list_del(&buddy->list);
        buddy->flags = 0;
        if (buddy < page)
            page = buddy;
    }
    page->flags = PAGE_FREE;
    page->order = (uint8_t)order;
    list_add(&free_list[order], &page->list);
}

/* Frames whose structures are fresh: [base, end) within one window, as few large blocks as it
 * gives. */
void buddy_free_range(paddr_t base, paddr_t end)
{
    while (base < end) {
        unsigned order =
            min_t(unsigned, PAGE_ORDER_MAX, (unsigned)__builtin_ctzl(base >> PAGE_SHIFT));

        while (base + (PAGE_SIZE << order) > end)
            order--;
        buddy_free(phys_page(base), order);
        base += PAGE_SIZE << order;
    }
}

struct page *buddy_take(unsigned order)
{
    unsigned have = order;

    while (have <= PAGE_ORDER_MAX && list_empty(&free_list[have]))
        have++;
    if (have > PAGE_ORDER_MAX)
        return NULL;
    struct page *page = list_first_entry(&free_list[have], struct page, list);

    list_del(&page->list);
    page->flags = 0;
    while (have > order) {
        struct page *half = page + (1UL << --have);

        half->flags = PAGE_FREE;
        half->order = (uint8_t)have;
        list_add(&free_list[have], &half->list);
    }
    buddy_free_pages -= 1UL << order;
    return page;
}

static struct page *take_or_grow(unsigned order)
{
    struct page *page = buddy_take(order);

    while (page == NULL && section_grow())
        page = buddy_take(order);
    return page;
}

static bool below_reserve(unsigned order)
{
    return buddy_free_pages + unused_ranges.pages < reserve_pages + (1UL << order);
}

/* Interrupts are off. A run of neighbours where there is one, lowest on top. */
static void stock_fill(struct page_cpu *stock, unsigned flags)
{
    spin_lock_call(&page_lock);
    unsigned batch = stock_batch, order = log2_floor(batch);

    if ((flags & PAGE_USER) && below_reserve(order)) {
        spin_unlock_call(&page_lock);
        return;
    }
    struct page *run = take_or_grow(order);

    for (unsigned i = batch; run != NULL && i-- > 0;)
        stock->page[stock->count++] = run + i;
    while (run == NULL && stock->count < batch / 2) {
        struct page *page = take_or_grow(0);

        if (page == NULL)
            break;
        stock->page[stock->count++] = page;
    }
    spin_unlock_call(&page_lock);
}

static void stock_drain(struct page_cpu *stock, unsigned keep)
{
    spin_lock_call(&page_lock);
    while (stock->count > keep)
        buddy_free(stock->page[--stock->count], 0);
    spin_unlock_call(&page_lock);
}

static struct page *alloc_single(unsigned flags)
{
    struct page *page = NULL;
    reg_t irq = irq_save();
    struct page_cpu *stock = this_cpu()->pages;

    if (unlikely(stock->count == 0))
        stock_fill(stock, flags);
    if (likely(stock->count > 0))
        page = stock->page[--stock->count];
    irq_restore(irq);
    return page;
}

static struct page *alloc_block(unsigned order, unsigned flags)
{
    struct page *page = NULL;
    reg_t irq = spin_lock_irq_call(&page_lock);

    if (!((flags & PAGE_USER) && below_reserve(order)))
        page = take_or_grow(order);
    spin_unlock_irq_call(&page_lock, irq);
    return page;
}

/* Memory is short: evicts, then tries again. */
static __noinline struct page *alloc_slow(unsigned order, unsigned flags)
{
    for (unsigned attempt = 0; attempt < 4 && !(flags & PAGE_ATOMIC); attempt++) {
        if (!memory_reclaim_any(64UL << order))
            break;
        struct page *page = order == 0 ? alloc_single(flags) : alloc_block(order, flags);

        if (page != NULL)
            return page;
    }
    return NULL;
}

struct page *page_alloc(unsigned order, unsigned flags)
{
    struct page *page = likely(order == 0) ? alloc_single(flags) : alloc_block(order, flags);

    ASSERT(order <= PAGE_ORDER_MAX);
    if (unlikely(page == NULL)) {
        page = alloc_slow(order, flags);
        if (page == NULL)
            return NULL;
    }
    atomic_set(&page->refs, 1);
    page->order = (uint8_t)order;
    page->object = NULL;
    if (flags & PAGE_ZERO)
        memory_clear(page_virt(page), PAGE_SIZE << order);
    return page;
}

void page_free(struct page *page, unsigned order)
{
    ASSERT(!(page->flags & (PAGE_FREE | PAGE_RESERVED)));
    page->flags = 0;
    if (likely(order == 0)) {
        reg_t irq = irq_save();
        struct page_cpu *stock = this_cpu()->pages;

        if (unlikely(stock->count >= stock_limit))
            stock_drain(stock, stock_limit - stock_batch);
        stock->page[stock->count++] = page;
        irq_restore(irq);
        return;
    }
    reg_t irq = spin_lock_irq(&page_lock);

    buddy_free(page, order);
    spin_unlock_irq(&page_lock, irq);
}

void page_release(struct page *page)
{
    unsigned order = 0;

    if (page->flags & PAGE_HEAD) {
        order = page->order;
        for (unsigned i = 1; i < 1U << order; i++)
            page[i].flags = 0;
    }
    page_free(page, order);
}

void page_make_compound(struct page *page, unsigned order)
{
    page->flags |= PAGE_HEAD;
    page->order = (uint8_t)order;
    for (unsigned i = 1; i < 1U << order; i++) {
        page[i].flags = PAGE_TAIL;
        page[i].head = page;
    }
}

void page_split_compound(struct page *page)
{
    unsigned count = 1U << page->order;

    for (unsigned i = 0; i < count; i++) {
        page[i].flags &= ~(PAGE_HEAD | PAGE_TAIL);
        page[i].object = NULL;
        page[i].order = 0;
        atomic_set(&page[i].refs, 1);
    }
}

/* Reported blocks are at the tail of their list: what is not precedes them, and is taken first. */
__cold unsigned page_report_take(struct page **blocks, unsigned count)
{
    struct list_node *list = &free_list[PAGE_ORDER_MAX];
    unsigned got = 0;
    reg_t irq = spin_lock_irq(&page_lock);

    while (got < count && !list_empty(list) &&
           buddy_free_pages > memory_total_pages / 8 + (1UL << PAGE_ORDER_MAX)) {
        struct page *page = list_first_entry(list, struct page, list);

        if (page->flags & PAGE_REPORTED)
            break;
        blocks[got++] = buddy_take(PAGE_ORDER_MAX);
    }
    spin_unlock_irq(&page_lock, irq);
    return got;
}

__cold void page_report_done(struct page *const *blocks, unsigned count)
{
    reg_t irq = spin_lock_irq(&page_lock);

    for (unsigned i = 0; i < count; i++) {
        blocks[i]->flags = PAGE_FREE | PAGE_REPORTED;
        blocks[i]->order = PAGE_ORDER_MAX;
        list_add_tail(&free_list[PAGE_ORDER_MAX], &blocks[i]->list);
    }
    buddy_free_pages += (uint64_t)count << PAGE_ORDER_MAX;
    spin_unlock_irq(&page_lock, irq);
}

void page_set_flags(struct page *page, uint32_t flags)
{
    atomic_fetch_or((int32_t)flags, (atomic_t *)&page->flags);
}

void page_clear_flags(struct page *page, uint32_t flags)
{
    atomic_fetch_and((int32_t)~flags, (atomic_t *)&page->flags);
}

bool page_test_set_flags(struct page *page, uint32_t flags)
{
    uint32_t old = (uint32_t)atomic_fetch_or((int32_t)flags, (atomic_t *)&page->flags);

    return (old & flags) == flags;
}

/* Frames of tables at start come straight out of the ranges, before this. */
void memory_page_init(uint64_t total_pages)
{
    for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++)
        list_init(&free_list[order]);
    reserve_pages = clamp(total_pages / 128, (uint64_t)32, (uint64_t)1024);
    stock_limit = (unsigned)clamp(total_pages / 256, (uint64_t)8, (uint64_t)STOCK_MAX);
    stock_limit = 1U << log2_floor(stock_limit);
    stock_batch = stock_limit / 2;
    this_cpu()->pages = &boot_stock;
}

int memory_cpu_stock_init(struct cpu *cpu)
{
    cpu->pages = kzalloc(sizeof(*cpu->pages));
    return cpu->pages == NULL ? -ENOMEM : 0;
}

uint64_t memory_free_pages(void)
{
    struct cpu *cpu;
    reg_t irq = spin_lock_irq(&page_lock);
    uint64_t count = buddy_free_pages + unused_ranges.pages - unused_ranges.pages / 64;

    spin_unlock_irq(&page_lock, irq);
    for_each_cpu (cpu) {
        if (cpu->pages != NULL)
            count += READ_ONCE(cpu->pages->count);
    }
    return count;
}

uint64_t memory_reserve_pages(void)
{
    return reserve_pages;
}

bool memory_is_plentiful(void)
{
    return READ_ONCE(buddy_free_pages) + READ_ONCE(unused_ranges.pages) > memory_total_pages / 4;
}
