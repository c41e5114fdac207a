/* SPDX-License-Identifier: MIT */
/* Disks in memory, in place of kernel/device/blkdev.c. */
#ifndef UNIT_FS_DISK_H
#define UNIT_FS_DISK_H

#include <unit.h>

#include <device/blkdev.h>

/* Of `bytes`, which stay the caller's: a multiple of 512 of them. */
struct blkdev *disk_make(void *bytes, size_t size, uint32_t block_size);
/* With its cache: nothing may use it any more. */
void disk_free(struct blkdev *dev);
/* Requests that touch this sector fail with -EIO; UINT64_MAX: none does. */
void disk_set_bad(struct blkdev *dev, uint64_t sector);

#endif
