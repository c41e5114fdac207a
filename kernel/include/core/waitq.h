/* SPDX-License-Identifier: MIT */
/* The two structures that nearly every other one embeds: spinlock and wait queue. See lock.h,
 * wait.h. */
#ifndef CORE_WAITQ_H
#define CORE_WAITQ_H

#include <core/lock_rank.h>
#include <lib/list.h>
#include <lib/types.h>

struct spinlock {
    uint32_t locked;
    enum lock_rank rank;
};

#define SPINLOCK_INIT(rank_)         \
    {                                \
        .locked = 0, .rank = (rank_) \
    }

/* A queue of waiters. An all-zero list head is an empty queue that was never used. */
struct waitq {
    struct spinlock lock;
    struct list_node waiters;
};

#define WAITQ_INIT                                                   \
    {                                                                \
        .lock = SPINLOCK_INIT(RANK_WAITQ), .waiters = { NULL, NULL } \
    }

#endif
