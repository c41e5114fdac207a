/* SPDX-License-Identifier: MIT */
/*
 * The cache of names. A hash table of (parent, name) is read without a lock inside a deferred-free
 * reading section; what is found is used after atomic_inc_not_zero(). Changes take dcache_lock.
 *
 * The table owns one reference to each dentry in it, so an unused dentry has exactly one and the
 * pruner takes it by changing 1 to 0. A rename moves a dentry between chains under a sequence
 * count: a reader that misses, or saw the count move, asks again under the directory's lock, which
 * keeps renames out.
 */
#include <arch/barrier.h>
#include <core/defer.h>
#include <core/lock.h>
#include <core/panic.h>
#include <fs/notify.h>
#include <lib/compiler.h>
#include <lib/endian.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/memory.h>
#include <mm/slab.h>

#include "fs.h"

#define BUCKETS  2048u /* 16 KiB */
#define KEEP_MIN 256u
#define KEEP_MAX 16384u /* a name and its inodes take about 1 KiB */

static struct dentry **buckets;
static struct spinlock dcache_lock = SPINLOCK_INIT(RANK_DENTRY);
static struct list_node cached;  /* dcache_lock */
static size_t cached_count;      /* dcache_lock */
static size_t keep_count;        /* beyond it look-ups prune */
static uint32_t rename_sequence; /* odd while a dentry moves; written under dcache_lock */

static uint64_t dcache_reclaim(struct memory_shrinker *self, uint64_t pages)
{
    (void)self;
    return dcache_prune(pages * 4) / 4;
}

static struct memory_shrinker shrinker = {.name = "names", .reclaim = dcache_reclaim};

void dcache_init(void)
{
    buckets = kzalloc(BUCKETS * sizeof(buckets[0]));
    if (buckets == NULL)
        panic("fs: no memory for the name cache");
    list_init(&cached);
    keep_count = clamp(memory_ram_pages() / 4, (uint64_t)KEEP_MIN, (uint64_t)KEEP_MAX);
    memory_add_shrinker(&shrinker);
}

uint32_t name_hash(const char *text, size_t len)
{
    uint32_t hash = 0;

    for (size_t i = 0; i < len; i++)
        hash = (hash + (unsigned char)text[i]) * 0x9e3779b1u;
    return hash;
}

static struct dentry **bucket_of(const struct dentry *parent, uint32_t hash)
{
    uint64_t key = ((uint64_t)(uintptr_t)parent >> 6) + hash;

    return &buckets[(key * 0x9e3779b97f4a7c15ull) >> 53];
}

uint32_t rename_read_begin(void)
{
    uint32_t sequence;

    while ((sequence = smp_load_acquire(&rename_sequence)) & 1)
        cpu_relax();
    return sequence;
}

bool rename_read_retry(uint32_t sequence)
{
    smp_rmb(); /* with the smp_wmb of rename_write_begin */
    return READ_ONCE(rename_sequence) != sequence;
}

static void rename_write_begin(void)
{
    WRITE_ONCE(rename_sequence, rename_sequence + 1);
    smp_wmb();
}

static void rename_write_end(void)
{
    smp_store_release(&rename_sequence, rename_sequence + 1);
}

/* Life of a dentry. */

static struct dentry_name *own_name(struct dentry *dentry)
{
    return (struct dentry_name *)(dentry + 1); /* allocated with it, see dentry_alloc */
}

static void name_free_deferred(struct deferred *deferred)
{
    kfree(container_of(deferred, struct dentry_name, deferred));
}

static void name_set(struct dentry_name *to, const struct name *name)
{
    to->hash = name->hash;
    to->len = name->len;
    memcpy(to->text, name->text, name->len);
    to->text[name->len] = '\0';
}

static struct dentry *dentry_alloc(struct dentry *parent, const struct name *name)
{
    struct dentry *dentry = kmalloc(sizeof(*dentry) + sizeof(struct dentry_name) + name->len + 1);

    if (dentry == NULL)
        return NULL;
    memset(dentry, 0, sizeof(*dentry));
    atomic_set(&dentry->refs, 1);
    list_init(&dentry->children);
    list_init(&dentry->sibling);
    list_init(&dentry->cached);
    dentry->name = own_name(dentry);
    name_set(dentry->name, name);
    if (parent != NULL) {
        dentry->parent = dentry_ref(parent);
        dentry->sb = parent->sb;
    } else {
        dentry->parent = dentry;
    }
    return dentry;
}

static void dentry_free_deferred(struct deferred *deferred)
{
    struct dentry *dentry = container_of(deferred, struct dentry, deferred);

    if (dentry->name != own_name(dentry))
        kfree(dentry->name);
    kfree(dentry);
}

struct dentry *dentry_ref(struct dentry *dentry)
{
    atomic_inc(&dentry->refs);
    return dentry;
}

/* The last reference is gone, so it is not hashed: parents follow as they lose theirs. */
static void dentry_destroy(struct dentry *dentry)
{
    for (;;) {
        struct dentry *parent = dentry->parent;

        spin_lock(&dcache_lock);
        list_del(&dentry->sibling);
        spin_unlock(&dcache_lock);
        notify_gone(dentry->inode);
        inode_unref(dentry->inode);
        defer_free(&dentry->deferred, dentry_free_deferred);
        if (parent == dentry || !atomic_dec_and_test(&parent->refs))
            return;
        dentry = parent;
    }
}

void dentry_unref(struct dentry *dentry)
{
    if (dentry != NULL && atomic_dec_and_test(&dentry->refs))
        dentry_destroy(dentry);
}

struct dentry *dentry_make_root(struct inode *inode, const char *text)
{
    struct name name = {.text = text, .len = (uint32_t)strlen(text)};
    struct dentry *dentry = dentry_alloc(NULL, &name);

    if (dentry == NULL) {
        inode_unref(inode);
        return NULL;
    }
    dentry->sb = inode->sb;
    dentry->inode = inode;
    return dentry;
}

__cold int dentry_make_unnamed(struct dentry *dir, struct inode *inode, struct dentry **out)
{
    char text[24];
    struct name name = {.text = text};
    struct dentry *dentry;

    name.len = (uint32_t)scnprintf(text, sizeof(text), "#%lu", (unsigned long)inode->ino);
    dentry = dentry_alloc(dir, &name);
    if (dentry == NULL) {
        inode_unref(inode);
        return -ENOMEM;
    }
    dentry->inode = inode;
    dentry->flags = DENTRY_DELETED;
    *out = dentry;
    return 0;
}

/* The table. */

static void hash_insert_locked(struct dentry *dentry)
{
    struct dentry **bucket = bucket_of(dentry->parent, dentry->name->hash);

    dentry->hash_next = *bucket;
    smp_store_release(bucket, dentry); /* with the load in dcache_find */
}

static void hash_remove_locked(struct dentry *dentry)
{
    struct dentry **link = bucket_of(dentry->parent, dentry->name->hash);

    while (*link != dentry)
        link = &(*link)->hash_next;
    WRITE_ONCE(*link, dentry->hash_next); /* its own hash_next stays for readers that stand on it */
}

/* Into the table, which takes a reference; removal gives it to the caller. */
static void cache_add_locked(struct dentry *dentry)
{
    atomic_inc(&dentry->refs);
    dentry->flags |= DENTRY_HASHED;
    hash_insert_locked(dentry);
    list_add_tail(&cached, &dentry->cached);
    cached_count++;
}

static bool cache_remove_locked(struct dentry *dentry)
{
    if (!(dentry->flags & DENTRY_HASHED))
        return false;
    dentry->flags &= ~DENTRY_HASHED;
    hash_remove_locked(dentry);
    list_del(&dentry->cached);
    list_init(&dentry->cached);
    cached_count--;
    return true;
}

/* Equal lengths; both are short as a rule. */
static inline bool same_text(const char *a, const char *b, size_t len)
{
    if (len >= 8) {
        for (size_t i = 0; i + 8 < len; i += 8) {
            if (load_u64(a + i) != load_u64(b + i))
                return false;
        }
        return load_u64(a + len - 8) == load_u64(b + len - 8);
    }
    if (len >= 4)
        return load_u32(a) == load_u32(b) && load_u32(a + len - 4) == load_u32(b + len - 4);
    for (size_t i = 0; i < len; i++) {
        if (a[i] != b[i])
            return false;
    }
    return true;
}

static inline bool dentry_is(const struct dentry *dentry, const struct dentry *parent,
                             const struct name *name)
{
    const struct dentry_name *own;

    if (READ_ONCE(dentry->parent) != parent)
        return false;
    own = READ_ONCE(dentry->name);
    return own->hash == name->hash && own->len == name->len &&
           same_text(own->text, name->text, name->len);
}

struct dentry *dentry_peek(struct dentry *dir, const struct name *name)
{
    struct dentry *dentry = smp_load_acquire(bucket_of(dir, name->hash));

    while (dentry != NULL && !dentry_is(dentry, dir, name))
        dentry = READ_ONCE(dentry->hash_next);
    return dentry;
}

/* A reference to the cached child, or NULL: not there, or it cannot be said without the lock. */
static struct dentry *dcache_find(struct dentry *parent, const struct name *name)
{
    struct dentry *dentry;
    uint32_t sequence;

    defer_read_begin();
    sequence = READ_ONCE(rename_sequence);
    smp_rmb();
    dentry = dentry_peek(parent, name);
    if (dentry != NULL && ((sequence & 1) || !atomic_inc_not_zero(&dentry->refs)))
        dentry = NULL;
    defer_read_end();
    if (dentry == NULL)
        return NULL;
    if (rename_read_retry(sequence)) {
        dentry_unref(dentry);
        return NULL;
    }
    if (!(READ_ONCE(dentry->flags) & DENTRY_USED))
        dentry->flags |= DENTRY_USED; /* a hint: a lost update costs a little memory or time */
    return dentry;
}

/* Asks the file system. dir->inode->lock held, so that nobody else creates or moves the name;
 * other look-ups may run, hence the second search. */
static int lookup_miss(struct dentry *dir, const struct name *name, struct dentry **out)
{
    struct inode *inode = NULL;
    struct dentry *fresh, *other;
    bool cache;
    int error;

    error = dir->inode->ops->lookup(dir->inode, name, &inode);
    if (error != 0 && error != -ENOENT)
        return error;
    fresh = dentry_alloc(dir, name);
    if (fresh == NULL) {
        inode_unref(inode);
        return -ENOMEM;
    }
    fresh->inode = inode;
    cache =
        inode != NULL ? !(inode->flags & INODE_VOLATILE) : !(dir->inode->flags & INODE_NO_NEGATIVE);
    spin_lock(&dcache_lock);
    for (other = *bucket_of(dir, name->hash); other != NULL; other = other->hash_next) {
        if (dentry_is(other, dir, name) && atomic_inc_not_zero(&other->refs))
            break;
    }
    if (other == NULL) {
        list_add_tail(&dir->children, &fresh->sibling);
        if (cache)
            cache_add_locked(fresh);
    }
    spin_unlock(&dcache_lock);
    if (other != NULL) {
        dentry_unref(fresh);
        fresh = other;
    }
    *out = fresh;
    return 0;
}

int dentry_lookup_locked(struct dentry *dir, const struct name *name, struct dentry **out)
{
    struct dentry *found;

    if (dir->inode->flags & INODE_DEAD)
        return -ENOENT;
    found = dcache_find(dir, name);
    if (found == NULL)
        return lookup_miss(dir, name, out);
    *out = found;
    return 0;
}

int dentry_lookup(struct dentry *dir, const struct name *name, bool cached_only,
                  struct dentry **out)
{
    struct dentry *found = dcache_find(dir, name);
    int error = 0;

    if (likely(found != NULL)) {
        *out = found;
        return 0;
    }
    if (cached_only)
        return -EAGAIN;
    if (cached_count > keep_count)
        dcache_prune(keep_count / 8);
    rwlock_read_lock(&dir->inode->lock);
    error = dentry_lookup_locked(dir, name, out);
    rwlock_read_unlock(&dir->inode->lock);
    return error;
}

void dentry_instantiate(struct dentry *dentry, struct inode *inode)
{
    smp_store_release(&dentry->inode, inode); /* readers depend on the address */
}

void dentry_delete(struct dentry *dentry)
{
    bool was_cached;

    spin_lock(&dcache_lock);
    dentry->flags |= DENTRY_DELETED;
    was_cached = cache_remove_locked(dentry);
    spin_unlock(&dcache_lock);
    if (was_cached)
        dentry_unref(dentry);
}

/* Moving. */

static struct dentry_name *name_copy(const struct dentry_name *from)
{
    struct dentry_name *copy = kmalloc(sizeof(*copy) + from->len + 1);

    if (copy != NULL)
        name_set(copy, &(struct name){from->text, from->len, from->hash});
    return copy;
}

static void reparent_locked(struct dentry *dentry, struct dentry *parent, struct dentry_name *name)
{
    bool hashed = (dentry->flags & DENTRY_HASHED) != 0;

    if (hashed)
        hash_remove_locked(dentry);
    list_del(&dentry->sibling);
    WRITE_ONCE(dentry->parent, parent);
    WRITE_ONCE(dentry->name, name);
    list_add_tail(&parent->children, &dentry->sibling);
    if (hashed)
        hash_insert_locked(dentry);
}

static void name_drop(struct dentry *dentry, struct dentry_name *name)
{
    if (name != own_name(dentry))
        defer_free(&name->deferred, name_free_deferred);
}

int dentry_move_prepare(struct dentry_move *move, struct dentry *dentry, struct dentry *target)
{
    move->dentry = dentry;
    move->target = target;
    move->new_name = name_copy(target->name);
    move->back_name = name_copy(dentry->name);
    if (move->new_name != NULL && move->back_name != NULL)
        return 0;
    dentry_move_cancel(move);
    return -ENOMEM;
}

void dentry_move_cancel(struct dentry_move *move)
{
    kfree(move->new_name);
    kfree(move->back_name);
}

__cold void dentry_move(struct dentry_move *move, bool exchange)
{
    struct dentry *dentry = move->dentry, *target = move->target;
    struct dentry *old_parent = dentry->parent, *new_parent = target->parent;
    struct dentry_name *old_name = dentry->name, *target_name = target->name;
    bool drop = false;

    spin_lock(&dcache_lock);
    rename_write_begin();
    if (!exchange) {
        target->flags |= DENTRY_DELETED;
        drop = cache_remove_locked(target);
    }
    dentry_ref(new_parent);
    reparent_locked(dentry, new_parent, move->new_name);
    if (exchange) {
        dentry_ref(old_parent);
        reparent_locked(target, old_parent, move->back_name);
    }
    rename_write_end();
    spin_unlock(&dcache_lock);
    name_drop(dentry, old_name);
    dentry_unref(old_parent);
    if (exchange) {
        name_drop(target, target_name);
        dentry_unref(new_parent);
    } else {
        kfree(move->back_name);
    }
    if (drop)
        dentry_unref(target);
}

void dentry_set_mounted(struct dentry *dentry, bool mounted)
{
    spin_lock(&dcache_lock);
    if (mounted)
        dentry->flags |= DENTRY_MOUNTED;
    else
        dentry->flags &= ~DENTRY_MOUNTED;
    spin_unlock(&dcache_lock);
}

struct dentry *dentry_parent(struct dentry *dentry)
{
    struct dentry *parent;

    defer_read_begin();
    do {
        parent = READ_ONCE(dentry->parent);
    } while (!atomic_inc_not_zero(&parent->refs));
    defer_read_end();
    return parent;
}

bool dentry_is_below(struct dentry *dentry, const struct dentry *ancestor)
{
    uint32_t sequence;
    bool below;

    defer_read_begin();
    do {
        const struct dentry *at = dentry;
        sequence = rename_read_begin();
        while (at != ancestor && at != READ_ONCE(at->parent))
            at = READ_ONCE(at->parent);
        below = at == ancestor;
    } while (rename_read_retry(sequence));
    defer_read_end();
    return below;
}

/* Pruning: two passes of a clock over the cached dentries; the ones only the cache holds go. */

static struct dentry *prune_candidate_locked(size_t *scan)
{
    while (*scan > 0 && !list_empty(&cached)) {
        struct dentry *dentry = container_of(cached.next, struct dentry, cached);

        (*scan)--;
        list_del(&dentry->cached);
        list_add_tail(&cached, &dentry->cached);
        if (dentry->flags & DENTRY_USED) {
            dentry->flags &= ~DENTRY_USED;
            continue;
        }
        if (atomic_cmpxchg(&dentry->refs, 1, 0) == 1) {
            cache_remove_locked(dentry);
            return dentry;
        }
    }
    return NULL;
}

__cold size_t dcache_prune(size_t count)
{
    size_t scan = 2 * cached_count, freed = 0;

    while (freed < count) {
        struct dentry *dentry;

        spin_lock(&dcache_lock);
        dentry = prune_candidate_locked(&scan);
        spin_unlock(&dcache_lock);
        if (dentry == NULL)
            break;
        dentry_destroy(dentry);
        freed++;
    }
    return freed;
}

static struct dentry *super_candidate_locked(const struct superblock *sb)
{
    struct dentry *dentry;

    list_for_each_entry (dentry, &cached, cached) {
        if (dentry->sb == sb && atomic_cmpxchg(&dentry->refs, 1, 0) == 1) {
            cache_remove_locked(dentry);
            return dentry;
        }
    }
    return NULL;
}

__cold void dcache_prune_super(struct superblock *sb)
{
    for (;;) {
        struct dentry *dentry;

        spin_lock(&dcache_lock);
        dentry = super_candidate_locked(sb);
        spin_unlock(&dcache_lock);
        if (dentry == NULL)
            return;
        dentry_destroy(dentry);
    }
}
