/* SPDX-License-Identifier: MIT */
/* Channels to 9P servers: a driver registers one for each share, the file system asks over it. */
#ifndef DEVICE_P9DEV_H
#define DEVICE_P9DEV_H

#include <lib/types.h>

#define P9_TAG_MAX 64U

struct p9dev;

struct p9dev_ops {
    /*
     * Sends a message and waits for the answer, of which *got bytes (at most in_size) are in `in`.
     * Both lie in the linear map. 0, or -EIO: the server does not answer and is asked no more.
     * Thread context; several threads may ask at once.
     */
    int (*request)(struct p9dev *dev, void *out, uint32_t out_size, void *in, uint32_t in_size,
                   uint32_t *got);
};

struct p9dev {
    const struct p9dev_ops *ops;
    char tag[P9_TAG_MAX]; /* the name of the share */
    struct p9dev *next;
};

/* At PROBE_DEVICE. */
void p9dev_register(struct p9dev *dev);
/* NULL: there is no such share. */
struct p9dev *p9dev_find(const char *tag);

#endif
