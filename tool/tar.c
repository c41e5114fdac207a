/* SPDX-License-Identifier: MIT
 *
 * Reading tar streams. Format: POSIX.1-2001, pax, "ustar Interchange Format", and GNU's 'L' and 'K'
 * entries.
 */
#include "tar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BLOCK    512
#define TEXT_MAX (1 << 20)

struct header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char unused[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "tar header");

/* What came in front of an entry: long names and pax records. */
struct ahead {
    char *name;
    char *link;
    bool has_size, has_mtime, has_uid, has_gid;
    uint64_t size;
    int64_t mtime;
    uint32_t uid, gid;
};

struct reader {
    struct tree *tree;
    int fd;
    uint64_t at;
    const struct tar_options *options;
    struct ahead ahead;
    const char *why;
};

static int bad(struct reader *reader, const char *why)
{
    reader->why = why;
    return -EBADMSG;
}

static int read_at(struct reader *reader, uint64_t at, void *data, size_t size)
{
    ssize_t got = pread(reader->fd, data, size, (off_t)at);

    if (got < 0)
        return -errno;
    return (size_t)got == size ? 0 : bad(reader, "it ends too early");
}

/* Octal text, or base 256 when the first bit is set (GNU). */
static uint64_t number(const char *field, size_t size)
{
    uint64_t value = 0;

    if ((unsigned char)field[0] & 0x80) {
        for (size_t i = 1; i < size; i++)
            value = value << 8 | (unsigned char)field[i];
        return value;
    }
    for (size_t i = 0; i < size && field[i]; i++)
        if (field[i] >= '0' && field[i] <= '7')
            value = value << 3 | (uint64_t)(field[i] - '0');
    return value;
}

static bool checksum_fits(const struct header *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    uint64_t sum = 0;

    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= offsetof(struct header, checksum) && i < offsetof(struct header, type)
                   ? ' '
                   : bytes[i];
    return sum == number(header->checksum, sizeof(header->checksum));
}

static void forget_ahead(struct ahead *ahead)
{
    free(ahead->name);
    free(ahead->link);
    *ahead = (struct ahead){0};
}

static int read_text(struct reader *reader, uint64_t size, char **text)
{
    int error;

    if (size > TEXT_MAX)
        return bad(reader, "a name is too long");
    *text = memory_alloc(size + 1);
    error = read_at(reader, reader->at, *text, size);
    if (error) {
        free(*text);
        *text = NULL;
    }
    return error;
}

static void take_record(struct ahead *ahead, const char *key, const char *value)
{
    if (strcmp(key, "path") == 0) {
        free(ahead->name);
        ahead->name = text_copy(value);
    } else if (strcmp(key, "linkpath") == 0) {
        free(ahead->link);
        ahead->link = text_copy(value);
    } else if (strcmp(key, "size") == 0) {
        ahead->has_size = true;
        ahead->size = strtoull(value, NULL, 10);
    } else if (strcmp(key, "mtime") == 0) {
        ahead->has_mtime = true;
        ahead->mtime = strtoll(value, NULL, 10);
    } else if (strcmp(key, "uid") == 0) {
        ahead->has_uid = true;
        ahead->uid = (uint32_t)strtoul(value, NULL, 10);
    } else if (strcmp(key, "gid") == 0) {
        ahead->has_gid = true;
        ahead->gid = (uint32_t)strtoul(value, NULL, 10);
    }
}

/* Records "<length> <key>=<value>\n", length counting itself. */
static int read_pax(struct reader *reader, uint64_t size)
{
    char *text, *at;
    int error = read_text(reader, size, &text);

    if (error)
        return error;
    for (at = text; *at;) {
        char *key, *value;
        size_t length = strtoul(at, &key, 10);

        if (length < 5 || length > size - (size_t)(at - text) || *key != ' ' ||
            at[length - 1] != '\n' ||
            (value = memchr(key, '=', (size_t)(at + length - key))) == NULL) {
            error = bad(reader, "a pax record is damaged");
            break;
        }
        *value++ = at[length - 1] = '\0';
        take_record(&reader->ahead, key + 1, value);
        at += length;
    }
    free(text);
    return error;
}

static char *entry_name(const struct reader *reader, const struct header *header)
{
    bool is_ustar = memcmp(header->magic, "ustar", 5) == 0 && header->magic[5] == '\0';

    if (reader->ahead.name)
        return text_copy(reader->ahead.name);
    if (is_ustar && header->prefix[0])
        return text_format("%.155s/%.100s", header->prefix, header->name);
    return text_format("%.100s", header->name);
}

static struct node *make_node(struct reader *reader, const struct header *header, mode_t type,
                              uint64_t size)
{
    const struct ahead *ahead = &reader->ahead;
    mode_t mode = type | ((mode_t)number(header->mode, sizeof(header->mode)) & 07777);
    struct node *node = node_create(
        mode, ahead->has_uid ? ahead->uid : (uint32_t)number(header->uid, sizeof(header->uid)),
        ahead->has_gid ? ahead->gid : (uint32_t)number(header->gid, sizeof(header->gid)),
        ahead->has_mtime ? ahead->mtime : (int64_t)number(header->mtime, sizeof(header->mtime)));

    if (type == S_IFREG) {
        node->size = size;
        node->spool = reader->fd;
        node->offset = reader->at;
    } else if (type == S_IFLNK) {
        node->data = ahead->link ? text_copy(ahead->link) : text_format("%.100s", header->link);
        node->size = strlen(node->data);
        node->mode = S_IFLNK | 0777;
    } else if (type == S_IFCHR || type == S_IFBLK) {
        uint64_t major = number(header->major, sizeof(header->major));
        uint64_t minor = number(header->minor, sizeof(header->minor));

        node->rdev = (uint32_t)((minor & 0xff) | major << 8 | (minor & ~0xffull) << 12);
    }
    return node;
}

/* .wh.NAME and .wh..wh..opq of container layers; true if the entry was one. */
static bool take_whiteout(struct reader *reader, const char *path)
{
    const char *base = strrchr(path, '/') + 1;
    char *folder, *target;

    if (!reader->options->whiteouts || !text_starts(base, ".wh."))
        return false;
    folder = memory_copy(path, (size_t)(base - path));
    if (strcmp(base, ".wh..wh..opq") == 0) {
        struct node *node = tree_find(reader->tree, folder, true);

        while (node && node->count) {
            target = text_format("%s%s", folder, node->entries[0].name);
            tree_remove(reader->tree, target);
            free(target);
        }
    } else {
        target = text_format("%s%s", folder, base + 4);
        tree_remove(reader->tree, target);
        free(target);
    }
    free(folder);
    return true;
}

static int put_hard_link(struct reader *reader, const struct header *header, const char *path)
{
    char *raw =
        reader->ahead.link ? text_copy(reader->ahead.link) : text_format("%.100s", header->link);
    char *target = text_format("/%s", raw);
    int error = tree_put_link(reader->tree, path, target);

    free(raw);
    free(target);
    return error == -ENOENT ? bad(reader, "a hard link names a file that is not there") : error;
}

static int put_entry(struct reader *reader, const struct header *header, const char *path,
                     uint64_t size)
{
    struct tree *tree = reader->tree;

    if (take_whiteout(reader, path))
        return 0;
    switch (header->type) {
    case '0':
    case '\0':
    case '7':
        return tree_put(tree, path, make_node(reader, header, S_IFREG, size));
    case '1':
        return put_hard_link(reader, header, path);
    case '2':
        return tree_put(tree, path, make_node(reader, header, S_IFLNK, 0));
    case '3':
        return tree_put(tree, path, make_node(reader, header, S_IFCHR, 0));
    case '4':
        return tree_put(tree, path, make_node(reader, header, S_IFBLK, 0));
    case '5':
        return tree_put(tree, path, make_node(reader, header, S_IFDIR, 0));
    case '6':
        return tree_put(tree, path, make_node(reader, header, S_IFIFO, 0));
    default:
        return bad(reader, "an entry has a type that is not known");
    }
}

static int read_entry(struct reader *reader, const struct header *header)
{
    uint64_t size = number(header->size, sizeof(header->size));
    char *name, *path;
    int error;

    if (header->type == 'L')
        return read_text(reader, size, &reader->ahead.name);
    if (header->type == 'K')
        return read_text(reader, size, &reader->ahead.link);
    if (header->type == 'x')
        return read_pax(reader, size);
    if (header->type == 'g')
        return 0;
    name = entry_name(reader, header);
    path = text_format("/%s", text_starts(name, "./") ? name + 2 : name);
    error = put_entry(reader, header, path, reader->ahead.has_size ? reader->ahead.size : size);
    free(name);
    free(path);
    return error;
}

int tar_read(struct tree *tree, int fd, uint64_t offset, const struct tar_options *options,
             const char **why)
{
    struct reader reader = {
        .tree = tree, .fd = fd, .at = offset, .options = options, .why = "it cannot be read"};
    struct header header;
    int error;

    for (;;) {
        bool is_prefix;
        uint64_t size;

        error = read_at(&reader, reader.at, &header, sizeof(header));
        if (error || header.name[0] == '\0')
            break;
        if (!checksum_fits(&header)) {
            error = bad(&reader, "a header is damaged");
            break;
        }
        reader.at += BLOCK;
        is_prefix = strchr("LKxg", header.type) && header.type;
        size = !is_prefix && reader.ahead.has_size ? reader.ahead.size
                                                   : number(header.size, sizeof(header.size));
        if (header.type >= '1' && header.type <= '6')
            size = 0;
        error = read_entry(&reader, &header);
        if (!is_prefix)
            forget_ahead(&reader.ahead);
        if (error || size > (uint64_t)INT64_MAX - reader.at)
            break;
        reader.at += (size + BLOCK - 1) / BLOCK * BLOCK;
    }
    forget_ahead(&reader.ahead);
    *why = reader.why;
    return error;
}
