/* SPDX-License-Identifier: MIT
 *
 * Reading an uncompressed EROFS image into a tree. Nothing in the image is trusted: every offset is
 * checked, nodes and depth are bounded, a directory that holds itself ends the reading.
 */
#include "erofs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "erofs_format.h"

#define DEPTH_MAX 128
#define NODES_MAX 4000000
#define SMALL_MAX (64u << 20) /* a directory or link is not larger */

struct reader {
    int fd;
    uint64_t offset;
    uint64_t size;
    uint64_t meta; /* byte of nid 0 */
    struct seen {  /* regular files that have more than one name */
        uint64_t nid;
        struct node *node;
    } * seen;
    size_t seen_count;
    uint64_t nodes;
    uint64_t budget; /* bytes of memory still to be spent on what is copied */
    const char *why;
};

static int bad(struct reader *reader, const char *why)
{
    reader->why = why;
    return -EBADMSG;
}

static int read_at(struct reader *reader, uint64_t at, void *data, size_t size)
{
    size_t done = 0;

    if (at > reader->size || size > reader->size - at)
        return bad(reader, "a structure lies outside the image");
    while (done < size) {
        ssize_t got = pread(reader->fd, (char *)data + done, size - done,
                            (off_t)(reader->offset + at + done));

        if (got <= 0)
            return got < 0 ? -errno : bad(reader, "the image ends too early");
        done += (size_t)got;
    }
    return 0;
}

struct inode_data {
    uint64_t inline_at; /* where an inline tail starts */
    unsigned layout;
    uint32_t place;
};

static int read_inode(struct reader *reader, uint64_t nid, struct node **node,
                      struct inode_data *where)
{
    uint64_t at = reader->meta + nid * EROFS_SLOT;
    struct erofs_inode_extended e;
    struct erofs_inode_compact c;
    unsigned xattr_size;
    int error;

    if (nid > reader->size / EROFS_SLOT)
        return bad(reader, "an inode lies outside the image");
    error = read_at(reader, at, &c, sizeof(c));
    if (error)
        return error;
    where->layout = c.i_format >> 1 & 7;
    where->place = c.i_u;
    xattr_size = c.i_xattr_icount ? 12 + (c.i_xattr_icount - 1u) * 4 : 0;
    if (c.i_format & 1) {
        error = read_at(reader, at, &e, sizeof(e));
        if (error)
            return error;
        *node = node_create(e.i_mode, e.i_uid, e.i_gid, (int64_t)e.i_mtime);
        (*node)->size = e.i_size;
        (*node)->links = e.i_nlink;
        where->inline_at = at + sizeof(e) + xattr_size;
    } else {
        *node = node_create(c.i_mode, c.i_uid, c.i_gid, TREE_EPOCH);
        (*node)->size = c.i_size;
        (*node)->links = c.i_nlink;
        where->inline_at = at + sizeof(c) + xattr_size;
    }
    (*node)->rdev = c.i_u;
    if (c.i_format >> 4 ||
        (where->layout != EROFS_LAYOUT_PLAIN && where->layout != EROFS_LAYOUT_INLINE))
        return bad(reader, "a file is compressed or chunked, which Remora's roots are not");
    return 0;
}

static uint64_t plain_size(const struct node *node, const struct inode_data *where)
{
    uint64_t tail = where->layout == EROFS_LAYOUT_INLINE ? node->size % EROFS_BLOCK : 0;

    return node->size - tail;
}

/* The bytes of a directory, a link or a file with an inline tail. */
static int read_small(struct reader *reader, const struct node *node,
                      const struct inode_data *where, char **data)
{
    uint64_t plain = plain_size(node, where);
    int error;

    if (node->size > SMALL_MAX || node->size > reader->size || node->size > reader->budget)
        return bad(reader, "a directory or link is larger than the image allows");
    reader->budget -= node->size;
    *data = memory_alloc(node->size + 1);
    error = read_at(reader, (uint64_t)where->place * EROFS_BLOCK, *data, plain ? plain : 0);
    if (plain == 0)
        error = 0;
    if (error == 0 && node->size > plain)
        error = read_at(reader, where->inline_at, *data + plain, node->size - plain);
    if (error) {
        free(*data);
        *data = NULL;
    }
    return error;
}

static int read_node(struct reader *reader, uint64_t nid, unsigned depth, struct node **result);

static void add_entry(struct node *directory, const char *name, size_t length, struct node *node)
{
    directory->entries =
        memory_resize(directory->entries, (directory->count + 1) * sizeof(struct entry));
    directory->entries[directory->count].name = memory_copy(name, length);
    directory->entries[directory->count++].node = node;
}

static bool name_is_bad(const struct node *directory, const char *name, size_t length)
{
    struct entry *last = directory->count ? &directory->entries[directory->count - 1] : NULL;

    if (length == 0 || length > 255 || memchr(name, '/', length))
        return true;
    if (last) {
        int order = strncmp(last->name, name, length);

        return order > 0 || (order == 0 && strlen(last->name) >= length);
    }
    return false;
}

static int read_block(struct reader *reader, struct node *directory, const char *block, size_t size,
                      unsigned depth)
{
    struct erofs_dirent entry, next;
    size_t count;

    memcpy(&entry, block, sizeof(entry));
    count = entry.nameoff / sizeof(entry);
    if (size < sizeof(entry) || entry.nameoff % sizeof(entry) || count == 0 || entry.nameoff > size)
        return bad(reader, "a directory is damaged");
    for (size_t i = 0; i < count; i++) {
        const char *name;
        size_t end = size, length;
        struct node *node;
        int error;

        memcpy(&entry, block + i * sizeof(entry), sizeof(entry));
        if (i + 1 < count) {
            memcpy(&next, block + (i + 1) * sizeof(entry), sizeof(next));
            end = next.nameoff;
        }
        if (entry.nameoff >= end || end > size)
            return bad(reader, "a directory entry has a name outside its block");
        name = block + entry.nameoff;
        length = strnlen(name, end - entry.nameoff);
        if ((length == 1 && name[0] == '.') || (length == 2 && memcmp(name, "..", 2) == 0))
            continue;
        if (name_is_bad(directory, name, length))
            return bad(reader, "a directory has a bad name or is not sorted");
        error = read_node(reader, entry.nid, depth + 1, &node);
        if (error)
            return error;
        add_entry(directory, name, length, node);
    }
    return 0;
}

static int read_directory(struct reader *reader, struct node *node, const struct inode_data *where,
                          unsigned depth)
{
    int error;
    char *data;

    if (depth > DEPTH_MAX)
        return bad(reader, "folders lie too deep, or hold themselves");
    error = read_small(reader, node, where, &data);
    if (error)
        return error;
    for (uint64_t at = 0; error == 0 && at < node->size; at += EROFS_BLOCK) {
        uint64_t left = node->size - at;
        size_t size = left < EROFS_BLOCK ? left : EROFS_BLOCK;

        error = size < sizeof(struct erofs_dirent)
                    ? bad(reader, "a directory is damaged")
                    : read_block(reader, node, data + at, size, depth);
    }
    free(data);
    return error;
}

static int read_content(struct reader *reader, struct node *node, const struct inode_data *where,
                        unsigned depth)
{
    if (S_ISDIR(node->mode))
        return read_directory(reader, node, where, depth);
    if (S_ISLNK(node->mode) || (S_ISREG(node->mode) && plain_size(node, where) != node->size))
        return read_small(reader, node, where, &node->data);
    if (S_ISREG(node->mode) && node->size) {
        uint64_t at = (uint64_t)where->place * EROFS_BLOCK;

        if (at > reader->size || node->size > reader->size - at)
            return bad(reader, "a file lies outside the image");
        node->spool = reader->fd;
        node->offset = reader->offset + at;
    }
    return 0;
}

static struct node *find_seen(struct reader *reader, uint64_t nid)
{
    for (size_t i = 0; i < reader->seen_count; i++)
        if (reader->seen[i].nid == nid)
            return reader->seen[i].node;
    return NULL;
}

static int read_node(struct reader *reader, uint64_t nid, unsigned depth, struct node **result)
{
    struct node *node = find_seen(reader, nid);
    struct inode_data where;
    int error;

    *result = NULL;
    if (node) {
        node->references++;
        *result = node;
        return 0;
    }
    if (++reader->nodes > NODES_MAX || reader->nodes > reader->size / 8)
        return bad(reader, "there are more files than the image can hold");
    error = read_inode(reader, nid, &node, &where);
    if (error == 0)
        error = read_content(reader, node, &where, depth);
    if (error) {
        node_unref(node);
        return error;
    }
    if (!S_ISDIR(node->mode) && node->links > 1) {
        reader->seen =
            memory_resize(reader->seen, (reader->seen_count + 1) * sizeof(*reader->seen));
        reader->seen[reader->seen_count++] = (struct seen){nid, node};
    }
    *result = node;
    return 0;
}

int erofs_read(struct tree *tree, int fd, uint64_t offset, uint64_t size, const char **why)
{
    struct reader reader = {.fd = fd, .offset = offset, .size = size, .why = "it cannot be read"};
    struct node *root = NULL;
    struct erofs_super super;
    int error = read_at(&reader, EROFS_SUPER_OFFSET, &super, sizeof(super));

    reader.budget = size < (1u << 20) ? (1u << 20) : size;
    if (error == 0 && super.magic != EROFS_SUPER_MAGIC)
        error = bad(&reader, "it has no EROFS superblock");
    if (error == 0 && super.blkszbits != 12)
        error = bad(&reader, "its block size is not 4096");
    if (error == 0) {
        reader.meta = (uint64_t)super.meta_blkaddr * EROFS_BLOCK;
        error = reader.meta > size ? bad(&reader, "its metadata lies outside")
                                   : read_node(&reader, super.root_nid, 0, &root);
    }
    if (error == 0 && !S_ISDIR(root->mode))
        error = bad(&reader, "its root is not a directory");
    free(reader.seen);
    *why = reader.why;
    if (error) {
        node_unref(root);
        return error;
    }
    tree->root = root;
    return 0;
}
