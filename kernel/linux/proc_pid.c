/* SPDX-License-Identifier: MIT
 *
 * /proc/N, /proc/N/task/T, /proc/self (proc(5)): which names there are. What they hold is in
 * proc_text.c, proc_maps.c and proc_links.c.
 */
#include <core/lock.h>
#include <file/flags.h>
#include <fs/cred.h>
#include <fs/mount.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/printf.h>
#include <lib/string.h>

#include "proc.h"
#include "process_internal.h"

struct process *proc_process(const struct pseudo_entry *entry)
{
    return process_find(proc_pid_of(entry));
}

int proc_parse_number(const char *name, size_t len)
{
    int value = 0;

    if (len == 0 || len > 9 || (name[0] == '0' && len > 1))
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9')
            return -1;
        value = value * 10 + (name[i] - '0');
    }
    return value;
}

void proc_owner(const struct pseudo_entry *entry, uint32_t *uid, uint32_t *gid)
{
    struct process *process = proc_process(entry);
    struct task *task;
    reg_t flags;

    *uid = *gid = 0;
    if (!process)
        return;
    flags = spin_lock_irq(&process->lock);
    list_for_each_entry (task, &process->tasks, sibling) {
        *uid = task->cred->euid;
        *gid = task->cred->egid;
        break;
    }
    spin_unlock_irq(&process->lock, flags);
    process_unref(process);
}

int proc_items_lookup(const struct proc_item *items, const struct pseudo_entry *dir,
                      const char *name, size_t len, struct pseudo_entry *out)
{
    for (; items->name; items++) {
        if (!str_equal_n(name, len, items->name))
            continue;
        *out = (struct pseudo_entry){
            .ops = items->ops, .mode = items->mode, .data = (void *)items, .key = dir->key};
        return 0;
    }
    return -ENOENT;
}

int proc_items_list(const struct proc_item *items, const struct pseudo_entry *dir, uint64_t *pos,
                    struct pseudo_sink *sink)
{
    for (uint64_t i = 0; items[i].name; i++) {
        if (i < *pos)
            continue;
        if (!sink->emit(sink, items[i].name, strlen(items[i].name),
                        (dir->key << 8 | (i + 16)) & UINT32_MAX, items[i].mode, i + 1))
            return 0;
        *pos = i + 1;
    }
    return 0;
}

static const struct pseudo_ops task_dir_ops;
static const struct pseudo_ops mounts_ops = {.show = mounts_show};
static const struct pseudo_ops mountinfo_ops = {.show = mountinfo_show};

#define FILE_ITEM(name_, mode_, ops_)     \
    {                                     \
        name_, S_IFREG | (mode_), &(ops_) \
    }
#define LINK_ITEM(name_, ops_)         \
    {                                  \
        name_, S_IFLNK | 0777, &(ops_) \
    }
#define DIR_ITEM(name_, mode_, ops_)      \
    {                                     \
        name_, S_IFDIR | (mode_), &(ops_) \
    }

#define TASK_ITEMS                                                                              \
    FILE_ITEM("auxv", 0400, proc_auxv_ops), FILE_ITEM("cgroup", 0444, proc_cgroup_ops),         \
        FILE_ITEM("cmdline", 0444, proc_cmdline_ops), FILE_ITEM("comm", 0644, proc_comm_ops),   \
        LINK_ITEM("cwd", proc_cwd_ops), FILE_ITEM("environ", 0400, proc_environ_ops),           \
        LINK_ITEM("exe", proc_exe_ops), DIR_ITEM("fd", 0500, proc_fd_ops),                      \
        DIR_ITEM("fdinfo", 0555, proc_fdinfo_ops), FILE_ITEM("io", 0400, proc_io_ops),          \
        FILE_ITEM("limits", 0444, proc_limits_ops), FILE_ITEM("maps", 0444, proc_maps_ops),     \
        FILE_ITEM("mountinfo", 0444, mountinfo_ops), FILE_ITEM("mounts", 0444, mounts_ops),     \
        FILE_ITEM("oom_score", 0444, proc_oom_score_ops),                                       \
        FILE_ITEM("oom_score_adj", 0644, proc_oom_score_adj_ops),                               \
        FILE_ITEM("personality", 0400, proc_personality_ops), LINK_ITEM("root", proc_root_ops), \
        FILE_ITEM("schedstat", 0444, proc_schedstat_ops),                                       \
        FILE_ITEM("smaps", 0444, proc_smaps_ops),                                               \
        FILE_ITEM("smaps_rollup", 0444, proc_smaps_rollup_ops),                                 \
        FILE_ITEM("stat", 0444, proc_stat_ops), FILE_ITEM("statm", 0444, proc_statm_ops),       \
        FILE_ITEM("status", 0444, proc_status_ops), FILE_ITEM("wchan", 0444, proc_wchan_ops)

static const struct proc_item task_items[] = {TASK_ITEMS, PROC_ITEMS_END};

static const struct proc_item process_items[] = {
    TASK_ITEMS,
    FILE_ITEM("coredump_filter", 0644, proc_coredump_filter_ops),
    DIR_ITEM("task", 0555, task_dir_ops),
    PROC_ITEMS_END,
};

static int process_lookup(const struct pseudo_entry *dir, const char *name, size_t len,
                          struct pseudo_entry *out)
{
    struct process *process = proc_process(dir);

    if (!process)
        return -ENOENT;
    process_unref(process);
    return proc_items_lookup(process_items, dir, name, len, out);
}

static int process_list(const struct pseudo_entry *dir, uint64_t *pos, struct pseudo_sink *sink)
{
    return proc_items_list(process_items, dir, pos, sink);
}

static const struct pseudo_ops process_ops = {
    .lookup = process_lookup, .list = process_list, .owner = proc_owner};

static int thread_lookup(const struct pseudo_entry *dir, const char *name, size_t len,
                         struct pseudo_entry *out)
{
    return proc_items_lookup(task_items, dir, name, len, out);
}

static int thread_list(const struct pseudo_entry *dir, uint64_t *pos, struct pseudo_sink *sink)
{
    return proc_items_list(task_items, dir, pos, sink);
}

static const struct pseudo_ops thread_ops = {
    .lookup = thread_lookup, .list = thread_list, .owner = proc_owner};

static struct pseudo_entry numbered(const struct pseudo_ops *ops, uint64_t key)
{
    return (struct pseudo_entry){
        .ops = ops, .mode = S_IFDIR | 0555, .data = (void *)ops, .key = key};
}

/* --- task/ --- */

static int task_dir_lookup(const struct pseudo_entry *dir, const char *name, size_t len,
                           struct pseudo_entry *out)
{
    int tid = proc_parse_number(name, len);
    struct task *task;
    bool found;

    defer_read_begin();
    task = tid > 0 ? task_find(tid) : NULL;
    found = task && task->process->pid == proc_pid_of(dir);
    defer_read_end();
    if (!found)
        return -ENOENT;
    *out = numbered(&thread_ops, (uint32_t)proc_pid_of(dir) | (uint64_t)(unsigned)tid << 32);
    return 0;
}

/* The lowest tid above `after`, 0 if none. */
static int next_tid(struct process *process, int after)
{
    struct task *task;
    int best = 0;
    reg_t flags = spin_lock_irq(&process->lock);

    list_for_each_entry (task, &process->tasks, sibling) {
        if (task->tid > after && (!best || task->tid < best))
            best = task->tid;
    }
    spin_unlock_irq(&process->lock, flags);
    return best;
}

static bool emit_number(struct pseudo_sink *sink, int number, uint64_t ino, uint32_t mode)
{
    char name[12];
    int length = snprintf(name, sizeof(name), "%d", number);

    return sink->emit(sink, name, (size_t)length, ino, mode, (uint64_t)number + 1);
}

/* Positions are numbers: *pos is the lowest that is still to come. */
static int task_dir_list(const struct pseudo_entry *dir, uint64_t *pos, struct pseudo_sink *sink)
{
    struct process *process = proc_process(dir);
    int tid;

    if (!process)
        return -ENOENT;
    while ((tid = next_tid(process, (int)*pos - 1)) != 0 &&
           emit_number(sink, tid, (uint64_t)tid << 8 | 3, S_IFDIR | 0555))
        *pos = (uint64_t)tid + 1;
    process_unref(process);
    return 0;
}

static unsigned task_dir_links(const struct pseudo_entry *dir)
{
    struct process *process = proc_process(dir);
    unsigned links = 2;

    if (process) {
        links += process->task_count;
        process_unref(process);
    }
    return links;
}

static const struct pseudo_ops task_dir_ops = {
    .lookup = task_dir_lookup, .list = task_dir_list, .links = task_dir_links, .owner = proc_owner};

/* --- the numbers in /proc --- */

static int top_lookup(const struct pseudo_entry *dir, const char *name, size_t len,
                      struct pseudo_entry *out)
{
    int number = proc_parse_number(name, len);
    struct process *process = number > 0 ? process_find(number) : NULL;
    struct task *task;

    (void)dir;
    if (process) {
        process_unref(process);
        *out = numbered(&process_ops, (uint32_t)number);
        return 0;
    }
    /* A thread's number is found too, but not listed. */
    defer_read_begin();
    task = number > 0 ? task_find(number) : NULL;
    if (task)
        *out =
            numbered(&process_ops, (uint32_t)task->process->pid | (uint64_t)(unsigned)number << 32);
    defer_read_end();
    return task ? 0 : -ENOENT;
}

static int top_list(const struct pseudo_entry *dir, uint64_t *pos, struct pseudo_sink *sink)
{
    struct process *process;

    (void)dir;
    while ((process = process_next((int)*pos - 1)) != NULL) {
        int pid = process->pid;

        process_unref(process);
        if (!emit_number(sink, pid, (uint64_t)pid << 8 | 2, S_IFDIR | 0555))
            return 0;
        *pos = (uint64_t)pid + 1;
    }
    return 0;
}

static const struct pseudo_ops top_ops = {.lookup = top_lookup, .list = top_list};

static ssize_t self_readlink(const struct pseudo_entry *entry, char *buffer, size_t size)
{
    if (!thread_is_task(current()))
        return -ENOENT;
    if (entry->data)
        return snprintf(buffer, size, "%d/task/%d", current_process()->pid, current_task()->tid);
    return snprintf(buffer, size, "%d", current_process()->pid);
}

static const struct pseudo_ops self_ops = {.readlink = self_readlink};

static void fill_proc(void)
{
    const struct pseudo_entry self = {.ops = &self_ops, .mode = S_IFLNK | 0777};
    const struct pseudo_entry thread_self = {
        .ops = &self_ops, .mode = S_IFLNK | 0777, .data = (void *)&self_ops};

    pseudo_register(PSEUDO_PROC, "self", &self);
    pseudo_register(PSEUDO_PROC, "thread-self", &thread_self);
    pseudo_register_dynamic(PSEUDO_PROC, "", &top_ops, NULL);
    proc_system_init();
    proc_sys_init();
}

void proc_init(void)
{
    static struct pseudo_filler proc = {.fill = fill_proc}, sys = {.fill = sysfs_cpu_init};

    pseudo_fill_later(PSEUDO_PROC, &proc);
    pseudo_fill_later(PSEUDO_SYS, &sys);
}
