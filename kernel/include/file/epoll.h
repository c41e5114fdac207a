/* SPDX-License-Identifier: MIT */
/*
 * epoll sets. An item watches one (file, descriptor number) pair; it leaves its set when the file
 * is released, not when the descriptor is closed. Sets may watch sets, without loops, at most 5
 * deep.
 */
#ifndef FILE_EPOLL_H
#define FILE_EPOLL_H

#include <file/file.h>

#define EPOLL_EXCLUSIVE (1u << 28)
#define EPOLL_WAKEUP    (1u << 29)
#define EPOLL_ONESHOT   (1u << 30)
#define EPOLL_EDGE      (1u << 31)

struct epoll_event_data {
    unsigned events;
    unsigned zero; /* no hole: programs get it as it is */
    uint64_t data;
};

/* A new set with one reference, or NULL. */
struct file *epoll_create(void);
bool epoll_is(const struct file *file);

/* 0 or -EEXIST, -ENOENT, -ELOOP, -EINVAL, -EPERM (the file has no poll), -ENOMEM. May sleep. */
int epoll_add(struct file *set, struct file *target, int number,
              const struct epoll_event_data *event);
int epoll_modify(struct file *set, struct file *target, int number,
                 const struct epoll_event_data *event);
int epoll_remove(struct file *set, struct file *target, int number);

/* Items that may have an event: an upper bound of what epoll_collect would find now. */
unsigned epoll_ready_count(struct file *set);

/*
 * Up to `max` events into kernel memory. Waits until there is one or deadline_ns (0: only look).
 * Number of events, 0 on time-out, -EINTR.
 */
int epoll_collect(struct file *set, struct epoll_event_data *out, unsigned max,
                  uint64_t deadline_ns);

/* The file is being released: its items leave their sets. Called by file_unref only. */
void epoll_file_released(struct file *file);

#endif
