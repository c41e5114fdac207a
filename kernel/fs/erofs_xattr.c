/* SPDX-License-Identifier: MIT */
/* EROFS extended attributes: those behind the inode, and shared ones by reference. */
#include <lib/endian.h>
#include <lib/errno.h>
#include <lib/string.h>

#include "erofs.h"

/* Looks at one attribute; returns true to end the walk. */
struct xattr_visitor {
    bool (*visit)(struct xattr_visitor *visitor, const char *prefix, size_t prefix_len,
                  const char *name, size_t name_len, const void *value, size_t size);
};

static const char *const prefixes[] = {
    [1] = "user.",
    [2] = "system.posix_acl_access",
    [3] = "system.posix_acl_default",
    [4] = "trusted.",
    [6] = "security.",
};

/* A prefix of the image's own table: length, base index, text. */
static bool long_prefix(struct erofs *fs, unsigned number, const char **base, const char **text,
                        size_t *length)
{
    uint64_t offset = fs->prefix_offset;
    const uint8_t *item = NULL;
    uint16_t size = 0;

    for (unsigned i = 0; i <= number; i++) {
        offset = (offset + 3) & ~3ull;
        item = erofs_at(fs, offset, 3);
        if (item == NULL)
            return false;
        size = load_le16(item);
        if (size == 0 || erofs_at(fs, offset, 2u + size) == NULL)
            return false;
        offset += 2u + size;
    }
    if (item[2] >= ARRAY_SIZE(prefixes) || prefixes[item[2]] == NULL)
        return false;
    *base = prefixes[item[2]];
    *text = (const char *)item + 3;
    *length = size - 1u;
    return true;
}

/* The entry at `offset`, inside `room` bytes: its padded size, 0 if damaged. */
static uint64_t visit_entry(struct erofs *fs, uint64_t offset, uint64_t room,
                            struct xattr_visitor *visitor, bool *done)
{
    const struct erofs_xattr_entry *entry = erofs_at(fs, offset, sizeof(*entry));
    char prefix[300];
    const char *base = NULL, *text = "";
    size_t length = 0, base_len;
    uint64_t size;

    if (entry == NULL || room < sizeof(*entry))
        return 0;
    size = (sizeof(*entry) + entry->name_len + entry->value_size + 3u) & ~3ull;
    if (size > room || erofs_at(fs, offset, size) == NULL)
        return 0;
    if (entry->name_index & EROFS_XATTR_LONG_PREFIX) {
        unsigned number = entry->name_index & ~EROFS_XATTR_LONG_PREFIX;
        if (number >= fs->prefix_count || !long_prefix(fs, number, &base, &text, &length))
            return size;
    } else if (entry->name_index < ARRAY_SIZE(prefixes)) {
        base = prefixes[entry->name_index];
    }
    if (base == NULL) /* of a kind that is not known: nobody can ask for it */
        return size;
    base_len = strlen(base);
    if (base_len + length > sizeof(prefix))
        return size;
    memcpy(prefix, base, base_len);
    memcpy(prefix + base_len, text, length);
    *done = visitor->visit(visitor, prefix, base_len + length, (const char *)(entry + 1),
                           entry->name_len, (const char *)(entry + 1) + entry->name_len,
                           entry->value_size);
    return size;
}

static int visit_xattrs(struct inode *inode, struct xattr_visitor *visitor)
{
    struct erofs *fs = erofs_of(inode);
    struct erofs_inode *own = erofs_inode_of(inode);
    uint64_t at = own->offset + own->header_size, end = at + erofs_xattr_size(own);
    const struct erofs_xattr_header *header;
    bool done = false;

    if (own->xattr_count == 0)
        return 0;
    header = erofs_at(fs, at, end - at);
    if (header == NULL || sizeof(*header) + 4u * header->shared_count > end - at)
        return erofs_complain(fs, own->offset, "extended attributes outside the image");
    at += sizeof(*header);
    for (unsigned i = 0; i < header->shared_count && !done; i++, at += 4) {
        uint64_t shared = fs->xattr_offset + 4ull * load_le32(fs->image + at);
        if (visit_entry(fs, shared, UINT64_MAX, visitor, &done) == 0)
            return erofs_complain(fs, own->offset, "a damaged shared attribute");
    }
    at = own->offset + own->header_size + sizeof(*header) + 4u * header->shared_count;
    while (at < end && !done) {
        uint64_t size = visit_entry(fs, at, end - at, visitor, &done);
        if (size == 0)
            return erofs_complain(fs, own->offset, "a damaged extended attribute");
        at += size;
    }
    return 0;
}

struct xattr_get {
    struct xattr_visitor visitor;
    const char *wanted;
    void *value;
    size_t size;
    ssize_t result;
};

static bool get_visit(struct xattr_visitor *visitor, const char *prefix, size_t prefix_len,
                      const char *name, size_t name_len, const void *value, size_t size)
{
    struct xattr_get *get = container_of(visitor, struct xattr_get, visitor);

    if (strlen(get->wanted) != prefix_len + name_len ||
        memcmp(get->wanted, prefix, prefix_len) != 0 ||
        memcmp(get->wanted + prefix_len, name, name_len) != 0)
        return false;
    get->result = (ssize_t)size;
    if (get->size != 0 && size > get->size)
        get->result = -ERANGE;
    else if (get->size != 0)
        memcpy(get->value, value, size);
    return true;
}

ssize_t erofs_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
    struct xattr_get get = {{get_visit}, name, value, size, -ENODATA};
    int error = visit_xattrs(inode, &get.visitor);

    return error != 0 ? error : get.result;
}

struct xattr_list {
    struct xattr_visitor visitor;
    char *list;
    size_t size, used;
    bool full;
};

static bool list_visit(struct xattr_visitor *visitor, const char *prefix, size_t prefix_len,
                       const char *name, size_t name_len, const void *value, size_t size)
{
    struct xattr_list *out = container_of(visitor, struct xattr_list, visitor);
    size_t length = prefix_len + name_len + 1;

    (void)value;
    (void)size;
    if (out->size != 0) {
        if (length > out->size - out->used) {
            out->full = true;
            return true;
        }
        memcpy(out->list + out->used, prefix, prefix_len);
        memcpy(out->list + out->used + prefix_len, name, name_len);
        out->list[out->used + length - 1] = '\0';
    }
    out->used += length;
    return false;
}

ssize_t erofs_listxattr(struct inode *inode, char *list, size_t size)
{
    struct xattr_list out = {{list_visit}, list, size, 0, false};
    int error = visit_xattrs(inode, &out.visitor);

    if (error != 0)
        return error;
    return out.full ? -ERANGE : (ssize_t)out.used;
}
