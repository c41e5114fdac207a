/* SPDX-License-Identifier: MIT */
/*
 * The first page tables, and the image's own relocation.
 *
 * early_map_image() runs with the MMU off: its memory is Device, so it touches only aligned words,
 * and it may use no pointer that needs relocation. It maps the image twice: by 4 KiB pages in the
 * high half with final permissions (read-only data writable until it is relocated), and the block
 * it runs from one to one.
 */
#include <arch/boot.h>
#include <arch/early.h>
#include <arch/fixmap.h>
#include <arch/memory_map.h>
#include <arch/pte.h>
#include <arch/registers.h>
#include <arch/sysreg.h>
#include <lib/align.h>
#include <lib/compiler.h>
#include <lib/endian.h>

extern uint64_t idmap_root_table[], idmap_l1[], idmap_l2[];
extern uint64_t image_l1[], image_l2[], image_l3[];
extern uint64_t fixmap_l1[], fixmap_l2[], fixmap_l3[];

#define LEVEL_INDEX(address, level) (((address) >> (39 - 9 * (level))) & 511)
#define BLOCK_SIZE                  (2UL << 20)
#define SEED_SCAN_MAX               0x10000U

static uint64_t table_entry(const uint64_t *table)
{
    return (uint64_t)table | PTE_TABLE;
}

/* A string of the tree, compared without unaligned or wide loads. */
static bool string_is(const volatile uint8_t *text, const char *name)
{
    while (*name != '\0' && *text == (uint8_t)*name)
        text++, name++;
    return *text == (uint8_t)*name;
}

/*
 * The seed in /chosen/kaslr-seed, 0 if there is none: looks for the name in the strings block, then
 * for a property of eight bytes with that name. The tree is checked properly later.
 */
static uint64_t kaslr_seed(const volatile uint32_t *tree)
{
    if (tree == NULL || ((uintptr_t)tree & 7) != 0 || be32_to_cpu(tree[0]) != 0xd00dfeed)
        return 0;
    uint32_t structure = be32_to_cpu(tree[2]), strings = be32_to_cpu(tree[3]);
    uint32_t strings_size = be32_to_cpu(tree[8]), structure_size = be32_to_cpu(tree[9]);

    if (strings_size > SEED_SCAN_MAX || structure_size > SEED_SCAN_MAX || (structure & 3) != 0 ||
        structure > FIXMAP_TREE_MAX || strings > FIXMAP_TREE_MAX)
        return 0;
    const volatile uint8_t *names = (const volatile uint8_t *)tree + strings;
    const volatile uint32_t *words = tree + structure / 4, *end = words + structure_size / 4;
    uint32_t name = 0;

    while (name < strings_size && !string_is(names + name, "kaslr-seed")) {
        while (name < strings_size && names[name] != 0)
            name++;
        name++;
    }
    if (name >= strings_size)
        return 0;
    uint32_t wanted = cpu_to_be32(name), length = cpu_to_be32(8), token = cpu_to_be32(3);

    for (words += 2; words + 2 < end; words++) {
        if (*words == wanted && words[-1] == length && words[-2] == token)
            return (uint64_t)words[1] << 32 | words[2];
    }
    return 0;
}

vaddr_t early_map_image(paddr_t image, const void *tree)
{
    uint64_t slide = kaslr_seed(tree) * BLOCK_SIZE & (IMAGE_SLIDE_MAX - 1);
    vaddr_t base = IMAGE_BASE + slide;
    size_t text = (size_t)(__text_end - __image_start),
           size = (size_t)(__image_end - __image_start);

    kernel_root_table[LEVEL_INDEX(base, 0)] = table_entry(image_l1);
    image_l1[LEVEL_INDEX(base, 1)] = table_entry(image_l2);
    for (size_t offset = 0; offset < size; offset += 4096) {
        unsigned l2 = LEVEL_INDEX(base + offset, 2);
        uint64_t *l3 = image_l3 + 512 * (offset / BLOCK_SIZE);

        image_l2[l2] = table_entry(l3);
        l3[LEVEL_INDEX(offset, 3)] =
            (image + offset) | (offset < text ? PTE_KERNEL_TEXT : PTE_KERNEL_DATA);
    }
    kernel_root_table[LEVEL_INDEX(FIXMAP_BASE, 0)] = table_entry(fixmap_l1);
    fixmap_l1[0] = table_entry(fixmap_l2);
    fixmap_l2[0] = table_entry(fixmap_l3);

    idmap_root_table[LEVEL_INDEX(image, 0)] = table_entry(idmap_l1);
    idmap_l1[LEVEL_INDEX(image, 1)] = table_entry(idmap_l2);
    idmap_l2[LEVEL_INDEX(image, 2)] =
        align_down(image, BLOCK_SIZE) | (PTE_KERNEL_TEXT & ~(PTE_PAGE ^ PTE_BLOCK));
    return base;
}

extern const uint64_t __relocations_start[], __relocations_end[];

/*
 * Adds the slide to every absolute address. They are packed as SHT_RELR is (ELF gABI): an even word
 * is the link address of one; an odd word's upper 63 bits say which of the next 63 words are.
 */
static void add_slide(uint64_t slide)
{
    uint64_t *next = NULL;

    for (const uint64_t *word = __relocations_start; word < __relocations_end; word++) {
        if ((*word & 1) == 0) {
            next = (uint64_t *)(*word + slide);
            *next++ += slide;
            continue;
        }
        uint64_t *at = next;

        for (uint64_t bits = *word >> 1; bits != 0; bits >>= 1, at++)
            *at += bits & 1 ? slide : 0;
        next += 63;
    }
}

/* Runs in the high half. Relocates the kernel, then closes read-only data. */
void early_relocate(uint64_t slide)
{
    if (slide != 0)
        add_slide(slide);
    size_t start = (size_t)(__rodata_start - __image_start);
    size_t end = (size_t)(__rodata_end - __image_start);

    for (size_t page = start / 4096; page < end / 4096; page++)
        image_l3[page] |= PTE_READ_ONLY;
    dsb(ishst);
    __asm__ volatile("tlbi vmalle1" ::: "memory");
    dsb(nsh);
    isb();
}

/*
 * Sets GP (FEAT_BTI). That needs no break before make (Arm ARM D8.16.1 lists what does), and an
 * entry that some TLB still held would only not guard.
 */
void image_guard_text(void)
{
    size_t count = (size_t)(__text_end - __image_start) / 4096;

    for (size_t page = 0; page < count; page++)
        WRITE_ONCE(image_l3[page], image_l3[page] | PTE_GUARDED);
    dsb(ishst);
    __asm__ volatile("tlbi vmalle1is" ::: "memory");
    dsb(ish);
    isb();
}

/* One function: its users run once each. */
static __noinline void fixmap_write(uint64_t *entry, uint64_t value, vaddr_t address)
{
    /* Break before make, Arm ARM D8.14.1. */
    WRITE_ONCE(*entry, 0);
    dsb(ishst);
    __asm__ volatile("tlbi vaae1is, %0" ::"r"(address >> 12) : "memory");
    dsb(ish);
    WRITE_ONCE(*entry, value);
    dsb(ishst);
    isb();
}

void *fixmap_set(unsigned slot, paddr_t address, bool device)
{
    vaddr_t at = fixmap_address(slot);
    uint64_t attributes = device ? PTE_KERNEL_DEVICE : PTE_KERNEL_DATA;

    fixmap_write(&fixmap_l3[slot], align_down(address, PAGE_SIZE) | attributes, at);
    return (void *)(at + (address & 4095));
}

void fixmap_clear(unsigned slot)
{
    fixmap_write(&fixmap_l3[slot], 0, fixmap_address(slot));
}

#define TREE_FIRST 2 /* level 2 entries of the tree's window */
#define TREE_COUNT (FIXMAP_TREE_MAX / BLOCK_SIZE + 1)

void *fixmap_tree(paddr_t address, size_t size)
{
    paddr_t block = align_down(address, BLOCK_SIZE);
    size_t count = (address - block + size + BLOCK_SIZE - 1) / BLOCK_SIZE;

    if (size > FIXMAP_TREE_MAX)
        return NULL;
    for (size_t i = 0; i < TREE_COUNT; i++) {
        uint64_t entry = 0;

        if (i < count)
            entry = (block + i * BLOCK_SIZE) | (PTE_KERNEL_DATA & ~(PTE_PAGE ^ PTE_BLOCK));
        fixmap_write(&fixmap_l2[TREE_FIRST + i], entry,
                     FIXMAP_BASE + (TREE_FIRST + i) * BLOCK_SIZE);
    }
    return (void *)(FIXMAP_BASE + TREE_FIRST * BLOCK_SIZE + (address - block));
}
