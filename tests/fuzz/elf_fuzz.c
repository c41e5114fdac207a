/* SPDX-License-Identifier: MIT */
/* The ELF parser: a plan that it accepts must keep what <linux/elf.h> promises. */
#include <stdlib.h>
#include <string.h>

#include <lib/align.h>
#include <linux/elf.h>

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plan(const struct elf_image *image, uint64_t file_bytes)
{
    MUST(image->segment_count > 0 && image->segment_count <= ELF_MAX_SEGMENTS);
    MUST(is_power_of_two(image->align) && image->align >= 4096);
    MUST(image->first < image->end);
    vaddr_t last = 0;

    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];

        MUST(segment->file_bytes <= segment->mem_bytes);
        if (segment->file_bytes != 0)
            MUST(segment->offset <= file_bytes &&
                 segment->file_bytes <= file_bytes - segment->offset);
        MUST(segment->addr >= last);
        last = segment->addr + segment->mem_bytes;
        MUST(last >= segment->addr && last <= (1UL << 48));
        MUST(segment->addr % 4096 == segment->offset % 4096 || segment->file_bytes == 0);
        MUST(segment->addr >= image->first && last <= image->end);
    }
    if (image->interp_bytes != 0)
        MUST(image->interp_offset <= file_bytes &&
             image->interp_bytes <= file_bytes - image->interp_offset);
    if (image->property_bytes != 0)
        MUST(image->property_offset <= file_bytes &&
             image->property_bytes <= file_bytes - image->property_offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_image image;
    uint64_t phdr_offset = 0;
    size_t phdr_bytes = 0;
    const char *reason = NULL;

    (void)elf_property_has_bti(data, size);
    if (elf_parse_header(data, size, size, &phdr_offset, &phdr_bytes, &reason) != 0) {
        MUST(reason != NULL);
        return 0;
    }
    MUST(phdr_offset <= size && phdr_bytes <= size - phdr_offset);
    /* An exact copy, so that ASan sees a read past its end. */
    uint8_t *phdrs = malloc(phdr_bytes);

    memcpy(phdrs, data + phdr_offset, phdr_bytes);
    reason = NULL;
    if (elf_parse(&image, data, phdrs, phdr_bytes, size, &reason) == 0) {
        check_plan(&image, size);
        if (image.property_bytes != 0)
            (void)elf_property_has_bti(data + image.property_offset, image.property_bytes);
    } else {
        MUST(reason != NULL);
    }
    free(phdrs);
    return 0;
}
