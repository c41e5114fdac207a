/* SPDX-License-Identifier: MIT */
/* Directories: getdents64, and the caller's own: getcwd, chdir, chroot, umask. */
#include <arch/uaccess.h>
#include <fs/context.h>
#include <fs/open.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#include "abi64/stat.h"
#include "files.h"

/* ---- where the caller stands ---- */

static long do_getcwd(vaddr_t user, size_t size)
{
    char *name = kmalloc(PATH_MAX);
    ssize_t length;

    if (name == NULL)
        return -ENOMEM;
    length = path_cwd(name, PATH_MAX);
    if (length >= 0) {
        length++; /* with its NUL, as the kernel's getcwd counts */
        if ((size_t)length > size)
            length = -ERANGE;
        else if (copy_to_user(user, name, (size_t)length) != 0)
            length = -EFAULT;
    }
    kfree(name);
    return length;
}

long sys_getcwd(const reg_t arg[6])
{
    return do_getcwd(arg[0], arg[1]);
}

static long change(vaddr_t name, int (*to)(const struct path *))
{
    struct path path;
    long result = at_lookup(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);

    if (result == 0) {
        result = to(&path);
        path_unref(&path);
    }
    return result;
}

long sys_chdir(const reg_t arg[6])
{
    return change(arg[0], fs_chdir);
}

long sys_chroot(const reg_t arg[6])
{
    return change(arg[0], fs_chroot);
}

long sys_fchdir(const reg_t arg[6])
{
    struct fd found = fd_get(current_files(), (unsigned)arg[0]);
    struct path path;
    long result;

    if (found.file == NULL)
        return -EBADF;
    result = path_of_file(found.file, &path) == 0 ? fs_chdir(&path) : -ENOTDIR;
    fd_put(found);
    return result;
}

long sys_umask(const reg_t arg[6])
{
    struct fs_context *context = fs_current();
    uint32_t old = context->umask;

    context->umask = (uint32_t)arg[0] & 0777;
    return old;
}

/* ---- directories ---- */

struct dirent_sink {
    struct dir_sink sink;
    char *buffer;
    size_t size, used;
    bool overflowed; /* the next entry did not fit */
};

static bool dirent_emit(struct dir_sink *sink, const char *name, size_t name_len, uint64_t ino,
                        unsigned type, uint64_t next)
{
    struct dirent_sink *to = container_of(sink, struct dirent_sink, sink);
    size_t length = (sizeof(struct abi64_dirent) - 5 + name_len + 1 + 7) & ~(size_t)7;
    struct abi64_dirent *entry = (struct abi64_dirent *)(to->buffer + to->used);

    _Static_assert(sizeof(struct abi64_dirent) == 24, "the header is 19 bytes and 5 of padding");
    if (length > to->size - to->used) {
        to->overflowed = true;
        return false;
    }
    memset(entry, 0, length);
    entry->ino = ino;
    entry->next = (int64_t)next;
    entry->length = (uint16_t)length;
    entry->type = (uint8_t)type;
    memcpy(entry->name, name, name_len);
    to->used += length;
    return true;
}

#define DIRENT_BUFFER_MAX 32768u

static long read_directory(struct file *file, vaddr_t user, size_t size)
{
    struct dirent_sink to = {.sink = {dirent_emit}, .size = size};
    uint64_t start;
    long result;

    if (file->access & FILE_PATH)
        return -EBADF;
    if (file->ops->readdir == NULL)
        return -ENOTDIR;
    if (to.size > DIRENT_BUFFER_MAX)
        to.size = DIRENT_BUFFER_MAX;
    to.buffer = kmalloc(to.size != 0 ? to.size : 1);
    if (to.buffer == NULL)
        return -ENOMEM;
    mutex_lock(&file->pos_lock);
    start = file->pos;
    result = file->ops->readdir(file, &to.sink);
    if (to.used != 0)
        result = copy_to_user(user, to.buffer, to.used) == 0 ? (long)to.used : -EFAULT;
    else if (result == 0 && to.overflowed)
        result = -EINVAL; /* no room for one entry */
    if (result < 0)
        file->pos = start;
    mutex_unlock(&file->pos_lock);
    if (result >= 0)
        file_notify(file, FILE_EVENT_READ);
    kfree(to.buffer);
    return result;
}

long sys_getdents64(const reg_t arg[6])
{
    struct fd found = fd_get(current_files(), (unsigned)arg[0]);
    long result;

    if (found.file == NULL)
        return -EBADF;
    result = read_directory(found.file, arg[1], (unsigned)arg[2]);
    fd_put(found);
    return result;
}
