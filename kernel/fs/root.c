/* SPDX-License-Identifier: MIT */
/* The first mounts: the root image under its overlay, and what programs expect at /dev, /proc,
 * /sys. */
#include <core/log.h>
#include <lib/errno.h>

#include "fs.h"

void fs_init(void)
{
    icache_init();
    dcache_init();
    mount_init();
}

/* The first mount of all becomes root and current directory of the first program. */
static int mount_first(struct superblock *sb, const char *source, unsigned flags)
{
    struct path root;
    int error = fs_mount_super(sb, source, NULL, flags);

    if (error != 0)
        return error;
    root = (struct path){mount_at_index(0), sb->root};
    dentry_ref(root.dentry);
    fs_init_context.root = root;
    fs_init_context.cwd = root;
    path_ref(&root);
    return 0;
}

int fs_mount_root(paddr_t image, uint64_t size, uint64_t overlay_limit)
{
    struct superblock *lower;
    int error = erofs_mount_ram(image, size, &lower);

    (void)overlay_limit;
    if (error != 0)
        return error;
    error = mount_first(lower, "root", 0);
    superblock_unuse(lower);
    return error;
}
