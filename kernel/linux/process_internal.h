/* SPDX-License-Identifier: MIT
 *
 * What the files that make, change and end processes share.
 */
#ifndef LINUX_PROCESS_INTERNAL_H
#define LINUX_PROCESS_INTERNAL_H

#include <linux/process.h>

struct trapframe;

/* process.c */
struct process *process_create(void); /* no tasks, references, number yet; NULL: no memory */
int process_publish(struct process *process, struct task *first);
struct process *process_next(int pid);
int task_number(struct task *task); /* gives it a tid and makes it findable; -EAGAIN */
void task_forget_number(struct task *task);
void task_take_pid(struct task *task);

/* process_vm.c: the address space of a process that the caller may look into, with a reference. */
int process_space(int pid, struct vmspace **out);

/* clone.c: a task of `process` that will call entry(arg) on its own kernel stack; -ENOMEM. It holds
 * references to process, fs and cred and takes over the caller's to files; it is neither numbered
 * nor started. */
int task_create(struct process *process, struct fd_table *files, struct fs_context *fs,
                const struct cred *cred, void (*entry)(void *), void *arg, struct task **out);
void task_join_process(struct task *task); /* puts it on process->tasks */
void task_destroy(struct task *task);      /* one that never ran */
int task_own_files(struct task *task);     /* shares them with nobody from now on; -ENOMEM */

/* exit.c: ends all other tasks of the running process, for exec. -EAGAIN: somebody else is at it.
 */
int process_kill_others(void);

/* futex.c, robust.c: what a dying task owes to others. */
void futex_exit(struct task *task);
int futex_wake_address(vaddr_t address, unsigned count);

/* itimer.c, posix_timer.c */
void timers_init(struct process *process);
void timers_exit(struct process *process); /* stops all */
void timers_exec(struct process *process); /* POSIX timers go, interval timers stay */

/* shutdown.c: the first process has ended: tells the host and switches the machine off. */
_Noreturn void guest_end(int wait_status);

/* terminal.c: descriptors 0, 1 and 2 of the first program, terminals among them without a name;
 * once there is a /dev, the console in it, opened; and that in their place. */
int console_open_streams(struct fd_table *table);
int console_show(struct file **terminal);
void console_place_streams(struct fd_table *table, struct file *terminal); /* takes it over */

/* exec.c: execve(2) with strings in kernel memory. On 0 the process has changed over and *frame is
 * where it begins; *reason (may be NULL) says in words what was wrong with a file, or is NULL. */
struct exec_args;
struct path;
struct exec_request {
    const struct path *at; /* NULL: the current directory */
    const char *name, *shown;
    unsigned lookup; /* LOOKUP_* */
};
int exec_run(const struct exec_request *request, struct exec_args *args, struct trapframe *frame,
             const char **reason);

/* futex_inherit.c: the task has another priority, which the owner of what it waits for inherits. */
void futex_priority_changed(struct task *task);

/* futex.c: like futex_exit, for the task that goes on with another program. */
void futex_exec(struct task *task);

/* Ends the running process because memory ran out: says so and sends SIGKILL. */
void process_out_of_memory(void);

#endif
