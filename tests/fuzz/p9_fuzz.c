/* SPDX-License-Identifier: MIT */
/* The 9P client against a server that answers with any bytes, in headers that are mostly right. */
#include <stdio.h>
#include <string.h>

#include <device/p9dev.h>
#include <file/file.h>
#include <fs/mount.h>
#include <fs/open.h>
#include <lib/errno.h>

#include "../../kernel/fs/p9.h"
#include "../unit/fs/env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t input_left;
static unsigned asked;

static uint8_t next_byte(void)
{
    input_left -= input_left > 0;
    return input_left > 0 ? *input++ : 0;
}

static void put(uint8_t *to, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

/* What a server would say to get further, for the first calls of a mount. */
static uint32_t helpful_body(uint8_t type, uint8_t *body, uint32_t length)
{
    switch (type) {
    case P9_VERSION:
        put(body, 8192 + 8 * next_byte(), 4);
        put(body + 4, 8, 2);
        memcpy(body + 6, "9P2000.L", 8);
        return 14;
    case P9_WALK:
        put(body, next_byte() & 1, 2);
        return length;
    case P9_GETATTR: {
        static const uint32_t types[] = {S_IFDIR, S_IFREG, S_IFLNK, S_IFDIR};

        put(body + 21, types[asked < 4 ? 0 : next_byte() & 3] | 0755, 4);
        return 153;
    }
    case P9_READ:
    case P9_READDIR:
        put(body, length > 4 ? length - 4 - (next_byte() & 1) : 0, 4);
        return length;
    default:
        return length;
    }
}

static int answer(struct p9dev *dev, void *out, uint32_t out_size, void *in, uint32_t in_size,
                  uint32_t *got)
{
    uint8_t *reply = in, flags = next_byte(), type;
    uint32_t length = next_byte();

    (void)dev;
    if (out_size < 7 || asked++ > 200 || (flags & 0xf8) == 0xf8)
        return -EIO;
    type = ((uint8_t *)out)[4];
    if (flags & 1)
        length += 256u * (next_byte() & 0x1f);
    if (length > in_size - 7)
        length = in_size - 7;
    memset(reply, 0, in_size);
    for (uint32_t i = 0; i < length && input_left > 0; i++)
        reply[7 + i] = next_byte();
    if (!(flags & 2) || asked < 5)
        length = helpful_body(type, reply + 7, length);
    put(reply, length + 7 + (flags & 4 && asked > 4 ? next_byte() : 0), 4);
    reply[4] = (flags & 0x78) == 0x78 ? P9_ERROR + 1 : type + 1;
    memcpy(reply + 5, (uint8_t *)out + 5, 2);
    *got = (flags & 0x70) == 0x70 ? next_byte() : length + 7;
    return 0;
}

static bool take(struct dir_sink *sink, const char *name, size_t len, uint64_t ino, unsigned type,
                 uint64_t next)
{
    (void)sink;
    (void)ino;
    (void)type;
    (void)next;
    if (len == 0 || len > 255 || memchr(name, '/', len) != NULL)
        abort();
    return next_byte() != 7;
}

static void use_file(const char *name)
{
    static char buffer[20000];
    struct dir_sink sink = {take};
    struct file *file;

    if (env_open(name, O_RDWR | (next_byte() & 1 ? O_CREAT : 0), 0644, &file) != 0 &&
        env_open(name, O_RDONLY, 0, &file) != 0)
        return;
    if (file->ops->readdir != NULL)
        file->ops->readdir(file, &sink);
    file_read_kernel(file, buffer, sizeof(buffer), next_byte());
    file_write_kernel(file, buffer, 10000, 0);
    if (file->ops->sync != NULL)
        file->ops->sync(file, true);
    if (file->ops->truncate != NULL)
        file->ops->truncate(file, 100);
    if (file->ops->seek != NULL)
        file->ops->seek(file, 0, SEEK_END);
    if (file->ops->object != NULL) {
        struct vm_object *object = file->ops->object(file);
        struct page *page;

        if (object->ops->get(object, 0, OBJECT_READ, 0, &page) > 0)
            page_unref(page);
        object_unref(object);
    }
    file_unref(file);
}

static void use_names(void)
{
    static const char *const names[] = {"/m/a", "/m/a/b", "/m", "/m/c"};
    char buffer[5000];
    struct inode_stat stat;
    struct statfs_info info;
    struct path path;
    unsigned flags;

    for (unsigned i = 0; i < 4; i++) {
        const char *name = names[next_byte() & 3];

        env_stat(name, &stat);
        env_readlink(name, buffer, sizeof(buffer));
        use_file(name);
        fs_mkdir(NULL, "/m/new", 0755);
        fs_mknod(NULL, "/m/fifo", S_IFIFO | 0600, 0);
        fs_symlink("target", NULL, "/m/link");
        fs_link(NULL, "/m/a", NULL, "/m/hard", 0);
        fs_rename(NULL, "/m/a", NULL, "/m/z", 0);
        fs_unlink(NULL, name);
        fs_rmdir(NULL, name);
    }
    if (path_lookup(NULL, "/m", LOOKUP_FOLLOW, &path) == 0) {
        fs_statfs(&path, &info, &flags);
        path_unref(&path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct p9dev_ops ops = {.request = answer};
    static struct p9dev dev = {.ops = &ops, .tag = "share"};
    static bool started;

    if (!started) {
        env_start(NULL, 0);
        p9dev_register(&dev);
        p9_register();
        if (fs_mkdir(NULL, "/m", 0755) != 0)
            abort();
        started = true;
    }
    input = data;
    input_left = size;
    asked = 0;
    if (fs_mount("share", NULL, "/m", "9p", 0, NULL) == 0) {
        use_names();
        if (fs_unmount(NULL, "/m", 0) != 0)
            abort(); /* something kept a reference */
    }
    return 0;
}
