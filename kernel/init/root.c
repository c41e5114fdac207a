/* SPDX-License-Identifier: MIT */
/* The root in RAM: appended to the image (abi/image.h), or an initrd. */
#include "root.h"

#include <abi/image.h>
#include <arch/boot.h>
#include <core/log.h>
#include <device/dt.h>
#include <device/machine.h>
#include <fs/mount.h>

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
    struct memory_stats stats;

    memory_get_stats(&stats);
    return stats.total * 4096 / 2;
}

void root_mount(const struct dt_boot *boot)
{
    struct memory_range root = root_appended();

    if (root.size == 0)
        root = (struct memory_range){boot->initrd, boot->initrd_size};
    if (root.size == 0) {
        log_error("no root file system: neither appended to the kernel nor given as initrd. "
                  "Make an image with `remora build`, or start it with `remora run`.");
        machine_exit_status(125);
    }
    int error = fs_mount_root(root.base, root.size, overlay_limit());

    if (error != 0) {
        log_error("cannot mount the root at %#lx (%lu bytes): error %d. Build the image again.",
                  (unsigned long)root.base, (unsigned long)root.size, -error);
        machine_exit_status(125);
    }
}
