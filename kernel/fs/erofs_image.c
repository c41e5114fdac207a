/* SPDX-License-Identifier: MIT */
/* Bytes of an EROFS image, in RAM or by the pages of a disk. */
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/page.h>

#include "block_cache.h"
#include "erofs.h"

#define AHEAD 7U /* inodes and directories lie close together */

static int get_from_disk(struct erofs *fs, uint64_t offset, uint64_t length,
                         struct erofs_piece *piece)
{
    int error;

    if (offset % PAGE_SIZE + length > PAGE_SIZE)
        return -EUCLEAN;
    error = block_cache_read(fs->disk, offset >> PAGE_SHIFT, AHEAD, &piece->page);
    if (error != 0)
        return error;
    piece->data = (const uint8_t *)page_virt(piece->page) + offset % PAGE_SIZE;
    return 0;
}

int erofs_get(struct erofs *fs, uint64_t offset, uint64_t length, struct erofs_piece *piece)
{
    if (!erofs_has(fs, offset, length))
        return -EUCLEAN;
    if (fs->image == NULL)
        return get_from_disk(fs, offset, length, piece);
    *piece = (struct erofs_piece){fs->image + offset, NULL};
    return 0;
}

void erofs_put(struct erofs_piece *piece)
{
    if (piece->page != NULL)
        page_unref(piece->page);
    piece->page = NULL;
}

int erofs_copy(struct erofs *fs, uint64_t offset, void *to, uint64_t length)
{
    if (!erofs_has(fs, offset, length))
        return -EUCLEAN;
    if (fs->image != NULL) {
        memcpy(to, fs->image + offset, length);
        return 0;
    }
    for (uint64_t done = 0, part; done < length; done += part) {
        struct erofs_piece piece;
        int error;

        part = min_t(uint64_t, length - done, PAGE_SIZE - (offset + done) % PAGE_SIZE);
        error = get_from_disk(fs, offset + done, part, &piece);
        if (error != 0)
            return error;
        memcpy((uint8_t *)to + done, piece.data, part);
        erofs_put(&piece);
    }
    return 0;
}
