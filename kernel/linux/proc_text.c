/* SPDX-License-Identifier: MIT
 *
 * The texts in /proc/N that describe a process or a thread (proc(5) gives every field).
 */
#include <core/clock.h>
#include <core/percpu.h>
#include <core/sched.h>
#include <fs/context.h>
#include <fs/cred.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/vmspace.h>

#include "proc.h"
#include "time_internal.h"

/* What is taken of a task under locks before it is printed. */
struct task_facts {
    struct process *process; /* a reference */
    int tid;
    char name[16], state;
    int policy, nice, priority, own_priority, cpu;
    uint64_t user_ns, kernel_ns, voluntary, involuntary;
    struct cpumask affinity;
    sigset_t pending, blocked, shared_pending, ignored, caught;
    unsigned thread_count, queued;
    const struct cred *cred; /* a reference */
    uint32_t umask;
    struct vmspace *vs; /* a reference, or NULL */
};

static char state_of(const struct process *process, const struct task *task)
{
    if (process->stopped)
        return 'T';
    if (task->thread.state == THREAD_RUNNABLE)
        return 'R';
    return task->thread.sleep_how >= WAIT_INTERRUPTIBLE ? 'S' : 'D';
}

static void take_signals_locked(struct task_facts *facts, const struct process *process,
                                const struct task *task)
{
    facts->pending = task->pending.set;
    facts->blocked = task->blocked;
    facts->shared_pending = process->pending.set;
    facts->queued = process->queued_count;
    for (int signo = 1; signo <= SIGNALS; signo++) {
        vaddr_t handler = process->actions[signo - 1].handler;

        if (handler == SIG_IGN)
            facts->ignored |= sigset_of(signo);
        else if (handler != SIG_DFL)
            facts->caught |= sigset_of(signo);
    }
}

static void take_task_locked(struct task_facts *facts, struct process *process, struct task *task)
{
    reg_t flags = spin_lock_irq(&process->signal_lock);

    take_signals_locked(facts, process, task);
    spin_unlock_irq(&process->signal_lock, flags);
    facts->tid = task->tid;
    facts->state = state_of(process, task);
    strscpy(facts->name, task->thread.name, sizeof(facts->name));
    facts->policy = (int)task->thread.sched.policy;
    facts->nice = task->thread.sched.nice;
    facts->priority = task->thread.sched.priority;
    facts->own_priority = task->thread.sched.own_priority;
    facts->affinity = cpumask_and(&task->thread.sched.affinity, &cpu_online_mask);
    facts->cpu = (int)task->thread.cpu->id;
    facts->voluntary = task->thread.voluntary_switches;
    facts->involuntary = task->thread.involuntary_switches;
    thread_cpu_time(&task->thread, &facts->user_ns, &facts->kernel_ns);
    facts->cred = cred_ref(task->cred);
    facts->umask = task->fs->umask;
}

static void facts_free(struct task_facts *facts)
{
    if (facts->cred)
        cred_unref(facts->cred);
    if (facts->vs)
        vmspace_unref(facts->vs);
    process_unref(facts->process);
}

/* The thread that the entry names, else the first of the process; -ESRCH. */
static int facts_get(struct task_facts *facts, const struct pseudo_entry *entry)
{
    int tid = (int)proc_number_of(entry);
    struct process *process = proc_process(entry);
    struct task *task;
    reg_t flags;

    memset(facts, 0, sizeof(*facts));
    if (!process)
        return -ESRCH;
    facts->process = process;
    flags = spin_lock_irq(&process->lock);
    list_for_each_entry (task, &process->tasks, sibling) {
        if (!facts->cred && (tid == 0 || task->tid == tid))
            take_task_locked(facts, process, task);
    }
    facts->thread_count = process->task_count;
    if (process->vmspace) {
        facts->vs = process->vmspace;
        vmspace_ref(facts->vs);
    }
    spin_unlock_irq(&process->lock, flags);
    if (facts->cred)
        return 0;
    facts_free(facts);
    return -ESRCH;
}

/* Linux's scale: 20 + nice for normal threads, -1 - rt priority for real-time ones. */
static int kernel_priority(const struct task_facts *f)
{
    return f->priority ? -1 - f->priority : 20 + f->nice;
}

static uint64_t ticks(uint64_t ns)
{
    return time_to_ticks(ns);
}

static int stat_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    const struct exec_layout *l;
    struct task_facts f;
    uint64_t user, kernel;
    int error = facts_get(&f, entry);

    if (error)
        return error;
    l = &f.process->layout;
    user = f.user_ns;
    kernel = f.kernel_ns;
    if (!proc_number_of(entry))
        process_times(f.process, &user, &kernel);
    pseudo_printf(text, "%d (%s) %c %d %d %d 0 -1 4194304 0 0 0 0 %llu %llu 0 0 %d %d %u 0 %llu ",
                  f.tid, f.name, f.state, f.process->parent ? f.process->parent->pid : 0,
                  f.process->pgid, f.process->sid, (unsigned long long)ticks(user),
                  (unsigned long long)ticks(kernel), kernel_priority(&f), f.nice, f.thread_count,
                  (unsigned long long)ticks(f.process->start_ns));
    pseudo_printf(text, "%llu %llu %llu %lu %lu %lu 0 0 ",
                  (unsigned long long)(f.vs ? f.vs->pages_mapped * PAGE_SIZE : 0),
                  (unsigned long long)(f.vs ? READ_ONCE(f.vs->pages_resident) : 0),
                  (unsigned long long)f.process->limits[RLIMIT_RSS].soft,
                  (unsigned long)l->code_start, (unsigned long)l->code_end,
                  (unsigned long)l->stack_start);
    pseudo_printf(text, "%llu %llu %llu %llu 0 0 0 17 %d %d %d 0 0 0 ",
                  (unsigned long long)(f.pending & INT32_MAX),
                  (unsigned long long)(f.blocked & INT32_MAX),
                  (unsigned long long)(f.ignored & INT32_MAX),
                  (unsigned long long)(f.caught & INT32_MAX), f.cpu, f.own_priority, f.policy);
    pseudo_printf(text, "%lu %lu %lu %lu %lu %lu %lu %d\n", (unsigned long)l->data_start,
                  (unsigned long)l->data_end, (unsigned long)l->brk_start,
                  (unsigned long)l->arg_start, (unsigned long)l->arg_end,
                  (unsigned long)l->env_start, (unsigned long)l->env_end, 0);
    facts_free(&f);
    return 0;
}

static const char *state_name(char state)
{
    switch (state) {
    case 'R':
        return "R (running)";
    case 'S':
        return "S (sleeping)";
    case 'T':
        return "T (stopped)";
    default:
        return "D (disk sleep)";
    }
}

static void print_groups(struct pseudo_text *text, const struct cred *cred)
{
    pseudo_puts(text, "Groups:\t");
    for (unsigned i = 0; cred->groups && i < cred->groups->count; i++)
        pseudo_printf(text, "%u ", cred->groups->gid[i]);
    pseudo_puts(text, cred->groups && cred->groups->count ? "\n" : " \n");
}

static void kib_line(struct pseudo_text *text, const char *name, uint64_t pages)
{
    pseudo_printf(text, "%s\t%8llu kB\n", name, (unsigned long long)pages * (PAGE_SIZE / 1024));
}

static void print_memory(struct pseudo_text *text, struct vmspace *vs)
{
    uint64_t resident = READ_ONCE(vs->pages_resident);
    uint64_t file = 0; /* not counted apart */

    kib_line(text, "VmPeak:", vs->pages_mapped);
    kib_line(text, "VmSize:", vs->pages_mapped);
    kib_line(text, "VmLck:", vs->pages_locked);
    kib_line(text, "VmPin:", 0);
    kib_line(text, "VmHWM:", max(vs->pages_resident_peak, resident));
    kib_line(text, "VmRSS:", resident);
    kib_line(text, "RssAnon:", resident > file ? resident - file : 0);
    kib_line(text, "RssFile:", file);
    kib_line(text, "RssShmem:", 0);
    kib_line(text, "VmData:", vs->pages_data);
    kib_line(text, "VmStk:", vs->pages_stack);
    kib_line(text, "VmExe:", vs->pages_exec);
    kib_line(text, "VmLib:", 0);
    kib_line(text, "VmPTE:", 0);
    kib_line(text, "VmSwap:", 0);
}

static void print_signals(struct pseudo_text *text, const struct task_facts *f)
{
    pseudo_printf(text, "SigQ:\t%u/%llu\nSigPnd:\t%016llx\nShdPnd:\t%016llx\n", f->queued,
                  (unsigned long long)f->process->limits[RLIMIT_SIGPENDING].soft,
                  (unsigned long long)f->pending, (unsigned long long)f->shared_pending);
    pseudo_printf(text, "SigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
                  (unsigned long long)f->blocked, (unsigned long long)f->ignored,
                  (unsigned long long)f->caught);
}

static void print_capabilities(struct pseudo_text *text, const struct cred *cred)
{
    pseudo_printf(text, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\n",
                  (unsigned long long)cred->cap_inheritable,
                  (unsigned long long)cred->cap_permitted, (unsigned long long)cred->cap_effective);
    pseudo_printf(text, "CapBnd:\t%016llx\nCapAmb:\t%016llx\n",
                  (unsigned long long)cred->cap_bounding, (unsigned long long)cred->cap_ambient);
}

static void print_affinity(struct pseudo_text *text, const struct cpumask *affinity)
{
    pseudo_puts(text, "Cpus_allowed:\t");
    proc_print_cpus(text, affinity);
    pseudo_puts(text, "Cpus_allowed_list:\t");
    proc_print_cpu_list(text, affinity);
    pseudo_puts(text, "Mems_allowed:\t1\nMems_allowed_list:\t0\n");
}

static int status_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct task_facts f;
    int error = facts_get(&f, entry);

    if (error)
        return error;
    pseudo_printf(text, "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\n",
                  f.name, f.umask, state_name(f.state), f.process->pid, f.tid);
    pseudo_printf(text, "PPid:\t%d\nTracerPid:\t0\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n",
                  f.process->parent ? f.process->parent->pid : 0, f.cred->uid, f.cred->euid,
                  f.cred->suid, f.cred->fsuid, f.cred->gid, f.cred->egid, f.cred->sgid,
                  f.cred->fsgid);
    pseudo_puts(text, "FDSize:\t64\n");
    print_groups(text, f.cred);
    pseudo_printf(text, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", f.process->pid, f.tid,
                  f.process->pgid, f.process->sid);
    if (f.vs)
        print_memory(text, f.vs);
    pseudo_printf(text, "CoreDumping:\t0\nTHP_enabled:\t%d\nThreads:\t%u\n",
                  !f.process->thp_disabled, f.thread_count);
    print_signals(text, &f);
    print_capabilities(text, f.cred);
    pseudo_printf(text, "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\n",
                  f.process->no_new_privs);
    print_affinity(text, &f.affinity);
    pseudo_printf(text, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
                  (unsigned long long)f.voluntary, (unsigned long long)f.involuntary);
    facts_free(&f);
    return 0;
}

static int statm_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct task_facts f;
    int error = facts_get(&f, entry);

    if (error)
        return error;
    if (f.vs)
        pseudo_printf(text, "%llu %llu 0 %llu 0 %llu 0\n", (unsigned long long)f.vs->pages_mapped,
                      (unsigned long long)READ_ONCE(f.vs->pages_resident),
                      (unsigned long long)f.vs->pages_exec,
                      (unsigned long long)(f.vs->pages_data + f.vs->pages_stack));
    facts_free(&f);
    return 0;
}

static int comm_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct task_facts f;
    int error = facts_get(&f, entry);

    if (error)
        return error;
    pseudo_printf(text, "%s\n", f.name);
    facts_free(&f);
    return 0;
}

static ssize_t comm_store(const struct pseudo_entry *entry, const char *text, size_t length)
{
    int tid = proc_number_of(entry) ? (int)proc_number_of(entry) : proc_pid_of(entry);
    size_t count = min(length, sizeof(current()->name) - 1);
    char name[16] = {0};
    struct task *task;

    memcpy(name, text, count);
    name[strcspn(name, "\n")] = 0;
    defer_read_begin();
    task = task_find(tid);
    if (task && task->process == current_process())
        thread_set_name(&task->thread, name);
    defer_read_end();
    return task ? (ssize_t)length : -ESRCH;
}

/* --- texts that the program itself has in memory --- */

static int copy_range(struct pseudo_text *text, const struct pseudo_entry *entry, bool env)
{
    struct task_facts f;
    int error = facts_get(&f, entry);
    vaddr_t start, end;
    char *buffer;

    if (error)
        return error;
    start = env ? f.process->layout.env_start : f.process->layout.arg_start;
    end = env ? f.process->layout.env_end : f.process->layout.arg_end;
    buffer = f.vs && end > start ? kmalloc(end - start) : NULL;
    if (buffer && vm_read(f.vs, buffer, start, end - start) == (ssize_t)(end - start))
        pseudo_write(text, buffer, end - start);
    kfree(buffer);
    facts_free(&f);
    return 0;
}

static int cmdline_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    return copy_range(text, entry, false);
}

static int environ_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    return copy_range(text, entry, true);
}

static int auxv_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct process *process = proc_process(entry);

    if (!process)
        return -ESRCH;
    pseudo_write(text, process->layout.auxv,
                 process->layout.auxv_count * 2 * sizeof(process->layout.auxv[0]));
    process_unref(process);
    return 0;
}

/* --- limits --- */

static void print_limit(struct pseudo_text *text, uint64_t value)
{
    if (value == RLIM_INFINITY)
        pseudo_printf(text, "%-20s ", "unlimited");
    else
        pseudo_printf(text, "%-20llu ", (unsigned long long)value);
}

static int limits_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    static const struct {
        char name[26], unit[10];
    } rows[RLIMITS] = {
        [RLIMIT_CPU] = {"Max cpu time", "seconds"},
        [RLIMIT_FSIZE] = {"Max file size", "bytes"},
        [RLIMIT_DATA] = {"Max data size", "bytes"},
        [RLIMIT_STACK] = {"Max stack size", "bytes"},
        [RLIMIT_CORE] = {"Max core file size", "bytes"},
        [RLIMIT_RSS] = {"Max resident set", "bytes"},
        [RLIMIT_NPROC] = {"Max processes", "processes"},
        [RLIMIT_NOFILE] = {"Max open files", "files"},
        [RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
        [RLIMIT_AS] = {"Max address space", "bytes"},
        [RLIMIT_LOCKS] = {"Max file locks", "locks"},
        [RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
        [RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
        [RLIMIT_NICE] = {"Max nice priority", ""},
        [RLIMIT_RTPRIO] = {"Max realtime priority", ""},
        [RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
    };
    struct process *process = proc_process(entry);

    if (!process)
        return -ESRCH;
    pseudo_printf(text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (unsigned i = 0; i < RLIMITS; i++) {
        pseudo_printf(text, "%-25s ", rows[i].name);
        print_limit(text, process->limits[i].soft);
        print_limit(text, process->limits[i].hard);
        if (rows[i].unit[0])
            pseudo_printf(text, "%-10s\n", rows[i].unit);
        else
            pseudo_puts(text, "\n");
    }
    process_unref(process);
    return 0;
}

/* --- small ones --- */

static int fixed_show(struct pseudo_text *text, const struct pseudo_entry *entry, const char *value)
{
    struct process *process = proc_process(entry);

    if (!process)
        return -ESRCH;
    process_unref(process);
    pseudo_puts(text, value);
    return 0;
}

static int cgroup_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    return fixed_show(text, entry, "0::/\n");
}

static int oom_score_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    return fixed_show(text, entry, "666\n");
}

static int wchan_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    return fixed_show(text, entry, "0");
}

static int coredump_filter_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    return fixed_show(text, entry, "00000033\n");
}

static int io_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    return fixed_show(text, entry,
                      "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
                      "cancelled_write_bytes: 0\n");
}

static int oom_adj_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct process *process = proc_process(entry);

    if (!process)
        return -ESRCH;
    pseudo_printf(text, "%d\n", (int)process->oom_score_adj);
    process_unref(process);
    return 0;
}

static ssize_t oom_adj_store(const struct pseudo_entry *entry, const char *text, size_t length)
{
    struct process *process = proc_process(entry);
    const char *end;
    int64_t value;

    if (!process)
        return -ESRCH;
    if (parse_i64(text, 10, &value, &end) || value < -1000 || value > 1000) {
        process_unref(process);
        return -EINVAL;
    }
    process->oom_score_adj = (uint32_t)(int32_t)value;
    process_unref(process);
    return (ssize_t)length;
}

static int personality_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct process *process = proc_process(entry);

    if (!process)
        return -ESRCH;
    pseudo_printf(text, "%08x\n", process->personality);
    process_unref(process);
    return 0;
}

static int schedstat_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct task_facts f;
    int error = facts_get(&f, entry);

    if (error)
        return error;
    pseudo_printf(text, "%llu 0 %llu\n", (unsigned long long)(f.user_ns + f.kernel_ns),
                  (unsigned long long)(f.voluntary + f.involuntary));
    facts_free(&f);
    return 0;
}

#define TEXT_OPS(name, fn) const struct pseudo_ops name = {.show = (fn), .owner = proc_owner}

TEXT_OPS(proc_stat_ops, stat_show);
TEXT_OPS(proc_status_ops, status_show);
TEXT_OPS(proc_statm_ops, statm_show);
TEXT_OPS(proc_limits_ops, limits_show);
TEXT_OPS(proc_cmdline_ops, cmdline_show);
TEXT_OPS(proc_environ_ops, environ_show);
TEXT_OPS(proc_auxv_ops, auxv_show);
TEXT_OPS(proc_cgroup_ops, cgroup_show);
TEXT_OPS(proc_oom_score_ops, oom_score_show);
TEXT_OPS(proc_personality_ops, personality_show);
TEXT_OPS(proc_wchan_ops, wchan_show);
TEXT_OPS(proc_schedstat_ops, schedstat_show);
TEXT_OPS(proc_io_ops, io_show);
TEXT_OPS(proc_coredump_filter_ops, coredump_filter_show);
const struct pseudo_ops proc_comm_ops = {
    .show = comm_show, .store = comm_store, .owner = proc_owner};
const struct pseudo_ops proc_oom_score_adj_ops = {
    .show = oom_adj_show, .store = oom_adj_store, .owner = proc_owner};
