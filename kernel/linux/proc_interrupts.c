/* SPDX-License-Identifier: MIT */
/* /proc/interrupts in Linux's form: a column a CPU, the controller, its line, the handler's name.
 */
#include "proc.h"

#include <core/irq.h>
#include <core/percpu.h>
#include <file/pseudo.h>

static void show_line(const struct irq_info *info, void *arg)
{
    struct pseudo_text *text = arg;

    pseudo_printf(text, "%3u:", info->irq);
    for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
        pseudo_printf(text, " %10llu", (unsigned long long)info->count[cpu]);
    pseudo_printf(text, "     %s %3u %s %s\n", info->chip, info->hw,
                  info->per_cpu ? "PerCPU" : "Shared", info->name);
}

static int show_interrupts(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    (void)entry;
    pseudo_puts(text, "    ");
    for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
        pseudo_printf(text, "       CPU%-3u", cpu);
    pseudo_puts(text, "\n");
    irq_for_each(show_line, text);
    pseudo_puts(text, "IPI:");
    for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
        pseudo_printf(text, " %10llu", (unsigned long long)cpu_table[cpu]->ipi_count);
    pseudo_printf(text, "     between CPUs\nERR: %10llu\n",
                  (unsigned long long)irq_unexpected_count());
    return 0;
}

void proc_interrupts_init(void)
{
    proc_register("interrupts", show_interrupts, NULL);
}
