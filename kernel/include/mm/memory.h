/* SPDX-License-Identifier: MIT */
/*
 * RAM as a whole: what exists, what is spoken for, what is left; the start of the memory system and
 * its counters. Start-up cost does not grow with RAM: frames get their structures when they are
 * first handed out.
 */
#ifndef MM_MEMORY_H
#define MM_MEMORY_H

#include <lib/types.h>

#define MEMORY_BANKS_MAX    32
#define MEMORY_RESERVED_MAX 64

struct memory_range {
    paddr_t base;
    uint64_t size; /* bytes */
};

enum memory_kind {
    MEMORY_KEEP,     /* in use, mapped read-write (device tree, parked CPUs' page) */
    MEMORY_READONLY, /* in use, mapped read-only (kernel text and rodata, root image) */
    MEMORY_NOMAP,    /* not ours to touch: not mapped at all (`no-map` of /reserved-memory, secure
                        memory) */
};

struct memory_reservation {
    paddr_t base;
    uint64_t size;
    enum memory_kind kind;
};

/*
 * Takes over RAM. Once, on the boot CPU, with the kernel running in its window and early tables;
 * interrupts off. Banks and reservations in any order, unaligned (banks shrink, reservations grow
 * to whole pages), overlapping (NOMAP wins over READONLY over KEEP) or outside of any bank. The
 * reservations must cover the kernel image: text and rodata READONLY, data and bss and early tables
 * KEEP. The arrays may be dropped afterwards. After it: linear map, page_alloc, kmalloc, kwindow
 * work. 0, -EINVAL (no usable bank), -ENOMEM (too little RAM).
 */
int memory_init(const struct memory_range *bank, size_t bank_count,
                const struct memory_reservation *reserved, size_t reserved_count);

/* Per-CPU part for a further CPU, on the boot CPU before that one starts; -ENOMEM. */
int memory_cpu_init(unsigned cpu);

/* struct page of a frame inside a reservation that is mapped (root in RAM): marked PAGE_RESERVED,
 * set up on first use. NULL if the frame is no RAM. Any thread context. */
struct page *memory_reserved_page(paddr_t pa);

/* True if the physical range is RAM (reserved or not) within banks. */
bool memory_is_ram(paddr_t base, uint64_t size);

/* Pages of RAM, the kernel's own use included. */
uint64_t memory_ram_pages(void);

struct memory_stats {
    uint64_t total;     /* memory_ram_pages() */
    uint64_t free;      /* pages that page_alloc can give without evicting */
    uint64_t available; /* free and what eviction would free, less the reserve */
    uint64_t cached;    /* pages of page caches (files, tmpfs) */
    uint64_t shared;    /* of them those that cannot be evicted: tmpfs, shared anonymous */
    uint64_t dirty;
    uint64_t anonymous;   /* private pages of programs */
    uint64_t slab;        /* pages of slabs */
    uint64_t page_tables; /* pages of page tables */
    uint64_t kernel_stacks;
    uint64_t mapped; /* reserved for file pages that are mapped */
};
void memory_get_stats(struct memory_stats *stats);

/* In debug builds: panics on a wrong mapping in the kernel's half. Thread context, other CPUs idle
 * or not started. */
#ifdef CONFIG_DEBUG_CHECKS
void memory_check_mappings(void);
#else
static inline void memory_check_mappings(void)
{
}
#endif

/* What cannot be evicted is capped: tmpfs and shared memory ask before they take pages and tell
 * what they give back. false: over the cap (the caller returns -ENOSPC). The cap is half of RAM. */
bool memory_charge_pinned(uint64_t pages);
void memory_uncharge_pinned(uint64_t pages);

/* A supplier of pages under pressure. reclaim() frees up to `pages`, returns how many it freed;
 * called from page_alloc in thread context, must not allocate without PAGE_ATOMIC, must only try
 * locks. */
struct memory_shrinker {
    const char *name;
    uint64_t (*reclaim)(struct memory_shrinker *, uint64_t pages);
    struct memory_shrinker *next;
};
void memory_add_shrinker(struct memory_shrinker *shrinker);

#endif
