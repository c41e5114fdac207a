/* SPDX-License-Identifier: MIT */
/* The order of runnable threads; run_queue.h tells it. */
#include "run_queue.h"

#include <core/clock.h>
#include <lib/minmax.h>

/* Weight by nice level: each level is a quarter more or less; 1024 is nice 0. */
static const uint32_t weight_by_nice[40] = {
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
    3906,  3121,  2501,  1991,  1586,  1277,  1024,  820,   655,   526,   423,  335,  272,  215,
    172,   137,   110,   87,    70,    56,    45,    36,    29,    23,    18,   15,
};

#define WEIGHT_IDLE 3

void queue_init(struct run_queue *queue, struct cpu *cpu)
{
    queue->cpu = cpu;
    spin_init(&queue->lock, RANK_RUNQUEUE);
    for (unsigned i = 0; i <= SCHED_RT_PRIORITY_MAX; i++)
        list_init(&queue->rt[i]);
}

uint64_t queue_request_weighted(const struct thread *thread)
{
    uint32_t weight =
        thread->sched.policy == SCHED_IDLE ? WEIGHT_IDLE : weight_by_nice[thread->sched.nice + 20];

    return SLICE_NS * 1024 / weight;
}

static void rt_insert(struct run_queue *queue, struct thread *thread, bool at_head)
{
    unsigned priority = thread->sched.priority;

    if (at_head)
        list_add(&queue->rt[priority], &thread->sched.rt_node);
    else
        list_add_tail(&queue->rt[priority], &thread->sched.rt_node);
    queue->rt_map[priority / 64] |= 1UL << (priority % 64);
}

static void rt_remove(struct run_queue *queue, struct thread *thread)
{
    unsigned priority = thread->sched.priority;

    list_del(&thread->sched.rt_node);
    if (list_empty(&queue->rt[priority]))
        queue->rt_map[priority / 64] &= ~(1UL << (priority % 64));
}

void queue_insert(struct run_queue *queue, struct thread *thread, bool at_head)
{
    if (sched_is_realtime(thread)) {
        rt_insert(queue, thread, at_head);
        return;
    }
    struct rb_node **link = &queue->fair.node, *parent = NULL;
    bool first = true;

    while (*link != NULL) {
        parent = *link;
        if (thread->sched.deadline < rb_entry(parent, struct thread, sched.node)->sched.deadline) {
            link = &parent->left;
        } else {
            link = &parent->right;
            first = false;
        }
    }
    rb_insert(&queue->fair, &thread->sched.node, parent, link);
    if (first)
        queue->first = &thread->sched.node;
}

void queue_remove(struct run_queue *queue, struct thread *thread)
{
    if (sched_is_realtime(thread)) {
        rt_remove(queue, thread);
        return;
    }
    if (queue->first == &thread->sched.node)
        queue->first = rb_next(&thread->sched.node);
    rb_erase(&queue->fair, &thread->sched.node);
}

struct thread *queue_first(const struct run_queue *queue)
{
    for (int word = 1; word >= 0; word--) {
        if (queue->rt_map[word] == 0)
            continue;
        unsigned priority =
            (unsigned)word * 64 + 63 - (unsigned)__builtin_clzl(queue->rt_map[word]);

        return container_of(queue->rt[priority].next, struct thread, sched.rt_node);
    }
    return rb_entry_or_null(queue->first, struct thread, sched.node);
}

void queue_charge(struct run_queue *queue, uint64_t now_ns)
{
    struct thread *thread = queue->running;
    struct sched_entity *entity = &thread->sched;
    uint64_t used = now_ns - entity->slice_start_ns;

    entity->slice_start_ns = now_ns;
    if (thread->vmspace != NULL && !thread->found_in_kernel)
        thread->user_ns += used;
    else
        thread->kernel_ns += used;
    if (used < entity->slice_left_ns) {
        entity->slice_left_ns -= used;
        return;
    }
    entity->slice_left_ns = entity->policy == SCHED_RR ? RR_SLICE_NS : SLICE_NS;
    if (!sched_is_realtime(thread) && thread != queue->cpu->idle)
        entity->deadline += queue_request_ns(thread);
}

void queue_place(struct run_queue *queue, struct thread *thread)
{
    if (sched_is_realtime(thread))
        return;
    thread->sched.deadline =
        max(thread->sched.deadline, queue->virtual_ns + queue_request_ns(thread) / 2);
}

bool queue_before(const struct run_queue *queue, const struct thread *thread,
                  const struct thread *than)
{
    if (than == queue->cpu->idle)
        return true;
    if (thread->sched.priority != than->sched.priority)
        return thread->sched.priority > than->sched.priority;
    if (sched_is_realtime(thread))
        return false;
    return thread->sched.deadline + WAKE_MARGIN_NS < than->sched.deadline;
}
