/* SPDX-License-Identifier: MIT */
/* Disks as files: block_file.c has their bytes, block_ioctl.c what else programs ask of one,
 * block_sys.c /sys/block and the like. */
#ifndef FS_BLOCK_FILE_H
#define FS_BLOCK_FILE_H

#include <device/blkdev.h>
#include <file/file.h>

#include "block_cache.h"

static inline struct block_cache *block_cache_of_file(struct file *file)
{
    return file->data;
}

/* The device is, or BLKROSET said so: writes end with -EPERM. */
static inline bool block_is_read_only(const struct block_cache *cache)
{
    return cache->dev->is_read_only || READ_ONCE(cache->is_read_only);
}

/* What is dirty goes to the disk, which then makes it lasting. */
int block_file_sync(struct file *file, bool data_only);

long block_ioctl(struct file *file, unsigned cmd, reg_t arg);
int block_allocate(struct file *file, int mode, uint64_t offset, uint64_t length);

/* Entries of /sys and /proc about all disks: made when somebody looks. */
void block_sys_register(void);

#endif
