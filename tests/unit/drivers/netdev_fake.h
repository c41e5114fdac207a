/* SPDX-License-Identifier: MIT */
/* What stands around a driver of a network device: a stack that keeps what it gets, threads that
 * never run, a clock that moves by 100 ms whenever somebody looks. */
#ifndef UNIT_NETDEV_FAKE_H
#define UNIT_NETDEV_FAKE_H

#include <device/netdev.h>

struct fake_stack {
    struct netdev *netdev; /* the last one that it was told of */
    struct netbuf *got, **last;
    unsigned got_count, writable, links;
};

extern struct fake_stack fake_stack;

/* Forgets what was. */
void fake_stack_start(void);
/* One batch of a queue that is open, on the test's own thread; how many frames came. */
unsigned fake_stack_poll(struct netdev *device, unsigned queue);
/* Gives back the frames that it has. */
void fake_stack_free(void);

#endif
