/* SPDX-License-Identifier: MIT */
#include "ram_fake.h"

#include <stdlib.h>
#include <string.h>

#include <mm/page.h>

/* Physical addresses are the host's, less a page so that none is 0; a struct page is an address
 * that nobody looks at. */
char *unit_ram = (char *)PAGE_SIZE;
char *unit_ram_pages = (char *)PAGE_SIZE;
uintptr_t kernel_image_offset;
unsigned fake_pages;

struct page *page_alloc(unsigned order, unsigned flags)
{
    void *memory = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);

    if (memory == NULL)
        return NULL;
    if (flags & PAGE_ZERO)
        memset(memory, 0, PAGE_SIZE << order);
    fake_pages += 1U << order;
    return virt_page(memory);
}

void page_free(struct page *page, unsigned order)
{
    fake_pages -= 1U << order;
    free(page_virt(page));
}
