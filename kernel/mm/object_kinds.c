/* SPDX-License-Identifier: MIT */
/* The object that mm itself supplies: shared memory without a file. */
#include <mm/object.h>

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
