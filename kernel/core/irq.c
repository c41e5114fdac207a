/* SPDX-License-Identifier: MIT */
/*
 * Interrupt lines and their handlers. Lines get a structure when they are first requested; it
 * stays. Dispatch takes no lock: it reads a list of handlers to which irq_request() only ever adds
 * complete ones, and from which irq_free() unlinks first and frees after every CPU has passed a
 * quiescent state.
 */
#include <arch/atomic.h>
#include <arch/barrier.h>
#include <arch/irqflags.h>
#include <arch/trap.h>
#include <core/defer.h>
#include <core/irq.h>
#include <core/irqchip.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/percpu.h>
#include <core/thread.h>
#include <lib/errno.h>
#include <mm/slab.h>

struct irq_action {
    irq_handler_fn *handler;
    void *arg;
    const char *name;
    struct irq_action *next;
    struct deferred deferred;
};

struct irq_line {
    struct irq_action *actions; /* read without lock by dispatch */
    uint64_t count[MAX_CPUS];   /* each written by its CPU alone */
};

/* Taken by calls: whoever needs it sets something up. */
static struct spinlock irq_lock = SPINLOCK_INIT(RANK_IRQ);
static struct list_node chips = LIST_INIT(chips);
static struct irqchip *root_chip;
static unsigned next_irq;
static atomic64_t unexpected = ATOMIC_INIT(0);

int irqchip_register(struct irqchip *chip)
{
    chip->line = kzalloc(chip->line_count * sizeof(*chip->line));
    if (chip->line == NULL)
        return -ENOMEM;
    chip->first_irq = next_irq;
    next_irq += chip->line_count;
    chip->list.next = &chips;
    smp_wmb(); /* all of the chip before it is in the list, which find_chip() reads without a lock
                */
    list_add_tail(&chips, &chip->list);
    if (root_chip == NULL) {
        root_chip = chip;
        irq_cpu_init();
    }
    return 0;
}

struct irqchip *irqchip_root(void)
{
    return root_chip;
}

void irq_cpu_init(void)
{
    if (root_chip != NULL && root_chip->ops->cpu_init != NULL)
        root_chip->ops->cpu_init(root_chip);
}

static struct irqchip *find_chip(unsigned irq, unsigned *hw)
{
    struct irqchip *chip;

    list_for_each_entry (chip, &chips, list) {
        if (irq - chip->first_irq < chip->line_count) {
            *hw = irq - chip->first_irq;
            return chip;
        }
    }
    return NULL;
}

static bool is_per_cpu(const struct irqchip *chip, unsigned hw)
{
    return hw < chip->per_cpu_count;
}

__cold int irq_request(unsigned irq, irq_handler_fn *handler, void *arg, const char *name)
{
    unsigned hw;
    struct irqchip *chip = find_chip(irq, &hw);
    struct irq_action *action;
    struct irq_line *line, *fresh;
    reg_t flags;

    if (chip == NULL)
        return -EINVAL;
    action = kzalloc(sizeof(*action));
    fresh = kzalloc(sizeof(*fresh));
    if (action == NULL || fresh == NULL) {
        kfree(action);
        kfree(fresh);
        return -ENOMEM;
    }
    *action = (struct irq_action){.handler = handler, .arg = arg, .name = name};
    flags = spin_lock_irq_call(&irq_lock);
    line = chip->line[hw];
    if (line == NULL) {
        line = fresh;
        fresh = NULL;
        smp_store_release(&chip->line[hw], line); /* pairs with the load in irq_dispatch */
    }
    action->next = line->actions;
    smp_store_release(&line->actions, action); /* pairs with the load in irq_dispatch */
    if (is_per_cpu(chip, hw) || action->next == NULL)
        chip->ops->unmask(chip, hw);
    spin_unlock_irq_call(&irq_lock, flags);
    kfree(fresh);
    return 0;
}

static void free_action(struct deferred *deferred)
{
    kfree(container_of(deferred, struct irq_action, deferred));
}

__cold void irq_free(unsigned irq, void *arg)
{
    unsigned hw;
    struct irqchip *chip = find_chip(irq, &hw);
    struct irq_line *line = chip != NULL ? chip->line[hw] : NULL;
    struct irq_action **link, *action = NULL;
    reg_t flags;

    if (line == NULL)
        return;
    flags = spin_lock_irq_call(&irq_lock);
    for (link = &line->actions; *link != NULL; link = &(*link)->next) {
        if ((*link)->arg == arg) {
            action = *link;
            WRITE_ONCE(*link, action->next);
            break;
        }
    }
    if (line->actions == NULL)
        chip->ops->mask(chip, hw);
    spin_unlock_irq_call(&irq_lock, flags);
    if (action != NULL) {
        defer_free(&action->deferred, free_action);
        defer_wait(); /* no handler that began before runs on */
    }
}

void irq_enable_line(unsigned irq)
{
    unsigned hw;
    struct irqchip *chip = find_chip(irq, &hw);
    reg_t flags;

    if (chip == NULL || !is_per_cpu(chip, hw))
        return;
    flags = spin_lock_irq_call(&irq_lock);
    chip->ops->unmask(chip, hw);
    spin_unlock_irq_call(&irq_lock, flags);
}

int irq_set_trigger(unsigned irq, enum irq_trigger trigger)
{
    unsigned hw;
    struct irqchip *chip = find_chip(irq, &hw);
    reg_t flags;
    int error;

    if (chip == NULL)
        return -EINVAL;
    if (chip->ops->set_trigger == NULL)
        return 0;
    flags = spin_lock_irq_call(&irq_lock);
    error = chip->ops->set_trigger(chip, hw, trigger);
    spin_unlock_irq_call(&irq_lock, flags);
    return error;
}

__cold int irq_set_affinity(unsigned irq, const struct cpumask *mask)
{
    struct cpumask online = cpumask_and(mask, &cpu_online_mask);
    unsigned hw, cpu = cpumask_first(&online);
    struct irqchip *chip = find_chip(irq, &hw);
    reg_t flags;
    int error;

    if (chip == NULL || is_per_cpu(chip, hw) || cpu >= MAX_CPUS || !chip->ops->set_affinity)
        return -EINVAL;
    flags = spin_lock_irq_call(&irq_lock);
    error = chip->ops->set_affinity(chip, hw, cpu);
    spin_unlock_irq_call(&irq_lock, flags);
    return error;
}

unsigned irq_next_cpu(void)
{
    static unsigned last = MAX_CPUS - 1; /* a race gives two lines one CPU */
    unsigned cpu = cpumask_next(&cpu_online_mask, last + 1);

    last = cpu < MAX_CPUS ? cpu : cpumask_first(&cpu_online_mask);
    return last;
}

/* A line that nobody asked for is masked: a level would come for ever. */
static __noinline __cold void dispatch_unexpected(struct irqchip *chip, unsigned hw)
{
    atomic64_inc(&unexpected);
    if (hw >= chip->line_count)
        return;
    chip->ops->mask(chip, hw);
    log_warn("Interrupt %u of %s has no handler; masked", hw, chip->name);
}

void irq_dispatch(struct irqchip *chip, unsigned hw)
{
    struct irq_line *line;
    struct irq_action *action;

    if (unlikely(hw >= chip->line_count)) {
        dispatch_unexpected(chip, hw);
        return;
    }
    line = smp_load_acquire(&chip->line[hw]);
    action = line != NULL ? smp_load_acquire(&line->actions) : NULL;
    if (unlikely(action == NULL)) {
        dispatch_unexpected(chip, hw);
        return;
    }
    line->count[this_cpu()->id]++;
    do {
        action->handler(action->arg);
        action = READ_ONCE(action->next);
    } while (action != NULL);
}

void irq_count_spurious(void)
{
    atomic64_inc(&unexpected);
}

uint64_t irq_unexpected_count(void)
{
    return (uint64_t)atomic64_read(&unexpected);
}

__cold void irq_for_each(void (*fn)(const struct irq_info *info, void *arg), void *arg)
{
    struct irqchip *chip;

    list_for_each_entry (chip, &chips, list) {
        for (unsigned hw = 0; hw < chip->line_count; hw++) {
            const struct irq_line *line = READ_ONCE(chip->line[hw]);
            const struct irq_action *action;

            defer_read_begin(); /* the action may be freed meanwhile */
            action = line != NULL ? READ_ONCE(line->actions) : NULL;
            if (action != NULL) {
                struct irq_info info = {
                    .irq = chip->first_irq + hw,
                    .hw = hw,
                    .chip = chip->name,
                    .name = action->name,
                    .per_cpu = is_per_cpu(chip, hw),
                    .count = line->count,
                };
                defer_read_end();
                fn(&info, arg);
                continue;
            }
            defer_read_end();
        }
    }
}

void trap_irq(struct trapframe *frame)
{
    struct thread *thread = current();
    struct cpu *cpu = thread->cpu;

    cpu->interrupt_count++;
    cpu->interrupt_depth++;
    if (likely(root_chip != NULL))
        root_chip->ops->handle(root_chip);
    cpu->interrupt_depth--;
    if (!trapframe_user(frame) && thread->preempt_count == 0 &&
        thread_has_work(thread, WORK_RESCHEDULE))
        preempt_check();
}
