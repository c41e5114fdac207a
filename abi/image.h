/* SPDX-License-Identifier: MIT
 *
 * The boot image: an arm64 Linux `Image` (Documentation/arch/arm64/booting.rst) with a Remora
 * header at a fixed offset and, in images made by `remora build` or `remora run`, an EROFS root
 * appended.
 *
 *     0                     struct image_header         image_size = length in memory
 *     IMAGE_REMORA_OFFSET   struct image_remora_header  names the root
 *     ...                   kernel; its file ends here, where .bss begins
 *     root_offset           root (on a page of its own, behind .bss), root_size bytes
 *
 * All fields are little-endian. Shared by kernel, tool and the host tests; freestanding.
 */
#ifndef ABI_IMAGE_H
#define ABI_IMAGE_H

#include <stdint.h>

/* --- The first 64 bytes, as every arm64 boot loader reads them. ------------------------------- */

#define IMAGE_MAGIC 0x644d5241u /* "ARM\x64" */

/* flags: bit 0 big-endian kernel, bits 1-2 page size (1: 4 KiB), bit 3 any 2 MiB-aligned base. */
#define IMAGE_FLAG_4K       (1u << 1)
#define IMAGE_FLAG_ANY_BASE (1u << 3)
#define IMAGE_FLAGS         (IMAGE_FLAG_4K | IMAGE_FLAG_ANY_BASE)

/*
 * How far behind a 2 MiB-aligned address a loader that heeds the header puts the image; at such an
 * address itself it runs as well. With 512 KiB, what QEMU puts at the start of RAM and all of a
 * small guest lie in the same 2 MiB: one huge page for the host to clear.
 */
#define IMAGE_TEXT_OFFSET 0x80000

struct image_header {
    uint32_t code0;
    uint32_t code1;
    uint64_t text_offset; /* IMAGE_TEXT_OFFSET */
    uint64_t image_size;  /* length in memory; the tool rewrites it when it appends a root */
    uint64_t flags;
    uint64_t res2;
    uint64_t res3;
    uint64_t res4;
    uint32_t magic;
    uint32_t pe_offset; /* of the PE header for UEFI; 0 when there is none */
};

/* --- Remora's own header. ---------------------------------------------------------------------
 *
 * In a kernel without a root: root_offset = root_size = 0, root_digest zero. boot.S lays it down
 * with version and header_size; kernel_size is its length in memory (a multiple of 4096): where a
 * root follows, zeroes fill the file up to it. The kernel reads it through its own mapping of the
 * Image; if magic or version differ, there is no appended root.
 */
#define IMAGE_REMORA_OFFSET  0x400
#define IMAGE_REMORA_MAGIC   0x4d4941524f4d4552ull /* "REMORAIM" in memory */
#define IMAGE_REMORA_VERSION 1
#define IMAGE_ROOT_ALIGN     4096ull /* nothing is padded: loaders read and copy every byte */

/* What the command may ask of this kernel; it refuses options that need an absent one. */
#define IMAGE_FEATURE_NETWORK (1ull << 0) /* -p: virtio-net and TCP/IP */
#define IMAGE_FEATURE_9P      (1ull << 1) /* -v: virtio-9p volumes (remora.volume=) */
#define IMAGE_FEATURE_PORTS   (1ull << 2) /* virtio-console port instead of the UART */
#define IMAGE_FEATURE_DISK    (1ull << 3) /* root=: a root on a virtio-blk disk */

struct image_remora_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_size; /* sizeof(struct image_remora_header) */
    uint64_t kernel_size; /* bytes that the kernel takes in memory, from the first of the Image */
    uint64_t
        root_offset; /* from the first byte of the Image; multiple of IMAGE_ROOT_ALIGN; 0: none */
    uint64_t root_size;      /* bytes, multiple of 4096 */
    uint8_t root_digest[32]; /* SHA-256 of the root; the tool checks it, the kernel need not */
    uint64_t features;       /* IMAGE_FEATURE_* of what the kernel was built with, by boot.S */
    uint8_t reserved[48];    /* zero */
};

_Static_assert(sizeof(struct image_header) == 64, "arm64 Image header");
_Static_assert(sizeof(struct image_remora_header) == 128, "Remora image header");

#endif
