/* SPDX-License-Identifier: MIT */
/* Reaching a program's memory by its frames: pins, access from other threads, futex keys. */
#include "area.h"
#include "frames.h"

#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

/* What is mapped for this access now, with a reference; NULL: fault first. -EFAULT pointers: a
 * device. */
static struct page *pin_present(struct vmspace *vs, vaddr_t addr, unsigned access, bool *device)
{
    struct page *page = NULL;
    unsigned prot;
    paddr_t pa;

    *device = false;
    spin_lock(&vs->pt_lock);
    if (pt_query(&vs->pagetable, addr, &pa, &prot) && (prot & PT_READ) &&
        (!(access & FAULT_WRITE) || (prot & PT_WRITE))) {
        if (!memory_is_ram(pa, 1) || (prot & PT_DEVICE)) {
            *device = true;
        } else {
            page = prot & PT_NOREF ? memory_reserved_page(pa) : phys_page(pa);
            page_ref(page);
        }
    }
    spin_unlock(&vs->pt_lock);
    return page;
}

__cold int page_pin_user(struct vmspace *vs, vaddr_t addr, unsigned access, struct page **page)
{
    addr = user_untagged(addr);
    for (;;) {
        bool device;
        int error;

        if (addr >= USER_TOP)
            return -EFAULT;
        *page = pin_present(vs, addr, access, &device);
        if (*page != NULL)
            return 0;
        if (device)
            return -EFAULT;
        error = vm_fault(vs, addr, access);
        if (error != 0)
            return error;
    }
}

void page_unpin_user(struct page *page)
{
    page_unref(page);
}

static __cold ssize_t copy_pages(struct vmspace *vs, vaddr_t addr, void *buffer, size_t len,
                                 unsigned access)
{
    size_t done = 0;

    while (done < len) {
        size_t offset = (addr + done) & (PAGE_SIZE - 1);
        size_t part = min(len - done, PAGE_SIZE - offset);
        struct page *page;
        int error = page_pin_user(vs, addr + done, access, &page);

        if (error != 0)
            return done > 0 ? (ssize_t)done : error == -ENOMEM ? error : -EFAULT;
        if (access & FAULT_WRITE)
            memcpy((char *)page_virt(page) + offset, (char *)buffer + done, part);
        else
            memcpy((char *)buffer + done, (char *)page_virt(page) + offset, part);
        page_unpin_user(page);
        done += part;
    }
    return (ssize_t)done;
}

ssize_t vm_read(struct vmspace *vs, void *to, vaddr_t from, size_t len)
{
    return copy_pages(vs, from, to, len, FAULT_READ);
}

ssize_t vm_write(struct vmspace *vs, vaddr_t to, const void *from, size_t len)
{
    return copy_pages(vs, to, (void *)(uintptr_t)from, len, FAULT_WRITE);
}

int vm_futex_key(struct vmspace *vs, vaddr_t addr, struct vm_object **object, uint64_t *offset)
{
    struct vm_area *area;
    int error = 0;

    *object = NULL;
    *offset = addr;
    rwlock_read_lock(&vs->lock);
    area = area_find(vs, addr);
    if (area == NULL || area->start > addr) {
        error = -EFAULT;
    } else if (area->object != NULL && (area->flags & VM_SHARED)) {
        *object = area->object;
        object_ref(*object);
        *offset = (area_index(area, addr) << PAGE_SHIFT) + (addr & (PAGE_SIZE - 1));
    }
    rwlock_read_unlock(&vs->lock);
    return error;
}
