/* SPDX-License-Identifier: MIT */
/* Address spaces: life, activation, the walk over areas. Mapping is in map.c, protection in
 * protect.c. */
#include <mm/vmspace.h>

#include "area.h"
#include "frames.h"

#include <arch/irqflags.h>
#include <core/ipi.h>
#include <core/percpu.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>

SLAB_CACHE(vmspace_cache, struct vmspace);

struct vmspace *vmspace_create(void)
{
    struct vmspace *vs = slab_zalloc(&vmspace_cache);

    if (vs == NULL)
        return NULL;
    if (pt_init(&vs->pagetable) != 0) {
        slab_free(&vmspace_cache, vs);
        return NULL;
    }
    rwlock_init(&vs->lock, RANK_VMSPACE);
    spin_init(&vs->pt_lock, RANK_PAGETABLE);
    area_tree_init(vs);
    vs->mmap_floor = USER_FLOOR;
    vs->mmap_top = USER_TOP - (1UL << 30); /* until exec sets its own */
    vs->limit_as = vs->limit_data = vs->limit_memlock = UINT64_MAX;
    vs->limit_stack = 8UL << 20;
    atomic_set(&vs->refs, 1);
    return vs;
}

void vmspace_ref(struct vmspace *vs)
{
    atomic_inc(&vs->refs);
}

/* On a CPU whose idle or kernel thread still runs on the tables of a program that is gone. */
static void deactivate(void *arg)
{
    if (this_cpu()->vmspace == arg)
        vmspace_activate(NULL);
}

static void deactivate_everywhere(struct vmspace *vs)
{
    struct cpumask mask = CPUMASK_NONE;
    struct cpu *cpu;

    for_each_cpu (cpu) {
        if (READ_ONCE(cpu->vmspace) == vs)
            cpumask_set(&mask, cpu->id);
    }
    if (!cpumask_empty(&mask))
        ipi_call(&mask, deactivate, vs, true);
}

void vmspace_unref(struct vmspace *vs)
{
    struct list_node dead = LIST_INIT(dead);

    if (!atomic_dec_and_test(&vs->refs))
        return;
    deactivate_everywhere(vs);
    rwlock_write_lock(&vs->lock);
    (void)vm_unmap_locked(vs, 0, USER_TOP, &dead);
    rwlock_write_unlock(&vs->lock);
    areas_release(&dead);
    pt_destroy(&vs->pagetable);
    slab_free(&vmspace_cache, vs);
}

void vmspace_activate(struct vmspace *vs)
{
    struct cpu *cpu = this_cpu();

    if (cpu->vmspace == vs)
        return;
    pt_activate(vs == NULL ? NULL : &vs->pagetable);
    WRITE_ONCE(cpu->vmspace, vs);
}

/* Pages of an area that fork takes along; shared pages and untouched files are found again by
 * faults. */
static __cold int clone_pages(struct vmspace *to, struct vmspace *from, const struct vm_area *area)
{
    struct tlb_batch batch;
    int error;

    if (area->flags & (VM_SHARED | VM_WIPEFORK | VM_IO))
        return 0;
    spin_lock(&from->pt_lock);
    tlb_begin(&batch, &from->pagetable);
    error = pt_copy(&to->pagetable, &from->pagetable, area->start, area_size(area), true, &batch);
    tlb_finish(&batch);
    spin_unlock(&from->pt_lock);
    return error;
}

static int clone_area(struct vmspace *to, struct vmspace *from, const struct vm_area *area)
{
    struct vm_area *copy = slab_alloc(&area_cache);

    if (copy == NULL)
        return -ENOMEM;
    *copy = *area;
    copy->flags &= ~(VM_LOCKED | VM_LOCKONFAULT); /* mlock(2): not inherited */
    if (copy->object != NULL)
        object_ref(copy->object);
    if (copy->owner != NULL)
        copy->owner_ops->ref(copy->owner);
    area_insert(to, copy);
    return clone_pages(to, from, area);
}

__cold int vmspace_clone(struct vmspace *from, struct vmspace **out)
{
    struct vmspace *to = vmspace_create();
    struct vm_area *area;
    int error = 0;

    if (to == NULL)
        return -ENOMEM;
    rwlock_write_lock(&from->lock); /* no faults while pages become copy-on-write */
    to->mmap_top = from->mmap_top;
    to->mmap_floor = from->mmap_floor;
    to->brk_start = from->brk_start;
    to->brk_end = from->brk_end;
    to->limit_as = from->limit_as;
    to->limit_data = from->limit_data;
    to->limit_stack = from->limit_stack;
    to->limit_memlock = from->limit_memlock;
    rb_for_each_entry(area, &from->areas, node)
    {
        if (!(area->flags & VM_NOFORK))
            error = clone_area(to, from, area);
        if (error != 0)
            break;
    }
    to->pages_resident = vm_resident_pages(to, 0, USER_TOP);
    rwlock_write_unlock(&from->lock);
    if (error != 0) {
        vmspace_unref(to);
        return error;
    }
    *out = to;
    return 0;
}

int vm_for_each_area(struct vmspace *vs, int (*fn)(const struct vm_area *, void *), void *arg)
{
    struct vm_area *area;
    int result = 0;

    rwlock_read_lock(&vs->lock);
    rb_for_each_entry(area, &vs->areas, node)
    {
        result = fn(area, arg);
        if (result != 0)
            break;
    }
    rwlock_read_unlock(&vs->lock);
    return result;
}

/* Counted frames only, as pages_resident is. */
__cold uint64_t vm_resident_pages(struct vmspace *vs, vaddr_t addr, size_t len)
{
    vaddr_t end = addr + len;
    uint64_t count = 0;

    spin_lock(&vs->pt_lock);
    while ((addr = pt_next(&vs->pagetable, addr, end)) < end) {
        paddr_t pa;
        unsigned prot = 0;
        size_t size = PAGE_SIZE;

        if (pt_query(&vs->pagetable, addr, &pa, &prot) && (prot & PT_BLOCK))
            size = HUGE_SIZE - (addr & (HUGE_SIZE - 1));
        if (!(prot & PT_NOREF))
            count += (size < end - addr ? size : end - addr) >> PAGE_SHIFT;
        addr += size;
    }
    spin_unlock(&vs->pt_lock);
    return count;
}
