/* SPDX-License-Identifier: MIT */
/* 9P channels by the name of their share. */
#include <core/log.h>
#include <device/p9dev.h>
#include <lib/string.h>

static struct p9dev *first; /* probing is done by one thread, nobody leaves */

void p9dev_register(struct p9dev *dev)
{
    dev->next = first;
    first = dev;
    log_info("9p: share '%s'", dev->tag);
}

struct p9dev *p9dev_find(const char *tag)
{
    struct p9dev *dev = first;

    while (dev != NULL && strcmp(dev->tag, tag) != 0)
        dev = dev->next;
    return dev;
}
