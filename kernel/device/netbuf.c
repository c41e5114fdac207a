/* SPDX-License-Identifier: MIT */
/*
 * Buffers of received frames: a page each, the netbuf at its start. A pool grows to what its users
 * keep unread, up to its bound, and keeps what comes back.
 */
#include <device/netbuf.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/page.h>
#include <mm/slab.h>

_Static_assert(sizeof(struct netbuf) <= PAGE_SIZE - NETBUF_ROOM, "a netbuf stands before its room");

struct netbuf_pool *netbuf_pool_create(unsigned total_max)
{
    struct netbuf_pool *pool = kzalloc(sizeof(*pool));

    if (pool != NULL) {
        spin_init(&pool->lock, RANK_NETDEV);
        pool->total_max = total_max;
    }
    return pool;
}

static void free_pages_of(struct netbuf *list)
{
    while (list != NULL) {
        struct netbuf *next = list->next;

        page_free(virt_page(list), 0);
        list = next;
    }
}

__cold void netbuf_pool_close(struct netbuf_pool *pool)
{
    struct netbuf *idle;
    bool is_last;

    spin_lock(&pool->lock);
    idle = pool->idle;
    pool->idle = NULL;
    pool->total -= pool->idle_count;
    pool->idle_count = 0;
    pool->closed = true;
    is_last = pool->total == 0;
    spin_unlock(&pool->lock);
    free_pages_of(idle);
    if (is_last)
        kfree(pool);
}

/* A page more, within the bound, which the caller has counted. */
static struct netbuf *grow(struct netbuf_pool *pool)
{
    struct page *page = page_alloc(0, PAGE_ATOMIC | PAGE_USER);
    struct netbuf *buffer;

    if (page == NULL) {
        spin_lock(&pool->lock);
        pool->total--;
        spin_unlock(&pool->lock);
        return NULL;
    }
    buffer = page_virt(page);
    *buffer = (struct netbuf){.pool = pool};
    return buffer;
}

__cold struct netbuf *netbuf_pool_get(struct netbuf_pool *pool)
{
    struct netbuf *buffer;
    bool may_grow = false;

    spin_lock(&pool->lock);
    buffer = pool->idle;
    if (buffer != NULL) {
        pool->idle = buffer->next;
        pool->idle_count--;
    } else if (pool->total < pool->total_max) {
        pool->total++;
        may_grow = true;
    }
    spin_unlock(&pool->lock);
    if (may_grow)
        buffer = grow(pool);
    if (buffer != NULL)
        buffer->rest = NULL;
    return buffer;
}

static __noinline void free_last(struct netbuf_pool *pool, struct netbuf *buffer)
{
    bool is_last = --pool->total == 0;

    spin_unlock(&pool->lock);
    page_free(virt_page(buffer), 0);
    if (is_last)
        kfree(pool);
}

void netbuf_free(struct netbuf *buffer)
{
    struct netbuf_pool *pool = buffer->pool;

    if (pool == NULL) {
        kfree(buffer);
        return;
    }
    spin_lock(&pool->lock);
    if (unlikely(pool->closed)) {
        free_last(pool, buffer);
        return;
    }
    buffer->next = pool->idle;
    pool->idle = buffer;
    pool->idle_count++;
    spin_unlock(&pool->lock);
}

void netbuf_free_chain(struct netbuf *first)
{
    while (first != NULL) {
        struct netbuf *rest = first->rest;

        netbuf_free(first);
        first = rest;
    }
}

void netbuf_release_list(struct netbuf *list)
{
    while (list != NULL) {
        struct netbuf *next = list->next;

        list->release(list);
        list = next;
    }
}

uint32_t netbuf_copy_out(const struct netbuf *first, uint32_t offset, void *to, uint32_t size)
{
    uint32_t done = 0;

    for (; first != NULL && done < size; first = first->rest) {
        uint32_t part;

        if (offset >= first->size) {
            offset -= first->size;
            continue;
        }
        part = min(first->size - offset, size - done);
        memcpy(to + done, first->data + offset, part);
        done += part;
        offset = 0;
    }
    return done;
}

struct netbuf *netbuf_copy(const struct netbuf *first)
{
    struct netbuf *copy = kmalloc(sizeof(*copy) + NETBUF_HEADROOM + first->total);

    if (copy == NULL)
        return NULL;
    *copy = *first;
    copy->next = copy->rest = NULL;
    copy->pool = NULL;
    copy->release = NULL;
    copy->data = (uint8_t *)(copy + 1) + NETBUF_HEADROOM;
    copy->size = netbuf_copy_out(first, 0, copy->data, first->total);
    return copy;
}
