/* SPDX-License-Identifier: MIT */
/* Bytes of an object for the kernel itself, out of the pages that are mapped into programs. */
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/object.h>
#include <mm/page.h>

ssize_t object_read(struct vm_object *object, void *to, size_t bytes, uint64_t pos)
{
    size_t done = 0;

    while (done < bytes) {
        size_t offset = (pos + done) % PAGE_SIZE, part = min(bytes - done, PAGE_SIZE - offset);
        struct page *page;
        int count = object->ops->get(object, (pos + done) / PAGE_SIZE, OBJECT_READ, 0, &page);

        if (count < 0)
            return count == -EFAULT ? (ssize_t)done : count;
        memcpy((char *)to + done, (const char *)page_virt(page) + offset, part);
        page_unref(page);
        done += part;
    }
    return (ssize_t)done;
}
