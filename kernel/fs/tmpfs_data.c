/* SPDX-License-Identifier: MIT */
/*
 * Contents of tmpfs and overlay files. A page is the inode's own (in the object's tree), or the
 * lower file's (below lower_size), or a hole. Own pages are made on the first write to them, in
 * get() under a shared mapping too, hence without inode.lock: pagecache_get() lets one win.
 */
#include <file/file.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

#include "tmpfs.h"

uint64_t tmpfs_lower_bytes(const struct tmpfs_inode *own, uint64_t position)
{
    uint64_t end = READ_ONCE(own->lower_size);

    return position < end ? end - position : 0;
}

/* Brings used_pages up to date with what the object has. */
static void settle(struct tmpfs_inode *own)
{
    int64_t change;

    spin_lock(&own->object.lock);
    change = (int64_t)(own->object.page_count - own->charged);
    own->charged = own->object.page_count;
    spin_unlock(&own->object.lock);
    if (change != 0)
        atomic64_add(change, &tmpfs_of(&own->inode)->used_pages);
}

static int lower_page(struct tmpfs_inode *own, uint64_t index, unsigned want, unsigned order,
                      struct page **page)
{
    struct vm_object *object = own->lower->object;

    return object->ops->get(object, index, OBJECT_READ | (want & OBJECT_NOWAIT), order, page);
}

/* A fresh page over a lower one. */
static int fill_from_lower(struct tmpfs_inode *own, uint64_t index, uint8_t *to)
{
    uint64_t bytes = min_t(uint64_t, tmpfs_lower_bytes(own, index << PAGE_SHIFT), PAGE_SIZE);
    struct page *from;
    int count = lower_page(own, index, OBJECT_READ, 0, &from);

    if (count < 0)
        return count;
    memcpy(to, page_virt(from), bytes);
    memset(to + bytes, 0, PAGE_SIZE - bytes);
    page_unref(from);
    return 0;
}

int tmpfs_page(struct tmpfs_inode *own, uint64_t index, struct page **page)
{
    struct tmpfs *fs = tmpfs_of(&own->inode);
    bool from_lower = tmpfs_lower_bytes(own, index << PAGE_SHIFT) != 0;
    bool created;
    int error;

    *page = pagecache_find(&own->object, index);
    if (*page != NULL && pagecache_is_filled(*page))
        return 0;
    if (*page != NULL)
        page_unref(*page);
    else if ((uint64_t)atomic64_read(&fs->used_pages) >= fs->limit_pages)
        return -ENOSPC;
    error = pagecache_get(&own->object, index, from_lower ? 0 : PAGE_ZERO, page, &created);
    if (error != 0 || !created)
        return error;
    if (from_lower) {
        error = fill_from_lower(own, index, page_virt(*page));
        pagecache_filled(*page, error);
    }
    settle(own);
    if (error != 0) {
        page_unref(*page);
        return error;
    }
    tmpfs_changed(own);
    object_unmap(&own->object, index, 1, false); /* the lower page, or the page of zeroes */
    return 0;
}

/* May the lower page be shown as it is? Not when the file was cut inside of it. */
static bool lower_page_shows(const struct tmpfs_inode *own, uint64_t index)
{
    uint64_t end = READ_ONCE(own->lower_size);

    return own->lower != NULL && index << PAGE_SHIFT < end &&
           ((index + 1) << PAGE_SHIFT <= end || end == own->lower->size);
}

static int get_for_reading(struct tmpfs_inode *own, uint64_t index, unsigned want, unsigned order,
                           struct page **page)
{
    uint64_t pages = (own->inode.size + PAGE_SIZE - 1) >> PAGE_SHIFT;

    if (lower_page_shows(own, index)) {
        bool alone = own->object.page_count != 0 || own->lower_size != own->lower->size;
        return lower_page(own, index, want, alone ? 0 : order, page);
    }
    if (tmpfs_lower_bytes(own, index << PAGE_SHIFT) != 0) {
        int error = (want & OBJECT_NOWAIT) ? -EAGAIN : tmpfs_page(own, index, page);
        return error != 0 ? error : 1;
    }
    return pagecache_get_zero(&own->object, index, pages, want, page);
}

static int tmpfs_get(struct vm_object *object, uint64_t index, unsigned want, unsigned order,
                     struct page **page)
{
    struct tmpfs_inode *own = container_of(object, struct tmpfs_inode, object);
    int error;

    if (index >= (READ_ONCE(own->inode.size) + PAGE_SIZE - 1) >> PAGE_SHIFT)
        return -EFAULT;
    *page = pagecache_find(object, index);
    if (*page != NULL) {
        if (pagecache_is_filled(*page))
            return 1;
        page_unref(*page);
        if (want & OBJECT_NOWAIT)
            return -EAGAIN;
        error = tmpfs_page(own, index, page); /* waits until it is filled */
        return error != 0 ? error : 1;
    }
    if (!(want & OBJECT_WRITE))
        return get_for_reading(own, index, want, order, page);
    if (want & OBJECT_NOWAIT)
        return -EAGAIN;
    error = tmpfs_page(own, index, page);
    return error != 0 ? error : 1;
}

static void tmpfs_object_release(struct vm_object *object)
{
    inode_unref(&container_of(object, struct tmpfs_inode, object)->inode);
}

static void tmpfs_dirtied(struct vm_object *object, struct page *page)
{
    struct tmpfs_inode *own = container_of(object, struct tmpfs_inode, object);

    (void)page;
    own->inode.mtime = own->inode.ctime = fs_time_now();
}

const struct vm_object_ops tmpfs_object_ops = {
    .get = tmpfs_get,
    .dirtied = tmpfs_dirtied,
    .release = tmpfs_object_release,
};

/* Changing size and holes; inode.lock held for writing. */

/* Zeroes part of a page that has contents. */
static __cold int zero_part(struct tmpfs_inode *own, uint64_t start, uint64_t end)
{
    uint64_t index = start >> PAGE_SHIFT;
    struct page *page;
    int error;

    if (start >= end)
        return 0;
    page = pagecache_find(&own->object, index);
    if (page == NULL && tmpfs_lower_bytes(own, start) == 0)
        return 0;
    if (page != NULL)
        page_unref(page);
    error = tmpfs_page(own, index, &page);
    if (error != 0)
        return error;
    memset((uint8_t *)page_virt(page) + start % PAGE_SIZE, 0, end - start);
    page_unref(page);
    return 0;
}

static void drop_pages(struct tmpfs_inode *own, uint64_t first, uint64_t count)
{
    pagecache_truncate(&own->object, first, count);
    if (own->lower != NULL)
        object_unmap(&own->object, first, count, true);
    settle(own);
}

static int shrink(struct tmpfs_inode *own, uint64_t size)
{
    uint64_t old = own->inode.size;
    uint64_t page_end = (size + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    int error = zero_part(own, size, min(page_end, old));

    if (error != 0)
        return error;
    WRITE_ONCE(own->inode.size, size);
    if (size < own->lower_size)
        WRITE_ONCE(own->lower_size, size);
    drop_pages(own, page_end >> PAGE_SHIFT, UINT64_MAX);
    return 0;
}

int tmpfs_truncate(struct tmpfs_inode *own, uint64_t size)
{
    if (size < own->inode.size)
        return shrink(own, size);
    WRITE_ONCE(own->inode.size, size);
    return 0;
}

/* A hole where the lower file has contents is a page of zeroes of our own. */
static int punch_pages(struct tmpfs_inode *own, uint64_t first, uint64_t end)
{
    uint64_t lower_end = (own->lower_size + PAGE_SIZE - 1) >> PAGE_SHIFT;

    for (; first < min(end, lower_end); first++) {
        int error = zero_part(own, first << PAGE_SHIFT, (first + 1) << PAGE_SHIFT);
        if (error != 0)
            return error;
    }
    if (first < end)
        drop_pages(own, first, end - first);
    return 0;
}

static __cold int zero_range(struct tmpfs_inode *own, uint64_t start, uint64_t end)
{
    uint64_t first = (start + PAGE_SIZE - 1) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
    int error;

    if (first > last) /* within one page */
        return zero_part(own, start, end);
    error = zero_part(own, start, first << PAGE_SHIFT);
    if (error == 0)
        error = zero_part(own, last << PAGE_SHIFT, end);
    return error != 0 ? error : punch_pages(own, first, last);
}

static int preallocate(struct tmpfs_inode *own, uint64_t start, uint64_t end)
{
    for (uint64_t i = start >> PAGE_SHIFT; i < (end + PAGE_SIZE - 1) >> PAGE_SHIFT; i++) {
        struct page *page;
        int error;

        if (tmpfs_lower_bytes(own, i << PAGE_SHIFT) != 0)
            continue;
        error = tmpfs_page(own, i, &page);
        if (error != 0)
            return error;
        page_unref(page);
    }
    return 0;
}

#define FALLOC_KEEP_SIZE  1u
#define FALLOC_PUNCH_HOLE 2u
#define FALLOC_ZERO_RANGE 16u

static int fallocate_locked(struct tmpfs_inode *own, unsigned mode, uint64_t start, uint64_t end)
{
    int error = 0;

    if (mode & FALLOC_PUNCH_HOLE)
        return own->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
                   ? -EPERM
                   : zero_range(own, start, min(end, own->inode.size));
    if (!(mode & FALLOC_KEEP_SIZE) && end > own->inode.size && (own->seals & F_SEAL_GROW))
        return -EPERM;
    if (mode & FALLOC_ZERO_RANGE)
        error = zero_range(own, start, min(end, own->inode.size));
    if (error == 0)
        error = preallocate(own, start, end);
    if (error == 0 && !(mode & FALLOC_KEEP_SIZE) && end > own->inode.size)
        WRITE_ONCE(own->inode.size, end);
    return error;
}

__cold int tmpfs_fallocate(struct inode *inode, unsigned mode, uint64_t offset, uint64_t length)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);
    int error;

    if (mode & ~(FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE))
        return -EOPNOTSUPP;
    if ((mode & FALLOC_PUNCH_HOLE) && mode != (FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE))
        return -EOPNOTSUPP;
    if (length > INT64_MAX || offset > INT64_MAX - length)
        return -EFBIG;
    rwlock_write_lock(&inode->lock);
    tmpfs_changed(own);
    error = fallocate_locked(own, mode, offset, offset + length);
    if (error == 0)
        inode->mtime = inode->ctime = fs_time_now();
    rwlock_write_unlock(&inode->lock);
    return error;
}

/* SEEK_DATA, SEEK_HOLE: the lower part counts as data as a whole. */
__cold int64_t tmpfs_seek_hole(struct inode *inode, uint64_t offset, bool hole)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);
    uint64_t size = inode->size, end = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    uint64_t at = offset;

    while (at < size) {
        uint64_t index = at >> PAGE_SHIFT, found = index;
        struct page *page;

        if (tmpfs_lower_bytes(own, at) != 0) {
            if (!hole)
                return (int64_t)at;
            at = (own->lower_size + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
            continue;
        }
        page = pagecache_next(&own->object, &found, end);
        if (page != NULL)
            page_unref(page);
        if (page != NULL && found == index) {
            if (!hole)
                return (int64_t)at;
            at = (index + 1) << PAGE_SHIFT;
        } else if (hole) {
            return (int64_t)at;
        } else if (page == NULL) {
            return -ENXIO;
        } else {
            at = found << PAGE_SHIFT;
        }
    }
    return hole && offset < size ? (int64_t)size : -ENXIO;
}

void tmpfs_data_free(struct tmpfs_inode *own)
{
    if (own->lower != NULL)
        object_show_by(own->lower->object, NULL, &own->object);
    pagecache_truncate(&own->object, 0, UINT64_MAX);
    settle(own);
}
