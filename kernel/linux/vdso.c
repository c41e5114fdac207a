/* SPDX-License-Identifier: MIT
 *
 * Keeps the vDSO's data page and maps it and the code into programs (vdso(7)).
 */
#include <linux/vdso.h>

#include <arch/alternative.h>
#include <arch/barrier.h>
#include <arch/cpu.h>
#include <arch/features.h>
#include <core/clock.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/panic.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/process.h>
#include <mm/object.h>
#include <mm/page.h>
#include <mm/vmspace.h>

#include "vdso/data.h"

extern const uint8_t vdso_image_start[], vdso_image_end[];

/* Two frames in a row: data, code. */
static struct vdso_data *data;
static struct vm_object *object;
static struct spinlock write_lock = SPINLOCK_INIT(RANK_TIMER);

/* The clock was set, or the machine has slept. Pairs with now() in vdso/gettime.c. */
static void update(void)
{
    struct clock_parameters clock;
    reg_t flags = spin_lock_irq(&write_lock);

    clock_parameters(&clock);
    WRITE_ONCE(data->sequence, data->sequence + 1);
    smp_wmb();
    data->base_count = clock.base_count;
    data->scale = clock.scale;
    data->realtime_offset_ns = clock.realtime_offset_ns;
    smp_wmb();
    WRITE_ONCE(data->sequence, data->sequence + 1);
    spin_unlock_irq(&write_lock, flags);
}

void vdso_init(void)
{
    size_t bytes = (size_t)(vdso_image_end - vdso_image_start);
    struct page *page;
    uint8_t *code;

    ASSERT(bytes <= PAGE_SIZE);
    page = page_alloc(1, PAGE_ZERO);
    if (!page) {
        log_warn("no memory for the vDSO; reading clocks takes system calls");
        return;
    }
    data = page_virt(page);
    code = (uint8_t *)data + PAGE_SIZE;
    memcpy(code, vdso_image_start, bytes);
    icache_sync(code, bytes);
    object = object_create_frames(page_phys(page), 2);
    update();
    clock_on_change(update);
}

static int map(struct vmspace *vs, vaddr_t at, uint64_t offset, unsigned prot, const char *name)
{
    struct vm_request request = {
        .hint = at,
        .len = PAGE_SIZE,
        .prot = prot,
        .max_prot = prot,
        .flags = VM_FIXED | VM_NOREPLACE,
        .object = object,
        .offset = offset,
        .name = name,
    };

    return vm_map_request(vs, &request, &at);
}

int vdso_map(struct vmspace *vs, vaddr_t *base)
{
    vaddr_t at = vs->mmap_top - 2 * PAGE_SIZE; /* free: it comes first */
    int error;

    *base = 0;
    if (!object)
        return 0;
    error = map(vs, at, 0, VM_READ, "[vvar]");
    if (!error)
        error = map(vs, at + PAGE_SIZE, PAGE_SIZE,
                    VM_READ | VM_EXEC | (cpu_has(CAP_BTI) ? VM_BTI : 0), "[vdso]");
    if (!error)
        *base = at + PAGE_SIZE;
    return error;
}

vaddr_t vdso_sigreturn(void)
{
    vaddr_t base = current_process()->layout.vdso;

    return base ? base + VDSO_SIGRETURN : 0;
}
