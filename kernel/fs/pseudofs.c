/* SPDX-License-Identifier: MIT */
/*
 * procfs, sysfs and what devfs lies over: the registered entries of file/pseudo.h as file systems.
 * A directory shows its registered nodes first, then names that come and go, which are asked for at
 * each look-up. A file's text is made when it is read from the start and kept with the open file.
 */
#include <file/file.h>
#include <file/pseudo.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "fs.h"

#define PROC_MAGIC  0x9fa0u
#define SYSFS_MAGIC 0x62656572u

#define DEVFS_MAGIC 0x01021994u

/* Positions in a directory: registered nodes from 2 on, others from here on. */
#define DYNAMIC_POSITION (1ull << 32)

struct pseudo_inode {
    struct inode inode;
    struct pseudo_node *node; /* NULL: dynamic */
    struct pseudo_entry entry;
};

SLAB_CACHE(pseudo_inode_cache, struct pseudo_inode);

static struct pseudo_inode *pseudo_inode_of(const struct inode *inode)
{
    return container_of(inode, struct pseudo_inode, inode);
}

/* What a directory asks for names that come and go; false if it has none. */
static bool dynamic_of(const struct pseudo_inode *dir, struct pseudo_entry *out)
{
    if (dir->node != NULL)
        return pseudo_node_dynamic(dir->node, out);
    *out = dir->entry;
    return out->ops != NULL && out->ops->lookup != NULL;
}

/* An open text. */

struct open_text {
    struct mutex lock;
    struct pseudo_text text;
    bool made;
};

static int text_make(struct file *file, struct open_text *open)
{
    const struct pseudo_entry *entry = &pseudo_inode_of(file->inode)->entry;
    int error;

    pseudo_text_free(&open->text);
    error = entry->ops->show(&open->text, entry);
    if (error == 0)
        error = open->text.error;
    open->made = error == 0;
    return error;
}

static ssize_t pseudo_read(struct file *file, struct io *io)
{
    struct open_text *open = file->data;
    const struct pseudo_ops *ops = pseudo_inode_of(file->inode)->entry.ops;
    ssize_t result = 0;

    if (ops == NULL || ops->show == NULL)
        return -EINVAL;
    mutex_lock(&open->lock);
    if (io->pos == 0 || !open->made)
        result = text_make(file, open);
    if (result == 0 && io->pos < open->text.length) {
        result = io_copy_to(io, open->text.data + io->pos,
                            min(io->left, open->text.length - (size_t)io->pos));
        if (result > 0)
            io->pos += (uint64_t)result;
    }
    mutex_unlock(&open->lock);
    return result;
}

static ssize_t pseudo_write_file(struct file *file, struct io *io)
{
    const struct pseudo_entry *entry = &pseudo_inode_of(file->inode)->entry;
    size_t length = min_t(size_t, io->left, PAGE_SIZE - 1);
    ssize_t result;
    char *text;

    if (entry->ops == NULL || entry->ops->store == NULL)
        return -EINVAL;
    text = kmalloc(PAGE_SIZE);
    if (text == NULL)
        return -ENOMEM;
    result = io_copy_from(io, text, length);
    if (result >= 0) {
        text[result] = '\0';
        result = entry->ops->store(entry, text, (size_t)result);
        if (result > 0)
            io->pos += (uint64_t)result;
    }
    kfree(text);
    return result;
}

static int64_t pseudo_seek(struct file *file, int64_t offset, int whence)
{
    return file_seek_sized(file, offset, whence, file->inode->size, INT64_MAX);
}

static void pseudo_release(struct file *file)
{
    struct open_text *open = file->data;

    pseudo_text_free(&open->text);
    kfree(open);
}

static int pseudo_truncate(struct file *file, uint64_t size)
{
    (void)file; /* `echo x >/proc/sys/...` opens with O_TRUNC */
    (void)size;
    return 0;
}

static const struct file_ops pseudo_file_ops = {
    .read = pseudo_read,
    .write = pseudo_write_file,
    .seek = pseudo_seek,
    .truncate = pseudo_truncate,
    .release = pseudo_release,
};

static const struct file_ops unopened_ops = {0};

static int pseudo_open(struct inode *inode, struct file *file)
{
    const struct pseudo_entry *entry = &pseudo_inode_of(inode)->entry;
    struct open_text *open;

    if (entry->ops != NULL && entry->ops->open != NULL) {
        file->ops = &unopened_ops;
        return entry->ops->open(entry, file);
    }
    open = kzalloc(sizeof(*open));
    if (open == NULL) {
        file->ops = &unopened_ops;
        return -ENOMEM;
    }
    mutex_init(&open->lock, RANK_FILE_TEXT);
    file->data = open;
    file->ops = &pseudo_file_ops;
    return 0;
}

/* Inodes. */

static ssize_t pseudo_readlink(struct inode *inode, char *buffer, size_t size)
{
    const struct pseudo_entry *entry = &pseudo_inode_of(inode)->entry;

    return entry->ops->readlink(entry, buffer, size);
}

static int pseudo_follow(struct inode *inode, struct path *out)
{
    const struct pseudo_entry *entry = &pseudo_inode_of(inode)->entry;
    struct file *file;
    int error;

    if (entry->ops->follow_path != NULL)
        return entry->ops->follow_path(entry, out);
    error = entry->ops->follow_file(entry, &file);
    if (error != 0)
        return error;
    error = path_for_file(file, out);
    file_unref(file);
    return error;
}

static int pseudo_getattr(struct inode *inode, struct inode_stat *stat)
{
    struct pseudo_inode *own = pseudo_inode_of(inode);

    if (own->entry.ops != NULL && own->entry.ops->owner != NULL)
        own->entry.ops->owner(&own->entry, &stat->uid, &stat->gid);
    if (own->entry.ops != NULL && own->entry.ops->links != NULL)
        stat->nlink = own->entry.ops->links(&own->entry);
    else if (own->node != NULL && S_ISDIR(inode->mode))
        stat->nlink = 2 + pseudo_node_subdirs(own->node);
    stat->blocks = 0;
    return 0;
}

static int pseudo_permission(struct inode *inode, unsigned may, const struct cred *cred)
{
    const struct pseudo_entry *entry = &pseudo_inode_of(inode)->entry;

    if (entry->ops != NULL && entry->ops->owner != NULL)
        entry->ops->owner(entry, &inode->uid, &inode->gid);
    return inode_permission_by_mode(inode, may, cred);
}

static int pseudo_setattr(struct inode *inode, const struct attr_change *change)
{
    if (change->set & ATTR_SIZE)
        return 0;
    inode_apply_attr_locked(inode, change);
    return 0;
}

static void pseudo_inode_free(struct deferred *deferred)
{
    slab_free(&pseudo_inode_cache, container_of(deferred, struct pseudo_inode, inode.deferred));
}

static void pseudo_inode_release(struct inode *inode)
{
    struct pseudo_inode *own = pseudo_inode_of(inode);

    if (own->node == NULL && own->entry.ops != NULL && own->entry.ops->drop != NULL)
        own->entry.ops->drop(&own->entry);
    defer_free(&inode->deferred, pseudo_inode_free);
}

static int pseudo_lookup(struct inode *inode, const struct name *name, struct inode **out);
static int pseudo_readdir(struct inode *inode, uint64_t *position, struct dir_sink *sink);

static const struct inode_ops pseudo_dir_ops = {
    .lookup = pseudo_lookup,
    .readdir = pseudo_readdir,
    .getattr = pseudo_getattr,
    .permission = pseudo_permission,
    .release = pseudo_inode_release,
};

static const struct inode_ops pseudo_text_ops = {
    .open = pseudo_open,
    .getattr = pseudo_getattr,
    .permission = pseudo_permission,
    .setattr = pseudo_setattr,
    .release = pseudo_inode_release,
};

static const struct inode_ops pseudo_link_ops = {
    .readlink = pseudo_readlink,
    .getattr = pseudo_getattr,
    .release = pseudo_inode_release,
};

static const struct inode_ops pseudo_magic_ops = {
    .follow = pseudo_follow,
    .getattr = pseudo_getattr,
    .release = pseudo_inode_release,
};

static const struct inode_ops *ops_for(const struct pseudo_entry *entry)
{
    if (S_ISDIR(entry->mode))
        return &pseudo_dir_ops;
    if (!S_ISLNK(entry->mode))
        return &pseudo_text_ops;
    if (entry->ops->follow_path != NULL || entry->ops->follow_file != NULL)
        return &pseudo_magic_ops;
    return &pseudo_link_ops;
}

static int inode_make(struct superblock *sb, const struct pseudo_entry *entry,
                      struct pseudo_node *node, struct inode **out)
{
    struct pseudo_inode *own = slab_zalloc(&pseudo_inode_cache);
    uint64_t ino = node != NULL ? pseudo_node_ino(node) : entry->ino;

    if (own == NULL) {
        if (node == NULL && entry->ops != NULL && entry->ops->drop != NULL)
            entry->ops->drop(entry);
        return -ENOMEM;
    }
    if (ino == 0)
        ino = ((uint64_t)(uintptr_t)entry->data / 64 + entry->key * 1000003u) | (1ull << 31);
    own->node = node;
    own->entry = *entry;
    inode_init(&own->inode, sb, ops_for(entry), entry->mode, ino);
    inode_times_now(&own->inode);
    own->inode.size = entry->size;
    own->inode.file_ops = &pseudo_file_ops;
    if (S_ISDIR(entry->mode)) {
        own->inode.nlink = 2;
        own->inode.flags |= INODE_NO_NEGATIVE;
    }
    if (S_ISCHR(entry->mode) || S_ISBLK(entry->mode))
        own->inode.rdev = makedev((unsigned)(entry->key >> 32), (unsigned)entry->key);
    if (node == NULL)
        own->inode.flags |= INODE_VOLATILE;
    if (entry->ops != NULL && entry->ops->owner != NULL)
        entry->ops->owner(entry, &own->inode.uid, &own->inode.gid);
    *out = &own->inode;
    return 0;
}

static int pseudo_lookup(struct inode *inode, const struct name *name, struct inode **out)
{
    struct pseudo_inode *dir = pseudo_inode_of(inode);
    struct pseudo_entry entry, dynamic;
    struct pseudo_node *node = NULL;
    int error;

    if (dir->node != NULL)
        node = pseudo_child(dir->node, name->text, name->len);
    if (node != NULL && pseudo_node_entry(node, &entry))
        return inode_make(inode->sb, &entry, node, out);
    if (!dynamic_of(dir, &dynamic))
        return -ENOENT;
    error = dynamic.ops->lookup(&dynamic, name->text, name->len, &entry);
    return error != 0 ? error : inode_make(inode->sb, &entry, NULL, out);
}

/* Dynamic names on their way out. */
struct list_sink {
    struct pseudo_sink sink;
    struct dir_sink *out;
};

static bool list_emit(struct pseudo_sink *sink, const char *name, size_t len, uint64_t ino,
                      uint32_t mode, uint64_t next)
{
    struct list_sink *list = container_of(sink, struct list_sink, sink);

    return list->out->emit(list->out, name, len, ino != 0 ? ino : 1, (mode & S_IFMT) >> 12,
                           DYNAMIC_POSITION + next);
}

static bool emit_nodes(struct pseudo_inode *dir, uint64_t *position, struct dir_sink *sink)
{
    struct pseudo_node *node;

    while (dir->node != NULL && (node = pseudo_child_at(dir->node, *position - 2)) != NULL) {
        const char *name = pseudo_node_name(node);
        struct pseudo_entry entry;

        if (pseudo_node_entry(node, &entry) &&
            !sink->emit(sink, name, strlen(name), pseudo_node_ino(node),
                        (entry.mode & S_IFMT) >> 12, *position + 1))
            return false;
        (*position)++;
    }
    return true;
}

static int pseudo_readdir(struct inode *inode, uint64_t *position, struct dir_sink *sink)
{
    struct pseudo_inode *dir = pseudo_inode_of(inode);
    struct list_sink list = {{list_emit}, sink};
    struct pseudo_entry dynamic;
    uint64_t at;
    int error;

    if (*position < DYNAMIC_POSITION && !emit_nodes(dir, position, sink))
        return 0;
    if (!dynamic_of(dir, &dynamic) || dynamic.ops->list == NULL)
        return 0;
    at = *position < DYNAMIC_POSITION ? 0 : *position - DYNAMIC_POSITION;
    error = dynamic.ops->list(&dynamic, &at, &list.sink);
    *position = DYNAMIC_POSITION + at;
    return error;
}

/* Instances. */

static void pseudo_super_release(struct superblock *sb)
{
    kfree(sb);
}

static const struct super_ops pseudo_super_ops = {
    .release = pseudo_super_release,
};

static int pseudofs_make(int tree, struct superblock **out)
{
    static const char *const types[] = {"proc", "sysfs", "devtmpfs"};
    static const uint64_t magics[] = {PROC_MAGIC, SYSFS_MAGIC, DEVFS_MAGIC};
    struct superblock *sb = kzalloc(sizeof(*sb));
    struct pseudo_entry entry;
    struct inode *root;
    int error;

    if (sb == NULL)
        return -ENOMEM;
    superblock_init(sb, types[tree], &pseudo_super_ops);
    sb->flags = SB_NO_NEGATIVE;
    sb->magic = magics[tree];
    pseudo_node_entry(pseudo_root(tree), &entry);
    error = inode_make(sb, &entry, pseudo_root(tree), &root);
    if (error == 0) {
        sb->root = dentry_make_root(root, "/");
        error = sb->root != NULL ? 0 : -ENOMEM;
    }
    if (error != 0)
        superblock_unuse(sb);
    else
        *out = sb;
    return error;
}

/* There is one instance of each, however often it is mounted. */

static struct superblock *instances[PSEUDO_TREES];

static int instance_get(int tree, struct superblock **out)
{
    int error;

    if (instances[tree] == NULL) {
        error = pseudofs_make(tree, &instances[tree]);
        if (error != 0)
            return error;
    }
    superblock_use(instances[tree]);
    *out = instances[tree];
    return 0;
}

static int proc_mount(const char *source, const char *options, unsigned flags,
                      struct superblock **out)
{
    (void)source;
    (void)options;
    (void)flags;
    return instance_get(PSEUDO_PROC, out);
}

static int sys_mount(const char *source, const char *options, unsigned flags,
                     struct superblock **out)
{
    (void)source;
    (void)options;
    (void)flags;
    return instance_get(PSEUDO_SYS, out);
}

/* devfs: the registered devices under a tmpfs, so that nodes and links can be made beside them. */
static int dev_mount(const char *source, const char *options, unsigned flags,
                     struct superblock **out)
{
    static struct superblock *dev;
    struct superblock *lower;
    int error;

    (void)source;
    (void)options;
    (void)flags;
    if (dev == NULL) {
        error = instance_get(PSEUDO_DEV, &lower);
        if (error == 0)
            error = overlay_make(lower, "devtmpfs", TMPFS_MAGIC, 0, &dev);
        if (error != 0)
            return error;
    }
    superblock_use(dev);
    *out = dev;
    return 0;
}

static struct fs_type proc_type = {.name = "proc", .mount = proc_mount};
static struct fs_type sys_type = {.name = "sysfs", .mount = sys_mount};
static struct fs_type dev_type = {.name = "devtmpfs", .mount = dev_mount};

void pseudofs_register(void)
{
    fs_type_register(&sys_type);
    fs_type_register(&proc_type);
    fs_type_register(&dev_type);
}
