/* SPDX-License-Identifier: MIT */
/*
 * Address space identifiers (Arm ARM D8.15): 8 or 16 bits, far fewer than address spaces may come
 * and go. A pagetable's `asid` is the number below its generation. When numbers run out a new
 * generation begins: those in use on a CPU are kept, every CPU forgets its TLB before it next
 * activates a table, all others get a number anew.
 *
 * A CPU in the fast path replaces active[cpu] by a compare-and-swap; the one that starts a
 * generation sets active[] to 0, which sends the former to the slow path.
 */
#include <arch/atomic.h>
#include <arch/barrier.h>
#include <arch/boot.h>
#include <arch/irqflags.h>
#include <arch/pagetable.h>
#include <arch/sysreg.h>
#include <arch/tlb.h>
#include <core/lock.h>
#include <core/percpu.h>
#include <lib/bitmap.h>
#include <lib/cpumask.h>

#define ASID_BITS    16
#define ASID_NUMBER  ((1UL << ASID_BITS) - 1)
#define ASID_USE_MAX 1024U /* numbers handed out of those that 16 bits allow */
#define TCR_AS       (1UL << 36)

static struct spinlock asid_lock = SPINLOCK_INIT(RANK_ASID);
static atomic64_t generation = ATOMIC_INIT(1L << ASID_BITS);
static atomic64_t active[MAX_CPUS];    /* what each CPU runs; 0: taken away by a new generation */
static uint64_t reserved[MAX_CPUS];    /* asid_lock: what each CPU ran when the generation began */
static BITMAP(used, ASID_USE_MAX);     /* asid_lock: numbers of this generation */
static struct cpumask flush_pending;   /* asid_lock: CPUs whose TLB is from an older generation */
static unsigned limit = 256, next = 1; /* number 0 belongs to the empty table */

void pt_cpu_init(void)
{
    if (sysreg_read(tcr_el1) & TCR_AS)
        limit = ASID_USE_MAX;
}

static uint64_t current_generation(void)
{
    return (uint64_t)atomic64_read(&generation);
}

static bool is_current(uint64_t asid)
{
    return (asid & ~ASID_NUMBER) == current_generation();
}

static void begin_generation(void)
{
    atomic64_add(1L << ASID_BITS, &generation);
    for (size_t i = 0; i < ARRAY_SIZE(used); i++)
        used[i] = 0;
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        uint64_t asid = (uint64_t)atomic64_xchg(&active[cpu], 0);

        /* A CPU that has activated nothing since the last generation still runs what it ran then.
         */
        if (asid == 0)
            asid = reserved[cpu];
        if (asid != 0)
            bitmap_set(used, asid & ASID_NUMBER);
        reserved[cpu] = asid;
        cpumask_set(&flush_pending, cpu);
    }
    next = 1;
}

/* Is it running somewhere, kept through the change of generation? Then it keeps its number. */
static bool renew_reserved(uint64_t asid, uint64_t renewed)
{
    bool found = false;

    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        if (reserved[cpu] == asid) {
            reserved[cpu] = renewed;
            found = true;
        }
    }
    return found;
}

static uint64_t assign(uint64_t asid)
{
    if (asid != 0) {
        uint64_t renewed = current_generation() | (asid & ASID_NUMBER);

        if (renew_reserved(asid, renewed))
            return renewed;
        if (!bitmap_test(used, asid & ASID_NUMBER)) {
            bitmap_set(used, asid & ASID_NUMBER);
            return renewed;
        }
    }
    size_t number = bitmap_find_clear(used, limit, next);

    if (number >= limit) {
        begin_generation();
        number = bitmap_find_clear(used, limit, 1);
    }
    bitmap_set(used, number);
    next = (unsigned)number + 1;
    return current_generation() | number;
}

static void assign_slow(struct pagetable *pt, unsigned cpu)
{
    spin_lock(&asid_lock);
    if (!is_current(pt->asid))
        WRITE_ONCE(pt->asid, assign(pt->asid));
    if (cpumask_test(&flush_pending, cpu)) {
        cpumask_clear(&flush_pending, cpu);
        tlb_invalidate_all_local();
    }
    atomic64_set(&active[cpu], (int64_t)pt->asid);
    spin_unlock(&asid_lock);
}

void pt_activate(struct pagetable *pt)
{
    if (pt == NULL) {
        sysreg_write(ttbr0_el1, image_phys(empty_table));
        isb();
        return;
    }
    unsigned cpu = this_cpu()->id;
    uint64_t asid = READ_ONCE(pt->asid);
    int64_t old = atomic64_read(&active[cpu]);

    if (old == 0 || !is_current(asid) || atomic64_cmpxchg(&active[cpu], old, (int64_t)asid) != old)
        assign_slow(pt, cpu);
    sysreg_write(ttbr0_el1, pt->root | pt->asid << 48);
    isb();
}
