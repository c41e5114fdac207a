/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects: slab caches with per-CPU stocks, and kmalloc on top of them.
 *
 * Any context: slab_alloc and kmalloc never sleep and may be called with interrupts off and
 * spinlocks held; NULL when out of memory. Memory is in the linear map: virt_phys works on it, a
 * block of up to one page never crosses a page boundary if its size is a power of two. kmalloc
 * serves up to 2 MiB. Alignment is 16 bytes, and the size itself for powers of two from 16 to 4096;
 * larger blocks are page-aligned.
 */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include <core/waitq.h>
#include <lib/compiler.h>
#include <lib/list.h>
#include <lib/types.h>

void *kmalloc(size_t size);
void *kzalloc(size_t size);
void *kmalloc_array(size_t count, size_t size); /* NULL too when count * size overflows */
void *kzalloc_array(size_t count, size_t size);
void *krealloc(void *old,
               size_t size); /* keeps the contents; old may be NULL and stays valid on failure */
void kfree(void *block);     /* NULL is fine */
size_t kmalloc_size(const void *block); /* usable bytes */
char *kstrdup(const char *string);
void *kmemdup(const void *data, size_t size);

struct slab_cache {
    const char *name;
    uint32_t size; /* of an object, its alignment included */
    uint16_t id;   /* index of the per-CPU stock; 0: not used yet */
    uint8_t order; /* frames of one slab, as a power of two */
    uint16_t per_slab;
    uint16_t batch;     /* objects that a full stock gives back at once */
    uint16_t stock_max; /* objects that a CPU keeps */

    struct spinlock lock;     /* guards what follows */
    struct list_node partial; /* slabs with free objects */
    uint32_t empty_slabs;     /* of those, without a used object */
    uint32_t slabs;
    uint64_t used; /* objects outside of the slabs, per-CPU stocks included */
    struct slab_cache *next;
};

/* A slab holds eight objects, or has eight pages; a stock a page's worth, two to 32. */
#define SLAB_ALIGN(align)      ((align) > 16 ? (align) : 16)
#define SLAB_SIZE(size, align) (((size) + SLAB_ALIGN(align) - 1) & -(size_t)SLAB_ALIGN(align))
#define SLAB_ORDER(size)       ((size) <= 512 ? 0 : (size) <= 1024 ? 1 : (size) <= 2048 ? 2 : 3)
#define SLAB_OBJECTS(size)     ((4096U << SLAB_ORDER(size)) / (size))
#define SLAB_BATCH(size)       ((size) >= 4096 / 2 ? 2 : (size) <= 4096 / 32 ? 32 : 4096 / (size))

#define SLAB_CACHE_INIT_SIZE(name_, size_)                                                     \
    {                                                                                          \
        .name = (name_), .size = (size_), .order = SLAB_ORDER(size_),                          \
        .per_slab = SLAB_OBJECTS(size_), .batch = SLAB_BATCH(size_),                           \
        .stock_max = SLAB_OBJECTS(size_) + SLAB_BATCH(size_), .lock = SPINLOCK_INIT(RANK_SLAB) \
    }

/* A cache needs no call to set up: SLAB_CACHE(inode_cache, struct inode); at file scope. */
#define SLAB_CACHE_INIT(type) \
    SLAB_CACHE_INIT_SIZE(#type, SLAB_SIZE(sizeof(type), __alignof__(type)))
#define SLAB_CACHE(var, type) static struct slab_cache var = SLAB_CACHE_INIT(type)

void *slab_alloc(struct slab_cache *cache);
void *slab_zalloc(struct slab_cache *cache);
void slab_free(struct slab_cache *cache, void *object);

/* For /proc/slabinfo: calls fn for each cache in use. May sleep. */
void slab_for_each_cache(void (*fn)(const struct slab_cache *, void *), void *arg);

#endif
