/* SPDX-License-Identifier: MIT */
/*
 * Bytes of a program on their way out. They are copied into a chunk before the stack's lock is
 * taken; from there on nothing copies them: lwIP's pbuf is a part of the chunk, headers go into the
 * room before the data, and the device reads the chunk itself. Each pbuf and each frame that the
 * device has holds a reference.
 */
#ifndef LWIP_CHUNK_H
#define LWIP_CHUNK_H

#include <arch/atomic.h>
#include <lib/compiler.h>
#include <lib/types.h>

#include <lwip/pbuf.h>

#define CHUNK_ROOM 128u /* Ethernet, IPv6, TCP with all its options; and more */

struct net_chunk {
    atomic_t refs;
    struct net_chunk *next; /* the owner's list */
    struct pbuf_custom custom;
    uint8_t room[CHUNK_ROOM];
    uint8_t data[];
};

/* Most bytes of a chunk whose memory is a power of two. */
#define CHUNK_DATA(total) ((total) - sizeof(struct net_chunk))

/* With one reference, the pbuf's: pbuf_free() drops it under the stack's lock. The pbuf covers the
 * `size` bytes of data. NULL: no memory. */
struct net_chunk *net_chunk_alloc(size_t size);
void net_chunk_put(struct net_chunk *chunk); /* any context but interrupts */

static inline struct pbuf *net_chunk_pbuf(struct net_chunk *chunk)
{
    return &chunk->custom.pbuf;
}

/* The chunk that a pbuf is part of; NULL: none. */
struct net_chunk *net_chunk_of(struct pbuf *p);

#endif
