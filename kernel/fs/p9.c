/* SPDX-License-Identifier: MIT */
/* Shared directories of the host by 9P2000.L: mounting, names and attributes. */
#include "p9.h"

#include <core/log.h>
#include <core/thread.h>
#include <device/p9dev.h>
#include <file/file.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/pagecache.h>
#include <mm/slab.h>

#define VERSION_TEXT  "9P2000.L"
#define MESSAGE_MAX   57344U
#define MESSAGE_LEAST 8192U
#define P9_MAGIC      0x01021997
#define GETATTR_ALL   0x7ffU
#define AT_REMOVE_DIR 0x200U
#define OPEN_RDWR     2U
#define OPEN_EXCL     0200U
#define OPEN_DIR      0200000U

static const struct inode_ops p9_dir_ops, p9_regular_ops, p9_other_ops;

SLAB_CACHE(p9_inode_cache, struct p9_inode);

/* --- attributes --------------------------------------------------------------------------------
 */

static struct fs_time get_time(struct p9_call *call)
{
    int64_t sec = (int64_t)p9_get(call, 8);

    return (struct fs_time){sec, (uint32_t)(p9_get(call, 8) % 1000000000u)};
}

/* What getattr answers. A file's type does not change: another one is another file. */
static int take_attributes(struct p9_call *call, struct inode *inode)
{
    uint32_t mode;
    uint64_t rdev;

    (void)p9_get(call, 8);       /* which are valid: the server gives the basic ones */
    (void)p9_get_bytes(call, 5); /* qid: type, version */
    inode->ino = p9_get(call, 8);
    mode = (uint32_t)p9_get(call, 4);
    if (call->is_bad)
        return -EIO;
    if (inode->mode != 0 && ((inode->mode ^ mode) & S_IFMT))
        return -ESTALE;
    inode->mode = mode;
    inode->uid = (uint32_t)p9_get(call, 4);
    inode->gid = (uint32_t)p9_get(call, 4);
    inode->nlink = (uint32_t)p9_get(call, 8);
    rdev = p9_get(call, 8);
    inode->rdev = S_ISCHR(mode) || S_ISBLK(mode) ? rdev : 0;
    WRITE_ONCE(inode->size, min_t(uint64_t, p9_get(call, 8), INT64_MAX));
    (void)p9_get(call, 8); /* block size */
    inode->blocks = p9_get(call, 8);
    inode->atime = get_time(call);
    inode->mtime = get_time(call);
    inode->ctime = get_time(call);
    return 0;
}

/* The caller holds inode->lock for writing, or is alone with the inode. */
static int refresh_locked(struct p9_inode *own)
{
    struct p9_call call;
    int error = p9_begin(&call, p9_of(&own->inode), P9_GETATTR, P9_SHORT);

    if (error != 0)
        return error;
    p9_put(&call, own->fid, 4);
    p9_put(&call, GETATTR_ALL, 8);
    error = p9_send(&call);
    if (error == 0)
        error = take_attributes(&call, &own->inode);
    return p9_end(&call, error);
}

int p9_refresh(struct p9_inode *own)
{
    int error;

    rwlock_write_lock(&own->inode.lock);
    error = refresh_locked(own);
    rwlock_write_unlock(&own->inode.lock);
    return error;
}

static int p9_getattr(struct inode *inode, struct inode_stat *stat)
{
    int error = p9_refresh(p9_inode_of(inode));

    if (error == -ENOENT) { /* removed, and open here: what it was */
        inode->nlink = 0;
        error = 0;
    }
    stat->mode = inode->mode;
    stat->uid = inode->uid;
    stat->gid = inode->gid;
    stat->nlink = inode->nlink;
    stat->rdev = inode->rdev;
    stat->size = inode->size;
    stat->blocks = inode->blocks;
    stat->atime = inode->atime;
    stat->mtime = inode->mtime;
    stat->ctime = inode->ctime;
    stat->has_btime = false;
    return error;
}

static int p9_setattr(struct inode *inode, const struct attr_change *change)
{
    struct p9_inode *own = p9_inode_of(inode);
    unsigned set = change->set, valid = set & 0x3f;
    struct p9_call call;
    int error = p9_begin(&call, p9_of(inode), P9_SETATTR, P9_SHORT);

    if (error != 0)
        return error;
    valid |= (set & ATTR_ATIME) && !(set & ATTR_ATIME_NOW) ? 128 : 0;
    valid |= (set & ATTR_MTIME) && !(set & ATTR_MTIME_NOW) ? 256 : 0;
    p9_put(&call, own->fid, 4);
    p9_put(&call, valid, 4);
    p9_put(&call, change->mode & S_PERMISSIONS, 4);
    p9_put(&call, change->uid, 4);
    p9_put(&call, change->gid, 4);
    p9_put(&call, change->size, 8);
    p9_put(&call, (uint64_t)change->atime.sec, 8);
    p9_put(&call, change->atime.nsec, 8);
    p9_put(&call, (uint64_t)change->mtime.sec, 8);
    p9_put(&call, change->mtime.nsec, 8);
    error = p9_end(&call, p9_send(&call));
    if (error == 0 && (set & ATTR_SIZE))
        pagecache_truncate(&own->object, 0, UINT64_MAX);
    return error != 0 ? error : refresh_locked(own);
}

/* --- inodes ------------------------------------------------------------------------------------
 */

static void p9_inode_free(struct deferred *deferred)
{
    slab_free(&p9_inode_cache, container_of(deferred, struct p9_inode, inode.deferred));
}

static void p9_inode_release(struct inode *inode)
{
    struct p9_inode *own = p9_inode_of(inode);
    uint32_t created = (uint32_t)atomic_read(&own->created_fid);

    if (S_ISREG(inode->mode))
        pagecache_truncate(&own->object, 0, UINT64_MAX);
    if (created != P9_NO_FID)
        p9_clunk(p9_of(inode), created);
    p9_clunk(p9_of(inode), own->fid);
    defer_free(&inode->deferred, p9_inode_free);
}

/* The inode of a fid, which it takes over also on an error. */
static int make_inode(struct p9 *fs, uint32_t fid, struct inode **out)
{
    struct p9_inode *own = slab_zalloc(&p9_inode_cache);
    struct inode *inode;
    int error;

    if (own == NULL) {
        p9_clunk(fs, fid);
        return -ENOMEM;
    }
    inode = &own->inode;
    own->fid = fid;
    atomic_set(&own->created_fid, (int32_t)P9_NO_FID);
    inode_init(inode, &fs->sb, &p9_other_ops, 0, 0);
    inode_times_now(inode);
    error = refresh_locked(own);
    if (error != 0) {
        inode->mode = 0;
        inode_unref(inode);
        return error;
    }
    inode->flags |= INODE_VOLATILE;
    if (S_ISDIR(inode->mode)) {
        inode->ops = &p9_dir_ops;
        inode->flags |= INODE_NO_NEGATIVE;
    } else if (S_ISREG(inode->mode)) {
        inode->ops = &p9_regular_ops;
        inode->file_ops = &p9_file_ops;
        inode_object_init(inode, &own->object, &p9_object_ops, 0);
    }
    *out = inode;
    return 0;
}

static int p9_lookup(struct inode *dir, const struct name *name, struct inode **out)
{
    struct p9 *fs = p9_of(dir);
    uint32_t fid = p9_new_fid(fs);
    int error = p9_walk(fs, p9_inode_of(dir)->fid, fid, name);

    return error != 0 ? error : make_inode(fs, fid, out);
}

/* --- directories -------------------------------------------------------------------------------
 */

/* A regular file; it stays open, since its mode may forbid to open it. */
static int create_regular(struct inode *dir, const struct name *name, const struct inode_init *init,
                          struct inode **out)
{
    struct p9 *fs = p9_of(dir);
    uint32_t fid = p9_new_fid(fs);
    struct p9_call call;
    int error = p9_walk(fs, p9_inode_of(dir)->fid, fid, NULL);

    if (error != 0)
        return error;
    error = p9_begin(&call, fs, P9_CREATE, P9_SHORT);
    if (error == 0) {
        p9_put(&call, fid, 4);
        p9_put_text(&call, name->text, name->len);
        p9_put(&call, OPEN_RDWR | OPEN_EXCL, 4);
        p9_put(&call, init->mode & S_PERMISSIONS, 4);
        p9_put(&call, init->gid, 4);
        error = p9_end(&call, p9_send(&call));
    }
    if (error == 0)
        error = p9_lookup(dir, name, out);
    if (error != 0)
        p9_clunk(fs, fid);
    else
        atomic_set(&p9_inode_of(*out)->created_fid, (int32_t)fid);
    return error;
}

static int create_other(struct inode *dir, const struct name *name, const struct inode_init *init)
{
    struct p9_call call;
    enum p9_type type = S_ISDIR(init->mode)   ? P9_MKDIR
                        : S_ISLNK(init->mode) ? P9_SYMLINK
                                              : P9_MKNOD;
    int error = p9_begin(&call, p9_of(dir), type, P9_SHORT);

    if (error != 0)
        return error;
    p9_put(&call, p9_inode_of(dir)->fid, 4);
    p9_put_text(&call, name->text, name->len);
    if (type == P9_SYMLINK)
        p9_put_text(&call, init->target, strlen(init->target));
    else
        p9_put(&call, init->mode, 4);
    if (type == P9_MKNOD) {
        p9_put(&call, dev_major(init->rdev), 4);
        p9_put(&call, dev_minor(init->rdev), 4);
    }
    p9_put(&call, init->gid, 4);
    return p9_end(&call, p9_send(&call));
}

static int p9_create(struct inode *dir, const struct name *name, const struct inode_init *init,
                     struct inode **out)
{
    int error;

    if (name == NULL)
        return -EOPNOTSUPP; /* O_TMPFILE */
    if (S_ISREG(init->mode))
        return create_regular(dir, name, init, out);
    error = create_other(dir, name, init);
    return error != 0 ? error : p9_lookup(dir, name, out);
}

static int p9_link(struct inode *dir, const struct name *name, struct inode *inode)
{
    struct p9_call call;
    int error = p9_begin(&call, p9_of(dir), P9_LINK, P9_SHORT);

    if (error != 0)
        return error;
    p9_put(&call, p9_inode_of(dir)->fid, 4);
    p9_put(&call, p9_inode_of(inode)->fid, 4);
    p9_put_text(&call, name->text, name->len);
    return p9_end(&call, p9_send(&call));
}

static int p9_unlink(struct inode *dir, const struct name *name, struct inode *inode)
{
    struct p9_call call;
    int error = p9_begin(&call, p9_of(dir), P9_UNLINK, P9_SHORT);

    if (error != 0)
        return error;
    p9_put(&call, p9_inode_of(dir)->fid, 4);
    p9_put_text(&call, name->text, name->len);
    p9_put(&call, S_ISDIR(inode->mode) ? AT_REMOVE_DIR : 0, 4);
    error = p9_end(&call, p9_send(&call));
    if (error == 0 && S_ISDIR(inode->mode))
        inode->flags |= INODE_DEAD;
    return error;
}

static int p9_rename(const struct rename_op *op)
{
    struct p9_call call;
    int error;

    if (op->flags & ~RENAME_NOREPLACE)
        return -EINVAL;
    error = p9_begin(&call, p9_of(op->old_dir), P9_RENAME, P9_SHORT);
    if (error != 0)
        return error;
    p9_put(&call, p9_inode_of(op->old_dir)->fid, 4);
    p9_put_text(&call, op->old_name->text, op->old_name->len);
    p9_put(&call, p9_inode_of(op->new_dir)->fid, 4);
    p9_put_text(&call, op->new_name->text, op->new_name->len);
    return p9_end(&call, p9_send(&call));
}

/* One entry of a readdir answer. False: the sink is full. */
static bool emit_entry(struct p9_call *call, uint64_t *position, struct dir_sink *sink)
{
    const char *name;
    uint64_t ino, next;
    uint32_t length;
    uint8_t type;

    (void)p9_get_bytes(call, 5);
    ino = p9_get(call, 8);
    next = p9_get(call, 8);
    type = (uint8_t)p9_get(call, 1);
    length = (uint32_t)p9_get(call, 2);
    name = (const char *)p9_get_bytes(call, length);
    if (name == NULL)
        return false;
    next = min_t(uint64_t, next, INT64_MAX - 2) + 2;
    if (length != 0 && length <= NAME_MAX && memchr(name, '/', length) == NULL &&
        memchr(name, '\0', length) == NULL && !str_equal_n(name, length, ".") &&
        !str_equal_n(name, length, "..") && !sink->emit(sink, name, length, ino, type, next))
        return false;
    *position = next;
    return true;
}

/* One message of entries. 1: there may be more. */
static int read_entries(struct p9 *fs, uint32_t fid, uint64_t *position, struct dir_sink *sink)
{
    struct p9_call call;
    uint32_t count = 0;
    bool more = false;
    int error = p9_begin(&call, fs, P9_READDIR, P9_LONG_ANSWER);

    if (error != 0)
        return error;
    p9_put(&call, fid, 4);
    p9_put(&call, *position - 2, 8);
    p9_put(&call, call.in_max - P9_DATA_SPACE, 4);
    error = p9_send(&call);
    if (error == 0)
        count = (uint32_t)p9_get(&call, 4);
    if (count > 0) {
        call.end = min(call.end, call.at + count);
        do {
            more = emit_entry(&call, position, sink);
        } while (more && call.at < call.end);
    }
    error = p9_end(&call, error);
    return error != 0 ? error : more;
}

/* Positions are the server's, moved by 2. */
static int p9_readdir(struct inode *dir, uint64_t *position, struct dir_sink *sink)
{
    struct p9 *fs = p9_of(dir);
    uint32_t fid;
    int more;

    if (*position >= INT64_MAX)
        return 0;
    more = p9_open(fs, p9_inode_of(dir)->fid, OPEN_DIR, &fid);
    if (more != 0)
        return more;
    do {
        uint64_t before = *position;

        more = read_entries(fs, fid, position, sink);
        if (more > 0 && *position == before)
            more = -EIO; /* it would go on for ever */
        else if (more > 0 && thread_has_work(current(), WORK_KILL))
            more = -EINTR; /* a server may go on for ever, too */
    } while (more > 0 && *position < INT64_MAX);
    p9_clunk(fs, fid);
    return min(more, 0);
}

static ssize_t p9_readlink(struct inode *inode, char *buffer, size_t size)
{
    struct p9_call call;
    const uint8_t *text;
    uint32_t length = 0;
    int error = p9_begin(&call, p9_of(inode), P9_READLINK, P9_SHORT);

    if (error != 0)
        return error;
    p9_put(&call, p9_inode_of(inode)->fid, 4);
    error = p9_send(&call);
    if (error == 0) {
        length = (uint32_t)p9_get(&call, 2);
        text = p9_get_bytes(&call, length);
        length = min_t(uint32_t, length, (uint32_t)min_t(size_t, size, PATH_MAX));
        if (text == NULL || memchr(text, '\0', length) != NULL)
            call.is_bad = true;
        else
            memcpy(buffer, text, length);
    }
    error = p9_end(&call, error);
    return error != 0 ? error : (ssize_t)length;
}

#define P9_EVERY_INODE .getattr = p9_getattr, .setattr = p9_setattr, .release = p9_inode_release

static const struct inode_ops p9_dir_ops = {
    .lookup = p9_lookup,
    .create = p9_create,
    .link = p9_link,
    .unlink = p9_unlink,
    .rename = p9_rename,
    .readdir = p9_readdir,
    P9_EVERY_INODE,
};

static const struct inode_ops p9_regular_ops = {
    .open = p9_file_open,
    P9_EVERY_INODE,
};

static const struct inode_ops p9_other_ops = {
    .readlink = p9_readlink,
    P9_EVERY_INODE,
};

/* --- mounting ----------------------------------------------------------------------------------
 */

static int p9_statfs(struct superblock *sb, struct statfs_info *info)
{
    struct p9 *fs = container_of(sb, struct p9, sb);
    struct p9_call call;
    int error = p9_begin(&call, fs, P9_STATFS, P9_SHORT);

    if (error != 0)
        return error;
    p9_put(&call, p9_inode_of(sb->root->inode)->fid, 4);
    error = p9_send(&call);
    if (error == 0) {
        (void)p9_get(&call, 4); /* type */
        info->block_size = info->fragment_size = p9_get(&call, 4);
        info->blocks = p9_get(&call, 8);
        info->blocks_free = p9_get(&call, 8);
        info->blocks_available = p9_get(&call, 8);
        info->files = p9_get(&call, 8);
        info->files_free = p9_get(&call, 8);
    }
    return p9_end(&call, error);
}

static void p9_release(struct superblock *sb)
{
    kfree(container_of(sb, struct p9, sb));
}

static const struct super_ops p9_super_ops = {.statfs = p9_statfs, .release = p9_release};

static int agree_version(struct p9 *fs)
{
    struct p9_call call;
    const uint8_t *text;
    uint32_t size = 0;
    int error = p9_begin(&call, fs, P9_VERSION, P9_SHORT);

    if (error != 0)
        return error;
    p9_put(&call, MESSAGE_MAX, 4);
    p9_put_text(&call, VERSION_TEXT, sizeof(VERSION_TEXT) - 1);
    error = p9_send(&call);
    if (error == 0) {
        size = (uint32_t)p9_get(&call, 4);
        text = p9_get(&call, 2) == sizeof(VERSION_TEXT) - 1
                   ? p9_get_bytes(&call, sizeof(VERSION_TEXT) - 1)
                   : NULL;
        if (text == NULL || memcmp(text, VERSION_TEXT, sizeof(VERSION_TEXT) - 1) != 0 ||
            size < MESSAGE_LEAST) {
            log_error("9p: share '%s': the server does not speak " VERSION_TEXT
                      " with messages of %u bytes",
                      fs->dev->tag, MESSAGE_LEAST);
            error = -EPROTONOSUPPORT;
        }
    }
    fs->message_size = min(size, MESSAGE_MAX);
    return p9_end(&call, error);
}

static int attach(struct p9 *fs, uint32_t fid)
{
    struct p9_call call;
    int error = p9_begin(&call, fs, P9_ATTACH, P9_SHORT);

    if (error != 0)
        return error;
    p9_put(&call, fid, 4);
    p9_put(&call, P9_NO_FID, 4);
    p9_put_text(&call, "root", 4);
    p9_put_text(&call, "", 0);
    p9_put(&call, 0, 4);
    return p9_end(&call, p9_send(&call));
}

static int make_root(struct p9 *fs)
{
    uint32_t fid = p9_new_fid(fs);
    struct inode *root;
    int error = agree_version(fs);

    if (error == 0)
        error = attach(fs, fid);
    if (error == 0)
        error = make_inode(fs, fid, &root);
    if (error != 0)
        return error;
    if (!S_ISDIR(root->mode)) {
        inode_unref(root);
        return -ENOTDIR;
    }
    fs->sb.root = dentry_make_root(root, "/");
    return fs->sb.root != NULL ? 0 : -ENOMEM;
}

/* The source is the share's name. */
static int p9_mount(const char *source, const char *options, unsigned flags,
                    struct superblock **out)
{
    struct p9dev *dev = source != NULL ? p9dev_find(source) : NULL;
    struct p9 *fs;
    int error;

    (void)options; /* trans=virtio, version=9p2000.L, msize=: as they are anyway */
    if (dev == NULL)
        return -ENOENT;
    fs = kzalloc(sizeof(*fs));
    if (fs == NULL)
        return -ENOMEM;
    fs->dev = dev;
    fs->message_size = MESSAGE_MAX;
    superblock_init(&fs->sb, "9p", &p9_super_ops);
    fs->sb.magic = P9_MAGIC;
    fs->sb.block_size = PAGE_SIZE;
    fs->sb.flags = SB_NO_NEGATIVE | ((flags & MS_RDONLY) ? SB_RDONLY : 0);
    error = make_root(fs);
    if (error != 0)
        superblock_unuse(&fs->sb);
    else
        *out = &fs->sb;
    return error;
}

void p9_register(void)
{
    static struct fs_type type = {.name = "9p", .mount = p9_mount};

    fs_type_register(&type);
}
