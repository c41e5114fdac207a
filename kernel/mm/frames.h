/* SPDX-License-Identifier: MIT */
/*
 * Between the files of the frame allocator. Frames go one way: `unused` ranges (ranges.c) ->
 * windows of 2 MiB whose structures exist (section.c) -> the buddy allocator (page.c). page_lock
 * guards all three after start.
 */
#ifndef MM_FRAMES_H
#define MM_FRAMES_H

#include <core/lock.h>
#include <lib/types.h>
#include <mm/memory.h>
#include <mm/page.h>

extern struct spinlock page_lock;

/* ranges.c: RAM that nobody has asked for yet, sorted, in bytes. */
#define RANGES_MAX (MEMORY_BANKS_MAX + 2 * MEMORY_RESERVED_MAX)
struct ranges {
    size_t count;
    uint64_t pages;
    struct {
        paddr_t base, end;
    } range[RANGES_MAX];
};
extern struct ranges unused_ranges;

void ranges_add(paddr_t base, paddr_t end);
/* Takes `size` bytes (aligned, within [low, high)) out; 0 if there are none. */
paddr_t ranges_take(uint64_t size, uint64_t align, paddr_t low, paddr_t high);
/* Takes out the part of [low, high) that is free and lowest; false: none. */
bool ranges_take_part(paddr_t low, paddr_t high, paddr_t *base, paddr_t *end);

/* section.c; page_lock held. */
bool section_grow(void); /* hands one window to the buddy allocator; false: no RAM is left */
bool section_prepare(
    paddr_t pa); /* structures of the window around pa exist; false: no memory for them */

/* page.c; page_lock held. */
void buddy_free_range(paddr_t base, paddr_t end);
struct page *buddy_take(unsigned order);
extern uint64_t buddy_free_pages;

/* linear.c */
int linear_map_init(void);

/* memory.c: the strongest reservation at pa, or MEMORY_FREE, and where that may change. */
#define MEMORY_FREE ((enum memory_kind) - 1)
enum memory_kind memory_kind_at(paddr_t pa, paddr_t *end);
extern size_t memory_reserved_count;
/* The banks as taken over: sorted, apart, whole pages; fixed after start. */
extern struct memory_range memory_bank[MEMORY_BANKS_MAX];
extern size_t memory_bank_count;
void memory_page_init(uint64_t total_pages); /* page.c, at start */
extern uint64_t memory_total_pages;
struct cpu;
int memory_cpu_stock_init(struct cpu *cpu);
uint64_t memory_free_pages(void);    /* takes page_lock */
uint64_t memory_reserve_pages(void); /* what programs may not take */

/* reclaim.c */
uint64_t memory_reclaim(uint64_t pages);
/* The same, and when that frees fewer, pages that are mapped. False: nothing could be freed. Waits
 * for nothing but another caller of it, whatever the caller holds. */
bool memory_reclaim_any(uint64_t pages);
/* A reference of an object, for unmapping its pages; false: nobody has one, or no more can be held
 * now. Given back, the object is not released here, where the caller's locks are not known. */
struct vm_object;
bool reclaim_hold(struct vm_object *object);
void reclaim_drop(struct vm_object *object);

/* pagecache.c: cached, shared, dirty */
void pagecache_get_stats(struct memory_stats *stats);

#endif
