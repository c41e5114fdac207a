/* SPDX-License-Identifier: MIT */
/* What the files of the EROFS reader share. */
#ifndef FS_EROFS_H
#define FS_EROFS_H

#include <lib/compiler.h>
#include <mm/object.h>

#include "erofs_format.h"
#include "fs.h"

/* A mounted image: in RAM, contiguous and readable through the linear map, or on a disk. */
struct erofs {
    struct superblock sb;
    const uint8_t *image; /* NULL: on a disk */
    paddr_t image_pa;
    struct block_cache *disk; /* its pages hold what is not the contents of files */
    uint64_t size;            /* bytes; nothing beyond is ever looked at */
    uint32_t block_size;
    uint8_t block_bits;
    bool in_place; /* pages of files can be mapped where they are */
    uint64_t meta_offset, xattr_offset, prefix_offset;
    uint64_t build_time;
    uint32_t build_time_nsec;
    uint64_t inodes;
    uint16_t root_nid;
    uint8_t prefix_count;
    atomic_t complaints;
};

struct erofs_inode {
    struct inode inode;
    struct vm_object object; /* regular files; holds a reference to the inode while mapped */
    uint64_t offset;         /* of the inode in the image */
    uint8_t header_size;
    uint8_t layout;
    uint16_t xattr_count;
    uint64_t data;       /* first byte of whole blocks, or the chunk table */
    uint64_t tail;       /* FLAT_INLINE: where the last, partial block is */
    uint64_t tail_start; /* and which file offset that is; UINT64_MAX without */
    uint8_t chunk_bits;  /* log2 of bytes */
    bool chunk_indexes;
};

static inline struct erofs *erofs_of(const struct inode *inode)
{
    return container_of(inode->sb, struct erofs, sb);
}

static inline struct erofs_inode *erofs_inode_of(const struct inode *inode)
{
    return container_of(inode, struct erofs_inode, inode);
}

static inline bool erofs_has(const struct erofs *fs, uint64_t offset, uint64_t length)
{
    return (offset <= fs->size) & (length <= fs->size - offset);
}

/* A piece of the image that stays at hand until erofs_put(). */
struct erofs_piece {
    const uint8_t *data;
    struct page *page; /* NULL: in RAM anyway */
};

/*
 * `length` bytes of the image from `offset`. -EUCLEAN (without a complaint) if they do not lie
 * inside, or on a disk not in one page; -EIO, -ENOMEM. May sleep. erofs_image.c
 */
int erofs_get(struct erofs *fs, uint64_t offset, uint64_t length, struct erofs_piece *piece);
/* Also of a piece that is all zero, or was put already. */
void erofs_put(struct erofs_piece *piece);
/* The same as a copy, of any length. */
int erofs_copy(struct erofs *fs, uint64_t offset, void *to, uint64_t length);

/* Says (at most a few times for an image) what is wrong with it; returns -EUCLEAN. */
int erofs_complain(struct erofs *fs, uint64_t offset, const char *what);

/* Bytes of xattrs behind an inode's header. */
static inline uint64_t erofs_xattr_size(const struct erofs_inode *inode)
{
    if (inode->xattr_count == 0)
        return 0;
    return sizeof(struct erofs_xattr_header) + 4u * (inode->xattr_count - 1u);
}

/* A reference to the inode of that number. */
int erofs_inode_get(struct erofs *fs, uint64_t nid, struct inode **out);

/*
 * Where file bytes from `position` (< size) are in the image and how many lie there in a row, at
 * most up to the end of the file, all inside of the image; EROFS_NOWHERE for a hole. erofs_data.c
 */
#define EROFS_NOWHERE UINT64_MAX
int erofs_map(struct erofs_inode *inode, uint64_t position, uint64_t *where, uint64_t *length);
int erofs_data_init(struct erofs_inode *inode, uint32_t where);
/* Fills a page of the file at `position` by copying. */
int erofs_fill_page(struct erofs_inode *inode, uint64_t position, uint8_t *to);

int64_t erofs_seek(struct file *file, int64_t offset, int whence);
struct vm_object *erofs_object(struct file *file);
int erofs_sync(struct file *file, bool data_only);
void erofs_object_release(struct vm_object *object);

extern const struct file_ops erofs_file_ops;
extern const struct vm_object_ops erofs_object_ops;
/* The same for files of an image on a disk. erofs_disk.c */
extern const struct file_ops erofs_disk_file_ops;
extern const struct vm_object_ops erofs_disk_object_ops;

/* erofs_dir.c */
int erofs_lookup(struct inode *dir, const struct name *name, struct inode **out);
int erofs_readdir(struct inode *dir, uint64_t *position, struct dir_sink *sink);

/* erofs_xattr.c */
ssize_t erofs_getxattr(struct inode *inode, const char *name, void *value, size_t size);
ssize_t erofs_listxattr(struct inode *inode, char *list, size_t size);

#endif
