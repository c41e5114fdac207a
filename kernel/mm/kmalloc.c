/* SPDX-License-Identifier: MIT */
/* kmalloc: caches by size up to 2 KiB, blocks of whole pages above. */
#include <mm/page.h>
#include <mm/slab.h>

#include <core/panic.h>
#include <lib/align.h>
#include <lib/minmax.h>
#include <lib/string.h>

#define KMALLOC_SLAB_MAX 2048U

#define SIZE_CACHE(bytes) SLAB_CACHE_INIT_SIZE("kmalloc-" #bytes, bytes)

static struct slab_cache size_cache[] = {
    SIZE_CACHE(16),  SIZE_CACHE(32),   SIZE_CACHE(48),   SIZE_CACHE(64),  SIZE_CACHE(96),
    SIZE_CACHE(128), SIZE_CACHE(192),  SIZE_CACHE(256),  SIZE_CACHE(384), SIZE_CACHE(512),
    SIZE_CACHE(768), SIZE_CACHE(1024), SIZE_CACHE(2048),
};

/* Index above for sizes up to 192, by 16 bytes. */
static const uint8_t small_class[13] = {0, 0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 6};

static inline struct slab_cache *cache_for(size_t size)
{
    unsigned power;

    if (size <= 192)
        return &size_cache[small_class[(size + 15) / 16]];
    power = log2_ceil(size); /* 8: up to 256, ... 11: up to 2048 */
    if (power == 11)
        return &size_cache[12];
    return &size_cache[7 + 2 * (power - 8) - (size <= (3UL << (power - 2)) ? 1 : 0)];
}

static void *alloc_pages(size_t size)
{
    unsigned order;
    struct page *page;

    if (size > PAGE_SIZE << PAGE_ORDER_MAX)
        return NULL;
    order = log2_ceil(div_round_up(size, PAGE_SIZE));
    page = page_alloc(order, PAGE_ATOMIC);
    if (page == NULL)
        return NULL;
    page->flags |= PAGE_KERNEL;
    page->order = (uint8_t)order;
    return page_virt(page);
}

void *kmalloc(size_t size)
{
    return likely(size <= KMALLOC_SLAB_MAX) ? slab_alloc(cache_for(size)) : alloc_pages(size);
}

void *kzalloc(size_t size)
{
    void *block = kmalloc(size);

    if (block != NULL)
        memset(block, 0, size);
    return block;
}

void *kmalloc_array(size_t count, size_t size)
{
    size_t total;

    return __builtin_mul_overflow(count, size, &total) ? NULL : kmalloc(total);
}

void *kzalloc_array(size_t count, size_t size)
{
    size_t total;

    return __builtin_mul_overflow(count, size, &total) ? NULL : kzalloc(total);
}

void kfree(void *block)
{
    struct page *page;

    if (block == NULL)
        return;
    page = page_head(virt_page(block));
    if (likely(page->flags & PAGE_SLAB)) {
        slab_free(page->cache, block);
        return;
    }
    ASSERT(page->flags & PAGE_KERNEL);
    page_free(page, page->order);
}

size_t kmalloc_size(const void *block)
{
    struct page *page = page_head(virt_page(block));

    return page->flags & PAGE_SLAB ? page->cache->size : PAGE_SIZE << page->order;
}

void *krealloc(void *old, size_t size)
{
    void *block;

    if (old == NULL)
        return kmalloc(size);
    if (size <= kmalloc_size(old) && size >= kmalloc_size(old) / 2)
        return old;
    block = kmalloc(size);
    if (block == NULL)
        return NULL;
    memcpy(block, old, min(size, kmalloc_size(old)));
    kfree(old);
    return block;
}

void *kmemdup(const void *data, size_t size)
{
    void *block = kmalloc(size);

    return block == NULL ? NULL : memcpy(block, data, size);
}

char *kstrdup(const char *string)
{
    return kmemdup(string, strlen(string) + 1);
}
