/* SPDX-License-Identifier: MIT */
/*
 * Contents of EROFS files: where the bytes are; of an image in RAM also read(2) and pages for mmap.
 * Whole blocks of a flat file are mapped where they lie in the image; tails, holes and unaligned
 * blocks get a page of their own in the object.
 */
#include <file/file.h>
#include <lib/align.h>
#include <lib/endian.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/memory.h>
#include <mm/pagecache.h>

#include "erofs.h"

static int init_flat(struct erofs *fs, struct erofs_inode *own, uint32_t where)
{
    uint64_t size = own->inode.size, whole = size;

    own->data = (uint64_t)where << fs->block_bits;
    if (own->layout == EROFS_FLAT_INLINE && size % fs->block_size != 0) {
        uint64_t end;

        whole = size - size % fs->block_size;
        own->tail_start = whole;
        own->tail = own->offset + own->header_size + erofs_xattr_size(own);
        end = own->tail + (size - whole);
        if (end > fs->size || own->tail / fs->block_size != (end - 1) / fs->block_size)
            return erofs_complain(fs, own->offset, "an inline tail that crosses a block");
    }
    if (whole != 0 && !erofs_has(fs, own->data, whole))
        return erofs_complain(fs, own->offset, "a file whose blocks lie outside the image");
    return 0;
}

static int init_chunks(struct erofs *fs, struct erofs_inode *own, uint32_t where)
{
    uint64_t unit, count;
    unsigned bits = fs->block_bits + (where & EROFS_CHUNK_BITS);

    if ((where & 0xffff) & ~EROFS_CHUNK_KNOWN)
        return erofs_complain(fs, own->offset, "a chunk-based file of unknown format");
    if (bits > 62 || S_ISLNK(own->inode.mode) || S_ISDIR(own->inode.mode))
        return erofs_complain(fs, own->offset, "chunks that cannot be");
    own->chunk_bits = (uint8_t)bits;
    own->chunk_indexes = (where & EROFS_CHUNK_INDEXES) != 0;
    unit = own->chunk_indexes ? sizeof(struct erofs_chunk_index) : sizeof(uint32_t);
    own->data = align_up(own->offset + own->header_size + erofs_xattr_size(own), unit);
    count = (own->inode.size >> bits) + ((own->inode.size & ((1ull << bits) - 1)) != 0);
    if (count > fs->size || !erofs_has(fs, own->data, count * unit))
        return erofs_complain(fs, own->offset, "a chunk table that lies outside the image");
    return 0;
}

__cold int erofs_data_init(struct erofs_inode *own, uint32_t where)
{
    struct erofs *fs = erofs_of(&own->inode);

    own->tail_start = UINT64_MAX;
    if (own->layout == EROFS_CHUNK_BASED)
        return init_chunks(fs, own, where);
    return init_flat(fs, own, where);
}

/* The number of the block in which a chunk starts, or EROFS_HOLE. */
static int chunk_block(struct erofs *fs, struct erofs_inode *own, uint64_t number, uint32_t *block)
{
    struct erofs_chunk_index index;
    uint8_t bytes[sizeof(*block)];
    int error;

    if (!own->chunk_indexes) {
        error = erofs_copy(fs, own->data + number * sizeof(bytes), bytes, sizeof(bytes));
        *block = load_le32(bytes);
        return error;
    }
    error = erofs_copy(fs, own->data + number * sizeof(index), &index, sizeof(index));
    *block = index.block;
    if (error == 0 && *block != EROFS_HOLE && (index.device != 0 || index.start_high != 0))
        return erofs_complain(fs, own->offset, "a chunk on another device");
    return error;
}

static int map_chunk(struct erofs *fs, struct erofs_inode *own, uint64_t position, uint64_t *where,
                     uint64_t *length)
{
    uint64_t within = position & ((1ull << own->chunk_bits) - 1);
    uint32_t block = 0;
    int error = chunk_block(fs, own, position >> own->chunk_bits, &block);

    *length = min_t(uint64_t, (1ull << own->chunk_bits) - within, own->inode.size - position);
    *where = EROFS_NOWHERE;
    if (error != 0 || block == EROFS_HOLE)
        return error;
    *where = ((uint64_t)block << fs->block_bits) + within;
    return erofs_has(fs, *where, *length)
               ? 0
               : erofs_complain(fs, own->offset, "a chunk outside the image");
}

int erofs_map(struct erofs_inode *own, uint64_t position, uint64_t *where, uint64_t *length)
{
    if (own->layout == EROFS_CHUNK_BASED)
        return map_chunk(erofs_of(&own->inode), own, position, where, length);
    if (position >= own->tail_start) {
        *where = own->tail + (position - own->tail_start);
        *length = own->inode.size - position;
        return 0;
    }
    *where = own->data + position;
    *length = min(own->tail_start, own->inode.size) - position;
    return 0;
}

static ssize_t erofs_read(struct file *file, struct io *io)
{
    struct erofs_inode *own = erofs_inode_of(file->inode);
    const uint8_t *image = erofs_of(file->inode)->image;
    size_t start = io->done;

    while (io->left > 0 && io->pos < own->inode.size) {
        uint64_t where, length;
        ssize_t moved;
        int error = erofs_map(own, io->pos, &where, &length);

        if (error != 0)
            return io->done > start ? (ssize_t)(io->done - start) : error;
        length = min(length, (uint64_t)io->left);
        moved =
            where != EROFS_NOWHERE ? io_copy_to(io, image + where, length) : io_zero(io, length);
        if (moved < 0)
            return io->done > start ? (ssize_t)(io->done - start) : moved;
        io->pos += (uint64_t)moved;
        if ((uint64_t)moved < length)
            break;
    }
    return (ssize_t)(io->done - start);
}

int64_t erofs_seek(struct file *file, int64_t offset, int whence)
{
    return file_seek_sized(file, offset, whence, file->inode->size, INT64_MAX);
}

struct vm_object *erofs_object(struct file *file)
{
    return inode_object_get(file->inode);
}

int erofs_sync(struct file *file, bool data_only)
{
    (void)file;
    (void)data_only;
    return 0;
}

const struct file_ops erofs_file_ops = {
    .flush = file_lock_flush,
    .read = erofs_read,
    .seek = erofs_seek,
    .object = erofs_object,
    .sync = erofs_sync,
};

/* Pages. */

/* The page where it lies in the image, and how many follow; 0 if it has to be copied. */
static int page_in_place(struct erofs *fs, struct erofs_inode *own, uint64_t position,
                         unsigned order, struct page **page)
{
    uint64_t where, length, pages;
    paddr_t pa;
    int error = erofs_map(own, position, &where, &length);

    if (error != 0)
        return error;
    if (!fs->in_place || where % PAGE_SIZE != 0) /* a hole is nowhere, which is odd */
        return 0;
    /* A partial last block is padded with zeroes up to its end by whoever makes images. */
    pages = align_up(length, PAGE_SIZE) / PAGE_SIZE;
    if (!erofs_has(fs, where, pages * PAGE_SIZE))
        return 0;
    if (position >= own->tail_start)
        return 0;
    pages = min(pages, (uint64_t)1 << order);
    pa = fs->image_pa + where;
    for (uint64_t i = pages; i-- > 0;) {
        *page = memory_reserved_page(pa + i * PAGE_SIZE);
        if (*page == NULL)
            return -EIO;
    }
    return (int)pages;
}

int erofs_fill_page(struct erofs_inode *own, uint64_t position, uint8_t *to)
{
    uint64_t done = 0;

    while (done < PAGE_SIZE && position + done < own->inode.size) {
        uint64_t where, length;
        int error = erofs_map(own, position + done, &where, &length);

        if (error != 0)
            return error;
        length = min_t(uint64_t, length, PAGE_SIZE - done);
        if (where != EROFS_NOWHERE)
            error = erofs_copy(erofs_of(&own->inode), where, to + done, length);
        else
            memset(to + done, 0, length);
        if (error != 0)
            return error;
        done += length;
    }
    memset(to + done, 0, PAGE_SIZE - done);
    return 0;
}

static int page_copied(struct erofs_inode *own, uint64_t index, unsigned want, struct page **page)
{
    bool created;
    int error;

    if (want & OBJECT_NOWAIT) {
        error = pagecache_peek(&own->object, index, page);
        return error != 0 ? error : 1;
    }
    error = pagecache_get(&own->object, index, 0, page, &created);
    if (error != 0 || !created)
        return error != 0 ? error : 1;
    error = erofs_fill_page(own, index << PAGE_SHIFT, page_virt(*page));
    pagecache_filled(*page, error);
    if (error == 0)
        return 1;
    page_unref(*page);
    return error;
}

static int erofs_get_page(struct vm_object *object, uint64_t index, unsigned want, unsigned order,
                          struct page **page)
{
    struct erofs_inode *own = container_of(object, struct erofs_inode, object);
    int count;

    if (index > UINT64_MAX >> PAGE_SHIFT || index << PAGE_SHIFT >= own->inode.size)
        return -EFAULT;
    if (want & OBJECT_WRITE)
        return -EIO; /* nothing of this file system is ever opened for writing */
    count = page_in_place(erofs_of(&own->inode), own, index << PAGE_SHIFT, order, page);
    return count != 0 ? count : page_copied(own, index, want, page);
}

void erofs_object_release(struct vm_object *object)
{
    inode_unref(&container_of(object, struct erofs_inode, object)->inode);
}

const struct vm_object_ops erofs_object_ops = {
    .get = erofs_get_page,
    .release = erofs_object_release,
};
