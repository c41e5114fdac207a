/* SPDX-License-Identifier: MIT */
/* EROFS extended attributes: those behind the inode, and shared ones by reference. */
#include <lib/endian.h>
#include <lib/errno.h>
#include <lib/string.h>

#include "erofs.h"

/* Looks at one attribute, whose value lies in the image; returns true to end the walk. */
struct xattr_visitor {
    bool (*visit)(struct xattr_visitor *visitor, struct erofs *fs, const char *name,
                  size_t name_len, uint64_t value, size_t size);
};

#define FULL_NAME_MAX 600 /* the base, a long prefix and a name of up to 255 bytes each */

static const char *const prefixes[] = {
    [1] = "user.",
    [2] = "system.posix_acl_access",
    [3] = "system.posix_acl_default",
    [4] = "trusted.",
    [6] = "security.",
};

/* Appends a prefix of the image's own table: items of length, base index, text. */
static bool add_long_prefix(struct erofs *fs, unsigned number, char *name, size_t *length)
{
    uint64_t offset = fs->prefix_offset;
    uint8_t item[3];
    size_t size = 0, base_len;

    for (unsigned i = 0; i <= number; i++) {
        offset = (offset + 3) & ~3ull;
        if (erofs_copy(fs, offset, item, sizeof(item)) != 0)
            return false;
        size = load_le16(item);
        if (size == 0 || !erofs_has(fs, offset, 2u + size))
            return false;
        offset += 2u + size;
    }
    if (item[2] >= ARRAY_SIZE(prefixes) || prefixes[item[2]] == NULL || size - 1 > NAME_MAX)
        return false;
    base_len = strlen(prefixes[item[2]]);
    memcpy(name, prefixes[item[2]], base_len);
    *length = base_len + size - 1;
    return erofs_copy(fs, offset - (size - 1), name + base_len, size - 1) == 0;
}

/* What the name of an attribute starts with; false: of a kind that is not known. */
static bool add_prefix(struct erofs *fs, uint8_t index, char *name, size_t *length)
{
    if (index & EROFS_XATTR_LONG_PREFIX) {
        unsigned number = index & ~EROFS_XATTR_LONG_PREFIX;

        return number < fs->prefix_count && add_long_prefix(fs, number, name, length);
    }
    if (index >= ARRAY_SIZE(prefixes) || prefixes[index] == NULL)
        return false;
    *length = strlen(prefixes[index]);
    memcpy(name, prefixes[index], *length);
    return true;
}

/* The entry at `offset`, inside `room` bytes: its padded size, 0 if damaged. */
static uint64_t visit_entry(struct erofs *fs, uint64_t offset, uint64_t room,
                            struct xattr_visitor *visitor, bool *done)
{
    struct erofs_xattr_entry entry;
    char name[FULL_NAME_MAX];
    size_t length = 0;
    uint64_t size;

    if (room < sizeof(entry) || erofs_copy(fs, offset, &entry, sizeof(entry)) != 0)
        return 0;
    size = (sizeof(entry) + entry.name_len + entry.value_size + 3u) & ~3ull;
    if (size > room || !erofs_has(fs, offset, size))
        return 0;
    if (!add_prefix(fs, entry.name_index, name, &length)) /* nobody can ask for it */
        return size;
    offset += sizeof(entry);
    if (erofs_copy(fs, offset, name + length, entry.name_len) != 0)
        return 0;
    *done = visitor->visit(visitor, fs, name, length + entry.name_len, offset + entry.name_len,
                           entry.value_size);
    return size;
}

static int visit_xattrs(struct inode *inode, struct xattr_visitor *visitor)
{
    struct erofs *fs = erofs_of(inode);
    struct erofs_inode *own = erofs_inode_of(inode);
    uint64_t at = own->offset + own->header_size, end = at + erofs_xattr_size(own);
    struct erofs_xattr_header header;
    uint8_t id[4];
    bool done = false;

    if (own->xattr_count == 0)
        return 0;
    if (!erofs_has(fs, at, end - at) || end - at < sizeof(header) ||
        erofs_copy(fs, at, &header, sizeof(header)) != 0 ||
        sizeof(header) + 4u * header.shared_count > end - at)
        return erofs_complain(fs, own->offset, "extended attributes outside the image");
    at += sizeof(header);
    for (unsigned i = 0; i < header.shared_count; i++, at += 4) {
        if (!done && (erofs_copy(fs, at, id, sizeof(id)) != 0 ||
                      visit_entry(fs, fs->xattr_offset + 4ull * load_le32(id), UINT64_MAX, visitor,
                                  &done) == 0))
            return erofs_complain(fs, own->offset, "a damaged shared attribute");
    }
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

static bool get_visit(struct xattr_visitor *visitor, struct erofs *fs, const char *name,
                      size_t name_len, uint64_t value, size_t size)
{
    struct xattr_get *get = container_of(visitor, struct xattr_get, visitor);

    if (!str_equal_n(name, name_len, get->wanted))
        return false;
    get->result = (ssize_t)size;
    if (get->size != 0 && size > get->size)
        get->result = -ERANGE;
    else if (get->size != 0 && erofs_copy(fs, value, get->value, size) != 0)
        get->result = -EIO;
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

static bool list_visit(struct xattr_visitor *visitor, struct erofs *fs, const char *name,
                       size_t name_len, uint64_t value, size_t size)
{
    struct xattr_list *out = container_of(visitor, struct xattr_list, visitor);

    (void)fs;
    (void)value;
    (void)size;
    if (out->size != 0) {
        if (name_len + 1 > out->size - out->used) {
            out->full = true;
            return true;
        }
        memcpy(out->list + out->used, name, name_len);
        out->list[out->used + name_len] = '\0';
    }
    out->used += name_len + 1;
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
