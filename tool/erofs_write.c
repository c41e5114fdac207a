/* SPDX-License-Identifier: MIT
 *
 * Writing an EROFS image. Metadata (superblock, inodes, inline tails) comes first and is made in
 * memory; data blocks follow in the order of the tree.
 */
#include "erofs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "erofs_format.h"
#include "message.h"

struct writer {
    int fd;
    uint64_t offset;    /* of the image in fd */
    uint64_t meta_size; /* bytes of metadata given out */
    uint64_t blocks;    /* blocks given out, metadata among them */
    uint32_t inodes;
    unsigned char *meta;
    uint64_t bytes_done;
    uint64_t bytes_total;
    int status;
};

static bool is_extended(const struct node *node)
{
    return node->mtime != TREE_EPOCH || node->uid > UINT16_MAX || node->gid > UINT16_MAX ||
           node->size > UINT32_MAX || node->links > UINT16_MAX;
}

static size_t inode_size(const struct node *node)
{
    return is_extended(node) ? sizeof(struct erofs_inode_extended)
                             : sizeof(struct erofs_inode_compact);
}

/* --- Directories: blocks of entries, then their names, both in order of the names. -------------
 */

struct directory_item {
    const char *name;
    const struct node *node;
};

static int compare_items(const void *a, const void *b)
{
    return strcmp(((const struct directory_item *)a)->name,
                  ((const struct directory_item *)b)->name);
}

static struct directory_item *directory_items(const struct node *node, const struct node *parent,
                                              size_t *count)
{
    struct directory_item *items = memory_alloc((node->count + 2) * sizeof(*items));

    items[0] = (struct directory_item){".", node};
    items[1] = (struct directory_item){"..", parent};
    for (size_t i = 0; i < node->count; i++)
        items[i + 2] = (struct directory_item){node->entries[i].name, node->entries[i].node};
    *count = node->count + 2;
    qsort(items, *count, sizeof(*items), compare_items);
    return items;
}

static uint8_t file_type(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return 1;
    case S_IFDIR:
        return 2;
    case S_IFCHR:
        return 3;
    case S_IFBLK:
        return 4;
    case S_IFIFO:
        return 5;
    case S_IFSOCK:
        return 6;
    case S_IFLNK:
        return 7;
    default:
        return 0;
    }
}

/* Number of items from `first` that fit a block; *used: their bytes. */
static size_t block_items(const struct directory_item *items, size_t first, size_t count,
                          size_t *used)
{
    size_t total = 0, i;

    for (i = first; i < count; i++) {
        size_t need = sizeof(struct erofs_dirent) + strlen(items[i].name);

        if (total + need > EROFS_BLOCK)
            break;
        total += need;
    }
    *used = total;
    return i - first;
}

/* The whole of a directory; data NULL: only its size. */
static uint64_t directory_data(const struct node *node, const struct node *parent,
                               unsigned char *data)
{
    size_t count, used, n;
    struct directory_item *items = directory_items(node, parent, &count);
    uint64_t size = 0;

    for (size_t first = 0; first < count; first += n) {
        size_t name_offset;

        n = block_items(items, first, count, &used);
        name_offset = n * sizeof(struct erofs_dirent);
        for (size_t i = 0; data && i < n; i++) {
            const struct directory_item *item = &items[first + i];
            struct erofs_dirent entry = {.nid = item->node->nid,
                                         .nameoff = (uint16_t)name_offset,
                                         .file_type = file_type(item->node->mode)};

            memcpy(data + size + i * sizeof(entry), &entry, sizeof(entry));
            memcpy(data + size + name_offset, item->name, strlen(item->name));
            name_offset += strlen(item->name);
        }
        size += first + n < count ? EROFS_BLOCK : used;
    }
    free(items);
    return size;
}

/* --- First pass: a place for every inode, tail and block. --------------------------------------
 */

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* Room for an inode with its inline tail; never over the edge of a block. */
static void place_inode(struct writer *writer, struct node *node, uint64_t tail)
{
    uint64_t need = inode_size(node) + tail;
    uint64_t room;

    writer->meta_size = round_up(writer->meta_size, EROFS_SLOT);
    room = EROFS_BLOCK - writer->meta_size % EROFS_BLOCK;
    if (need > room)
        writer->meta_size += room;
    node->nid = writer->meta_size / EROFS_SLOT;
    node->inode_number = ++writer->inodes;
    writer->meta_size += need;
}

static uint64_t inline_tail(const struct node *node)
{
    uint64_t tail = node->size % EROFS_BLOCK;

    if (S_ISREG(node->mode) || inode_size(node) + tail > EROFS_BLOCK)
        return 0;
    return tail;
}

static void place_node(struct writer *writer, struct node *node, const struct node *parent)
{
    if (node->inode_number)
        return;
    if (S_ISDIR(node->mode))
        node->size = directory_data(node, parent, NULL);
    place_inode(writer, node, inline_tail(node));
    for (size_t i = 0; i < node->count; i++)
        place_node(writer, node->entries[i].node, node);
}

static void place_blocks(struct writer *writer, struct node *node)
{
    if (node->block == 0) {
        uint64_t plain = node->size - inline_tail(node);

        node->block = (uint32_t)writer->blocks;
        writer->blocks += round_up(plain, EROFS_BLOCK) / EROFS_BLOCK;
        if (S_ISREG(node->mode))
            writer->bytes_total += node->size;
    }
    for (size_t i = 0; i < node->count; i++)
        place_blocks(writer, node->entries[i].node);
}

static void forget_places(struct node *node)
{
    node->inode_number = node->block = 0;
    for (size_t i = 0; i < node->count; i++)
        forget_places(node->entries[i].node);
}

/* --- Second pass: the bytes. -------------------------------------------------------------------
 */

static int write_all(struct writer *writer, const void *data, size_t size, uint64_t at)
{
    const char *bytes = data;

    while (size) {
        ssize_t done = pwrite(writer->fd, bytes, size, (off_t)(writer->offset + at));

        if (done < 0)
            return message_error("writing the root: %s", strerror(errno));
        bytes += done;
        at += (uint64_t)done;
        size -= (size_t)done;
    }
    return 0;
}

static void fill_inode(const struct writer *writer, const struct node *node)
{
    unsigned char *slot = writer->meta + node->nid * EROFS_SLOT;
    unsigned layout = inline_tail(node) ? EROFS_LAYOUT_INLINE : EROFS_LAYOUT_PLAIN;
    bool device = S_ISCHR(node->mode) || S_ISBLK(node->mode);
    bool has_blocks = node->size > inline_tail(node);
    uint32_t place = device ? node->rdev : has_blocks ? node->block : UINT32_MAX;

    if (is_extended(node)) {
        struct erofs_inode_extended inode = {.i_format = EROFS_FORMAT(1, layout),
                                             .i_mode = (uint16_t)node->mode,
                                             .i_size = node->size,
                                             .i_u = place,
                                             .i_ino = node->inode_number,
                                             .i_uid = node->uid,
                                             .i_gid = node->gid,
                                             .i_mtime = (uint64_t)node->mtime,
                                             .i_nlink = node->links};

        memcpy(slot, &inode, sizeof(inode));
    } else {
        struct erofs_inode_compact inode = {.i_format = EROFS_FORMAT(0, layout),
                                            .i_mode = (uint16_t)node->mode,
                                            .i_nlink = (uint16_t)node->links,
                                            .i_size = (uint32_t)node->size,
                                            .i_u = place,
                                            .i_ino = node->inode_number,
                                            .i_uid = (uint16_t)node->uid,
                                            .i_gid = (uint16_t)node->gid};

        memcpy(slot, &inode, sizeof(inode));
    }
}

/* Directory or link: whole blocks to their place, the tail behind the inode. */
static int write_small(struct writer *writer, const struct node *node, const void *data)
{
    uint64_t tail = inline_tail(node);
    uint64_t plain = node->size - tail;

    memcpy(writer->meta + node->nid * EROFS_SLOT + inode_size(node), (const char *)data + plain,
           tail);
    return plain ? write_all(writer, data, plain, (uint64_t)node->block * EROFS_BLOCK) : 0;
}

static int open_content(const struct node *node)
{
    struct stat info;
    int fd;

    if (node->host_path == NULL)
        return node->spool;
    fd = open(node->host_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) < 0) {
        message_error("%s: %s", node->host_path, strerror(errno));
    } else if ((uint64_t)info.st_size != node->size) {
        message_error("%s changed while it was read; run the command again", node->host_path);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static int copy_content(struct writer *writer, const struct node *node, int fd)
{
    static char part[1 << 18];
    uint64_t done = 0;

    while (done < node->size) {
        uint64_t left = node->size - done;
        ssize_t got = pread(fd, part, left < sizeof(part) ? left : sizeof(part),
                            (off_t)(node->offset + done));

        if (got <= 0)
            return message_error("%s: cannot be read: %s",
                                 node->host_path ? node->host_path : "package contents",
                                 got < 0 ? strerror(errno) : "it ends too early");
        if (write_all(writer, part, (size_t)got, (uint64_t)node->block * EROFS_BLOCK + done))
            return STATUS_ERROR;
        done += (uint64_t)got;
    }
    writer->bytes_done += node->size;
    if (writer->bytes_total > (64u << 20))
        message_progress("writing the root: %d %%",
                         (int)(writer->bytes_done * 100 / writer->bytes_total));
    return 0;
}

static int write_file(struct writer *writer, const struct node *node)
{
    int fd, status;

    if (node->size == 0)
        return 0;
    if (node->data)
        return write_all(writer, node->data, node->size, (uint64_t)node->block * EROFS_BLOCK);
    fd = open_content(node);
    if (fd < 0)
        return STATUS_ERROR;
    status = copy_content(writer, node, fd);
    if (node->host_path)
        close(fd);
    return status;
}

static int write_directory(struct writer *writer, const struct node *node,
                           const struct node *parent)
{
    unsigned char *data = memory_alloc(round_up(node->size, EROFS_BLOCK));
    int status;

    directory_data(node, parent, data);
    status = write_small(writer, node, data);
    free(data);
    return status;
}

static int write_node(struct writer *writer, struct node *node, const struct node *parent)
{
    int status = 0;

    if (node->inode_number == 0)
        return 0;
    fill_inode(writer, node);
    if (S_ISDIR(node->mode))
        status = write_directory(writer, node, parent);
    else if (S_ISLNK(node->mode))
        status = write_small(writer, node, node->data);
    else if (S_ISREG(node->mode))
        status = write_file(writer, node);
    node->inode_number = 0;
    for (size_t i = 0; status == 0 && i < node->count; i++)
        status = write_node(writer, node->entries[i].node, node);
    return status;
}

static uint32_t crc32c(uint32_t crc, const unsigned char *data, size_t size)
{
    while (size--) {
        crc ^= *data++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return crc;
}

static void fill_super(struct writer *writer, const struct node *root)
{
    struct erofs_super super = {
        .magic = EROFS_SUPER_MAGIC,
        .feature_compat = EROFS_COMPAT_CHKSUM,
        .blkszbits = 12,
        .root_nid = (uint16_t)root->nid,
        .inos = writer->inodes,
        .build_time = TREE_EPOCH,
        .blocks = (uint32_t)writer->blocks,
        .uuid = "remora root \1\0\0",
        .volume_name = "remora",
    };
    unsigned char *place = writer->meta + EROFS_SUPER_OFFSET;

    memcpy(place, &super, sizeof(super));
    super.checksum = crc32c(~0u, place, EROFS_BLOCK - EROFS_SUPER_OFFSET);
    memcpy(place, &super, sizeof(super));
}

int erofs_write(struct tree *tree, int fd, uint64_t offset, uint64_t *size)
{
    struct writer writer = {.fd = fd, .offset = offset};
    int status;

    tree_count_links(tree);
    forget_places(tree->root);
    writer.meta_size = EROFS_SUPER_OFFSET + sizeof(struct erofs_super);
    place_node(&writer, tree->root, tree->root);
    writer.blocks = round_up(writer.meta_size, EROFS_BLOCK) / EROFS_BLOCK;
    writer.meta = memory_alloc(writer.blocks * EROFS_BLOCK);
    writer.meta_size = writer.blocks * EROFS_BLOCK;
    place_blocks(&writer, tree->root);
    if (writer.blocks >= UINT32_MAX) {
        free(writer.meta);
        return message_error("the root is larger than an EROFS image can be (16 TiB)");
    }
    *size = writer.blocks * EROFS_BLOCK;
    if (ftruncate(fd, (off_t)(offset + *size)) < 0)
        status = message_error("writing the root: %s", strerror(errno));
    else
        status = write_node(&writer, tree->root, tree->root);
    if (status == 0) {
        fill_super(&writer, tree->root);
        status = write_all(&writer, writer.meta, writer.meta_size, 0);
    }
    message_progress_end();
    free(writer.meta);
    return status;
}
