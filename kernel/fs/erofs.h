/* SPDX-License-Identifier: MIT */
/* What the files of the EROFS reader share. */
#ifndef FS_EROFS_H
#define FS_EROFS_H

#include <lib/compiler.h>
#include <mm/object.h>

#include "erofs_format.h"
#include "fs.h"

/* A mounted image. It lies in RAM, contiguous and readable through the linear map. */
struct erofs {
    struct superblock sb;
    const uint8_t *image;
    paddr_t image_pa;
    uint64_t size; /* bytes; nothing beyond is ever looked at */
    uint32_t block_size;
    uint8_t block_bits;
    bool in_place; /* pages of files can be mapped where they are */
    uint64_t meta_offset, xattr_offset, prefix_offset;
    uint64_t build_time;
    uint32_t build_time_nsec;
    uint64_t inodes;
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

/* `length` bytes of the image from `offset`, or NULL if they do not lie inside. */
static inline const void *erofs_at(const struct erofs *fs, uint64_t offset, uint64_t length)
{
    if (offset > fs->size || length > fs->size - offset)
        return NULL;
    return fs->image + offset;
}

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
 * Where file bytes from `position` (< size) are: *data and how many lie there in a row, at most up
 * to the end of the file; *data NULL for a hole. erofs_data.c
 */
int erofs_map(struct erofs_inode *inode, uint64_t position, const uint8_t **data, uint64_t *length);
int erofs_data_init(struct erofs_inode *inode, uint32_t where);

extern const struct file_ops erofs_file_ops;
extern const struct vm_object_ops erofs_object_ops;

/* erofs_dir.c */
int erofs_lookup(struct inode *dir, const struct name *name, struct inode **out);
int erofs_readdir(struct inode *dir, uint64_t *position, struct dir_sink *sink);

/* erofs_xattr.c */
ssize_t erofs_getxattr(struct inode *inode, const char *name, void *value, size_t size);
ssize_t erofs_listxattr(struct inode *inode, char *list, size_t size);

#endif
