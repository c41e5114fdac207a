/* SPDX-License-Identifier: MIT
 *
 * Keeps the vDSO's data page and maps it and the code into programs (vdso(7)).
 */
#include <linux/vdso.h>

#include <arch/alternative.h>
#include <arch/barrier.h>
#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/features.h>
#include <core/clock.h>
#include <core/lock.h>
#include <core/panic.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/process.h>
#include <mm/memory.h>
#include <mm/object.h>
#include <mm/page.h>
#include <mm/vmspace.h>

#include "vdso/data.h"

extern const uint8_t vdso_image_start[], vdso_image_end[];

/* Two frames in a row, data and code, which a program gets when it looks at them first. */
static union {
    struct vdso_data data;
    uint8_t page[2][PAGE_SIZE];
} frames __aligned(PAGE_SIZE);
static bool is_filled;
static struct vm_object vdso_object;
static struct spinlock write_lock = SPINLOCK_INIT(RANK_TIMER);

/* Pairs with now() in vdso/gettime.c. */
static void write_locked(void)
{
    struct vdso_data *data = &frames.data;
    struct clock_parameters clock;

    clock_parameters(&clock);
    WRITE_ONCE(data->sequence, data->sequence + 1);
    smp_wmb();
    data->base_count = clock.base_count;
    data->scale = clock.scale;
    data->realtime_offset_ns = clock.realtime_offset_ns;
    smp_wmb();
    WRITE_ONCE(data->sequence, data->sequence + 1);
}

/* The clock was set, or the machine has slept. */
static void update(void)
{
    reg_t flags = spin_lock_irq(&write_lock);

    write_locked();
    spin_unlock_irq(&write_lock, flags);
}

static void fill(void)
{
    size_t bytes = (size_t)(vdso_image_end - vdso_image_start);
    reg_t flags = spin_lock_irq(&write_lock);

    ASSERT(bytes <= PAGE_SIZE);
    if (!is_filled) {
        memcpy(frames.page[1], vdso_image_start, bytes);
        icache_sync(frames.page[1], bytes);
        clock_on_change(update);
        write_locked();
        smp_store_release(&is_filled, true); /* pairs with vdso_get() */
    }
    spin_unlock_irq(&write_lock, flags);
}

static int vdso_get(struct vm_object *object, uint64_t index, unsigned want, unsigned order,
                    struct page **page)
{
    (void)object;
    (void)want;
    (void)order;
    if (index >= ARRAY_SIZE(frames.page))
        return -EFAULT;
    if (!smp_load_acquire(&is_filled))
        fill();
    *page = memory_reserved_page(image_phys(frames.page[index]));
    return *page ? 1 : -EIO;
}

static const struct vm_object_ops vdso_ops = {.get = vdso_get};

void vdso_init(void)
{
    object_init(&vdso_object, &vdso_ops, OBJECT_IN_PLACE);
}

int vdso_map(struct vmspace *vs, vaddr_t *base)
{
    vs->mmap_top -= sizeof(frames);

    struct vm_request request = {
        .hint = vs->mmap_top, /* free: it comes first */
        .len = PAGE_SIZE,
        .prot = VM_READ,
        .max_prot = VM_READ,
        .flags = VM_FIXED | VM_NOREPLACE,
        .object = &vdso_object,
        .name = "[vvar]",
    };
    int error = vm_map_request(vs, &request, base);

    if (error)
        return error;
    request.hint += PAGE_SIZE;
    request.prot = VM_READ | VM_EXEC | (cpu_has(CAP_BTI) ? VM_BTI : 0);
    request.max_prot = request.prot;
    request.offset = PAGE_SIZE;
    request.name = "[vdso]";
    return vm_map_request(vs, &request, base);
}

vaddr_t vdso_sigreturn(void)
{
    vaddr_t base = current_process()->layout.vdso;

    return base ? base + VDSO_SIGRETURN : 0;
}
