/* SPDX-License-Identifier: MIT */
/*
 * Page frames. Every frame of RAM that the kernel manages has a `struct page` in the vmemmap, an
 * array indexed by frame number whose sections (128 MiB of RAM, 2 MiB of structures) appear on
 * first use.
 *
 * page_alloc/page_free are the buddy allocator with per-CPU caches for single pages. Any context
 * with PAGE_ATOMIC; without it the caller may sleep while the page cache is evicted.
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include <arch/atomic.h>
#include <arch/memory_map.h>
#include <lib/list.h>
#include <lib/types.h>

struct vm_object;
struct slab_cache;

#define PAGE_ORDER_MAX 9U /* 2 MiB, the largest block of the buddy allocator */

/* page_alloc flags */
#define PAGE_ZERO   1U /* filled with zeroes */
#define PAGE_ATOMIC 2U /* does not sleep, does not evict, may use the reserve */
#define PAGE_USER   4U /* for a program: fails before the kernel's reserve is touched */

/* page->flags */
#define PAGE_FREE 0x1U /* head of a free block in the buddy allocator */
#define PAGE_RESERVED \
    0x2U /* never freed: kernel image, root in RAM, zero page; references are not counted */
#define PAGE_HEAD                                                                   \
    0x4U /* first of a compound block of 1 << order frames with one reference count \
          */
#define PAGE_TAIL         0x8U  /* others of it; ->head is the first */
#define PAGE_SLAB         0x10U /* belongs to a slab cache */
#define PAGE_DIRTY        0x20U /* cache page newer than its backing store */
#define PAGE_UPTODATE     0x40U /* cache page whose contents were read */
#define PAGE_LOCKED       0x80U /* cache page under I/O (pagecache.c) */
#define PAGE_ACCESSED     0x100U
#define PAGE_ICACHE_CLEAN 0x200U /* instruction cache is coherent with the frame's contents */
#define PAGE_KERNEL       0x400U /* head of a kmalloc block of whole pages */
#define PAGE_WRITEBACK    0x800U
#define PAGE_LRU          0x1000U /* on an eviction list (pagecache.c) */
#define PAGE_REPORTED     0x4000U /* free block of the largest order that the hypervisor knows of */
#define PAGE_CACHED       0x2000U /* in a per-CPU cache or, as a free block, counted there */

struct page {
    uint32_t flags; /* PAGE_*; changed by page_set_flags/page_clear_flags once the page is shared */
    atomic_t refs;  /* 0 while free */
    struct list_node list; /* free list, per-CPU cache, eviction list or batch; the owner's */
    union {
        struct vm_object
            *object; /* page cache: the object it belongs to, under the object's lock */
        struct slab_cache *cache; /* PAGE_SLAB */
        struct page *head;        /* PAGE_TAIL */
    };
    union {
        uint64_t index;  /* page cache: place in the object, in pages */
        void *slab_free; /* PAGE_SLAB: first free object */
    };
    union {
        uintptr_t private; /* free use of the object's owner */
        uint32_t slab_used;
    };
    uint8_t order; /* of a free block, a compound or a kmalloc block */
    uint8_t pad[3];
    atomic_t pins; /* reserved for DMA accounting */
    uint64_t spare;
};

/* A block of 1 << order frames, naturally aligned, with one reference on its first page and
 * PAGE_HEAD not set (the frames are the caller's; see page_make_compound). NULL when out of memory.
 */
struct page *page_alloc(unsigned order, unsigned flags);

/* Returns a block to the allocator regardless of references. Any context. */
void page_free(struct page *page, unsigned order);

/* Turns a fresh block into one unit with a shared reference count: page_ref and page_unref of any
 * of its frames count on the head, the last page_unref frees all. */
void page_make_compound(struct page *page, unsigned order);

/* Undoes it when the caller holds the only reference: every frame then has one of its own. */
void page_split_compound(struct page *page);

/* The last reference gone: back to the allocator (called by page_unref). */
void page_release(struct page *page);

static inline paddr_t page_phys(const struct page *page)
{
    return (paddr_t)(page - (const struct page *)VMEMMAP_BASE) << PAGE_SHIFT;
}

/* The frame must be RAM that was handed out by page_alloc, or lie in a reservation after
 * memory_reserved_page(). */
static inline struct page *phys_page(paddr_t pa)
{
    return (struct page *)VMEMMAP_BASE + (pa >> PAGE_SHIFT);
}

static inline void *phys_virt(paddr_t pa)
{
    return (void *)(LINEAR_BASE + pa);
}

static inline void *page_virt(const struct page *page)
{
    return phys_virt(page_phys(page));
}

/* Of an address in the linear map (kmalloc, page_virt) or in the kernel image; not of the kernel
 * window: use kwindow_phys() there. */
extern uintptr_t kernel_image_offset; /* virtual minus physical address of the kernel image */
static inline paddr_t virt_phys(const void *virt)
{
    uintptr_t va = (uintptr_t)virt;

    return va >= IMAGE_BASE ? va - kernel_image_offset : va - LINEAR_BASE;
}

static inline struct page *virt_page(const void *virt)
{
    return phys_page(virt_phys(virt));
}

static inline struct page *page_head(struct page *page)
{
    return page->flags & PAGE_TAIL ? page->head : page;
}

static inline void page_ref_many(struct page *page, int count)
{
    page = page_head(page);
    if (!(page->flags & PAGE_RESERVED))
        atomic_add(count, &page->refs);
}

static inline void page_ref(struct page *page)
{
    page_ref_many(page, 1);
}

static inline void page_unref(struct page *page)
{
    page = page_head(page);
    if (!(page->flags & PAGE_RESERVED) && atomic_dec_and_test(&page->refs))
        page_release(page);
}

/*
 * For a balloon: free blocks of the largest order that the hypervisor was not told of, at most
 * `count`, not to be touched until page_report_done() says that it has been told and may have taken
 * the memory behind them; they are free again then. 0: none, or memory is short. Any context.
 */
unsigned page_report_take(struct page **blocks, unsigned count);
void page_report_done(struct page *const *blocks, unsigned count);

/* Atomic changes of flags, for pages that others may look at. */
void page_set_flags(struct page *page, uint32_t flags);
void page_clear_flags(struct page *page, uint32_t flags);
bool page_test_set_flags(struct page *page, uint32_t flags); /* true if all were set before */

/* Fills one page with zeroes / copies one (arch, unrolled). */
void page_clear(void *page);
void page_copy(void *to, const void *from);

#endif
