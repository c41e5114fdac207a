/* SPDX-License-Identifier: MIT
 *
 * Entries of /proc and /sys that the linux layer owns.
 *
 * An entry of a process has key = pid | (tid or descriptor number) << 32; the process is looked up
 * anew at each use, so that a directory kept open says ESRCH once its process is gone.
 */
#ifndef LINUX_PROC_H
#define LINUX_PROC_H

#include <file/pseudo.h>
#include <linux/process.h>

/* Registers everything; once, before the first program. */
void proc_init(void);
void proc_system_init(void);
void proc_sys_init(void);           /* /proc/sys */
void inotify_register_limits(void); /* /proc/sys/fs/inotify */
void proc_interrupts_init(void);

/* proc_cpus.c: masks and lists of CPUs, a line each; the filler of /sys/devices/system. */
struct cpumask;
void proc_print_cpus(struct pseudo_text *text, const struct cpumask *mask);
void proc_print_cpu_list(struct pseudo_text *text, const struct cpumask *mask);
void sysfs_cpu_init(void);

static inline int proc_pid_of(const struct pseudo_entry *entry)
{
    return (int)(uint32_t)entry->key;
}

static inline unsigned proc_number_of(const struct pseudo_entry *entry)
{
    return (unsigned)(entry->key >> 32);
}

/* The process of an entry, referenced; NULL when it is gone. */
struct process *proc_process(const struct pseudo_entry *entry);

/* One name in a process's directory. */
struct proc_item {
    const char *name;
    uint32_t mode;
    const struct pseudo_ops *ops;
};
#define PROC_ITEMS_END \
    {                  \
        NULL, 0, NULL  \
    }

/* lookup and list for a directory that has the items of a table. */
int proc_items_lookup(const struct proc_item *items, const struct pseudo_entry *dir,
                      const char *name, size_t len, struct pseudo_entry *out);
int proc_items_list(const struct proc_item *items, const struct pseudo_entry *dir, uint64_t *pos,
                    struct pseudo_sink *sink);

/* A decimal number without leading zeros; -1 if the name is none. */
int proc_parse_number(const char *name, size_t len);

void proc_owner(const struct pseudo_entry *entry, uint32_t *uid, uint32_t *gid);

/* proc_text.c */
extern const struct pseudo_ops proc_stat_ops, proc_status_ops, proc_statm_ops, proc_comm_ops;
extern const struct pseudo_ops proc_limits_ops, proc_cmdline_ops, proc_environ_ops, proc_auxv_ops;
extern const struct pseudo_ops proc_cgroup_ops, proc_oom_score_ops, proc_oom_score_adj_ops;
extern const struct pseudo_ops proc_personality_ops, proc_wchan_ops, proc_schedstat_ops;
extern const struct pseudo_ops proc_io_ops, proc_coredump_filter_ops;
/* proc_maps.c */
extern const struct pseudo_ops proc_maps_ops, proc_smaps_ops, proc_smaps_rollup_ops;
/* proc_links.c */
extern const struct pseudo_ops proc_exe_ops, proc_cwd_ops, proc_root_ops, proc_fd_ops,
    proc_fdinfo_ops;

#endif
