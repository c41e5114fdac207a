/* SPDX-License-Identifier: MIT */
/*
 * Inodes in memory by (file system, number). The table owns no reference: the last inode_unref
 * takes an inode out, and a search that meets one on its way out passes it over.
 */
#include <core/lock.h>
#include <core/panic.h>
#include <mm/slab.h>

#include "fs.h"

#define BUCKETS 1024u

static struct inode **buckets;
static struct spinlock icache_lock = SPINLOCK_INIT(RANK_DENTRY);

void icache_init(void)
{
    buckets = kzalloc(BUCKETS * sizeof(buckets[0]));
    if (buckets == NULL)
        panic("fs: no memory for the inode table");
}

static struct inode **bucket_of(const struct superblock *sb, uint64_t ino)
{
    return &buckets[((ino + sb->dev) * 0x9e3779b97f4a7c15ull) >> 54];
}

static struct inode *find_locked(struct superblock *sb, uint64_t ino)
{
    struct inode *inode;

    for (inode = *bucket_of(sb, ino); inode != NULL; inode = inode->hash_next) {
        if (inode->ino == ino && inode->sb == sb && atomic_inc_not_zero(&inode->refs))
            return inode;
    }
    return NULL;
}

struct inode *icache_find(struct superblock *sb, uint64_t ino)
{
    struct inode *inode;

    spin_lock(&icache_lock);
    inode = find_locked(sb, ino);
    spin_unlock(&icache_lock);
    return inode;
}

struct inode *icache_add(struct inode *inode)
{
    struct inode **bucket = bucket_of(inode->sb, inode->ino);
    struct inode *other;

    spin_lock(&icache_lock);
    other = find_locked(inode->sb, inode->ino);
    if (other == NULL) {
        inode->flags |= INODE_HASHED;
        inode->hash_next = *bucket;
        *bucket = inode;
        other = inode;
    }
    spin_unlock(&icache_lock);
    return other;
}

void icache_remove(struct inode *inode)
{
    struct inode **link = bucket_of(inode->sb, inode->ino);

    spin_lock(&icache_lock);
    while (*link != inode)
        link = &(*link)->hash_next;
    *link = inode->hash_next;
    inode->flags &= ~INODE_HASHED;
    spin_unlock(&icache_lock);
}
