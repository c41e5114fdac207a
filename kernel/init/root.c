/* SPDX-License-Identifier: MIT */
/* The root: a disk that root= names, or in RAM, appended to the image (abi/image.h) or an initrd.
 */
#include "root.h"

#include <abi/bootargs.h>
#include <abi/image.h>
#include <arch/boot.h>
#include <core/log.h>
#include <device/blkdev.h>
#include <device/dt.h>
#include <device/firmware.h>
#include <device/machine.h>
#include <fs/mount.h>
#include <lib/parse.h>
#include <lib/printf.h>

extern const struct image_remora_header image_remora_header;

struct memory_range root_appended(void)
{
    const struct image_remora_header *header = &image_remora_header;

    if (header->magic != IMAGE_REMORA_MAGIC || header->version != IMAGE_REMORA_VERSION ||
        header->root_offset == 0)
        return (struct memory_range){0};
    return (struct memory_range){boot_entry.image + header->root_offset, header->root_size};
}

/* Half of RAM: what programs write into the root lives in memory. */
static uint64_t overlay_limit(void)
{
    return memory_ram_pages() * 4096 / 2;
}

static _Noreturn void no_root(const char *what, size_t length, int error)
{
    log_error("cannot mount the root %.*s: error %d. Build the image again.", (int)length, what,
              -error);
    machine_exit_status(125);
}

static void mount_disk(const char *path, size_t length)
{
    struct blkdev *disk = blkdev_find(path, length);
    int error;

    if (disk == NULL) {
        log_error("root=%.*s: no such disk, %s. Attach it to the machine, or take root= away.",
                  (int)length, path,
                  blkdev_first() == NULL ? "there is none at all" : "only others are there");
        machine_exit_status(125);
    }
    error = fs_mount_root_disk(disk, overlay_limit());
    if (error != 0)
        no_root(path, length, error);
}

static void mount_ram(const struct dt_boot *boot)
{
    struct memory_range root = root_appended();
    char place[64];
    int error;

    if (root.size == 0)
        root = (struct memory_range){boot->initrd, boot->initrd_size};
    if (root.size == 0) {
        log_error("no root file system: neither appended to the kernel nor given as initrd. "
                  "Make an image with `remora build`, or start it with `remora run`.");
        machine_exit_status(125);
    }
    error = fs_mount_root(root.base, root.size, overlay_limit());
    if (error != 0)
        no_root(place,
                (size_t)snprintf(place, sizeof(place), "at %#lx (%lu bytes)",
                                 (unsigned long)root.base, (unsigned long)root.size),
                error);
}

void root_mount(const struct dt_boot *boot)
{
    size_t length;
    const char *disk = parse_option(fw_boot_arguments(), BOOTARGS_ROOT, &length);

    if (disk != NULL)
        mount_disk(disk, length);
    else
        mount_ram(boot);
}
