/* SPDX-License-Identifier: MIT */
/*
 * Block devices: a driver fills in a struct blkdev and registers it; file systems and /dev use it
 * by the functions here. A sector is always 512 bytes, whatever the device's own block is.
 */
#ifndef DEVICE_BLKDEV_H
#define DEVICE_BLKDEV_H

#include <arch/atomic.h>
#include <core/waitq.h>
#include <lib/types.h>

#define SECTOR_SHIFT 9U
#define SECTOR_SIZE  512U

struct page;

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD, BLK_WRITE_ZEROES, BLK_IDENTIFY };

#define BLK_OPS         (BLK_IDENTIFY + 1)
#define BLK_SERIAL_SIZE 20U
#define BLK_MINORS      16U   /* numbers of a disk and its partitions, of which there are none */
#define BLK_SECTORS_MAX 2560U /* of a request, as programs are told: Linux's usual */

/* A piece of one page. */
struct page_vec {
    struct page *page;
    uint32_t offset, length;
};

struct blk_request {
    enum blk_op op;
    uint64_t sector, sector_count; /* of flush, identify: 0 */
    const struct page_vec *pages;  /* read, write: sector_count sectors in all */
    unsigned page_count;
    void (*done)(struct blk_request *request, int error); /* any context; 0, -EIO, -EOPNOTSUPP */
    bool is_done;                                         /* blk_transfer()'s */
    int error;
};

struct blkdev;

struct blkdev_ops {
    /* Takes the request: done() is called later, perhaps before this returns. -EAGAIN: no room now,
     * `room` is woken when there is. -EIO: the device is broken. Does not sleep. */
    int (*submit)(struct blkdev *dev, struct blk_request *request);
    /* The device did not answer in time, or has_failed: resets it for good; what is under way ends
     * with -EIO. May sleep. */
    void (*give_up)(struct blkdev *dev);
};

struct blkdev {
    const struct blkdev_ops *ops;
    char name[8];             /* "vda": by blkdev_register() */
    unsigned major, minor;    /* likewise */
    uint64_t sector_count;    /* 512-byte sectors; blkdev_resize() changes it */
    uint32_t block_size;      /* bytes: the least that is read or written; power of two */
    uint32_t pages_max;       /* most page_vecs of a request */
    uint32_t discard_sectors; /* most of a request; 0: it cannot */
    uint32_t discard_align;   /* sectors that are best discarded together; 0: any */
    uint32_t physical_size, io_min, io_opt; /* bytes; io_opt 0: none is better than others */
    uint16_t cylinders;                     /* all 0: it has no such thing */
    uint8_t heads, sectors;
    uint32_t zeroes_sectors;      /* likewise */
    bool is_read_only, has_cache; /* has_cache: flush means something */
    bool has_failed;              /* the driver's: nothing that is under way will be answered */
    struct waitq room, finished;
    struct blkdev *next;
    struct {
        atomic64_t requests, sectors; /* that were done */
    } stats[BLK_OPS];
    void *cache; /* fs/block_cache.c */
};

/* Thread context, at PROBE_DEVICE. Logs the device. -EINVAL: sizes that cannot be. */
int blkdev_register(struct blkdev *dev);
/* The device has another size now; a size that cannot be is logged and left out. Any context. */
void blkdev_resize(struct blkdev *dev, uint64_t sector_count);
/* The first and, by ->next, the others: none ever goes. */
struct blkdev *blkdev_first(void);
/* The one that a path names as Linux does, by /dev/NAME or /dev/disk/by-id/virtio-SERIAL; NULL:
 * none does. `path` need not end with a NUL. May sleep. */
struct blkdev *blkdev_find(const char *path, size_t length);

/*
 * Does one operation and waits: 0, -EIO, -EROFS, -EINVAL (beyond the end, not whole blocks),
 * -EOPNOTSUPP. Longer than a request may be is cut into several. Thread context.
 */
int blk_transfer(struct blkdev *dev, enum blk_op op, uint64_t sector, const struct page_vec *pages,
                 unsigned page_count);
int blk_flush(struct blkdev *dev);
/* The serial number that the device's maker or the hypervisor gave it, "" if it has none. */
int blk_identify(struct blkdev *dev, char serial[BLK_SERIAL_SIZE + 1]);
/* Discard or write zeroes. */
int blk_erase(struct blkdev *dev, enum blk_op op, uint64_t sector, uint64_t sector_count);

#endif
