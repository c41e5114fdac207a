/* SPDX-License-Identifier: MIT */
/* The boot order, as calls that a breakpoint can be put on. boot.S calls kernel_main(). */
#include "boot_tree.h"
#include "resolver.h"
#include "root.h"

#include <abi/bootargs.h>
#include <arch/alternative.h>
#include <arch/boot.h>
#include <arch/early.h>
#include <arch/features.h>
#include <arch/irqflags.h>
#include <arch/pagetable.h>
#include <arch/pointer_auth.h>
#include <arch/psci.h>
#include <core/cpu.h>
#include <core/defer.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/thread.h>
#include <core/work.h>
#include <device/console.h>
#include <device/device.h>
#include <device/dt.h>
#include <device/firmware.h>
#include <device/machine.h>
#include <device/netdev.h>
#include <device/rng.h>
#include <fs/mount.h>
#include <lib/compiler.h>
#include <lib/parse.h>
#include <linux/process.h>
#include <mm/memory.h>
#include <net/inet.h>
#include <net/unix.h>
#include <net/vsock.h>

static struct dt_boot boot;

static void panic_end(void)
{
    machine_die();
}

static int start_cpu_psci(uint64_t mpidr, paddr_t entry, void *argument)
{
    (void)argument;
    return psci_cpu_on(mpidr, entry, 0);
}

static void start_other_cpus(void)
{
    struct dt_cpu cpu;

    if (dt_cpu_count() < 2)
        return;
    machine_find_psci();
    for (unsigned i = 0;; i++) {
        int error = dt_cpu(i, &cpu);

        if (error == -ENOENT)
            return;
        if (error != 0)
            continue;
        if (cpu.method == CPU_START_PSCI)
            cpu_bring_up(cpu.mpidr, start_cpu_psci, NULL);
        else
            log_warn("CPU with MPIDR %#lx has no start method that Remora knows: left off",
                     (unsigned long)cpu.mpidr);
    }
}

/* Everything works, calls may sleep. */
static void find_devices(void)
{
    static bool done;

    if (done)
        return;
    done = true;
    if (defer_init() != 0 || work_init_worker() != 0 || console_init() != 0) {
        log_error("No memory for the kernel's threads and the console's buffers");
        machine_exit_status(125);
    }
    for (enum probe_stage stage = PROBE_CONSOLE; stage < PROBE_STAGES; stage++)
        device_probe(stage);
    memory_check_mappings();
    device_log_all();
}

/* What was asked for on the command line is there before the program, and who wants to see the
 * boot sees it in order. */
static bool program_needs_all(void)
{
    static const char *const words[] = {BOOTARGS_ROOT, BOOTARGS_VOLUME, BOOTARGS_CONSOLE};
    size_t length;

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (parse_option(fw_boot_arguments(), words[i], &length) != NULL)
            return true;
    }
    return !console_has_output() || !rng_is_seeded() || log_level() >= LOG_INFO;
}

/* In process 1, before it is a program. */
static void prepare_program(void)
{
    fs_init();
    if (program_needs_all())
        find_devices();
    root_mount(&boot);
}

/* The rest: in process 1, too, if its program needs it to start, else beside it. */
static void finish_boot(void)
{
    find_devices();
    if (fs_mount_system() != 0)
        machine_exit_status(125);
    unix_init();
#ifdef CONFIG_VSOCK
    vsock_init();
#endif
#ifdef CONFIG_INET
    inet_init();
#endif
    volumes_mount();
#ifdef CONFIG_INET
    if (netdev_next(NULL) != NULL) {
        resolver_link();
        inet_wait_ready();
    }
#endif
}

static const struct first_program first_program = {
    .prepare = prepare_program,
    .needs_all = program_needs_all,
    .finish = finish_boot,
};

/* The second half of boot, with memory: on a stack with a guard page. */
static void start_machine(void)
{
    rng_init(boot.seed, boot.seed_size);
    thread_new_canary(current());

    device_match_all();
    device_probe(PROBE_IRQCHIP);
    device_probe(PROBE_TIMER);
    device_probe(PROBE_CLOCK);
    irq_enable();

    start_other_cpus();
    alternatives_apply();
    if (cpu_has(CAP_BTI))
        image_guard_text();
    features_cpu_enable();
    pac_new_kernel_key(&current()->context);
    pac_cpu_start(&current()->context);
    cpu_release_all();
    if (process_start_init(&first_program) != 0)
        panic("no memory for the first process");
    idle_loop();
}

_Noreturn void kernel_main(void);
_Noreturn void kernel_main(void)
{
    int error;

    machine_note_start();
    cpu_init_boot();
    boot_tree_find();
    dt_boot_info(&boot);
    console_configure(boot.bootargs);
    boot_tree_console(&boot);
    panic_set_handlers(console_panic_mode, panic_end);
    machine_log_banner();

    error = boot_tree_memory(&boot);
    if (error != 0)
        panic("too little memory to start in, or none described (%d)", error);
    pt_cpu_init();
    boot_tree_keep();
    cpu_leave_boot_stack(start_machine);
}
