/* SPDX-License-Identifier: MIT */
/*
 * CPUs as /proc and /sys tell them, and /sys/devices/system: CPUs, the one node of memory, clocks;
 * with it /sys/kernel/mm. Made when somebody first looks.
 */
#include <core/percpu.h>
#include <lib/cpumask.h>
#include <lib/minmax.h>
#include <lib/printf.h>
#include <mm/memory.h>
#include <mm/page.h>

#include "proc.h"

/* "3" or "f,ffffffff", as wide as there are CPUs. */
void proc_print_cpus(struct pseudo_text *text, const struct cpumask *mask)
{
    unsigned bits = cpu_count();

    for (unsigned word = (bits + 31) / 32; word-- > 0; bits = 32 * word) {
        unsigned wide = bits - 32 * word;
        uint32_t part = 0;

        for (unsigned i = 0; i < wide; i++)
            part |= (uint32_t)cpumask_test(mask, 32 * word + i) << i;
        pseudo_printf(text, "%0*x%c", (int)(wide + 3) / 4, part, word ? ',' : '\n');
    }
}

/* "0-3,5". */
void proc_print_cpu_list(struct pseudo_text *text, const struct cpumask *mask)
{
    const char *before = "";

    for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
        unsigned first = cpu;

        if (!cpumask_test(mask, cpu))
            continue;
        while (cpu + 1 < cpu_count() && cpumask_test(mask, cpu + 1))
            cpu++;
        pseudo_printf(text, "%s%u", before, first);
        if (cpu != first)
            pseudo_printf(text, "-%u", cpu);
        before = ",";
    }
    pseudo_puts(text, "\n");
}

static int list_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct cpumask all = cpumask_first_n(cpu_count());

    (void)entry;
    proc_print_cpu_list(text, &all);
    return 0;
}

static int mask_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct cpumask all = cpumask_first_n(cpu_count());

    (void)entry;
    proc_print_cpus(text, &all);
    return 0;
}

static int number_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    pseudo_printf(text, "%lu\n", (unsigned long)(uintptr_t)entry->data);
    return 0;
}

static int node_memory_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct memory_stats m;
    const struct {
        const char *name;
        const uint64_t *pages;
    } rows[] = {{"MemTotal:", &m.total},
                {"MemFree:", &m.free},
                {"Dirty:", &m.dirty},
                {"FilePages:", &m.cached},
                {"AnonPages:", &m.anonymous},
                {"Shmem:", &m.shared},
                {"PageTables:", &m.page_tables},
                {"Slab:", &m.slab}};

    (void)entry;
    memory_get_stats(&m);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        pseudo_printf(text, "Node 0 %-15s %8llu kB\n", rows[i].name,
                      (unsigned long long)*rows[i].pages * (PAGE_SIZE / 1024));
    return 0;
}

/* --- what is registered --- */

typedef int show_fn(struct pseudo_text *, const struct pseudo_entry *);

static const struct {
    const char *path;
    show_fn *show;
} shown[] = {
    {"devices/system/cpu/online", list_show},
    {"devices/system/cpu/possible", list_show},
    {"devices/system/cpu/present", list_show},
    {"devices/system/node/node0/cpulist", list_show},
    {"devices/system/node/node0/cpumap", mask_show},
    {"devices/system/node/node0/meminfo", node_memory_show},
};

#define CLOCKSOURCE "devices/system/clocksource/clocksource0/"
#define HUGE_PAGES  "kernel/mm/transparent_hugepage/"

static const struct {
    const char *path, *text;
} texts[] = {
    {"devices/system/cpu/offline", "\n"},
    {"devices/system/cpu/kernel_max", "63\n"},
    {"devices/system/node/online", "0\n"},
    {"devices/system/node/possible", "0\n"},
    {"devices/system/node/has_cpu", "0\n"},
    {"devices/system/node/has_memory", "0\n"},
    {"devices/system/node/has_normal_memory", "0\n"},
    {"devices/system/node/node0/distance", "10\n"},
    {CLOCKSOURCE "current_clocksource", "arch_sys_counter\n"},
    {CLOCKSOURCE "available_clocksource", "arch_sys_counter\n"},
    {HUGE_PAGES "enabled", "[always] madvise never\n"},
    {HUGE_PAGES "defrag", "always defer defer+madvise [madvise] never\n"},
    {HUGE_PAGES "shmem_enabled", "always within_size advise [never] deny force\n"},
    {HUGE_PAGES "hpage_pmd_size", "2097152\n"},
};

static const struct {
    const char *name;
    show_fn *show;
    bool is_own; /* its number */
} of_a_cpu[] = {
    {"topology/core_id", number_show, true},
    {"topology/physical_package_id", number_show, false},
    {"topology/thread_siblings_list", number_show, true},
    {"topology/core_siblings_list", list_show, false},
};

static void register_cpu(unsigned cpu)
{
    char path[64];

    snprintf(path, sizeof(path), "devices/system/cpu/cpu%u/online", cpu);
    pseudo_register_text(PSEUDO_SYS, path, "1\n");
    for (unsigned i = 0; i < ARRAY_SIZE(of_a_cpu); i++) {
        snprintf(path, sizeof(path), "devices/system/cpu/cpu%u/%s", cpu, of_a_cpu[i].name);
        sys_register(path, of_a_cpu[i].show, (void *)(uintptr_t)(of_a_cpu[i].is_own ? cpu : 0));
    }
}

void sysfs_cpu_init(void)
{
    for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
        register_cpu(cpu);
    for (unsigned i = 0; i < ARRAY_SIZE(shown); i++)
        sys_register(shown[i].path, shown[i].show, NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(texts); i++)
        pseudo_register_text(PSEUDO_SYS, texts[i].path, texts[i].text);
    pseudo_register_dir(PSEUDO_SYS, "kernel/mm/hugepages");
    pseudo_register_dir(PSEUDO_SYS, "fs/cgroup");
}
