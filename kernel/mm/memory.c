/* SPDX-License-Identifier: MIT */
/* RAM as a whole: banks and reservations as the machine describes them, start of the memory system,
 * counters. */
#include <mm/memory.h>

#include "fault.h"
#include "frames.h"
#include "kwindow.h"
#include "slab.h"
#include "tables.h"

#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/pagetable.h>
#include <core/percpu.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/pagecache.h>

struct memory_range memory_bank[MEMORY_BANKS_MAX];
size_t memory_bank_count;
static struct memory_reservation reserved[MEMORY_RESERVED_MAX];
size_t memory_reserved_count;
uint64_t memory_total_pages;
uintptr_t kernel_image_offset;

bool memory_is_ram(paddr_t base, uint64_t size)
{
    for (size_t i = 0; i < memory_bank_count; i++) {
        if (base >= memory_bank[i].base && base - memory_bank[i].base < memory_bank[i].size &&
            size <= memory_bank[i].size - (base - memory_bank[i].base))
            return true;
    }
    return false;
}

/* Inserts in order. */
static int add_bank(paddr_t base, paddr_t end)
{
    size_t i = memory_bank_count;

    if (i == MEMORY_BANKS_MAX)
        return -EINVAL;
    for (; i > 0 && memory_bank[i - 1].base > base; i--)
        memory_bank[i] = memory_bank[i - 1];
    memory_bank[i] = (struct memory_range){.base = base, .size = end - base};
    memory_bank_count++;
    return 0;
}

/* Those that touch or overlap become one. */
static void merge_banks(void)
{
    struct memory_range *last = memory_bank;

    for (size_t i = 1; i < memory_bank_count; i++) {
        paddr_t offset = memory_bank[i].base - last->base;

        if (offset <= last->size)
            last->size = max(last->size, offset + memory_bank[i].size);
        else
            *++last = memory_bank[i];
    }
    memory_bank_count = (size_t)(last - memory_bank) + 1;
}

static int take_banks(const struct memory_range *given, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        paddr_t base = align_up(given[i].base, PAGE_SIZE);
        paddr_t end = given[i].base + given[i].size;

        if (end < given[i].base || end > LINEAR_SIZE)
            end = LINEAR_SIZE; /* what the linear map cannot reach is left alone */
        end = align_down(end, PAGE_SIZE);
        if (base < end && add_bank(base, end) != 0)
            return -EINVAL;
    }
    if (memory_bank_count == 0)
        return -EINVAL;
    merge_banks();
    for (size_t i = 0; i < memory_bank_count; i++)
        memory_total_pages += memory_bank[i].size / PAGE_SIZE;
    return 0;
}

static int add_reservation(paddr_t base, uint64_t size, enum memory_kind kind)
{
    paddr_t end = base + size;

    if (size == 0)
        return 0;
    if (memory_reserved_count == MEMORY_RESERVED_MAX)
        return -EINVAL;
    base = align_down(base, PAGE_SIZE);
    end = end < base ? ~(paddr_t)0 : end;
    end = end > ~(paddr_t)0 - PAGE_SIZE ? align_down(end, PAGE_SIZE) : align_up(end, PAGE_SIZE);
    reserved[memory_reserved_count++] =
        (struct memory_reservation){.base = base, .size = end - base, .kind = kind};
    return 0;
}

static int take_reservations(const struct memory_reservation *given, size_t count)
{
    paddr_t text = boot_entry.image, data = image_phys(__data_start);
    int error = add_reservation(text, data - text, MEMORY_READONLY);

    if (error == 0)
        error = add_reservation(data, image_phys(__image_end) - data, MEMORY_KEEP);
    for (size_t i = 0; i < count && error == 0; i++)
        error = add_reservation(given[i].base, given[i].size, given[i].kind);
    return error;
}

/* MEMORY_FREE counts below the others: NOMAP > READONLY > KEEP > free. */
enum memory_kind memory_kind_at(paddr_t pa, paddr_t *end)
{
    int kind = -1;

    *end = ~(paddr_t)0;
    for (size_t i = 0; i < memory_reserved_count; i++) {
        const struct memory_reservation *r = &reserved[i];

        if (pa < r->base) {
            *end = min(*end, r->base);
        } else if (pa - r->base < r->size) {
            *end = min(*end, r->base + r->size);
            kind = max(kind, (int)r->kind);
        }
    }
    return (enum memory_kind)kind;
}

static void find_unused(void)
{
    for (size_t i = 0; i < memory_bank_count; i++) {
        paddr_t end = memory_bank[i].base + memory_bank[i].size, stop;

        for (paddr_t pa = memory_bank[i].base; pa < end; pa = stop) {
            enum memory_kind kind = memory_kind_at(pa, &stop);

            stop = min(stop, end);
            if (kind == MEMORY_FREE)
                ranges_add(pa, stop);
        }
    }
}

int memory_init(const struct memory_range *banks, size_t count,
                const struct memory_reservation *reservations, size_t reservation_count)
{
    int error;

    kernel_image_offset = boot_entry.image_virtual - boot_entry.image;
    kernel_pagetable.root = image_phys(kernel_root_table);
    error = take_banks(banks, count);
    if (error == 0)
        error = take_reservations(reservations, reservation_count);
    if (error != 0)
        return error;
    find_unused();
    icache_invalidate_all(); /* memory_reserved_page() relies on it */
    error = linear_map_init();
    if (error != 0)
        return error;
    memory_page_init(memory_total_pages);
    slab_init();
    return fault_init();
}

int memory_cpu_init(unsigned id)
{
    struct cpu *cpu = cpu_table[id];
    int error = memory_cpu_stock_init(cpu);

    return error != 0 ? error : slab_cpu_init(cpu);
}

uint64_t memory_ram_pages(void)
{
    return memory_total_pages;
}

/* Reserved frames and page structures: what programs and caches never had. */
static uint64_t memory_kernel_pages(void)
{
    uint64_t pages = memory_total_pages / 64;

    for (size_t i = 0; i < memory_reserved_count; i++) {
        if (memory_is_ram(reserved[i].base, reserved[i].size))
            pages += reserved[i].size / PAGE_SIZE;
    }
    return pages;
}

void memory_get_stats(struct memory_stats *stats)
{
    uint64_t evictable;

    *stats = (struct memory_stats){
        .total = memory_total_pages,
        .free = memory_free_pages(),
        .slab = slab_page_count(),
        .page_tables = tables_count(),
        .kernel_stacks = kstack_page_count(),
    };
    pagecache_get_stats(stats);
    stats->anonymous =
        stats->total -
        min(stats->total, stats->free + stats->cached + stats->slab + stats->page_tables +
                              stats->kernel_stacks + memory_kernel_pages());
    evictable = stats->cached - min(stats->cached, stats->shared + stats->dirty);
    stats->available = stats->free + evictable;
    stats->available -= min(stats->available, memory_reserve_pages());
}
