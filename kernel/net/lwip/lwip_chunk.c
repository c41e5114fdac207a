/* SPDX-License-Identifier: MIT */
/* Bytes on their way out; see lwip_chunk.h. */
#include "lwip_chunk.h"

#include <mm/slab.h>

#include <lwip/netif.h>

static void pbuf_freed(struct pbuf *p)
{
    net_chunk_put(container_of((struct pbuf_custom *)p, struct net_chunk, custom));
}

struct net_chunk *net_chunk_alloc(size_t size)
{
    struct net_chunk *chunk = kmalloc(sizeof(*chunk) + size);
    struct pbuf *p;

    if (chunk == NULL)
        return NULL;
    atomic_set(&chunk->refs, 1);
    chunk->next = NULL;
    chunk->custom.custom_free_function = pbuf_freed;
    p = &chunk->custom.pbuf;
    p->next = NULL;
    p->payload = chunk->data;
    p->tot_len = p->len = (u16_t)size;
    p->type_internal = (u8_t)PBUF_RAM; /* headers may be put before the payload */
    p->flags = PBUF_FLAG_IS_CUSTOM;
    p->ref = 1;
    p->if_idx = NETIF_NO_INDEX;
    return chunk;
}

void net_chunk_put(struct net_chunk *chunk)
{
    if (atomic_dec_and_test(&chunk->refs))
        kfree(chunk);
}

struct net_chunk *net_chunk_of(struct pbuf *p)
{
    struct pbuf_custom *custom = (struct pbuf_custom *)p;

    if (!(p->flags & PBUF_FLAG_IS_CUSTOM) || custom->custom_free_function != pbuf_freed)
        return NULL;
    return container_of(custom, struct net_chunk, custom);
}
