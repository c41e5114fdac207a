/* SPDX-License-Identifier: MIT */
/*
 * EROFS, the read-only file system that root images are made of: superblock and inodes.
 * Format: Linux Documentation/filesystems/erofs.rst. Read without compression; images that need
 * what is not here are refused by name. The image is not trusted: every offset is checked against
 * its size, damage gives -EUCLEAN and a message, never a fault.
 */
#include <core/log.h>
#include <device/blkdev.h>
#include <lib/crc32.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/pagecache.h>
#include <mm/slab.h>

#include "block_cache.h"
#include "erofs.h"

#define COMPLAINTS_MAX 4

SLAB_CACHE(erofs_inode_cache, struct erofs_inode);

int erofs_complain(struct erofs *fs, uint64_t offset, const char *what)
{
    if (atomic_add_return(1, &fs->complaints) <= COMPLAINTS_MAX)
        log_warn("erofs: damaged image at byte %lu: %s", (unsigned long)offset, what);
    return -EUCLEAN;
}

static ssize_t erofs_readlink(struct inode *inode, char *buffer, size_t size)
{
    size_t wanted = inode->size < size ? inode->size : size, done = 0;

    while (done < wanted) {
        uint64_t where, length;
        int error = erofs_map(erofs_inode_of(inode), done, &where, &length);

        if (error == 0 && where == EROFS_NOWHERE)
            error = erofs_complain(erofs_of(inode), erofs_inode_of(inode)->offset,
                                   "a symbolic link with a hole");
        if (length > wanted - done)
            length = wanted - done;
        if (error == 0)
            error = erofs_copy(erofs_of(inode), where, buffer + done, length);
        if (error != 0)
            return error;
        done += length;
    }
    if (memchr(buffer, '\0', done) != NULL)
        return erofs_complain(erofs_of(inode), erofs_inode_of(inode)->offset,
                              "a symbolic link with a NUL");
    return (ssize_t)done;
}

static void erofs_inode_free(struct deferred *deferred)
{
    slab_free(&erofs_inode_cache, container_of(deferred, struct erofs_inode, inode.deferred));
}

static void erofs_inode_release(struct inode *inode)
{
    if (S_ISREG(inode->mode))
        pagecache_truncate(&erofs_inode_of(inode)->object, 0, UINT64_MAX);
    defer_free(&inode->deferred, erofs_inode_free);
}

static const struct inode_ops erofs_dir_ops = {
    .lookup = erofs_lookup,
    .readdir = erofs_readdir,
    .getxattr = erofs_getxattr,
    .listxattr = erofs_listxattr,
    .release = erofs_inode_release,
};

static const struct inode_ops erofs_other_ops = {
    .readlink = erofs_readlink,
    .getxattr = erofs_getxattr,
    .listxattr = erofs_listxattr,
    .release = erofs_inode_release,
};

/* The two forms of an inode, brought into one. */
static int read_header(struct erofs *fs, uint64_t offset, struct erofs_inode_extended *header)
{
    struct erofs_inode_compact compact;
    int error = erofs_copy(fs, offset, &compact, sizeof(compact));
    bool is_extended = error == 0 && (compact.format & 1);

    if (is_extended)
        error = erofs_copy(fs, offset, header, sizeof(*header));
    if (error == -EUCLEAN)
        return erofs_complain(fs, offset, "an inode outside the image");
    if (error != 0 || is_extended)
        return error;
    header->format = compact.format;
    header->xattr_count = compact.xattr_count;
    header->mode = compact.mode;
    header->size = compact.size;
    header->where = compact.where;
    header->uid = compact.uid;
    header->gid = compact.gid;
    header->mtime = fs->build_time;
    header->mtime_nsec = fs->build_time_nsec;
    header->nlink = compact.nlink;
    return 0;
}

/* Sets of types of inodes. */
#define TYPE_BIT(type) (1u << ((type) >> 12))
#define WITH_DATA      (TYPE_BIT(S_IFREG) | TYPE_BIT(S_IFDIR) | TYPE_BIT(S_IFLNK))
#define WITHOUT_DATA \
    (TYPE_BIT(S_IFCHR) | TYPE_BIT(S_IFBLK) | TYPE_BIT(S_IFIFO) | TYPE_BIT(S_IFSOCK))

static bool is_among(uint16_t mode, unsigned types)
{
    return (types & TYPE_BIT(mode)) != 0;
}

/* Rules are looked at together: bit n of `broken` stands for faults[n], of which the first is told.
 */
static int check_header(struct erofs *fs, uint64_t offset,
                        const struct erofs_inode_extended *header)
{
    static const char *const faults[] = {
        "a compressed file, which is not supported; make the image without compression",
        "an inode with unknown format bits",
        "an inode with an unknown layout",
        "an inode of unknown type",
        "a file of impossible size",
        "a symbolic link of impossible length",
    };
    unsigned layout = (header->format >> 1) & 7;
    unsigned broken =
        ((layout == EROFS_COMPRESSED_FULL) | (layout == EROFS_COMPRESSED_COMPACT)) << 0 |
        ((header->format & ~0xfu) != 0) << 1 | (layout > EROFS_CHUNK_BASED) << 2 |
        !is_among(header->mode, WITH_DATA | WITHOUT_DATA) << 3 |
        (is_among(header->mode, WITH_DATA) & (header->size > (uint64_t)INT64_MAX)) << 4 |
        (S_ISLNK(header->mode) & (header->size - 1 >= PATH_MAX - 1)) << 5;

    if (broken == 0)
        return 0;
    erofs_complain(fs, offset, faults[__builtin_ctz(broken)]);
    return broken & 1 ? -EOPNOTSUPP : -EUCLEAN;
}

/* Device numbers are stored as new_encode_dev() packs them. */
static uint64_t decode_device(uint32_t dev)
{
    return makedev((dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00));
}

static int fill_inode(struct erofs *fs, struct erofs_inode *own,
                      const struct erofs_inode_extended *header)
{
    struct inode *inode = &own->inode;
    uint16_t type = header->mode & S_IFMT;

    own->header_size = (header->format & 1) ? sizeof(*header) : sizeof(struct erofs_inode_compact);
    own->layout = (header->format >> 1) & 7;
    own->xattr_count = header->xattr_count;
    inode->uid = header->uid;
    inode->gid = header->gid;
    inode->nlink = header->nlink;
    inode->mtime = (struct fs_time){(int64_t)header->mtime, header->mtime_nsec % 1000000000u};
    inode->atime = inode->ctime = inode->btime = inode->mtime;
    if (type == S_IFCHR || type == S_IFBLK)
        inode->rdev = decode_device(header->where);
    if (!is_among(header->mode, WITH_DATA))
        return 0;
    inode->size = header->size;
    inode->blocks = (header->size + 511) / 512;
    if (type == S_IFREG) {
        bool in_ram = fs->image != NULL;

        inode->file_ops = in_ram ? &erofs_file_ops : &erofs_disk_file_ops;
        inode_object_init(inode, &own->object, in_ram ? &erofs_object_ops : &erofs_disk_object_ops,
                          0);
    }
    return erofs_data_init(own, header->where);
}

int erofs_inode_get(struct erofs *fs, uint64_t nid, struct inode **out)
{
    struct erofs_inode_extended header;
    struct erofs_inode *own;
    struct inode *known;
    uint64_t offset = fs->meta_offset + nid * EROFS_SLOT;
    int error;

    if (nid > fs->size / EROFS_SLOT)
        return erofs_complain(fs, fs->meta_offset, "an inode number outside the image");
    *out = icache_find(&fs->sb, nid);
    if (*out != NULL)
        return 0;
    error = read_header(fs, offset, &header);
    if (error == 0)
        error = check_header(fs, offset, &header);
    if (error != 0)
        return error;
    own = slab_zalloc(&erofs_inode_cache);
    if (own == NULL)
        return -ENOMEM;
    own->offset = offset;
    inode_init(&own->inode, &fs->sb, S_ISDIR(header.mode) ? &erofs_dir_ops : &erofs_other_ops,
               header.mode, nid);
    error = fill_inode(fs, own, &header);
    if (error != 0) {
        inode_unref(&own->inode);
        return error;
    }
    known = icache_add(&own->inode);
    if (known != &own->inode)
        inode_unref(&own->inode);
    *out = known;
    return 0;
}

/* The superblock. */

static int erofs_statfs(struct superblock *sb, struct statfs_info *info)
{
    struct erofs *fs = container_of(sb, struct erofs, sb);

    info->blocks = fs->size >> fs->block_bits;
    info->files = fs->inodes;
    return 0;
}

static void erofs_release(struct superblock *sb)
{
    kfree(container_of(sb, struct erofs, sb));
}

static const struct super_ops erofs_super_ops = {
    .statfs = erofs_statfs,
    .release = erofs_release,
};

/* Of `super` with a checksum of zero and what is behind it in its block. */
static int check_checksum(struct erofs *fs, struct erofs_super *super)
{
    size_t rest = fs->block_size - (EROFS_SUPER_OFFSET % fs->block_size);
    struct erofs_piece piece;
    uint32_t told = super->checksum, crc;
    int error;

    if (!(super->feature_compat & EROFS_COMPAT_CHECKSUM))
        return 0;
    if (rest < sizeof(*super) || !erofs_has(fs, EROFS_SUPER_OFFSET, rest))
        return erofs_complain(fs, EROFS_SUPER_OFFSET, "the superblock is cut off");
    error = erofs_get(fs, EROFS_SUPER_OFFSET, rest, &piece);
    if (error != 0)
        return error;
    super->checksum = 0;
    crc = crc32c(~0u, super, sizeof(*super));
    crc = crc32c(crc, piece.data + sizeof(*super), rest - sizeof(*super));
    erofs_put(&piece);
    if (crc != told)
        return erofs_complain(fs, EROFS_SUPER_OFFSET, "the superblock's checksum is wrong");
    return 0;
}

static int refuse(const char *what, unsigned long value)
{
    log_error("erofs: the root image %s (%#lx), which is not supported", what, value);
    return -EINVAL;
}

static int refuse_features(const struct erofs_super *super, uint32_t unknown)
{
    if (unknown & EROFS_INCOMPAT_48BIT)
        return refuse("uses 48-bit block numbers: features", super->feature_incompat);
    if (unknown)
        return refuse("uses features for compression or several devices", unknown);
    return refuse("has directory blocks larger than its blocks", super->dir_block_bits);
}

static int check_features(const struct erofs *fs, const struct erofs_super *super)
{
    uint32_t unknown = super->feature_incompat & ~EROFS_INCOMPAT_READ;

    if ((unknown != 0) | (super->dir_block_bits != 0))
        return refuse_features(super, unknown);
    if (super->block_bits < 9 || super->block_bits > (fs->image != NULL ? 16 : PAGE_SHIFT))
        return refuse("has blocks of an odd size: log2 of bytes", super->block_bits);
    return 0;
}

static int read_super(struct erofs *fs)
{
    struct erofs_super super;
    int error;

    super.magic = 0; /* of an image that is too short */
    error = erofs_copy(fs, EROFS_SUPER_OFFSET, &super, sizeof(super));
    if (error != 0 && error != -EUCLEAN) {
        log_error("erofs: the root's superblock cannot be read: error %d", -error);
        return error;
    }
    if (super.magic != EROFS_SUPER_MAGIC) {
        log_error("erofs: no file system in the root image of %lu bytes: magic is %#x, not %#x",
                  (unsigned long)fs->size, super.magic, EROFS_SUPER_MAGIC);
        return -EINVAL;
    }
    error = check_features(fs, &super);
    if (error != 0)
        return error;
    fs->block_bits = super.block_bits;
    fs->block_size = 1u << super.block_bits;
    if (((uint64_t)super.blocks << fs->block_bits) > fs->size) {
        log_error("erofs: the root image is cut off: %lu bytes of %lu", (unsigned long)fs->size,
                  (unsigned long)super.blocks << fs->block_bits);
        return -EUCLEAN;
    }
    fs->meta_offset = (uint64_t)super.meta_block << fs->block_bits;
    fs->xattr_offset = (uint64_t)super.xattr_block << fs->block_bits;
    fs->prefix_offset = (uint64_t)super.xattr_prefix_start * 4;
    fs->prefix_count = super.xattr_prefix_count;
    fs->build_time = super.build_time;
    fs->build_time_nsec = super.build_time_nsec;
    fs->inodes = super.inodes;
    fs->root_nid = super.root_nid;
    return check_checksum(fs, &super);
}

static int make_root(struct erofs *fs)
{
    struct inode *root;
    int error = erofs_inode_get(fs, fs->root_nid, &root);

    if (error != 0)
        return error;
    if (!S_ISDIR(root->mode)) {
        inode_unref(root);
        return erofs_complain(fs, EROFS_SUPER_OFFSET, "the root is not a directory");
    }
    fs->sb.root = dentry_make_root(root, "/");
    return fs->sb.root != NULL ? 0 : -ENOMEM;
}

/* Takes over fs, whose image, place and size are set. */
static int mount_image(struct erofs *fs, struct superblock **out)
{
    int error;

    superblock_init(&fs->sb, "erofs", &erofs_super_ops);
    fs->sb.magic = EROFS_SUPER_MAGIC;
    fs->sb.flags = SB_RDONLY;
    error = read_super(fs);
    if (error == 0) {
        fs->sb.block_size = fs->block_size;
        fs->in_place = fs->block_size % PAGE_SIZE == 0 && fs->image_pa % PAGE_SIZE == 0;
        error = make_root(fs);
    }
    if (error != 0)
        superblock_unuse(&fs->sb);
    else
        *out = &fs->sb;
    return error;
}

int erofs_mount_ram(paddr_t image, uint64_t size, struct superblock **out)
{
    struct erofs *fs = kzalloc(sizeof(*fs));

    if (fs == NULL)
        return -ENOMEM;
    fs->image = phys_virt(image);
    fs->image_pa = image;
    fs->size = size;
    return mount_image(fs, out);
}

int erofs_mount_disk(struct blkdev *disk, struct superblock **out)
{
    struct erofs *fs = kzalloc(sizeof(*fs));

    if (fs != NULL)
        fs->disk = block_cache_of(disk);
    if (fs == NULL || fs->disk == NULL) {
        kfree(fs);
        return -ENOMEM;
    }
    fs->size = disk->sector_count << SECTOR_SHIFT;
    return mount_image(fs, out);
}
