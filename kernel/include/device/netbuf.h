/* SPDX-License-Identifier: MIT */
/*
 * What carries a frame between a network device and a stack, without copies. A frame is a chain of
 * buffers linked by `rest`; the first carries the fields about the frame. Memory is in the linear
 * map, so that a device can reach it. A buffer has one owner at a time, nothing here takes a lock
 * but the pools, and any context but interrupts may call.
 *
 * Received buffers come from a pool of their device's queue, which keeps them: netbuf_free() puts
 * one back without the allocator, and the device gets it again. A pool is bounded: when programs
 * leave too much unread, large frames are dropped and small ones are copied to memory of their size
 * (and counted as copied), so that the buffers of the ring never run out.
 *
 * Buffers to send are the stack's, embedded in whatever it likes: the driver calls `release` once,
 * with the first of the chain, when the device is done with all of it.
 */
#ifndef DEVICE_NETBUF_H
#define DEVICE_NETBUF_H

#include <core/spinlock.h>
#include <lib/types.h>

/* Bytes before `data` of the first buffer that a driver may overwrite in a frame given to send():
 * the device's own header lies there, next to the frame. `data` is even. */
#define NETBUF_HEADROOM 16U

/* Most buffers in a frame to send; 64 KiB in pages, unaligned, and the headers. */
#define NETBUF_CHAIN_MAX 18U

/* Room for the stack's wrapper around a received buffer (an lwIP pbuf_custom). */
#define NETBUF_STACK_BYTES 48U

/* netbuf->flags */
#define NETBUF_CSUM_PARTIAL                                                         \
    0x1U /* the checksum at csum_start + csum_offset holds only the pseudo header's \
            sum: sending, the device completes it from csum_start to the end;       \
            received, it is from a neighbour that left it out and is right by definition */
#define NETBUF_CSUM_VALID   0x2U /* received: the device has checked the transport's checksum */
#define NETBUF_RELEASE_SOON 0x4U /* to send: somebody waits for `release` (a full send buffer) */

enum netbuf_gso { NETBUF_GSO_NONE, NETBUF_GSO_TCP4, NETBUF_GSO_TCP6, NETBUF_GSO_UDP };

struct netbuf_pool;

struct netbuf {
    struct netbuf *next; /* of another frame: the owner's list */
    struct netbuf *rest; /* further buffers of this frame, NULL at the end */
    uint8_t *data;
    uint32_t size; /* bytes at `data` */

    /* --- the first buffer only --- */
    uint32_t total; /* bytes of all buffers: Ethernet header first, no frame check sequence */
    uint16_t flags;
    uint16_t csum_start, csum_offset;      /* from the first byte of the frame; with CSUM_PARTIAL */
    uint16_t gso_size;                     /* payload of each segment; 0 if `gso` is none */
    uint8_t gso;                           /* enum netbuf_gso */
    uint16_t header_size;                  /* to send, with gso: all headers up to the payload */
    void (*release)(struct netbuf *first); /* to send; received: NULL */
    /* --- */

    struct netbuf_pool *pool; /* received: where it goes back to; NULL: kfree */
    uint64_t driver;          /* free use of whoever has it: the driver from send() to release */
    _Alignas(16) uint8_t stack[NETBUF_STACK_BYTES];
};

/* Received frames: gives one buffer back, or all of a frame. */
void netbuf_free(struct netbuf *buffer);
void netbuf_free_chain(struct netbuf *first);

/* For drivers: calls `release` of each of the sent frames that `next` links; without locks. */
void netbuf_release_list(struct netbuf *list);

/* Copies up to `size` bytes of a frame from `offset` on; returns how many there were. */
uint32_t netbuf_copy_out(const struct netbuf *first, uint32_t offset, void *to, uint32_t size);

/* --- pools, for drivers ------------------------------------------------------------------------
 */

/* One page holds a buffer and its netbuf: NETBUF_ROOM bytes from netbuf_start() on. */
#define NETBUF_ROOM 3840U

struct netbuf_pool {
    struct spinlock lock;
    struct netbuf *idle; /* linked by next */
    unsigned idle_count;
    unsigned total, total_max; /* pages it has, and may have */
    bool closed;               /* gives pages back instead of keeping them */
};

/* The caller's memory; a pool lives as long as any buffer of it: free it by netbuf_pool_close(). */
struct netbuf_pool *netbuf_pool_create(unsigned total_max);
/* No buffers are kept any more; the pool goes when the last one comes back. */
void netbuf_pool_close(struct netbuf_pool *pool);

/* A buffer with nothing in it, data = netbuf_start(); NULL: the bound is reached or no memory. */
struct netbuf *netbuf_pool_get(struct netbuf_pool *pool);

/* First byte of a pool buffer's room, 64-byte aligned. */
static inline uint8_t *netbuf_start(struct netbuf *buffer)
{
    return (uint8_t *)(((uintptr_t)buffer & ~(uintptr_t)4095) + 4096 - NETBUF_ROOM);
}

/* A copy of a small frame in memory of its size, fields about the frame included; NULL: no memory.
 */
struct netbuf *netbuf_copy(const struct netbuf *first);

#endif
