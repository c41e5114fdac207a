/* SPDX-License-Identifier: MIT */
/*
 * tmpfs directories: entries in a tree by name and one by cookie, the position that readdir gives
 * out. Over a lower directory an entry hides the lower name; a whiteout is an entry without inode.
 */
#include <file/file.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "tmpfs.h"

/* Positions of lower names: this bit and the lower file system's position. */
#define LOWER_POSITION (1ull << 62)

static int entry_compare(const struct name *name, const struct tmpfs_entry *entry)
{
    if (name->hash != entry->hash)
        return name->hash < entry->hash ? -1 : 1;
    if (name->len != entry->len)
        return name->len < entry->len ? -1 : 1;
    return memcmp(name->text, entry->text, name->len);
}

static struct tmpfs_entry *entry_find(const struct tmpfs_inode *dir, const struct name *name)
{
    struct rb_node *node = dir->by_name.node;

    while (node != NULL) {
        struct tmpfs_entry *entry = rb_entry(node, struct tmpfs_entry, by_name);
        int order = entry_compare(name, entry);

        if (order == 0)
            return entry;
        node = order < 0 ? node->left : node->right;
    }
    return NULL;
}

static struct tmpfs_entry *entry_alloc(const struct name *name)
{
    struct tmpfs_entry *entry = kmalloc(sizeof(*entry) + name->len);

    if (entry == NULL)
        return NULL;
    entry->inode = NULL;
    entry->hash = name->hash;
    entry->len = name->len;
    memcpy(entry->text, name->text, name->len);
    return entry;
}

static void entry_insert(struct tmpfs_inode *dir, struct tmpfs_entry *entry)
{
    struct name name = {entry->text, entry->len, entry->hash};
    struct rb_node **link = &dir->by_name.node, *parent = NULL;

    while (*link != NULL) {
        parent = *link;
        link = entry_compare(&name, rb_entry(parent, struct tmpfs_entry, by_name)) < 0
                   ? &parent->left
                   : &parent->right;
    }
    rb_insert(&dir->by_name, &entry->by_name, parent, link);
    entry->cookie = dir->next_cookie++;
    parent = rb_last(&dir->by_cookie);
    link = parent != NULL ? &parent->right : &dir->by_cookie.node;
    rb_insert(&dir->by_cookie, &entry->by_cookie, parent, link);
    tmpfs_keep(dir);
}

static void entry_remove(struct tmpfs_inode *dir, struct tmpfs_entry *entry)
{
    rb_erase(&dir->by_name, &entry->by_name);
    rb_erase(&dir->by_cookie, &entry->by_cookie);
    kfree(entry);
}

void tmpfs_dir_free(struct tmpfs_inode *dir)
{
    struct rb_node *node;

    while ((node = rb_first(&dir->by_name)) != NULL) {
        struct tmpfs_entry *entry = rb_entry(node, struct tmpfs_entry, by_name);
        struct inode *inode = entry->inode;

        entry_remove(dir, entry);
        inode_unref(inode);
    }
    dir->count = 0;
}

/* A lower name that no entry hides: its lower inode (a reference), or -ENOENT. */
static int lower_lookup(struct tmpfs_inode *dir, const struct name *name, struct inode **out)
{
    if (dir->lower == NULL)
        return -ENOENT;
    return dir->lower->ops->lookup(dir->lower, name, out);
}

static bool lower_has(struct tmpfs_inode *dir, const struct name *name)
{
    struct inode *lower;

    if (lower_lookup(dir, name, &lower) != 0)
        return false;
    inode_unref(lower);
    return true;
}

int tmpfs_lookup(struct inode *inode, const struct name *name, struct inode **out)
{
    struct tmpfs_inode *dir = tmpfs_inode_of(inode);
    struct tmpfs_entry *entry = entry_find(dir, name);
    struct inode *lower;
    int error;

    if (entry != NULL) {
        if (entry->inode == NULL)
            return -ENOENT;
        *out = inode_ref(entry->inode);
        return 0;
    }
    error = lower_lookup(dir, name, &lower);
    return error != 0 ? error : tmpfs_inode_over(tmpfs_of(inode), lower, out);
}

static void dir_touch(struct tmpfs_inode *dir)
{
    dir->inode.mtime = dir->inode.ctime = fs_time_now();
}

/* Gives `name` to the inode, whose reference the entry takes. `spare` is used if there is no entry
 * yet (a whiteout of that name is reused), else freed. */
static void name_set(struct tmpfs_inode *dir, const struct name *name, struct inode *inode,
                     struct tmpfs_entry *spare)
{
    struct tmpfs_entry *entry = entry_find(dir, name);

    if (entry == NULL) {
        entry = spare;
        entry_insert(dir, entry);
    } else {
        kfree(spare);
    }
    if (entry->inode == NULL)
        dir->count++;
    entry->inode = inode;
    if (S_ISDIR(inode->mode))
        dir->inode.nlink++;
}

/* Takes `name` away; a lower one is hidden by a whiteout, for which `spare` serves. */
static void name_clear(struct tmpfs_inode *dir, const struct name *name, struct inode *inode,
                       struct tmpfs_entry *spare, bool whiteout)
{
    struct tmpfs_entry *entry = entry_find(dir, name);
    struct inode *drop = NULL;

    if (S_ISDIR(inode->mode))
        dir->inode.nlink--;
    if (entry != NULL && entry->inode != NULL) {
        drop = entry->inode;
        entry->inode = NULL;
        dir->count--;
    }
    if (entry != NULL && !whiteout) {
        entry_remove(dir, entry);
        kfree(spare);
    } else if (entry == NULL && whiteout) {
        entry_insert(dir, spare);
    } else {
        kfree(spare);
    }
    inode_unref(drop);
}

int tmpfs_create(struct inode *inode, const struct name *name, const struct inode_init *init,
                 struct inode **out)
{
    struct tmpfs_inode *dir = tmpfs_inode_of(inode);
    struct tmpfs_entry *spare = NULL;
    struct inode *made;
    int error;

    if (name != NULL) {
        spare = entry_alloc(name);
        if (spare == NULL)
            return -ENOMEM;
    }
    error = tmpfs_inode_new(tmpfs_of(inode), init, &made);
    if (error != 0) {
        kfree(spare);
        return error;
    }
    *out = made;
    if (name == NULL) {
        made->nlink = 0;
        return 0;
    }
    tmpfs_changed(dir);
    name_set(dir, name, inode_ref(made), spare);
    dir_touch(dir);
    return 0;
}

int tmpfs_link(struct inode *inode, const struct name *name, struct inode *what)
{
    struct tmpfs_inode *dir = tmpfs_inode_of(inode);
    struct tmpfs_entry *spare = entry_alloc(name);

    if (spare == NULL)
        return -ENOMEM;
    if (what->nlink >= INT32_MAX) {
        kfree(spare);
        return -EMLINK;
    }
    tmpfs_changed(dir);
    tmpfs_changed(tmpfs_inode_of(what));
    what->nlink++;
    what->ctime = fs_time_now();
    name_set(dir, name, inode_ref(what), spare);
    dir_touch(dir);
    return 0;
}

/* Is there a lower name that no entry hides? */
struct hidden_sink {
    struct dir_sink sink;
    const struct tmpfs_inode *dir;
    bool visible;
};

static bool hidden_emit(struct dir_sink *sink, const char *text, size_t len, uint64_t ino,
                        unsigned type, uint64_t next)
{
    struct hidden_sink *hidden = container_of(sink, struct hidden_sink, sink);
    struct name name = {text, (uint32_t)len, name_hash(text, len)};

    (void)ino;
    (void)type;
    (void)next;
    if (entry_find(hidden->dir, &name) == NULL)
        hidden->visible = true;
    return !hidden->visible;
}

static int dir_is_empty(struct tmpfs_inode *dir)
{
    struct hidden_sink hidden = {{hidden_emit}, dir, false};
    uint64_t position = 2;
    int error;

    if (dir->count != 0)
        return -ENOTEMPTY;
    if (dir->lower == NULL)
        return 0;
    error = dir->lower->ops->readdir(dir->lower, &position, &hidden.sink);
    return error != 0 ? error : hidden.visible ? -ENOTEMPTY : 0;
}

/* One name less for an inode. */
static void inode_unlinked(struct inode *inode)
{
    if (S_ISDIR(inode->mode))
        inode->nlink = 0;
    else if (inode->nlink > 0)
        inode->nlink--;
    inode->ctime = fs_time_now();
    tmpfs_changed(tmpfs_inode_of(inode));
    if (inode->nlink == 0)
        tmpfs_dropped(tmpfs_inode_of(inode));
}

int tmpfs_unlink(struct inode *inode, const struct name *name, struct inode *victim)
{
    struct tmpfs_inode *dir = tmpfs_inode_of(inode);
    bool whiteout = lower_has(dir, name);
    struct tmpfs_entry *spare = NULL;
    int error = S_ISDIR(victim->mode) ? dir_is_empty(tmpfs_inode_of(victim)) : 0;

    if (error != 0)
        return error;
    if (whiteout && entry_find(dir, name) == NULL) {
        spare = entry_alloc(name);
        if (spare == NULL)
            return -ENOMEM;
    }
    tmpfs_changed(dir);
    name_clear(dir, name, victim, spare, whiteout);
    inode_unlinked(victim);
    dir_touch(dir);
    return 0;
}

static int rename_exchange(const struct rename_op *op)
{
    struct tmpfs_inode *from = tmpfs_inode_of(op->old_dir), *to = tmpfs_inode_of(op->new_dir);
    struct tmpfs_entry *a = entry_alloc(op->old_name), *b = entry_alloc(op->new_name);

    if (a == NULL || b == NULL) {
        kfree(a);
        kfree(b);
        return -ENOMEM;
    }
    inode_ref(op->source);
    inode_ref(op->target);
    name_clear(from, op->old_name, op->source, a, true);
    name_clear(to, op->new_name, op->target, b, true);
    name_set(from, op->old_name, op->target, NULL); /* both entries are there now */
    name_set(to, op->new_name, op->source, NULL);
    return 0;
}

static int rename_plain(const struct rename_op *op)
{
    struct tmpfs_inode *from = tmpfs_inode_of(op->old_dir), *to = tmpfs_inode_of(op->new_dir);
    struct tmpfs_entry *spare = entry_alloc(op->new_name), *hide = entry_alloc(op->old_name);
    bool whiteout = lower_has(from, op->old_name);
    int error = spare == NULL || hide == NULL ? -ENOMEM : 0;

    if (error == 0 && op->target != NULL && S_ISDIR(op->target->mode))
        error = dir_is_empty(tmpfs_inode_of(op->target));
    if (error != 0) {
        kfree(spare);
        kfree(hide);
        return error;
    }
    inode_ref(op->source);
    name_clear(from, op->old_name, op->source, hide, whiteout);
    if (op->target != NULL) {
        name_clear(to, op->new_name, op->target, NULL, entry_find(to, op->new_name) != NULL);
        inode_unlinked(op->target);
    }
    name_set(to, op->new_name, op->source, spare);
    return 0;
}

/* RENAME_WHITEOUT leaves what overlayfs(5) takes for one: a character device 0:0. */
static int leave_whiteout(const struct rename_op *op)
{
    struct inode_init init = {.mode = S_IFCHR};
    struct inode *node;
    int error = tmpfs_create(op->old_dir, op->old_name, &init, &node);

    if (error == 0)
        inode_unref(node);
    return error;
}

int tmpfs_rename(const struct rename_op *op)
{
    int error;

    tmpfs_changed(tmpfs_inode_of(op->old_dir));
    tmpfs_changed(tmpfs_inode_of(op->new_dir));
    tmpfs_changed(tmpfs_inode_of(op->source));
    if (op->flags & RENAME_EXCHANGE) {
        tmpfs_changed(tmpfs_inode_of(op->target));
        error = rename_exchange(op);
    } else {
        error = rename_plain(op);
    }
    if (error == 0 && (op->flags & RENAME_WHITEOUT))
        error = leave_whiteout(op);
    if (error != 0)
        return error;
    op->source->ctime = fs_time_now();
    if (op->flags & RENAME_EXCHANGE)
        op->target->ctime = op->source->ctime;
    dir_touch(tmpfs_inode_of(op->old_dir));
    dir_touch(tmpfs_inode_of(op->new_dir));
    return 0;
}

/* Reading. */

static struct rb_node *first_from(const struct tmpfs_inode *dir, uint64_t cookie)
{
    struct rb_node *node = dir->by_cookie.node, *best = NULL;

    while (node != NULL) {
        if (rb_entry(node, struct tmpfs_entry, by_cookie)->cookie >= cookie) {
            best = node;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return best;
}

static bool emit_own(struct tmpfs_inode *dir, uint64_t *position, struct dir_sink *sink)
{
    struct rb_node *node;

    for (node = first_from(dir, *position); node != NULL; node = rb_next(node)) {
        struct tmpfs_entry *entry = rb_entry(node, struct tmpfs_entry, by_cookie);

        if (entry->inode != NULL &&
            !sink->emit(sink, entry->text, entry->len, entry->inode->ino,
                        (entry->inode->mode & S_IFMT) >> 12, entry->cookie + 1))
            return false;
        *position = entry->cookie + 1;
    }
    return true;
}

struct merge_sink {
    struct dir_sink sink, *next;
    const struct tmpfs_inode *dir;
};

static bool merge_emit(struct dir_sink *sink, const char *text, size_t len, uint64_t ino,
                       unsigned type, uint64_t next)
{
    struct merge_sink *merge = container_of(sink, struct merge_sink, sink);
    struct name name = {text, (uint32_t)len, name_hash(text, len)};

    if (entry_find(merge->dir, &name) != NULL)
        return true;
    return merge->next->emit(merge->next, text, len, ino, type, LOWER_POSITION | next);
}

int tmpfs_readdir(struct inode *inode, uint64_t *position, struct dir_sink *sink)
{
    struct tmpfs_inode *dir = tmpfs_inode_of(inode);
    struct merge_sink merge = {{merge_emit}, sink, dir};
    uint64_t lower_position;
    int error;

    if (!(*position & LOWER_POSITION)) {
        if (!emit_own(dir, position, sink) || dir->lower == NULL)
            return 0;
        *position = LOWER_POSITION | 2;
    }
    if (dir->lower == NULL)
        return 0;
    lower_position = *position & ~LOWER_POSITION;
    error = dir->lower->ops->readdir(dir->lower, &lower_position, &merge.sink);
    *position = LOWER_POSITION | lower_position;
    return error;
}
