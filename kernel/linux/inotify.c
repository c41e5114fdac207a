/* SPDX-License-Identifier: MIT
 *
 * inotify(7): its descriptors and calls, and its limits in /proc/sys/fs/inotify. What is watched
 * and queued is in fs/notify.c.
 */
#include <arch/uaccess.h>
#include <core/wait.h>
#include <file/file.h>
#include <fs/cred.h>
#include <fs/notify.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <linux/syscalls.h>

#include "files.h"
#include "proc.h"

#define FIONREAD 0x541bu

#define MASK_BITS                                                                            \
    (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW | \
     IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR | IN_ONESHOT)

_Static_assert(offsetof(struct notify_told, name) == 16, "struct inotify_event");

/* ---- the file ---- */

static ssize_t inotify_read(struct file *file, struct io *io)
{
    struct notify_group *group = file->data;
    struct notify_told told;
    ssize_t done = 0;

    for (;;) {
        ssize_t size = notify_take(group, &told, io_left(io));

        if (size > 0) {
            if (io_copy_to(io, &told, (size_t)size) != size)
                return -EFAULT;
            done += size;
            continue;
        }
        if (size < 0 || done != 0)
            return done != 0 ? done : size;
        if (io->flags & IO_NOWAIT)
            return -EAGAIN;
        size = wait_event(notify_waitq(group), notify_queued_bytes(group) != 0, WAIT_FOREVER,
                          WAIT_INTERRUPTIBLE);
        if (size != 0)
            return size;
    }
}

static unsigned inotify_poll(struct file *file, struct poll_waiter *waiter)
{
    poll_add(waiter, notify_waitq(file->data));
    return notify_queued_bytes(file->data) != 0 ? POLL_READABLE : 0;
}

static long inotify_ioctl(struct file *file, unsigned cmd, reg_t arg)
{
    return cmd == FIONREAD ? put_user32(arg, (uint32_t)notify_queued_bytes(file->data)) : -ENOTTY;
}

static void show_watch(void *arg, int watch, const struct inode *inode, uint32_t mask)
{
    struct text_sink *sink = arg;

    sink->print(sink, "inotify wd:%x ino:%lx sdev:%lx mask:%x ignored_mask:0\n", (unsigned)watch,
                (unsigned long)inode->ino, (unsigned long)inode->sb->dev, mask);
}

static void inotify_show(struct file *file, struct text_sink *sink)
{
    notify_each(file->data, show_watch, sink);
}

static void inotify_release(struct file *file)
{
    notify_group_free(file->data);
}

static const struct file_ops inotify_ops = {
    .name = "anon_inode:inotify",
    .mode = 0600,
    .flags = FILE_OPS_STREAM | FILE_OPS_ASYNC,
    .read = inotify_read,
    .poll = inotify_poll,
    .ioctl = inotify_ioctl,
    .show = inotify_show,
    .release = inotify_release,
};

/* ---- the calls ---- */

long sys_inotify_init1(const reg_t arg[6])
{
    unsigned flags = (unsigned)arg[0];
    struct notify_group *group;
    struct file *file;
    int error;

    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    group = notify_group_create(&error);
    if (group == NULL)
        return error;
    file = file_create(&inotify_ops, group, O_RDONLY | flags);
    if (file == NULL) {
        notify_group_free(group);
        return -ENOMEM;
    }
    return fd_publish(file, (flags & O_CLOEXEC) != 0);
}

static long add_watch(struct notify_group *group, vaddr_t name, uint32_t mask)
{
    unsigned lookup =
        (mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) | (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0);
    struct path path;
    long result = at_lookup(AT_FDCWD, name, lookup, &path);

    if (result != 0)
        return result;
    result = inode_permission(path_inode(&path), MAY_READ, cred_current());
    if (result == 0)
        result = notify_watch(group, path_inode(&path), mask);
    path_unref(&path);
    return result;
}

long sys_inotify_add_watch(const reg_t arg[6])
{
    uint32_t mask = (uint32_t)arg[2];
    struct fd found;
    long result = -EINVAL;

    if (!(mask & MASK_BITS))
        return -EINVAL;
    found = fd_get(current_files(), (unsigned)arg[0]);
    if (found.file == NULL)
        return -EBADF;
    if (found.file->ops == &inotify_ops && (~mask & (IN_MASK_ADD | IN_MASK_CREATE)))
        result = add_watch(found.file->data, arg[1], mask);
    fd_put(found);
    return result;
}

long sys_inotify_rm_watch(const reg_t arg[6])
{
    struct fd found = fd_get(current_files(), (unsigned)arg[0]);
    long result = -EINVAL;

    if (found.file == NULL)
        return -EBADF;
    if (found.file->ops == &inotify_ops)
        result = notify_unwatch(found.file->data, (int)arg[1]);
    fd_put(found);
    return result;
}

/* ---- limits ---- */

static int limit_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    pseudo_printf(text, "%u\n", READ_ONCE(*(unsigned *)entry->data));
    return 0;
}

static ssize_t limit_store(const struct pseudo_entry *entry, const char *from, size_t length)
{
    char digits[12] = {0};
    uint64_t value;

    memcpy(digits, from, min(length, sizeof(digits) - 1));
    digits[strcspn(digits, "\n")] = 0;
    if (parse_u64(digits, 0, &value, NULL) != 0 || value > INT32_MAX)
        return -EINVAL;
    WRITE_ONCE(*(unsigned *)entry->data, (unsigned)value);
    return (ssize_t)length;
}

void inotify_register_limits(void)
{
    static const struct pseudo_ops ops = {.show = limit_show, .store = limit_store};
    static const struct {
        char path[38];
        unsigned *limit;
    } entries[] = {
        {"sys/fs/inotify/max_queued_events", &notify_limits.events},
        {"sys/fs/inotify/max_user_instances", &notify_limits.groups},
        {"sys/fs/inotify/max_user_watches", &notify_limits.watches},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
        struct pseudo_entry entry = {.ops = &ops, .mode = S_IFREG | 0644, .data = entries[i].limit};

        pseudo_register(PSEUDO_PROC, entries[i].path, &entry);
    }
}
