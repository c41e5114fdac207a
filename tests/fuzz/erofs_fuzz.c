/* SPDX-License-Identifier: MIT */
/* The EROFS reader on any bytes, in RAM or on a disk: everything is walked, listed, read and looked
 * at, a few levels deep. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <file/file.h>
#include <fs/open.h>

#include "../../kernel/fs/erofs.h"
#include "../unit/fs/disk.h"
#include "../unit/fs/env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRIES_MAX 300

struct names {
    struct dir_sink sink;
    unsigned count, visited;
    char text[ENTRIES_MAX][256];
};

static unsigned budget;

static bool take(struct dir_sink *sink, const char *name, size_t len, uint64_t ino, unsigned type,
                 uint64_t next)
{
    struct names *names = container_of(sink, struct names, sink);

    (void)ino;
    (void)type;
    (void)next;
    if (len == 0 || len > 255 || names->count == ENTRIES_MAX)
        return false;
    memcpy(names->text[names->count], name, len);
    names->text[names->count++][len] = '\0';
    return true;
}

static void look(const struct path *path)
{
    char buffer[5000];
    struct inode_stat stat;
    ssize_t length;

    fs_stat(path, &stat);
    fs_readlink(path, buffer, sizeof(buffer));
    length = fs_listxattr(path, buffer, sizeof(buffer));
    for (ssize_t at = 0; at < length; at += (ssize_t)strlen(buffer + at) + 1) {
        char value[300];
        fs_getxattr(path, buffer + at, value, sizeof(value));
        fs_getxattr(path, buffer + at, NULL, 0);
    }
    fs_listxattr(path, buffer, 3);
}

static void read_file(struct file *file)
{
    static char buffer[70000];
    struct vm_object *object;
    uint64_t size = file->inode->size;
    const uint64_t places[] = {0, size / 2, size > 5000 ? size - 5000 : 1};

    for (unsigned i = 0; i < ARRAY_SIZE(places); i++)
        file_read_kernel(file, buffer, sizeof(buffer), places[i]);
    object = file->ops->object(file);
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        struct page *page;
        int count = object->ops->get(object, places[i] >> PAGE_SHIFT, OBJECT_READ, 2 * i, &page);

        for (int k = 0; k < count; k++) {
            volatile uint8_t byte =
                *(uint8_t *)page_virt(page + k) + ((uint8_t *)page_virt(page + k))[PAGE_SIZE - 1];
            (void)byte;
            page_unref(page + k);
        }
    }
    object_unref(object);
}

static void visit(const struct path *path, unsigned depth)
{
    struct open_request request = {.flags = O_RDONLY};
    struct names *names;
    struct file *file;

    if (budget == 0)
        return;
    budget--;
    look(path);
    if ((!S_ISREG(path_inode(path)->mode) && !S_ISDIR(path_inode(path)->mode)) ||
        fs_open(path, ".", &request, &file) != 0) {
        request.lookup = LOOKUP_EMPTY;
        if (!S_ISREG(path_inode(path)->mode) || fs_open(path, "", &request, &file) != 0)
            return;
    }
    if (S_ISREG(file->inode->mode)) {
        read_file(file);
        file_unref(file);
        return;
    }
    names = calloc(1, sizeof(*names));
    names->sink.emit = take;
    file->ops->readdir(file, &names->sink);
    file_unref(file);
    for (unsigned i = 0; i < names->count && depth < 4; i++) {
        struct path below;

        if (strcmp(names->text[i], ".") != 0 && strcmp(names->text[i], "..") != 0 &&
            path_lookup(path, names->text[i], 0, &below) == 0) {
            visit(&below, depth + 1);
            path_unref(&below);
        }
    }
    free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    struct superblock *sb;
    uint8_t *image;
    size_t room = (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    struct blkdev *disk = NULL;
    int error;

    if (!started) {
        env_start(NULL, 0);
        started = true;
    }
    if (size < EROFS_SUPER_OFFSET + sizeof(struct erofs_super))
        return 0;
    image = aligned_alloc(PAGE_SIZE, room);
    memset(image, 0, room);
    memcpy(image, data, size);
    /* One in four inputs has its checksum looked at. */
    if (data[0] & 3)
        ((struct erofs_super *)(image + EROFS_SUPER_OFFSET))->feature_compat &=
            ~EROFS_COMPAT_CHECKSUM;
    if (data[0] & 4) /* half of them lie on a disk */
        disk = disk_make(image, size & ~511ul, data[0] & 8 ? 512 : 4096);
    error = disk != NULL ? erofs_mount_disk(disk, &sb)
                         : erofs_mount_ram((paddr_t)(uintptr_t)image, size, &sb);
    if (error == 0) {
        struct mount *mount = mount_create(sb, sb->root, "image", MS_RDONLY);
        struct path root = {mount, dentry_ref(sb->root)};
        struct path found;

        budget = 300;
        visit(&root, 0);
        if (path_lookup(&root, "no-such-name", 0, &found) == 0)
            path_unref(&found);
        path_unref(&root);
    }
    if (disk != NULL)
        disk_free(disk);
    free(image);
    return 0;
}
