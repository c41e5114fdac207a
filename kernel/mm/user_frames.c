/* SPDX-License-Identifier: MIT */
/*
 * Frames behind user mappings: what arch/pagetable.h and arch/tlb.h ask mm for. A frame that only
 * the mapping being removed refers to can gain no other reference, so it is chained by its own list
 * node; a shared one keeps its reference until the TLBs have forgotten it.
 */
#include "frames.h"

#include <arch/pagetable.h>
#include <lib/compiler.h>
#include <mm/vmspace.h>

bool pt_frame_queue(struct tlb_batch *batch, paddr_t frame, size_t size)
{
    struct page *page = phys_page(frame);
    struct vmspace *vs = container_of(batch->pagetable, struct vmspace, pagetable);

    vs->pages_resident -= size >> PAGE_SHIFT;
    if (page->flags & PAGE_TAIL || page->object != NULL || atomic_read(&page->refs) != 1)
        return false;
    page->list.next = batch->list;
    batch->list = &page->list;
    return true;
}

void pt_frame_release(paddr_t frame)
{
    page_unref(phys_page(frame));
}

void pt_frame_release_list(void *list)
{
    struct list_node *node = list;

    while (node != NULL) {
        struct page *page = list_entry(node, struct page, list);

        node = node->next;
        atomic_set(&page->refs, 0);
        page_release(page);
    }
}

void pt_frame_share(paddr_t frame)
{
    page_ref(phys_page(frame));
}

void pt_frame_split(paddr_t block)
{
    struct page *page = phys_page(block);

    if (!(page->flags & PAGE_HEAD))
        return;
    if (atomic_read(&page->refs) == 1)
        page_split_compound(page);
    else
        page_ref_many(page, (1 << page->order) - 1); /* others refer to the whole: it stays one */
}
