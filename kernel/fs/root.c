/* SPDX-License-Identifier: MIT */
/* The first mounts: the root image under its overlay, and what programs expect at /dev, /proc,
 * /sys. */
#include <core/log.h>
#include <file/flags.h>
#include <lib/compiler.h>
#include <lib/errno.h>

#include "fs.h"

void fs_init(void)
{
    icache_init();
    dcache_init();
    mount_init();
}

/* The first mount of all becomes root and current directory of the first program. Takes over the
 * use of `sb`. */
static int mount_first(struct superblock *sb, const char *source)
{
    struct mount *mount = mount_create(sb, sb->root, source, 0);
    struct path root = {mount, sb->root};

    if (mount == NULL)
        return -ENOMEM;
    (void)mount_attach(mount, NULL); /* where nothing is, nothing is in the way */
    path_ref(&root);
    fs_init_context.root = root;
    path_ref(&root);
    fs_init_context.cwd = root;
    return 0;
}

/* Mounts `type` at `place`, a directory that is made if the image has none. */
static int mount_system(const char *place, const char *type, unsigned flags)
{
    int error = fs_mount(type, NULL, place, type, flags, NULL);

    if (error == -ENOENT) {
        error = fs_mkdir(NULL, place, 0755);
        if (error == 0)
            error = fs_mount(type, NULL, place, type, flags, NULL);
    }
    if (error != 0)
        log_error("fs: %s could not be mounted on %s: error %d", type, place, -error);
    return error;
}

int fs_mount_system(void)
{
    static const struct {
        const char *place, *type;
        unsigned flags;
    } table[] = {
        {"/dev", "devtmpfs", MS_NOSUID},
        {"/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV},
        {"/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC},
        {"/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC},
    };
    int error = 0;

    tmpfs_register();
    pseudofs_register();
    devices_register();
    disks_register();
#ifdef CONFIG_FS_9P
    p9_register();
#endif
    mount_register_proc();
    for (unsigned i = 0; error == 0 && i < ARRAY_SIZE(table); i++)
        error = mount_system(table[i].place, table[i].type, table[i].flags);
    return error;
}

/* Takes over the use of `lower`. */
static int mount_over(struct superblock *lower, uint64_t overlay_limit)
{
    struct superblock *overlay;
    int error = overlay_make(lower, "overlay", OVERLAY_MAGIC, overlay_limit, &overlay);

    return error != 0 ? error : mount_first(overlay, "overlay");
}

int fs_mount_root(paddr_t image, uint64_t size, uint64_t overlay_limit)
{
    struct superblock *lower;
    int error = erofs_mount_ram(image, size, &lower);

    return error != 0 ? error : mount_over(lower, overlay_limit);
}

int fs_mount_root_disk(struct blkdev *disk, uint64_t overlay_limit)
{
    struct superblock *lower;
    int error = erofs_mount_disk(disk, &lower);

    return error != 0 ? error : mount_over(lower, overlay_limit);
}

int fs_mount_empty_root(uint64_t overlay_limit)
{
    struct inode_init init = {.mode = S_IFDIR | 0755};
    struct superblock *root;
    int error = tmpfs_make(overlay_limit, &init, &root);

    if (error == 0)
        error = mount_first(root, "tmpfs");
    return error;
}
