/* SPDX-License-Identifier: MIT */
/*
 * EROFS directories: blocks of sorted entries, the blocks sorted too. A look-up is a binary search
 * over the first names of the blocks, then one within the block.
 */
#include <file/file.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

#include "erofs.h"

/* One block of a directory: `count` entries, then the names, in `length` bytes. All zero: none. */
struct dir_block {
    struct erofs_piece piece;
    const struct erofs_dirent *entries;
    const char *text; /* the block's first byte: name offsets count from here */
    unsigned count, length;
};

static void dir_block_put(struct dir_block *block)
{
    erofs_put(&block->piece);
}

/* On an error there is nothing to put. */
static int dir_block_get(struct inode *dir, uint64_t number, struct dir_block *block)
{
    struct erofs *fs = erofs_of(dir);
    struct erofs_inode *own = erofs_inode_of(dir);
    uint64_t where, length;
    unsigned first;
    int error = erofs_map(own, number << fs->block_bits, &where, &length);

    if (error != 0)
        return error;
    length = min(length, (uint64_t)fs->block_size);
    if ((where == EROFS_NOWHERE) | (length < sizeof(struct erofs_dirent)))
        return erofs_complain(fs, own->offset, "a directory block that is too short");
    error = erofs_get(fs, where, length, &block->piece);
    if (error != 0)
        return error;
    block->entries = (const struct erofs_dirent *)block->piece.data;
    block->text = (const char *)block->piece.data;
    block->length = (unsigned)length;
    first = block->entries[0].name_offset;
    if ((first == 0) | (first % sizeof(struct erofs_dirent) != 0) | (first > length)) {
        dir_block_put(block);
        return erofs_complain(fs, own->offset, "a directory block whose names start nowhere");
    }
    block->count = first / (unsigned)sizeof(struct erofs_dirent);
    return 0;
}

/* A name runs to the next entry's, the last one to a NUL or the end of the block. */
static int entry_name(struct inode *dir, const struct dir_block *block, unsigned i,
                      const char **text, size_t *length)
{
    bool is_last = i + 1 == block->count;
    unsigned start = block->entries[i].name_offset;
    unsigned end = is_last ? block->length : block->entries[i + 1].name_offset;
    unsigned n = 0, room = end - start;

    if ((start >= end) | (end > block->length) | (start < block->entries[0].name_offset))
        return erofs_complain(erofs_of(dir), erofs_inode_of(dir)->offset,
                              "a directory entry whose name lies nowhere");
    *text = block->text + start;
    while (n < room && (*text)[n] != '\0' && (*text)[n] != '/')
        n++;
    *length = n;
    if (n - 1 >= NAME_MAX || (n < room && (!is_last || (*text)[n] == '/')))
        return erofs_complain(erofs_of(dir), erofs_inode_of(dir)->offset,
                              "a directory entry with an impossible name");
    return 0;
}

static int compare(const struct name *name, const char *text, size_t length)
{
    int order = memcmp(name->text, text, min((size_t)name->len, length));

    if (order != 0)
        return order;
    return name->len < length ? -1 : name->len > length;
}

/* How the name stands to the first one of a block. */
static int compare_first(struct inode *dir, uint64_t number, const struct name *name, int *order)
{
    struct dir_block block = {0};
    const char *text;
    size_t length;
    int error = dir_block_get(dir, number, &block);

    if (error == 0)
        error = entry_name(dir, &block, 0, &text, &length);
    if (error == 0)
        *order = compare(name, text, length);
    dir_block_put(&block);
    return error;
}

/* The last block whose first name is not after `name`, or the first block: 0 and *block, or
 * -ENOENT. */
static int find_block(struct inode *dir, const struct name *name, struct dir_block *block)
{
    uint64_t low = 0,
             high = (dir->size + erofs_of(dir)->block_size - 1) >> erofs_of(dir)->block_bits;

    *block = (struct dir_block){0};
    if (high == 0)
        return -ENOENT;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        int order = 0, error = compare_first(dir, middle, name, &order);

        if (error != 0)
            return error;
        if (order >= 0)
            low = middle;
        else
            high = middle;
    }
    return dir_block_get(dir, low, block);
}

/* The number of the inode that the block has under the name. */
static int find_entry(struct inode *dir, const struct dir_block *block, const struct name *name,
                      uint64_t *nid)
{
    unsigned low = 0, high = block->count;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        const char *text;
        size_t length;
        int order, error = entry_name(dir, block, middle, &text, &length);

        if (error != 0)
            return error;
        order = compare(name, text, length);
        if (order == 0) {
            *nid = block->entries[middle].nid;
            return 0;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -ENOENT;
}

int erofs_lookup(struct inode *dir, const struct name *name, struct inode **out)
{
    struct dir_block block;
    uint64_t nid = 0;
    int error = find_block(dir, name, &block);

    if (error == 0)
        error = find_entry(dir, &block, name, &nid);
    dir_block_put(&block);
    return error != 0 ? error : erofs_inode_get(erofs_of(dir), nid, out);
}

/* EROFS counts types 1 file, 2 directory, 3 character, 4 block, 5 FIFO, 6 socket, 7 link. */
static unsigned entry_type(uint8_t type)
{
    static const uint8_t types[] = {DT_UNKNOWN, DT_REG,  DT_DIR,  DT_CHR,
                                    DT_BLK,     DT_FIFO, DT_SOCK, DT_LNK};

    return type < ARRAY_SIZE(types) ? types[type] : DT_UNKNOWN;
}

/* Positions: 2 + (block << 16) + index in it. */
static int emit_block(struct inode *dir, const struct dir_block *block, uint64_t *position,
                      struct dir_sink *sink, bool *full)
{
    uint64_t base = (*position - 2) & ~0xffffull;
    unsigned i = (unsigned)((*position - 2) & 0xffff);

    for (; i < block->count; i++) {
        const char *text;
        size_t length;
        int error = entry_name(dir, block, i, &text, &length);

        if (error != 0)
            return error;
        if (!str_equal_n(text, length, ".") && !str_equal_n(text, length, "..") &&
            !sink->emit(sink, text, length, block->entries[i].nid,
                        entry_type(block->entries[i].type), 2 + base + i + 1)) {
            *full = true;
            return 0;
        }
        *position = 2 + base + i + 1;
    }
    *position = 2 + base + 0x10000;
    return 0;
}

int erofs_readdir(struct inode *dir, uint64_t *position, struct dir_sink *sink)
{
    bool full = false;
    int error = 0;

    if (*position < 2)
        *position = 2;
    while (error == 0 && !full) {
        struct dir_block block = {0};
        uint64_t number = (*position - 2) >> 16;

        if (number > dir->size >> erofs_of(dir)->block_bits ||
            number << erofs_of(dir)->block_bits >= dir->size)
            return 0;
        error = dir_block_get(dir, number, &block);
        if (error == 0)
            error = emit_block(dir, &block, position, sink, &full);
        dir_block_put(&block);
    }
    return error;
}
