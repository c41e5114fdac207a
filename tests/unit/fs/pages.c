/* SPDX-License-Identifier: MIT */
/*
 * The memory system as kernel/fs sees it, for the host: pages from aligned_alloc, so that ASan
 * watches them, and an object's pages in an array.
 */
#include <unit.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <lib/errno.h>
#include <mm/memory.h>
#include <mm/object.h>
#include <mm/page.h>
#include <mm/pagecache.h>
#include <mm/slab.h>

#include "env.h"

struct slot {
    uint64_t index;
    struct page *page;
};

struct tree {
    size_t count, capacity;
    struct slot slot[];
};

/* Physical addresses are the process's own; the array of struct page is mere address space. */
#define FRAMES_MAX (1ul << 35)

char *unit_ram;
char *unit_ram_pages;
uintptr_t kernel_image_offset;
static uint64_t pages_out; /* allocated and not freed */

uint64_t env_pages_out(void)
{
    return pages_out;
}

void env_pages_init(void)
{
    static bool done;

    if (done)
        return;
    done = true;
    unit_ram_pages = mmap(NULL, FRAMES_MAX * sizeof(struct page), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (unit_ram_pages == MAP_FAILED)
        abort();
}

struct page *page_alloc(unsigned order, unsigned flags)
{
    void *memory = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);
    struct page *page = virt_page(memory);

    if (flags & PAGE_ZERO)
        memset(memory, 0, PAGE_SIZE << order);
    memset(page, 0, sizeof(*page));
    atomic_set(&page->refs, 1);
    pages_out++;
    return page;
}

void page_free(struct page *page, unsigned order)
{
    (void)order;
    pages_out--;
    free(page_virt(page));
}

void page_release(struct page *page)
{
    page_free(page, 0);
}

void page_set_flags(struct page *page, uint32_t flags)
{
    page->flags |= flags;
}

struct page *memory_reserved_page(paddr_t pa)
{
    struct page *page = phys_page(pa);

    page->flags = PAGE_RESERVED;
    return page;
}

uint64_t memory_ram_pages(void)
{
    return 65536;
}

void memory_add_shrinker(struct memory_shrinker *shrinker)
{
    (void)shrinker;
}

void object_init(struct vm_object *object, const struct vm_object_ops *ops, uint32_t flags)
{
    memset(object, 0, sizeof(*object));
    object->ops = ops;
    object->flags = flags;
    atomic_set(&object->refs, 1);
    spin_init(&object->lock, RANK_OBJECT_PAGES);
}

void object_ref(struct vm_object *object)
{
    atomic_inc(&object->refs);
}

void object_unref(struct vm_object *object)
{
    if (atomic_dec_and_test(&object->refs))
        object->ops->release(object);
}

void object_show_by(struct vm_object *lower, struct vm_object *upper, const struct vm_object *old)
{
    (void)lower; /* nothing is evicted here */
    (void)upper;
    (void)old;
}

void object_unmap(struct vm_object *object, uint64_t first, uint64_t count, bool copies)
{
    (void)object; /* nothing is mapped here */
    (void)first;
    (void)count;
    (void)copies;
}

struct vm_object *object_create_shared(void)
{
    return NULL;
}

static size_t place_of(const struct tree *tree, uint64_t index)
{
    size_t i = 0;

    while (tree != NULL && i < tree->count && tree->slot[i].index < index)
        i++;
    return i;
}

static struct page *find(struct vm_object *object, uint64_t index)
{
    struct tree *tree = object->tree;
    size_t i = place_of(tree, index);

    return tree != NULL && i < tree->count && tree->slot[i].index == index ? tree->slot[i].page
                                                                           : NULL;
}

struct page *pagecache_find(struct vm_object *object, uint64_t index)
{
    struct page *page = find(object, index);

    if (page != NULL)
        page_ref(page);
    return page;
}

struct page *pagecache_next(struct vm_object *object, uint64_t *index, uint64_t end)
{
    struct tree *tree = object->tree;
    size_t i = place_of(tree, *index);

    if (tree == NULL || i == tree->count || tree->slot[i].index >= end)
        return NULL;
    *index = tree->slot[i].index;
    page_ref(tree->slot[i].page);
    return tree->slot[i].page;
}

static void insert(struct vm_object *object, uint64_t index, struct page *page)
{
    struct tree *tree = object->tree;
    size_t i;

    if (tree == NULL || tree->count == tree->capacity) {
        size_t capacity = tree != NULL ? tree->capacity * 2 : 8;
        struct tree *grown = realloc(tree, sizeof(*tree) + capacity * sizeof(struct slot));
        if (tree == NULL)
            grown->count = 0;
        grown->capacity = capacity;
        object->tree = tree = grown;
    }
    i = place_of(tree, index);
    memmove(&tree->slot[i + 1], &tree->slot[i], (tree->count - i) * sizeof(struct slot));
    tree->slot[i] = (struct slot){index, page};
    tree->count++;
    object->page_count++;
    page->object = object;
    page->index = index;
    page_ref(page);
}

int pagecache_get(struct vm_object *object, uint64_t index, unsigned flags, struct page **page,
                  bool *created)
{
    *page = pagecache_find(object, index);
    *created = *page == NULL;
    if (*page != NULL)
        return 0;
    *page = page_alloc(0, flags & PAGE_ZERO);
    if (*page == NULL)
        return -ENOMEM;
    if (flags & PAGE_ZERO)
        (*page)->flags |= PAGE_UPTODATE;
    else
        memset(page_virt(*page), 0xaa, PAGE_SIZE);
    insert(object, index, *page);
    return 0;
}

static void drop(struct vm_object *object, size_t i)
{
    struct tree *tree = object->tree;
    struct page *page = tree->slot[i].page;

    memmove(&tree->slot[i], &tree->slot[i + 1], (tree->count - i - 1) * sizeof(struct slot));
    tree->count--;
    object->page_count--;
    page_unref(page);
    if (tree->count == 0) {
        free(tree);
        object->tree = NULL;
    }
}

void pagecache_filled(struct page *page, int error)
{
    if (error == 0)
        page->flags |= PAGE_UPTODATE;
    else
        drop(page->object, place_of(page->object->tree, page->index));
}

void pagecache_truncate(struct vm_object *object, uint64_t first, uint64_t count)
{
    uint64_t end = count > UINT64_MAX - first ? UINT64_MAX : first + count;
    size_t i = place_of(object->tree, first);

    while (object->tree != NULL && i < ((struct tree *)object->tree)->count &&
           ((struct tree *)object->tree)->slot[i].index < end)
        drop(object, i);
}

int pagecache_get_zero(struct vm_object *object, uint64_t index, uint64_t size_pages, unsigned want,
                       struct page **page)
{
    bool created;
    int error;

    (void)want;
    if (index >= size_pages)
        return -EFAULT;
    error = pagecache_get(object, index, PAGE_ZERO, page, &created);
    return error != 0 ? error : 1;
}

void pagecache_written(struct page *page)
{
    (void)page;
}

/* Only what is read is cached here. */
void pagecache_set_dirty(struct vm_object *object, struct page *page)
{
    (void)object;
    (void)page;
}

bool pagecache_clear_dirty(struct vm_object *object, struct page *page)
{
    (void)object;
    (void)page;
    return false;
}

struct page *pagecache_next_dirty(struct vm_object *object, uint64_t *index, uint64_t end)
{
    (void)object;
    (void)index;
    (void)end;
    return NULL;
}

void object_clean_mappings(struct vm_object *object, uint64_t first, uint64_t count)
{
    (void)object;
    (void)first;
    (void)count;
}
