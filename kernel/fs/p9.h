/* SPDX-License-Identifier: MIT */
/*
 * 9P2000.L (github.com/chaos/diod, protocol.md): what its files share. Nothing is cached but pages
 * of mappings: each look-up and stat asks the server, so that host and guest see each other's
 * changes at once. An inode is one look-up's, with a fid of its own; numbers are the server's.
 */
#ifndef FS_P9_H
#define FS_P9_H

#include <arch/atomic.h>
#include <lib/compiler.h>

#include "fs.h"

struct io;
struct p9dev;

enum p9_type { /* of requests; the answer's is one more */
               P9_ERROR = 6,
               P9_STATFS = 8,
               P9_OPEN = 12,
               P9_CREATE = 14,
               P9_SYMLINK = 16,
               P9_MKNOD = 18,
               P9_READLINK = 22,
               P9_GETATTR = 24,
               P9_SETATTR = 26,
               P9_READDIR = 40,
               P9_FSYNC = 50,
               P9_LINK = 70,
               P9_MKDIR = 72,
               P9_RENAME = 74,
               P9_UNLINK = 76,
               P9_VERSION = 100,
               P9_ATTACH = 104,
               P9_WALK = 110,
               P9_READ = 116,
               P9_WRITE = 118,
               P9_CLUNK = 120,
};

#define P9_NO_FID     UINT32_MAX
#define P9_DATA_SPACE 32U /* of a message, beside data that is read or written */

struct p9 {
    struct superblock sb;
    struct p9dev *dev;
    uint32_t message_size; /* as agreed with the server */
    atomic_t last_fid;
    atomic_t last_tag;
};

struct p9_inode {
    struct inode inode;
    struct vm_object object; /* regular files: pages of mappings */
    uint32_t fid;
    atomic_t created_fid; /* open for reading and writing since creation; P9_NO_FID: not */
    struct fs_time seen;  /* mtime when the pages were read */
};

static inline struct p9 *p9_of(const struct inode *inode)
{
    return container_of(inode->sb, struct p9, sb);
}

static inline struct p9_inode *p9_inode_of(const struct inode *inode)
{
    return container_of(inode, struct p9_inode, inode);
}

/* --- messages, p9_client.c ---------------------------------------------------------------------
 */

/* One request and its answer. */
struct p9_call {
    struct p9 *fs;
    struct page *pages;
    unsigned order;
    uint8_t *out, *in;
    uint32_t out_max, in_max;
    uint32_t at, end; /* where to put, then where to get, and the answer's end */
    uint16_t tag;
    uint8_t type;
    bool is_bad; /* what was put did not fit, or what is to be got is not there */
};

enum p9_size { P9_SHORT, P9_LONG_ANSWER, P9_LONG_REQUEST };

/* -ENOMEM: then there is nothing to end. */
int p9_begin(struct p9_call *call, struct p9 *fs, enum p9_type type, enum p9_size size);
void p9_put(struct p9_call *call, uint64_t value, unsigned bytes);
void p9_put_text(struct p9_call *call, const char *text, size_t length);
/* Sends it and waits: 0, the server's error, -EIO for an answer that makes no sense. */
int p9_send(struct p9_call *call);
uint64_t p9_get(struct p9_call *call, unsigned bytes);
/* `length` bytes of the answer, or NULL. */
const uint8_t *p9_get_bytes(struct p9_call *call, uint32_t length);
/* Gives the memory back. Returns `error`, or -EIO when the answer was too short. */
int p9_end(struct p9_call *call, int error);

uint32_t p9_new_fid(struct p9 *fs);
/* newfid: the file `name` (NULL: itself) in the directory fid. */
int p9_walk(struct p9 *fs, uint32_t fid, uint32_t newfid, const struct name *name);
void p9_clunk(struct p9 *fs, uint32_t fid);
/* A new fid that is open, or an error. */
int p9_open(struct p9 *fs, uint32_t fid, uint32_t flags, uint32_t *out);
/* At most what fits into a message: bytes moved or an error. */
ssize_t p9_read(struct p9 *fs, uint32_t fid, uint64_t position, struct io *io);
ssize_t p9_write(struct p9 *fs, uint32_t fid, uint64_t position, struct io *io);

/* --- p9.c, p9_file.c ---------------------------------------------------------------------------
 */

/* Brings attributes up to date. */
int p9_refresh(struct p9_inode *own);
int p9_file_open(struct inode *inode, struct file *file);
extern const struct file_ops p9_file_ops;
extern const struct vm_object_ops p9_object_ops;

#endif
