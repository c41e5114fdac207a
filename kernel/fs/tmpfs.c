/* SPDX-License-Identifier: MIT */
/* tmpfs and overlay: instances, inodes and attributes. tmpfs.h tells how the two are one. */
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/memory.h>
#include <mm/slab.h>

#include "tmpfs.h"

SLAB_CACHE(tmpfs_inode_cache, struct tmpfs_inode);

/* Staying in memory. */

void tmpfs_keep(struct tmpfs_inode *own)
{
    struct tmpfs *fs = tmpfs_of(&own->inode);

    spin_lock(&fs->lock);
    if (list_empty(&own->keep))
        list_add_tail(&fs->kept, &own->keep);
    spin_unlock(&fs->lock);
}

void tmpfs_changed(struct tmpfs_inode *own)
{
    if (own->lower == NULL || atomic_read(&own->changed) != 0 || atomic_xchg(&own->changed, 1) != 0)
        return;
    inode_ref(&own->inode);
    tmpfs_keep(own);
}

void tmpfs_dropped(struct tmpfs_inode *own)
{
    if (atomic_xchg(&own->changed, 0) != 0)
        inode_unref(&own->inode); /* the caller has another */
}

/* Attributes. */

static ssize_t tmpfs_readlink(struct inode *inode, char *buffer, size_t size)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);
    size_t length;

    if (own->target == NULL)
        return own->lower->ops->readlink(own->lower, buffer, size);
    length = strlen(own->target);
    if (length > size)
        length = size;
    memcpy(buffer, own->target, length);
    return (ssize_t)length;
}

static int tmpfs_getattr(struct inode *inode, struct inode_stat *stat)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);

    if (S_ISREG(inode->mode)) {
        uint64_t lower = (own->lower_size + PAGE_SIZE - 1) / PAGE_SIZE;
        stat->blocks = (READ_ONCE(own->object.page_count) + lower) * (PAGE_SIZE / 512);
    }
    return 0;
}

static int tmpfs_setattr(struct inode *inode, const struct attr_change *change)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);

    tmpfs_changed(own);
    if (change->set & ATTR_SIZE) {
        int error;

        if (!S_ISREG(inode->mode))
            return -EINVAL;
        if (change->size > (uint64_t)INT64_MAX)
            return -EFBIG;
        if (change->size < inode->size && (own->seals & F_SEAL_SHRINK))
            return -EPERM;
        if (change->size > inode->size && (own->seals & F_SEAL_GROW))
            return -EPERM;
        error = tmpfs_truncate(own, change->size);
        if (error != 0)
            return error;
        inode->mtime = fs_time_now();
    }
    inode_apply_attr_locked(inode, change);
    return 0;
}

/* Life. */

static void tmpfs_inode_free(struct deferred *deferred)
{
    slab_free(&tmpfs_inode_cache, container_of(deferred, struct tmpfs_inode, inode.deferred));
}

static void tmpfs_inode_release(struct inode *inode)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);
    struct tmpfs *fs = tmpfs_of(inode);

    spin_lock(&fs->lock);
    list_del(&own->keep);
    spin_unlock(&fs->lock);
    if (S_ISDIR(inode->mode))
        tmpfs_dir_free(own);
    else if (S_ISREG(inode->mode))
        tmpfs_data_free(own);
    else if (S_ISLNK(inode->mode))
        kfree(own->target);
    tmpfs_xattrs_free(own);
    inode_unref(own->lower);
    if (own->counted)
        atomic64_dec(&fs->used_inodes);
    defer_free(&inode->deferred, tmpfs_inode_free);
}

/* What inodes of every type share. */
#define TMPFS_EVERY_INODE                                                             \
    .setattr = tmpfs_setattr, .getxattr = tmpfs_getxattr, .setxattr = tmpfs_setxattr, \
    .removexattr = tmpfs_removexattr, .listxattr = tmpfs_listxattr, .release = tmpfs_inode_release

static const struct inode_ops tmpfs_dir_ops = {
    .lookup = tmpfs_lookup,
    .create = tmpfs_create,
    .link = tmpfs_link,
    .unlink = tmpfs_unlink,
    .rename = tmpfs_rename,
    .readdir = tmpfs_readdir,
    TMPFS_EVERY_INODE,
};

static const struct inode_ops tmpfs_regular_ops = {
    .getattr = tmpfs_getattr,
    .fallocate = tmpfs_fallocate,
    .seek = tmpfs_seek_hole,
    TMPFS_EVERY_INODE,
};

static const struct inode_ops tmpfs_link_ops = {
    .readlink = tmpfs_readlink,
    TMPFS_EVERY_INODE,
};

static const struct inode_ops tmpfs_node_ops = {
    TMPFS_EVERY_INODE,
};

static const struct inode_ops *ops_for(uint32_t mode)
{
    const struct inode_ops *other = S_ISLNK(mode) ? &tmpfs_link_ops : &tmpfs_node_ops;

    return S_ISDIR(mode) ? &tmpfs_dir_ops : S_ISREG(mode) ? &tmpfs_regular_ops : other;
}

static struct tmpfs_inode *inode_alloc(struct tmpfs *fs, uint32_t mode, uint64_t ino)
{
    struct tmpfs_inode *own;

    own = slab_zalloc(&tmpfs_inode_cache);
    if (own == NULL)
        return NULL;
    list_init(&own->keep);
    inode_init(&own->inode, &fs->sb, ops_for(mode), mode, ino);
    if (S_ISDIR(mode)) {
        own->inode.nlink = 2;
        own->next_cookie = 2;
        own->inode.flags = (fs->sb.flags & SB_NO_NEGATIVE) ? INODE_NO_NEGATIVE : 0;
    } else if (S_ISREG(mode)) {
        own->inode.file_ops = &tmpfs_file_ops;
        inode_object_init(&own->inode, &own->object, &tmpfs_object_ops, OBJECT_UNEVICTABLE);
    }
    return own;
}

int tmpfs_inode_new(struct tmpfs *fs, const struct inode_init *init, struct inode **out)
{
    struct tmpfs_inode *own =
        inode_alloc(fs, init->mode, (uint64_t)atomic64_add_return(1, &fs->next_ino));

    if (own == NULL)
        return -ENOMEM;
    own->counted = true;
    inode_times_now(&own->inode);
    if (atomic64_add_return(1, &fs->used_inodes) > fs->limit_inodes) {
        inode_unref(&own->inode);
        return -ENOSPC;
    }
    own->inode.uid = init->uid;
    own->inode.gid = init->gid;
    own->inode.rdev = init->rdev;
    if (S_ISLNK(init->mode)) {
        own->inode.size = strlen(init->target);
        own->target = kstrdup(init->target);
        if (own->target == NULL) {
            inode_unref(&own->inode);
            return -ENOMEM;
        }
    }
    *out = &own->inode;
    return 0;
}

int tmpfs_inode_over(struct tmpfs *fs, struct inode *lower, struct inode **out)
{
    struct tmpfs_inode *own;

    *out = icache_find(&fs->sb, lower->ino);
    if (*out != NULL) {
        inode_unref(lower);
        return 0;
    }
    own = inode_alloc(fs, lower->mode, lower->ino);
    if (own == NULL) {
        inode_unref(lower);
        return -ENOMEM;
    }
    own->lower = lower;
    own->inode.uid = lower->uid;
    own->inode.gid = lower->gid;
    own->inode.nlink = lower->nlink;
    own->inode.rdev = lower->rdev;
    own->inode.size = lower->size;
    own->inode.blocks = lower->blocks;
    own->inode.atime = lower->atime;
    own->inode.mtime = lower->mtime;
    own->inode.ctime = lower->ctime;
    own->inode.btime = lower->btime;
    if (S_ISREG(lower->mode))
        own->lower_size = lower->size;
    *out = icache_add(&own->inode);
    if (*out != &own->inode)
        inode_unref(&own->inode);
    else if (S_ISREG(lower->mode))
        object_show_by(lower->object, &own->object, NULL);
    return 0;
}

/* Instances. */

static int tmpfs_statfs(struct superblock *sb, struct statfs_info *info)
{
    struct tmpfs *fs = container_of(sb, struct tmpfs, sb);
    uint64_t used = (uint64_t)atomic64_read(&fs->used_pages);

    info->blocks = fs->limit_pages;
    info->blocks_free = used < fs->limit_pages ? fs->limit_pages - used : 0;
    info->blocks_available = info->blocks_free;
    info->files = (uint64_t)fs->limit_inodes;
    info->files_free = (uint64_t)(fs->limit_inodes - atomic64_read(&fs->used_inodes));
    return 0;
}

static void tmpfs_show_options(struct superblock *sb, char *buffer, size_t size)
{
    struct tmpfs *fs = container_of(sb, struct tmpfs, sb);

    if (fs->sb.magic == OVERLAY_MAGIC)
        snprintf(buffer, size, ",lowerdir=/,upperdir=tmpfs,workdir=tmpfs");
    else if (fs->show_limit)
        snprintf(buffer, size, ",size=%luk,mode=%o",
                 (unsigned long)(fs->limit_pages * (PAGE_SIZE / 1024)), fs->root_mode);
}

static struct tmpfs_inode *next_kept(struct tmpfs *fs, struct tmpfs_inode *after)
{
    struct list_node *node;

    spin_lock(&fs->lock);
    node = after != NULL ? after->keep.next : fs->kept.next;
    spin_unlock(&fs->lock);
    return node != &fs->kept ? list_entry(node, struct tmpfs_inode, keep) : NULL;
}

/*
 * Nobody uses the instance any more. All that is kept is held while the directories are emptied, so
 * that no directory goes while it has entries: letting go never recurses.
 */
static void tmpfs_shutdown(struct superblock *sb)
{
    struct tmpfs *fs = container_of(sb, struct tmpfs, sb);
    struct tmpfs_inode *own;

    for (own = next_kept(fs, NULL); own != NULL; own = next_kept(fs, own))
        inode_ref(&own->inode);
    for (own = next_kept(fs, NULL); own != NULL; own = next_kept(fs, own)) {
        if (S_ISDIR(own->inode.mode))
            tmpfs_dir_free(own);
    }
    while ((own = next_kept(fs, NULL)) != NULL) {
        spin_lock(&fs->lock);
        list_del(&own->keep);
        spin_unlock(&fs->lock);
        tmpfs_dropped(own);
        inode_unref(&own->inode);
    }
}

static void tmpfs_release(struct superblock *sb)
{
    struct tmpfs *fs = container_of(sb, struct tmpfs, sb);

    if (fs->lower != NULL)
        superblock_unuse(fs->lower);
    kfree(fs);
}

static const struct super_ops tmpfs_super_ops = {
    .statfs = tmpfs_statfs,
    .show_options = tmpfs_show_options,
    .shutdown = tmpfs_shutdown,
    .release = tmpfs_release,
};

static uint64_t default_limit_pages(void)
{
    return memory_ram_pages() / 2;
}

static struct tmpfs *instance_alloc(const char *type, uint64_t limit_bytes, uint64_t first_ino)
{
    struct tmpfs *fs = kzalloc(sizeof(*fs));

    if (fs == NULL)
        return NULL;
    superblock_init(&fs->sb, type, &tmpfs_super_ops);
    fs->limit_pages =
        limit_bytes != 0 ? (limit_bytes + PAGE_SIZE - 1) / PAGE_SIZE : default_limit_pages();
    fs->limit_inodes = (int64_t)max(default_limit_pages(), (uint64_t)1024); /* as Linux */
    atomic64_set(&fs->next_ino, (int64_t)first_ino);
    spin_init(&fs->lock, RANK_DENTRY);
    list_init(&fs->kept);
    return fs;
}

static int instance_finish(struct tmpfs *fs, int error, struct inode *root, struct superblock **out)
{
    if (error == 0) {
        fs->sb.root = dentry_make_root(root, "/");
        error = fs->sb.root != NULL ? 0 : -ENOMEM;
    }
    if (error != 0)
        superblock_unuse(&fs->sb);
    else
        *out = &fs->sb;
    return error;
}

int tmpfs_make(uint64_t limit_bytes, const struct inode_init *root_init, struct superblock **out)
{
    struct tmpfs *fs = instance_alloc("tmpfs", limit_bytes, 0);
    struct inode *root = NULL;
    int error;

    if (fs == NULL)
        return -ENOMEM;
    fs->sb.magic = TMPFS_MAGIC;
    fs->root_mode = root_init->mode & S_PERMISSIONS;
    fs->show_limit = limit_bytes != 0;
    error = tmpfs_inode_new(fs, root_init, &root);
    return instance_finish(fs, error, root, out);
}

int overlay_make(struct superblock *lower, const char *type, uint32_t magic, uint64_t limit_bytes,
                 struct superblock **out)
{
    struct statfs_info info = {0};
    struct inode *root = NULL;
    struct tmpfs *fs;
    int error;

    if (lower->ops->statfs != NULL)
        lower->ops->statfs(lower, &info);
    /* Numbers of new inodes start beyond those of the lower ones. */
    fs = instance_alloc(type, limit_bytes, info.blocks * (lower->block_size / 32u) + 0x10000);
    if (fs == NULL) {
        superblock_unuse(lower);
        return -ENOMEM;
    }
    fs->lower = lower;
    fs->sb.magic = magic;
    fs->sb.flags = lower->flags & SB_NO_NEGATIVE;
    error = tmpfs_inode_over(fs, inode_ref(lower->root->inode), &root);
    return instance_finish(fs, error, root, out);
}

/* mount -t tmpfs -o size=64m,mode=1777,uid=,gid=,nr_inodes= */

static uint64_t parse_number(const char **text, unsigned base)
{
    uint64_t value = 0;

    while (**text >= '0' && **text < '0' + (char)base)
        value = value * base + (uint64_t)(*(*text)++ - '0');
    return value;
}

static uint64_t parse_size(const char **text)
{
    uint64_t value = parse_number(text, 10);

    switch (**text) {
    case 'g':
    case 'G':
        value <<= 10;
        fallthrough;
    case 'm':
    case 'M':
        value <<= 10;
        fallthrough;
    case 'k':
    case 'K':
        value <<= 10;
        (*text)++;
        break;
    case '%':
        value = default_limit_pages() * 2 * PAGE_SIZE / 100 * value;
        (*text)++;
        break;
    default:
        break;
    }
    return value;
}

static int parse_option(const char **text, struct inode_init *root, uint64_t *limit)
{
    if (str_starts_with(*text, "size=")) {
        *text += 5;
        *limit = parse_size(text);
    } else if (str_starts_with(*text, "nr_blocks=")) {
        *text += 10;
        *limit = parse_size(text) * PAGE_SIZE;
    } else if (str_starts_with(*text, "mode=")) {
        *text += 5;
        root->mode = S_IFDIR | (uint32_t)(parse_number(text, 8) & S_PERMISSIONS);
    } else if (str_starts_with(*text, "uid=")) {
        *text += 4;
        root->uid = (uint32_t)parse_number(text, 10);
    } else if (str_starts_with(*text, "gid=")) {
        *text += 4;
        root->gid = (uint32_t)parse_number(text, 10);
    } else if (str_starts_with(*text, "nr_inodes=")) {
        *text += 10;
        parse_size(text);
    }
    return **text == ',' || **text == '\0' ? 0 : -EINVAL;
}

static int tmpfs_mount(const char *source, const char *options, unsigned flags,
                       struct superblock **out)
{
    struct inode_init root = {.mode = S_IFDIR | 01777};
    uint64_t limit = 0;

    (void)source;
    (void)flags;
    while (options != NULL && *options != '\0') {
        int error = parse_option(&options, &root, &limit);
        if (error != 0)
            return error;
        if (*options == ',')
            options++;
    }
    return tmpfs_make(limit, &root, out);
}

static struct fs_type tmpfs_type = {.name = "tmpfs", .mount = tmpfs_mount};

void tmpfs_register(void)
{
    fs_type_register(&tmpfs_type);
}
