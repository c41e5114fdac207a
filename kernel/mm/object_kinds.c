/* SPDX-License-Identifier: MIT */
/* Objects that mm itself supplies: shared memory without a file, and frames of the kernel's own
 * (vDSO). */
#include <mm/object.h>

#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/memory.h>
#include <mm/page.h>
#include <mm/pagecache.h>
#include <mm/slab.h>

static int shared_get(struct vm_object *object, uint64_t index, unsigned want, unsigned order,
                      struct page **page)
{
    (void)order;
    return pagecache_get_zero(object, index, UINT64_MAX, want, page);
}

static int shared_discard(struct vm_object *object, uint64_t first, uint64_t count)
{
    pagecache_truncate(object, first, count);
    return 0;
}

static void shared_release(struct vm_object *object)
{
    pagecache_truncate(object, 0, UINT64_MAX);
    kfree(object);
}

static const struct vm_object_ops shared_ops = {
    .get = shared_get,
    .discard = shared_discard,
    .release = shared_release,
};

struct vm_object *object_create_shared(void)
{
    struct vm_object *object = kmalloc(sizeof(*object));

    if (object != NULL)
        object_init(object, &shared_ops, OBJECT_UNEVICTABLE | OBJECT_UNCAPPED);
    return object;
}

struct frames_object {
    struct vm_object object;
    paddr_t base;
    uint64_t count;
};

static int frames_get(struct vm_object *object, uint64_t index, unsigned want, unsigned order,
                      struct page **page)
{
    struct frames_object *frames = container_of(object, struct frames_object, object);

    (void)want;
    if (index >= frames->count)
        return -EFAULT;
    *page = memory_reserved_page(frames->base + index * PAGE_SIZE);
    return *page == NULL ? -EIO : (int)min(frames->count - index, (uint64_t)1 << order);
}

static void frames_release(struct vm_object *object)
{
    kfree(container_of(object, struct frames_object, object));
}

static const struct vm_object_ops frames_ops = {
    .get = frames_get,
    .release = frames_release,
};

struct vm_object *object_create_frames(paddr_t base, uint64_t page_count)
{
    struct frames_object *frames = kmalloc(sizeof(*frames));

    if (frames == NULL)
        return NULL;
    object_init(&frames->object, &frames_ops, OBJECT_IN_PLACE);
    frames->base = base;
    frames->count = page_count;
    return &frames->object;
}
