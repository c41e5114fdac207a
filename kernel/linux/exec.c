/* SPDX-License-Identifier: MIT
 *
 * execve(2): the running process gets another program. Everything that can fail is done on a new
 * address space first; then the other threads end, and the process changes over.
 */
#include <arch/alternative.h>
#include <arch/features.h>
#include <arch/fpu.h>
#include <arch/irqflags.h>
#include <arch/pointer_auth.h>
#include <arch/sve.h>
#include <arch/sysreg.h>
#include <arch/trap.h>
#include <arch/uaccess.h>
#include <core/thread.h>
#include <device/rng.h>
#include <file/fdtable.h>
#include <fs/context.h>
#include <fs/open.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <linux/vdso.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/vmspace.h>

#include "exec_internal.h"
#include "files.h"
#include "process_internal.h"

#define SCRIPT_LINE  256
#define SCRIPT_DEPTH 4

/* Random amounts, in bytes: as many bits as fit without crowding the 48-bit space. */
#define STACK_SPREAD (1ull << 34)
#define MMAP_SPREAD  (1ull << 40)
#define PIE_SPREAD   (1ull << 40)
#define BRK_SPREAD   (1ull << 30)
#define PIE_BASE     0xaaaaaaaaa000ull
#define STACK_GAP    (1ull << 20)

uint64_t exec_random(uint64_t limit)
{
    uint64_t value;

    rng_bytes(&value, sizeof(value));
    return align_down(value & (limit - 1), PAGE_SIZE);
}

/* One exec in the making. */
struct exec {
    struct exec_args *args;
    const struct path *at; /* for the first file only */
    const char *name;      /* of that file */
    const char *shown;     /* AT_EXECFN, and what a script is called by its interpreter */
    char *interp_name;     /* of the script, allocated */
    unsigned lookup;
    struct exec_file program, interp;
    uint8_t head[EXEC_HEAD]; /* of the file that is being opened */
    struct vmspace *vs;
    struct exec_start start;
    vaddr_t stack_top;
    const char *reason;
};

/* "#! interpreter [one argument]" in the first line. Points into `line`, which it changes. */
static int parse_script(char *line, char **interp, char **argument)
{
    char *end = strchr(line, '\n'), *p = line + 2;

    if (end)
        *end = 0;
    end = line + strlen(line);
    while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = 0;
    p += strspn(p, " \t");
    if (!*p)
        return -ENOEXEC;
    *interp = p;
    p += strcspn(p, " \t");
    *argument = NULL;
    if (*p) {
        *p++ = 0;
        *argument = p + strspn(p, " \t");
    }
    return 0;
}

/* Replaces the script by its interpreter. */
static int follow_script(struct exec *e)
{
    char line[SCRIPT_LINE + 1], *interp, *argument;
    size_t bytes = min(e->program.head_bytes, (size_t)SCRIPT_LINE);
    int error;

    memcpy(line, e->head, bytes);
    line[bytes] = 0;
    error = parse_script(line, &interp, &argument);
    if (!error)
        error = exec_args_script(e->args, interp, argument, e->shown);
    exec_file_close(&e->program);
    if (error)
        return error;
    interp = kstrdup(interp);
    if (!interp)
        return -ENOMEM;
    kfree(e->interp_name);
    e->name = e->shown = e->interp_name = interp;
    e->at = NULL;
    e->lookup = LOOKUP_FOLLOW;
    return 0;
}

static int open_program(struct exec *e)
{
    for (unsigned depth = 0; depth <= SCRIPT_DEPTH; depth++) {
        int error = exec_file_open(&e->program, e->head, e->at, e->name, e->lookup, &e->reason);

        if (error)
            return error;
        if (e->program.head_bytes < 2 || memcmp(e->head, "#!", 2) != 0)
            return exec_file_parse(&e->program, e->head, &e->reason);
        error = follow_script(e);
        if (error)
            return error;
    }
    return -ELOOP;
}

static int open_interp(struct exec *e)
{
    const struct elf_image *image = &e->program.image;
    char *name;
    ssize_t got;
    int error;

    if (!image->interp_bytes)
        return 0;
    name = kzalloc(image->interp_bytes + 1);
    if (!name)
        return -ENOMEM;
    got = exec_file_read(&e->program, name, image->interp_bytes, image->interp_offset);
    if (got != (ssize_t)image->interp_bytes)
        error = got < 0 ? (int)got : -ENOEXEC;
    else
        error = exec_file_open(&e->interp, e->head, NULL, name, LOOKUP_FOLLOW, &e->reason);
    if (error == -ENOENT)
        e->reason = "the interpreter that it names is missing";
    if (!error)
        error = exec_file_parse(&e->interp, e->head, &e->reason);
    kfree(name);
    return error == -ENOEXEC ? -ELIBBAD : error;
}

static void set_vm_limits(struct vmspace *vs, const struct process *process)
{
    vs->limit_as = process->limits[RLIMIT_AS].soft;
    vs->limit_data = process->limits[RLIMIT_DATA].soft;
    vs->limit_stack = process->limits[RLIMIT_STACK].soft;
    vs->limit_memlock = process->limits[RLIMIT_MEMLOCK].soft;
}

/* Where things go: stack at the top, below its limit and a gap the mappings, top-down. */
static void choose_places(struct exec *e)
{
    uint64_t stack = clamp(e->vs->limit_stack, (uint64_t)128 << 20, (uint64_t)1 << 40);

    e->stack_top = USER_TOP - PAGE_SIZE - exec_random(STACK_SPREAD);
    e->vs->mmap_top =
        align_down(e->stack_top - stack - STACK_GAP - exec_random(MMAP_SPREAD), PAGE_SIZE);
}

static void note_layout(struct exec *e)
{
    struct exec_layout *layout = &e->start.layout;
    const struct elf_image *image = &e->program.image;

    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];
        vaddr_t start = s->addr + e->program.bias;

        if ((s->prot & VM_EXEC) && !layout->code_end) {
            layout->code_start = start;
            layout->code_end = start + s->file_bytes;
        }
        if (s->prot & VM_WRITE) {
            if (!layout->data_start)
                layout->data_start = start;
            layout->data_end = start + s->file_bytes;
        }
    }
    layout->entry = image->entry + e->program.bias;
}

static int map_everything(struct exec *e)
{
    vaddr_t base, brk;
    int error;

    e->vs = vmspace_create();
    if (!e->vs)
        return -ENOMEM;
    set_vm_limits(e->vs, current_process());
    choose_places(e);
    base = PIE_BASE + exec_random(PIE_SPREAD);
    error = exec_file_guard(e->interp.file ? &e->interp : &e->program);
    if (!error)
        error = vdso_map(e->vs, &e->start.layout.vdso);
    if (!error)
        error = exec_file_map(&e->program, e->vs, base, &e->reason);
    if (!error && e->interp.file)
        error = exec_file_map(&e->interp, e->vs, 0, &e->reason);
    if (error)
        return error;
    brk = align_up(e->program.image.end + e->program.bias, PAGE_SIZE) + exec_random(BRK_SPREAD);
    vm_set_brk(e->vs, brk);
    e->start.layout.brk_start = brk;
    note_layout(e);
    e->start.pc = e->interp.file ? e->interp.image.entry + e->interp.bias : e->start.layout.entry;
    return exec_stack_build(e->vs, e->args, e->shown, &e->program,
                            e->interp.file ? e->interp.bias : 0, e->stack_top, &e->start);
}

static const char *last_component(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash ? slash + 1 : name;
}

static void switch_vmspace(struct process *process, struct vmspace *vs)
{
    struct vmspace *old = process->vmspace;
    reg_t flags = spin_lock_irq(&process->lock);

    process->vmspace = vs;
    current()->vmspace = vs;
    vmspace_activate(vs);
    spin_unlock_irq(&process->lock, flags);
    if (old)
        vmspace_unref(old);
}

static void new_keys(void)
{
    struct pac_keys keys;

    if (!cpu_has(CAP_PAUTH))
        return;
    rng_bytes(&keys, sizeof(keys));
    pac_set_keys(PAC_ALL, &keys);
    pac_set_enabled(PAC_ADDRESSES);
}

/* The old program's threads and, where others have them too, its files: what may fail. */
static int end_sharing(struct task *task)
{
    int error = process_kill_others();

    return error ? error : task_own_files(task);
}

/* What a program does not hand on to the next. */
static void end_program(struct task *task)
{
    futex_exec(task);
    task->thread.user_tags = false;
    task->clear_child_tid = 0;
    timers_exec(task->process);
    signal_exec(task);
    fd_close_on_exec(task->files);
    fpu_user_reset();
    task->process->dumpable = true;
    task->process->private_barriers = task->process->core_barriers = false;
}

/* From here nothing fails. */
static void commit(struct exec *e, struct trapframe *frame)
{
    struct task *task = current_task();
    struct process *process = task->process;
    struct file *old = process->executable;

    if (old)
        end_program(task);
    switch_vmspace(process, e->vs);
    e->vs = NULL;
    process->layout = e->start.layout;
    process->executable = e->program.file;
    e->program.file = NULL;
    if (old)
        fs_close_exec(old);
    thread_set_name(&task->thread, last_component(e->shown));
    sve_length_exec();
    new_keys();
    sysreg_write(tpidr_el0, 0);
    sysreg_write(tpidrro_el0, 0);
    memset(frame, 0, sizeof(*frame));
    frame->pc = e->start.pc;
    frame->sp = e->start.sp;
    frame->syscall = NO_SYSCALL;
}

static int run(struct exec *e, struct trapframe *frame)
{
    struct task *task = current_task();
    int error = open_program(e);

    if (!error)
        error = open_interp(e);
    if (!error)
        error = map_everything(e);
    if (!error && task->process->executable) /* the first program finds nothing to end */
        error = end_sharing(task);
    if (!error)
        commit(e, frame);
    if (e->vs)
        vmspace_unref(e->vs);
    exec_file_close(&e->program);
    exec_file_close(&e->interp);
    return error;
}

int exec_run(const struct exec_request *request, struct exec_args *args, struct trapframe *frame,
             const char **reason)
{
    struct exec *e = kzalloc(sizeof(*e));
    int error;

    if (!e)
        return -ENOMEM;
    e->args = args;
    e->at = request->at;
    e->name = request->name;
    e->shown = request->shown;
    e->lookup = request->lookup;
    error = run(e, frame);
    if (reason)
        *reason = e->reason;
    kfree(e->interp_name);
    kfree(e);
    return error;
}

static long do_execve(const struct exec_request *request, vaddr_t argv, vaddr_t envp,
                      struct trapframe *frame)
{
    struct exec_args args;
    int error;

    exec_args_init(&args, process_limit(RLIMIT_STACK));
    error = exec_args_copy(&args, argv, envp);
    if (!error)
        error = exec_run(request, &args, frame, NULL);
    exec_args_free(&args);
    return error;
}

long sys_execve(const reg_t arg[6])
{
    struct trapframe *frame = (struct trapframe *)(vaddr_t)arg;
    struct exec_request request = {.lookup = LOOKUP_FOLLOW};
    char *name;
    int error = name_from_user(arg[0], &name);
    long result;

    if (error)
        return error;
    request.name = request.shown = name;
    result = do_execve(&request, arg[1], arg[2], frame);
    kfree(name);
    return result;
}

/* A name relative to a descriptor is shown to the program as /dev/fd/N/name. */
static char *show_name(int fd, const char *name)
{
    size_t size = strlen(name) + 32;
    char *shown;

    if (fd == AT_FDCWD || name[0] == '/')
        return kstrdup(name);
    shown = kmalloc(size);
    if (shown)
        snprintf(shown, size, name[0] ? "/dev/fd/%d/%s" : "/dev/fd/%d", fd, name);
    return shown;
}

long sys_execveat(const reg_t arg[6])
{
    struct trapframe *frame = (struct trapframe *)(vaddr_t)arg;
    unsigned flags = (unsigned)arg[4];
    struct exec_request request;
    struct at_name at;
    char *shown;
    long result;

    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -EINVAL;
    result = at_name_get(&at, (int)arg[0], arg[1], (flags & AT_EMPTY_PATH) != 0);
    if (result)
        return result;
    shown = show_name((int)arg[0], at.name);
    request = (struct exec_request){
        .at = at.base,
        .name = at.name,
        .shown = shown,
        .lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
                  (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0),
    };
    result = shown ? do_execve(&request, arg[2], arg[3], frame) : -ENOMEM;
    kfree(shown);
    at_name_put(&at);
    return result;
}
