/* SPDX-License-Identifier: MIT */
/*
 * Packets to ourselves, as lwIP's netif_loop_output() has them, in less steps. lwIP changes the
 * headers of a segment when it sends it again, so what goes round is a copy, in one piece of
 * memory; net_unlock() moves it on. Under net_lock().
 */
#include "lwip_loop.h"

#include <lib/string.h>
#include <mm/slab.h>

#include <lwip/netif.h>
#include <lwip/pbuf.h>

struct looped {
    struct pbuf_custom custom;
    uint8_t data[];
};

static void looped_free(struct pbuf *p)
{
    kfree(container_of((struct pbuf_custom *)p, struct looped, custom));
}

static struct pbuf *copy_of(const struct pbuf *p)
{
    struct looped *looped = kmalloc(sizeof(*looped) + p->tot_len);
    struct pbuf *copy;

    if (looped == NULL)
        return NULL;
    looped->custom.custom_free_function = looped_free;
    copy = &looped->custom.pbuf;
    copy->next = NULL;
    copy->payload = looped->data;
    copy->len = copy->tot_len = p->tot_len;
    copy->type_internal = (u8_t)PBUF_REF;
    copy->flags = (u8_t)PBUF_FLAG_IS_CUSTOM;
    copy->ref = 1;
    copy->if_idx = NETIF_NO_INDEX;
    if (p->len == p->tot_len)
        memcpy(looped->data, p->payload, p->len);
    else
        pbuf_copy_partial(p, looped->data, p->tot_len, 0);
    return copy;
}

err_t loop_output(struct netif *netif, const struct pbuf *p)
{
    struct pbuf *copy = copy_of(p);

    if (copy == NULL)
        return ERR_MEM;
    if (netif->loop_first == NULL)
        netif->loop_first = copy;
    else
        netif->loop_last->next = copy;
    netif->loop_last = copy;
    return ERR_OK;
}
