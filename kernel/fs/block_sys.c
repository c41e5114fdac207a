/* SPDX-License-Identifier: MIT */
/*
 * What /sys and /proc tell of disks: /sys/block/NAME with its queue/, /sys/class/block,
 * /sys/dev/block, /proc/partitions, /proc/diskstats. Times in the statistics are left 0.
 */
#include <device/blkdev.h>
#include <file/pseudo.h>
#include <lib/compiler.h>
#include <lib/minmax.h>
#include <lib/printf.h>
#include <mm/page.h>

#include "block_file.h"
#include "fs.h"

/* Files whose text depends on the disk: an entry's key. */
enum fact {
    FACT_SIZE,
    FACT_READ_ONLY,
    FACT_DEV,
    FACT_SERIAL,
    FACT_STAT,
    FACT_UEVENT,
    FACT_SEQUENCE,
    FACT_CACHE,
    FACT_BLOCK,
    FACT_PHYSICAL,
    FACT_IO_MIN,
    FACT_IO_OPT,
    FACT_DISCARD_GRAIN,
    FACT_DISCARD_MAX,
    FACT_ZEROES_MAX,
    FACT_SEGMENTS,
};

static const struct {
    const char *name;
    enum fact fact;
} facts[] = {
    {"size", FACT_SIZE},
    {"ro", FACT_READ_ONLY},
    {"dev", FACT_DEV},
    {"serial", FACT_SERIAL},
    {"stat", FACT_STAT},
    {"uevent", FACT_UEVENT},
    {"diskseq", FACT_SEQUENCE},
    {"cache_type", FACT_CACHE},
    {"queue/write_cache", FACT_CACHE},
    {"queue/logical_block_size", FACT_BLOCK},
    {"queue/hw_sector_size", FACT_BLOCK},
    {"queue/physical_block_size", FACT_PHYSICAL},
    {"queue/minimum_io_size", FACT_IO_MIN},
    {"queue/optimal_io_size", FACT_IO_OPT},
    {"queue/discard_granularity", FACT_DISCARD_GRAIN},
    {"queue/discard_max_bytes", FACT_DISCARD_MAX},
    {"queue/discard_max_hw_bytes", FACT_DISCARD_MAX},
    {"queue/write_zeroes_max_bytes", FACT_ZEROES_MAX},
    {"queue/max_segments", FACT_SEGMENTS},
};

/* The same for every disk. */
static const char *const constants[][2] = {
    {"range", "16\n"},
    {"ext_range", "256\n"},
    {"removable", "0\n"},
    {"hidden", "0\n"},
    {"capability", "0\n"},
    {"alignment_offset", "0\n"},
    {"discard_alignment", "0\n"},
    {"inflight", "       0        0\n"},
    {"queue/rotational", "1\n"},
    {"queue/read_ahead_kb", "128\n"},
    {"queue/max_sectors_kb", "1280\n"},
    {"queue/max_hw_sectors_kb", "2147483647\n"},
    {"queue/max_discard_segments", "1\n"},
    {"queue/discard_zeroes_data", "0\n"},
    {"queue/scheduler", "[none]\n"},
    {"queue/nr_requests", "256\n"},
    {"queue/zoned", "none\n"},
    {"queue/dma_alignment", "511\n"},
    {"queue/add_random", "0\n"},
    {"queue/iostats", "1\n"},
    {"queue/nomerges", "2\n"},
    {"queue/fua", "0\n"},
    {"queue/dax", "0\n"},
};

/* Requests, merged ones, sectors, milliseconds; see iostats.rst of Linux's documentation. */
static void put_stats(struct pseudo_text *text, const struct blkdev *dev, const char *format)
{
    for (unsigned i = BLK_READ; i <= BLK_WRITE; i++)
        pseudo_printf(text, format, (unsigned long)atomic64_read(&dev->stats[i].requests), 0UL,
                      (unsigned long)atomic64_read(&dev->stats[i].sectors), 0UL);
    pseudo_printf(text, " 0 0 0");
    pseudo_printf(text, format, (unsigned long)atomic64_read(&dev->stats[BLK_DISCARD].requests),
                  0UL, (unsigned long)atomic64_read(&dev->stats[BLK_DISCARD].sectors), 0UL);
    pseudo_printf(text, " %lu 0\n", (unsigned long)atomic64_read(&dev->stats[BLK_FLUSH].requests));
}

static uint64_t value_of(const struct blkdev *dev, enum fact fact)
{
    switch (fact) {
    case FACT_SIZE:
        return dev->sector_count;
    case FACT_READ_ONLY:
        return dev->cache != NULL ? block_is_read_only(dev->cache) : dev->is_read_only;
    case FACT_SEQUENCE:
        return dev->minor / BLK_MINORS + 1;
    case FACT_BLOCK:
        return dev->block_size;
    case FACT_PHYSICAL:
        return dev->physical_size;
    case FACT_IO_MIN:
        return dev->io_min;
    case FACT_IO_OPT:
        return dev->io_opt;
    case FACT_DISCARD_GRAIN:
        return dev->discard_sectors == 0 ? 0
                                         : (uint64_t)max(dev->discard_align, 1U) << SECTOR_SHIFT;
    case FACT_DISCARD_MAX:
        return (uint64_t)dev->discard_sectors << SECTOR_SHIFT;
    case FACT_ZEROES_MAX:
        return (uint64_t)dev->zeroes_sectors << SECTOR_SHIFT;
    default:
        return dev->pages_max;
    }
}

static int show_fact(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct blkdev *dev = entry->data;
    char serial[BLK_SERIAL_SIZE + 1];

    switch (entry->key) {
    case FACT_DEV:
        pseudo_printf(text, "%u:%u\n", dev->major, dev->minor);
        break;
    case FACT_SERIAL:
        (void)blk_identify(dev, serial);
        pseudo_printf(text, "%s", serial);
        break;
    case FACT_STAT:
        put_stats(text, dev, " %8lu %8lu %8lu %8lu");
        break;
    case FACT_UEVENT:
        pseudo_printf(text, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\nDEVTYPE=disk\nDISKSEQ=%u\n",
                      dev->major, dev->minor, dev->name, dev->minor / BLK_MINORS + 1);
        break;
    case FACT_CACHE:
        pseudo_puts(text, dev->has_cache ? "write back\n" : "write through\n");
        break;
    default:
        pseudo_printf(text, "%lu\n", (unsigned long)value_of(dev, (enum fact)entry->key));
    }
    return 0;
}

static int show_partitions(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    (void)entry;
    pseudo_puts(text, "major minor  #blocks  name\n\n");
    for (struct blkdev *dev = blkdev_first(); dev != NULL; dev = dev->next)
        pseudo_printf(text, "%4u  %7u %10lu %s\n", dev->major, dev->minor,
                      (unsigned long)(dev->sector_count / 2), dev->name);
    return 0;
}

static int show_diskstats(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    (void)entry;
    for (struct blkdev *dev = blkdev_first(); dev != NULL; dev = dev->next) {
        pseudo_printf(text, "%4u %7u %s", dev->major, dev->minor, dev->name);
        put_stats(text, dev, " %lu %lu %lu %lu");
    }
    return 0;
}

static void fill_disk(struct blkdev *dev)
{
    static const struct pseudo_ops ops = {.show = show_fact};
    char path[64], target[64];

    for (unsigned i = 0; i < ARRAY_SIZE(facts); i++) {
        struct pseudo_entry entry = {
            .ops = &ops, .mode = S_IFREG | 0444, .data = dev, .key = facts[i].fact, .size = 4096};

        snprintf(path, sizeof(path), "block/%s/%s", dev->name, facts[i].name);
        (void)pseudo_register(PSEUDO_SYS, path, &entry);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(constants); i++) {
        snprintf(path, sizeof(path), "block/%s/%s", dev->name, constants[i][0]);
        (void)pseudo_register_text(PSEUDO_SYS, path, constants[i][1]);
    }
    snprintf(target, sizeof(target), "../../block/%s", dev->name);
    snprintf(path, sizeof(path), "class/block/%s", dev->name);
    (void)pseudo_register_link(PSEUDO_SYS, path, target);
    snprintf(path, sizeof(path), "dev/block/%u:%u", dev->major, dev->minor);
    (void)pseudo_register_link(PSEUDO_SYS, path, target);
    snprintf(path, sizeof(path), "block/%s/subsystem", dev->name);
    (void)pseudo_register_link(PSEUDO_SYS, path, "../../class/block");
}

static void fill_sys(void)
{
    for (struct blkdev *dev = blkdev_first(); dev != NULL; dev = dev->next)
        fill_disk(dev);
}

static void fill_proc(void)
{
    (void)proc_register("partitions", show_partitions, NULL);
    (void)proc_register("diskstats", show_diskstats, NULL);
}

void block_sys_register(void)
{
    static struct pseudo_filler sys = {.fill = fill_sys}, proc = {.fill = fill_proc};

    pseudo_fill_later(PSEUDO_SYS, &sys);
    pseudo_fill_later(PSEUDO_PROC, &proc);
}
