/* SPDX-License-Identifier: MIT
 *
 * /proc files about the system as a whole: memory, CPUs, times, version, command line.
 */
#include <arch/features.h>
#include <arch/sysreg.h>
#include <core/clock.h>
#include <core/percpu.h>
#include <core/sched.h>
#include <device/firmware.h>
#include <device/machine.h>
#include <lib/errno.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/process.h>
#include <mm/memory.h>
#include <mm/page.h>
#include <mm/slab.h>

#include "proc.h"
#include "system.h"
#include "time_internal.h"

static void line(struct pseudo_text *text, const char *name, uint64_t pages)
{
    pseudo_printf(text, "%-15s %8llu kB\n", name, (unsigned long long)pages * (PAGE_SIZE / 1024));
}

/* What is 0 everywhere has no field. */
#define FIELD(name) (offsetof(struct memory_stats, name) / sizeof(uint64_t) + 1)

static const struct {
    char name[15];
    uint8_t field;
} meminfo[] = {
    {"MemTotal:", FIELD(total)},
    {"MemFree:", FIELD(free)},
    {"MemAvailable:", FIELD(available)},
    {"Buffers:", 0},
    {"Cached:", FIELD(cached)},
    {"SwapCached:", 0},
    {"Active:", FIELD(anonymous)},
    {"Inactive:", FIELD(cached)},
    {"SwapTotal:", 0},
    {"SwapFree:", 0},
    {"Dirty:", FIELD(dirty)},
    {"Writeback:", 0},
    {"AnonPages:", FIELD(anonymous)},
    {"Mapped:", FIELD(mapped)},
    {"Shmem:", FIELD(shared)},
    {"KReclaimable:", 0},
    {"Slab:", FIELD(slab)},
    {"SReclaimable:", 0},
    {"SUnreclaim:", FIELD(slab)},
    {"KernelStack:", FIELD(kernel_stacks)},
    {"PageTables:", FIELD(page_tables)},
};

static int meminfo_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct memory_stats m;
    const uint64_t *fields = (const uint64_t *)&m;

    (void)entry;
    memory_get_stats(&m);
    for (unsigned i = 0; i < ARRAY_SIZE(meminfo); i++)
        line(text, meminfo[i].name, meminfo[i].field ? fields[meminfo[i].field - 1] : 0);
    line(text, "CommitLimit:", m.total / 2);
    line(text, "Committed_AS:", m.anonymous + m.shared);
    pseudo_puts(text, "HugePages_Total:       0\nHugePages_Free:        0\n"
                      "HugePages_Rsvd:        0\nHugePages_Surp:        0\n"
                      "Hugepagesize:       2048 kB\nHugetlb:               0 kB\n");
    return 0;
}

/* The names that Linux gives to the bits of AT_HWCAP and AT_HWCAP2. */
static const char hwcap_names[][12] = {
    "fp",      "asimd", "evtstrm", "aes",   "pmull",    "sha1",   "sha2", "crc32",
    "atomics", "fphp",  "asimdhp", "cpuid", "asimdrdm", "jscvt",  "fcma", "lrcpc",
    "dcpop",   "sha3",  "sm3",     "sm4",   "asimddp",  "sha512", "sve",  "asimdfhm",
    "dit",     "uscat", "ilrcpc",  "flagm", "ssbs",     "sb",     "paca", "pacg",
};
static const char hwcap2_names[][12] = {
    "dcpodp",    "sve2",      "sveaes",  "svepmull",  "svebitperm", "svesha3",  "svesm4",
    "flagm2",    "frint",     "svei8mm", "svef32mm",  "svef64mm",   "svebf16",  "i8mm",
    "bf16",      "dgh",       "rng",     "bti",       "mte",        "ecv",      "afp",
    "rpres",     "mte3",      "sme",     "smei16i64", "smef64f64",  "smei8i32", "smef16f32",
    "smeb16f32", "smef32f32", "smefa64", "wfxt",      "ebf16",      "sveebf16",
};

static void print_features(struct pseudo_text *text)
{
    uint64_t hwcap = features_hwcap(), hwcap2 = features_hwcap2();

    pseudo_puts(text, "Features\t:");
    for (unsigned i = 0; i < ARRAY_SIZE(hwcap_names); i++) {
        if (hwcap >> i & 1)
            pseudo_printf(text, " %s", hwcap_names[i]);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(hwcap2_names); i++) {
        if (hwcap2 >> i & 1)
            pseudo_printf(text, " %s", hwcap2_names[i]);
    }
    pseudo_puts(text, "\n");
}

static int cpuinfo_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    uint32_t midr = (uint32_t)sysreg_read(midr_el1);
    uint64_t hz = clock_frequency_hz();

    (void)entry;
    for (unsigned i = 0; i < cpu_count(); i++) {
        pseudo_printf(text, "processor\t: %u\nBogoMIPS\t: %llu.%02llu\n", i,
                      (unsigned long long)(hz * 2 / 1000000),
                      (unsigned long long)(hz * 2 / 10000 % 100));
        print_features(text);
        pseudo_printf(text,
                      "CPU implementer\t: 0x%02x\nCPU architecture: 8\nCPU variant\t: 0x%x\n"
                      "CPU part\t: 0x%03x\nCPU revision\t: %u\n\n",
                      midr >> 24, midr >> 20 & 15, midr >> 4 & 0xfff, midr & 15);
    }
    return 0;
}

static void print_cache(const struct slab_cache *cache, void *arg)
{
    unsigned objects = cache->slabs * cache->per_slab;
    const char *name = cache->name;

    if (strncmp(name, "struct ", 7) == 0)
        name += 7;
    pseudo_printf(arg, "%-17s %6llu %6u %6u %4u %4u : tunables %4u %4u 0 : slabdata %6u %6u 0\n",
                  name, (unsigned long long)cache->used, objects, cache->size, cache->per_slab,
                  1u << cache->order, cache->stock_max, cache->batch,
                  cache->slabs - cache->empty_slabs, cache->slabs);
}

/* slabinfo(5). What lies in the stocks of CPUs counts as used. */
static int slabinfo_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    (void)entry;
    pseudo_puts(text,
                "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> "
                "<objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : "
                "slabdata <active_slabs> <num_slabs> <sharedavail>\n");
    slab_for_each_cache(print_cache, text);
    return 0;
}

struct cpu_sums {
    uint64_t user_ns, system_ns, idle_ns;
};

static int add_times(struct process *process, void *arg)
{
    struct cpu_sums *sums = arg;
    uint64_t user, kernel;

    process_times(process, &user, &kernel);
    sums->user_ns += user;
    sums->system_ns += kernel;
    return 0;
}

static void print_cpu(struct pseudo_text *text, const char *name, uint64_t user, uint64_t system,
                      uint64_t idle)
{
    pseudo_printf(
        text, "%s %llu 0 %llu %llu 0 0 0 0 0 0\n", name, (unsigned long long)time_to_ticks(user),
        (unsigned long long)time_to_ticks(system), (unsigned long long)time_to_ticks(idle));
}

static void print_cpus(struct pseudo_text *text)
{
    struct cpu_sums sums = {0};
    uint64_t now = clock_monotonic_ns();
    unsigned count = cpu_count();
    struct cpu *cpu;
    char name[12];

    process_for_each(add_times, &sums);
    for_each_cpu (cpu)
        sums.idle_ns += cpu->idle_ns;
    print_cpu(text, "cpu ", sums.user_ns, sums.system_ns, sums.idle_ns);
    /* How the programs' time was spread over CPUs is not kept: each gets its busy time's share. */
    for_each_cpu (cpu) {
        uint64_t busy = now > cpu->idle_ns ? now - cpu->idle_ns : 0;
        uint64_t total = sums.user_ns + sums.system_ns;
        uint64_t user = total ? busy / 1000 * (sums.user_ns / 1000) / (total / 1000 + 1) * 1000 : 0;

        snprintf(name, sizeof(name), "cpu%u", cpu->id);
        print_cpu(text, name, count == 1 ? sums.user_ns : user,
                  count == 1 ? sums.system_ns : busy - user, cpu->idle_ns);
    }
}

static int stat_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    uint64_t interrupts = 0;
    struct cpu *cpu;

    (void)entry;
    print_cpus(text);
    for_each_cpu (cpu)
        interrupts += cpu->interrupt_count;
    pseudo_printf(
        text, "intr %llu\nctxt %llu\nbtime %llu\nprocesses 1\n", (unsigned long long)interrupts,
        (unsigned long long)sched_switch_count(),
        (unsigned long long)((clock_realtime_ns() - clock_monotonic_ns()) / NS_PER_SECOND));
    pseudo_printf(text, "procs_running %u\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
                  sched_runnable_count());
    return 0;
}

static void print_centiseconds(struct pseudo_text *text, uint64_t ns)
{
    pseudo_printf(text, "%llu.%02llu", (unsigned long long)(ns / NS_PER_SECOND),
                  (unsigned long long)(ns / 10000000 % 100));
}

static int uptime_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    uint64_t idle = 0;
    struct cpu *cpu;

    (void)entry;
    for_each_cpu (cpu)
        idle += cpu->idle_ns;
    print_centiseconds(text, clock_monotonic_ns());
    pseudo_puts(text, " ");
    print_centiseconds(text, idle);
    pseudo_puts(text, "\n");
    return 0;
}

static int count_tasks(struct process *process, void *arg)
{
    *(unsigned *)arg += process->task_count;
    return 0;
}

static int loadavg_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    uint64_t load[3];
    unsigned tasks = 0;

    (void)entry;
    sched_load_average(load);
    process_for_each(count_tasks, &tasks);
    for (unsigned i = 0; i < 3; i++)
        pseudo_printf(text, "%llu.%02llu ", (unsigned long long)(load[i] >> 16),
                      (unsigned long long)((load[i] & 0xffff) * 100 >> 16));
    pseudo_printf(text, "%u/%u %d\n", sched_runnable_count(), tasks, current_task()->tid);
    return 0;
}

static int version_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    (void)entry;
    pseudo_puts(text,
                "Linux version " SYSTEM_RELEASE " (remora) (compatible) " SYSTEM_VERSION "\n");
    return 0;
}

/* Without the words that are between the command and the kernel, of which one is a secret. */
static int cmdline_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    const char *p = fw_boot_arguments();
    bool first = true;

    (void)entry;
    while (*p) {
        size_t length;

        p += strspn(p, " ");
        length = strcspn(p, " ");
        if (length && strncmp(p, "remora.", 7) != 0) {
            pseudo_puts(text, first ? "" : " ");
            pseudo_write(text, p, length);
            first = false;
        }
        p += length;
    }
    pseudo_puts(text, "\n");
    return 0;
}

/* Remora's own: what booting took. */
static int remora_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    const struct machine_boot *boot = machine_boot();

    (void)entry;
    pseudo_printf(text, "boot_ns: %llu\n", (unsigned long long)boot->time_ns);
    if (boot->instructions)
        pseudo_printf(text, "boot_instructions: %llu\n", (unsigned long long)boot->instructions);
    return 0;
}

void proc_system_init(void)
{
    proc_register("meminfo", meminfo_show, NULL);
    proc_register("slabinfo", slabinfo_show, NULL);
    proc_register("cpuinfo", cpuinfo_show, NULL);
    proc_register("stat", stat_show, NULL);
    proc_interrupts_init();
    proc_register("uptime", uptime_show, NULL);
    proc_register("loadavg", loadavg_show, NULL);
    proc_register("version", version_show, NULL);
    proc_register("cmdline", cmdline_show, NULL);
    proc_register("remora", remora_show, NULL);
    pseudo_register_text(PSEUDO_PROC, "cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
    pseudo_register_text(PSEUDO_PROC, "swaps",
                         "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    pseudo_register_text(PSEUDO_PROC, "modules", "");
}
