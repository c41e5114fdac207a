/* SPDX-License-Identifier: MIT */
/*
 * Page structures on first use. A section is 128 MiB of RAM and its 2 MiB of structures; a window
 * is 2 MiB of RAM and its 32 KiB of structures. A whole section's structures are a block of its own
 * first frames, mapped at once; where RAM is cut by bank ends or reservations, and where the kernel
 * lies, they come window by window. Structures are zeroed when their window is first needed, so
 * that start-up costs the same with any amount of RAM.
 */
#include "frames.h"
#include "tables.h"

#include <arch/boot.h>
#include <arch/page_ops.h>
#include <arch/pagetable.h>
#include <lib/align.h>
#include <lib/compiler.h>

#define SECTION_SIZE   (128UL << 20)
#define WINDOW_SIZE    HUGE_SIZE
#define WINDOW_STRUCTS (WINDOW_SIZE / PAGE_SIZE * sizeof(struct page))
#define WINDOW_READY   0x52656d6f72614d4dUL

_Static_assert(sizeof(struct page) == 64, "vmemmap is laid out by 64-byte structures");

static bool window_is_mapped(paddr_t window)
{
    bool present;

    pt_find_slot(&kernel_pagetable, (vaddr_t)phys_page(window), &present);
    return present;
}

static int map_structs(struct page *structs, paddr_t frames, size_t size)
{
    int error;

    tables_begin_locked();
    error = pt_map(&kernel_pagetable, (vaddr_t)structs, frames, size,
                   PT_READ | PT_WRITE | PT_GLOBAL | PT_NOREF | PT_BLOCK);
    tables_end_locked();
    return error;
}

/* The structures of a section that is all RAM, in one block; not of the kernel's own section, since
 * small programs need none but it, and little of that. */
static bool map_section(paddr_t section)
{
    paddr_t frames;

    if (boot_entry.image - section < SECTION_SIZE || !memory_is_ram(section, SECTION_SIZE))
        return false;
    frames = ranges_take(HUGE_SIZE, HUGE_SIZE, section, section + SECTION_SIZE);
    if (frames == 0)
        return false;
    if (map_structs(phys_page(section), frames, HUGE_SIZE) != 0) {
        ranges_add(frames, frames + HUGE_SIZE);
        return false;
    }
    for (paddr_t w = section; w < section + SECTION_SIZE; w += WINDOW_SIZE)
        phys_page(w)->spare = 0;
    return true;
}

static bool map_window(paddr_t window)
{
    paddr_t section = align_down(window, SECTION_SIZE);
    paddr_t frames = ranges_take(WINDOW_STRUCTS, PAGE_SIZE, section, section + SECTION_SIZE);

    if (frames == 0)
        frames = ranges_take(WINDOW_STRUCTS, PAGE_SIZE, 0, LINEAR_SIZE);
    if (frames == 0) {
        struct page *page = buddy_take(3);

        if (page == NULL)
            return false;
        frames = page_phys(page);
    }
    if (map_structs(phys_page(window), frames, WINDOW_STRUCTS) != 0)
        return false;
    phys_page(window)->spare = 0;
    return true;
}

bool section_prepare(paddr_t pa)
{
    paddr_t window = align_down(pa, WINDOW_SIZE);
    struct page *first = phys_page(window);

    if (!window_is_mapped(window) && !map_section(align_down(pa, SECTION_SIZE)) &&
        !map_window(window))
        return false;
    if (first->spare != WINDOW_READY) {
        memory_clear(first, WINDOW_STRUCTS);
        first->spare = WINDOW_READY;
    }
    return true;
}

bool section_grow(void)
{
    while (unused_ranges.count > 0) {
        paddr_t window = align_down(unused_ranges.range[0].base, WINDOW_SIZE), base, end;
        bool any = false;

        /* Frames of structures may come from this very window: ask for its free parts afterwards.
         */
        if (!section_prepare(window))
            return false;
        while (ranges_take_part(window, window + WINDOW_SIZE, &base, &end)) {
            buddy_free_range(base, end);
            any = true;
        }
        if (any)
            return true;
    }
    return false;
}

struct page *memory_reserved_page(paddr_t pa)
{
    static paddr_t ready = ~(paddr_t)0; /* a window known to be prepared */
    struct page *page = phys_page(pa);

    if (align_down(pa, WINDOW_SIZE) != READ_ONCE(ready)) {
        bool done;

        if (!memory_is_ram(align_down(pa, PAGE_SIZE), PAGE_SIZE))
            return NULL;
        reg_t flags = spin_lock_irq(&page_lock);
        done = section_prepare(pa);
        spin_unlock_irq(&page_lock, flags);
        if (!done)
            return NULL;
        WRITE_ONCE(ready, align_down(pa, WINDOW_SIZE));
    }
    /* Loaded before the kernel ran, never written since, and memory_init() emptied the instruction
     * caches; the vDSO's page is cleaned by who fills it. */
    if (unlikely(!(page->flags & PAGE_RESERVED)))
        WRITE_ONCE(page->flags, PAGE_RESERVED | PAGE_ICACHE_CLEAN); /* the only flags it ever has */
    return page;
}
