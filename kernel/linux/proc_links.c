/* SPDX-License-Identifier: MIT
 *
 * /proc/N/exe, cwd, root, fd and fdinfo: links to places and open files.
 */
#include <file/fdtable.h>
#include <file/file.h>
#include <fs/context.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <fs/open.h>
#include <fs/path.h>
#include <lib/errno.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/process.h>

#include "proc.h"

/* --- exe --- */

static struct file *executable_of(const struct pseudo_entry *entry)
{
    struct process *process = proc_process(entry);
    struct file *file = NULL;
    reg_t flags;

    if (!process)
        return NULL;
    flags = spin_lock_irq(&process->lock);
    if (process->executable) {
        file = process->executable;
        file_ref(file);
    }
    spin_unlock_irq(&process->lock, flags);
    process_unref(process);
    return file;
}

static int exe_path(const struct pseudo_entry *entry, struct path *out)
{
    struct file *file = executable_of(entry);
    int error;

    if (!file)
        return -ENOENT;
    error = path_of_file(file, out);
    if (!error)
        path_ref(out);
    file_unref(file);
    return error;
}

const struct pseudo_ops proc_exe_ops = {.follow_path = exe_path, .owner = proc_owner};

/* --- cwd and root --- */

/* The first task of the process, with process->lock held; NULL: none. */
static struct task *lock_task(struct process *process, reg_t *flags)
{
    if (!process)
        return NULL;
    *flags = spin_lock_irq(&process->lock);
    return list_first_entry_or_null(&process->tasks, struct task, sibling);
}

static void unlock_task(struct process *process, reg_t flags)
{
    if (!process)
        return;
    spin_unlock_irq(&process->lock, flags);
    process_unref(process);
}

static struct fs_context *context_of(const struct pseudo_entry *entry)
{
    struct process *process = proc_process(entry);
    reg_t flags = 0;
    const struct task *task = lock_task(process, &flags);
    struct fs_context *fs = task ? fs_context_ref(task->fs) : NULL;

    unlock_task(process, flags);
    return fs;
}

static int place_of(const struct pseudo_entry *entry, struct path *out,
                    void (*place)(struct fs_context *, struct path *))
{
    struct fs_context *fs = context_of(entry);

    if (!fs)
        return -ENOENT;
    place(fs, out);
    fs_context_unref(fs);
    return 0;
}

static int cwd_path(const struct pseudo_entry *entry, struct path *out)
{
    return place_of(entry, out, fs_context_cwd);
}

static int root_path(const struct pseudo_entry *entry, struct path *out)
{
    return place_of(entry, out, fs_context_root);
}

const struct pseudo_ops proc_cwd_ops = {.follow_path = cwd_path, .owner = proc_owner};
const struct pseudo_ops proc_root_ops = {.follow_path = root_path, .owner = proc_owner};

/* --- fd and fdinfo --- */

/*
 * The descriptor table of a process, as one of its threads has it, with a use counted so that it
 * stays. The calling thread may then no longer borrow from it, which fd_get() sees by the count.
 */
static struct fd_table *table_of(const struct pseudo_entry *entry)
{
    struct process *process = proc_process(entry);
    reg_t flags = 0;
    const struct task *task = lock_task(process, &flags);
    struct fd_table *table = NULL;

    if (task)
        table = process == current_process() ? current_task()->files : task->files;
    if (table)
        fd_table_ref(table);
    unlock_task(process, flags);
    return table;
}

static struct file *file_of(const struct pseudo_entry *entry)
{
    struct fd_table *table = table_of(entry);
    struct file *file = NULL;

    if (table) {
        file = fd_get_file(table, proc_number_of(entry));
        fd_table_unref(table);
    }
    return file;
}

static int fd_follow(const struct pseudo_entry *entry, struct file **out)
{
    *out = file_of(entry);
    return *out ? 0 : -ENOENT;
}

static const struct pseudo_ops fd_link_ops = {.follow_file = fd_follow, .owner = proc_owner};

struct info_sink {
    struct text_sink sink;
    struct pseudo_text *text;
};

static void info_print(struct text_sink *sink, const char *format, ...)
{
    struct info_sink *info = container_of(sink, struct info_sink, sink);
    char line[256];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    pseudo_puts(info->text, line);
}

static int fdinfo_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct info_sink info = {.sink = {.print = info_print}, .text = text};
    struct file *file = file_of(entry);
    struct inode_stat stat;
    struct path path;

    if (!file)
        return -ENOENT;
    pseudo_printf(text, "pos:\t%llu\nflags:\t0%o\n", (unsigned long long)file->pos, file->flags);
    if (path_of_file(file, &path) == 0 && fs_file_stat(file, &stat) == 0)
        pseudo_printf(text, "mnt_id:\t%d\nino:\t%llu\n", path.mount->id,
                      (unsigned long long)stat.ino);
    else
        pseudo_printf(text, "mnt_id:\t1\nino:\t%llu\n", (unsigned long long)file->id);
    if (file->ops->show)
        file->ops->show(file, &info.sink);
    file_unref(file);
    return 0;
}

static const struct pseudo_ops fdinfo_file_ops = {.show = fdinfo_show, .owner = proc_owner};

static int number_lookup(const struct pseudo_entry *dir, const char *name, size_t len,
                         const struct pseudo_ops *ops, uint32_t mode, struct pseudo_entry *out)
{
    int number = proc_parse_number(name, len);
    struct file *file;

    if (number < 0)
        return -ENOENT;
    *out =
        (struct pseudo_entry){.ops = ops,
                              .mode = mode,
                              .data = (void *)ops,
                              .key = (uint32_t)proc_pid_of(dir) | (uint64_t)(unsigned)number << 32};
    file = file_of(out);
    if (!file)
        return -ENOENT;
    /* Permission bits of the link tell how the file is open. */
    if (S_ISLNK(mode))
        out->mode = S_IFLNK | (file->access & FILE_READ ? 0500 : 0) |
                    (file->access & FILE_WRITE ? 0300 : 0);
    file_unref(file);
    return 0;
}

static int number_list(const struct pseudo_entry *dir, uint64_t *pos, struct pseudo_sink *sink,
                       uint32_t mode)
{
    struct fd_table *table = table_of(dir);
    int fd;

    if (!table)
        return -ENOENT;
    while ((fd = fd_next(table, (unsigned)*pos)) >= 0) {
        char name[12];
        int length = snprintf(name, sizeof(name), "%d", fd);

        if (!sink->emit(sink, name, (size_t)length, (uint64_t)fd + 0x10000, mode, (uint64_t)fd + 1))
            break;
        *pos = (uint64_t)fd + 1;
    }
    fd_table_unref(table);
    return 0;
}

static int fd_lookup(const struct pseudo_entry *dir, const char *name, size_t len,
                     struct pseudo_entry *out)
{
    return number_lookup(dir, name, len, &fd_link_ops, S_IFLNK | 0700, out);
}

static int fd_list(const struct pseudo_entry *dir, uint64_t *pos, struct pseudo_sink *sink)
{
    return number_list(dir, pos, sink, S_IFLNK | 0700);
}

const struct pseudo_ops proc_fd_ops = {.lookup = fd_lookup, .list = fd_list, .owner = proc_owner};

static int fdinfo_lookup(const struct pseudo_entry *dir, const char *name, size_t len,
                         struct pseudo_entry *out)
{
    return number_lookup(dir, name, len, &fdinfo_file_ops, S_IFREG | 0444, out);
}

static int fdinfo_list(const struct pseudo_entry *dir, uint64_t *pos, struct pseudo_sink *sink)
{
    return number_list(dir, pos, sink, S_IFREG | 0444);
}

const struct pseudo_ops proc_fdinfo_ops = {
    .lookup = fdinfo_lookup, .list = fdinfo_list, .owner = proc_owner};
