/* SPDX-License-Identifier: MIT
 *
 * The first program: reads what to run from the manifest of the root and from bootargs
 * (abi/manifest.h, abi/bootargs.h), makes process 1 and executes it.
 */
#include <abi/bootargs.h>
#include <abi/frame.h>
#include <abi/manifest.h>
#include <arch/trap.h>
#include <arch/user.h>
#include <core/clock.h>
#include <core/log.h>
#include <core/thread.h>
#include <device/firmware.h>
#include <device/machine.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <fs/context.h>
#include <fs/cred.h>
#include <fs/open.h>
#include <fs/path.h>
#include <lib/errno.h>
#include <lib/parse.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/process.h>
#include <linux/vdso.h>
#include <mm/slab.h>

#include "exec_internal.h"
#include "late_boot.h"
#include "process_internal.h"
#include "start_plan.h"
#include "system.h"

static struct first_program start;

static const char *describe(int error)
{
    switch (error) {
    case -ENOENT:
        return "there is no such file";
    case -EACCES:
        return "it is not executable";
    case -ENOTDIR:
        return "a part of the name is not a directory";
    case -ENOMEM:
        return "there is too little memory; give the guest more with -m";
    case -E2BIG:
        return "arguments and environment are too long";
    case -ELOOP:
        return "too many symbolic links or scripts";
    default:
        return "it cannot be executed";
    }
}

static _Noreturn void give_up(const char *name, int error, const char *reason)
{
    bool missing = error == -ENOENT || error == -ENOTDIR;

    log_error("cannot run %s: %s", name, reason ? reason : describe(error));
    machine_exit_status(missing ? FRAME_STATUS_NOT_FOUND : FRAME_STATUS_CANNOT_EXEC);
}

static int set_directory(const char *cwd)
{
    struct path path;
    int error;

    if (!cwd || strcmp(cwd, "/") == 0)
        return 0; /* where it is */
    error = path_lookup(NULL, cwd, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);
    if (error)
        return error;
    error = fs_chdir(&path);
    path_unref(&path);
    return error;
}

/* The task is root in no other group. */
static int set_user(struct task *task, const struct start_plan *plan)
{
    struct cred *cred;
    int error;

    if (plan->uid == 0 && plan->gid == 0 && plan->group_count == 0)
        return 0;
    cred = cred_copy(task->cred);
    if (!cred)
        return -ENOMEM;
    cred->uid = cred->euid = cred->suid = cred->fsuid = plan->uid;
    cred->gid = cred->egid = cred->sgid = cred->fsgid = plan->gid;
    if (plan->uid != 0)
        cred->cap_effective = cred->cap_permitted = cred->cap_ambient = 0;
    error = cred_set_groups(cred, plan->groups, plan->group_count);
    if (error) {
        cred_unref(cred);
        return error;
    }
    cred_unref(task->cred);
    task->cred = cred;
    return 0;
}

static int collect_all(struct exec_args *args, unsigned *count, const struct start_plan *plan,
                       enum plan_key key)
{
    int error = 0;

    for (unsigned i = 0; !error && i < plan->count; i++) {
        if (plan->entry[i].key == key)
            error = exec_args_add(args, count, plan->entry[i].value);
    }
    return error;
}

static int collect(struct exec_args *args, const struct start_plan *plan, const char *file)
{
    int error;

    exec_args_init(args, process_limit(RLIMIT_STACK));
    error = collect_all(args, &args->argc, plan, PLAN_ARG);
    if (!error && args->argc == 0)
        error = exec_args_add(args, &args->argc, file);
    return error ? error : collect_all(args, &args->envc, plan, PLAN_ENV);
}

/* Tries name in each directory of the program's own PATH. */
static __noinline int run_by_path(struct start_plan *plan, struct exec_request *request,
                                  struct exec_args *args, struct trapframe *frame,
                                  const char **reason)
{
    const char *directories = start_plan_env(plan, "PATH"), *name = request->name;
    int error = -ENOENT;
    char file[512];

    if (!directories)
        directories = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    while (*directories) {
        size_t length = strcspn(directories, ":");

        snprintf(file, sizeof(file), "%.*s/%s", (int)length, directories, name);
        request->name = request->shown = file;
        error = exec_run(request, args, frame, reason);
        if (error != -ENOENT && error != -ENOTDIR)
            break;
        directories += length + (directories[length] == ':');
    }
    return error;
}

static int try_plan(struct start_plan *plan, const char *file, struct trapframe *frame,
                    const char **reason)
{
    struct exec_request request = {.name = file, .shown = file, .lookup = LOOKUP_FOLLOW};
    struct exec_args args;
    int error = collect(&args, plan, file);

    if (!error && strchr(file, '/'))
        error = exec_run(&request, &args, frame, reason);
    else if (!error)
        error = run_by_path(plan, &request, &args, frame, reason);
    exec_args_free(&args);
    return error;
}

/* What cannot be executed may need what is mounted late. */
static void run_plan(struct start_plan *plan, struct trapframe *frame)
{
    const char *file = start_plan_file(plan), *reason = NULL;
    int error = try_plan(plan, file, frame, &reason);

    if (error && !late_boot_is_over()) {
        late_boot_start(start.finish);
        reason = NULL;
        if (late_boot_wait() == 0)
            error = try_plan(plan, file, frame, &reason);
    }
    if (error)
        give_up(file, error, reason);
}

/* For machines without a clock chip the command tells the time. */
static void set_clock(void)
{
    size_t length;
    const char *value = parse_option(fw_boot_arguments(), BOOTARGS_TIME, &length);
    uint64_t seconds;
    const char *end;

    if (value && clock_realtime_ns() < 1000000000 * NS_PER_SECOND &&
        parse_u64(value, 10, &seconds, &end) == 0)
        clock_set_realtime_ns(seconds * NS_PER_SECOND);
}

static struct start_plan *read_plan(void)
{
    struct start_plan *plan = kzalloc(sizeof(*plan));
    int error = plan ? start_plan_read(plan) : -ENOMEM;

    if (error || !start_plan_file(plan)) {
        log_error("the root does not say what to run: no arg= in " MANIFEST_PATH
                  ", no remora.args= and no init= in bootargs");
        machine_exit_status(FRAME_STATUS_NOT_FOUND);
    }
    set_clock();
    if (start_plan_value(plan, PLAN_HOSTNAME))
        system_set_hostname(start_plan_value(plan, PLAN_HOSTNAME));
    return plan;
}

/* Process 1, on its own kernel stack. */
static void first_task(void *arg)
{
    struct task *task = current_task();
    struct start_plan *plan;
    struct trapframe frame;
    const char *cwd;
    int error;

    (void)arg;
    start.prepare();
    plan = read_plan();
    vdso_init();
    cwd = start_plan_value(plan, PLAN_CWD);
    if (start.needs_all() || (cwd && strcmp(cwd, "/") != 0))
        late_boot_run(start.finish);
    error = console_open_streams(task->files);
    if (error)
        log_warn("no console for the program: error %d", -error);
    error = set_user(task, plan);
    if (error)
        log_warn("cannot set the program's user: error %d", -error);
    error = set_directory(cwd);
    if (error)
        log_warn("working directory %s: %s; / is used", cwd, describe(error));
    run_plan(plan, &frame);
    start_plan_free(plan);
    machine_note_program();
    if (!late_boot_is_over())
        late_boot_start(start.finish);
    user_enter(&frame);
}

int process_start_init(const struct first_program *first)
{
    struct process *process = process_create();
    struct fd_table *files = fd_table_create();
    struct task *task;
    int error = process && files ? 0 : -ENOMEM;

    start = *first;
    if (!error)
        error = task_create(process, files, &fs_init_context, &cred_root, first_task, NULL, &task);
    if (!error && process_publish(process, task) < 0)
        error = -EAGAIN;
    if (error)
        return error; /* the caller gives up */
    thread_set_name(&task->thread, "init");
    task_join_process(task);
    thread_start_first(&task->thread);
    return 0;
}
