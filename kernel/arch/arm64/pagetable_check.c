/* SPDX-License-Identifier: MIT */
/*
 * What every leaf of the kernel's tables must be (docs/memory-map.md): emulators forgive wrong
 * memory types and permissions, processors do not. Compiled into debug builds.
 */
#include "pagetable.h"

#include <arch/boot.h>
#include <arch/registers.h>
#include <arch/sysreg.h>

static bool is_executable(uint64_t entry)
{
    return !(entry & PTE_PXN);
}

static const char *complain_type(uint64_t entry)
{
    unsigned index = (entry & PTE_ATTR_MASK) >> 2;
    unsigned memory_type = (sysreg_read(mair_el1) >> (8 * index)) & 0xff;

    switch (index) {
    case MAIR_DEVICE_NGNRE:
        if (memory_type != 0x04)
            return "device index is not nGnRE";
        return is_executable(entry) ? "device is executable" : NULL;
    case MAIR_NORMAL:
        if (memory_type != 0xff)
            return "normal index is not write-back";
        return (entry & PTE_INNER_SHARED) == PTE_INNER_SHARED ? NULL : "not inner shareable";
    case MAIR_NORMAL_NC:
        return memory_type == 0x44 ? NULL : "non-cacheable index is something else";
    default:
        return "attribute index without a meaning";
    }
}

const char *pt_leaf_complaint(vaddr_t va, uint64_t entry)
{
    bool text = va >= (vaddr_t)__image_start && va < (vaddr_t)__text_end;

    if (!(entry & PTE_VALID))
        return "kept but not valid, in the kernel's half";
    if (entry & PTE_USER)
        return "a program may access it";
    if (!(entry & PTE_UXN))
        return "a program may execute it";
    if (!(entry & PTE_ACCESSED))
        return "access flag is clear";
    if (entry & PTE_NOT_GLOBAL)
        return "not global";
    if (is_executable(entry) && !(entry & PTE_READ_ONLY))
        return "writable and executable";
    if (is_executable(entry) != text)
        return text ? "text is not executable" : "executable, but not text";
    return complain_type(entry);
}

bool pt_leaf_is_normal(uint64_t entry)
{
    return (entry & PTE_ATTR_MASK) == PTE_ATTR(MAIR_NORMAL);
}

bool pt_leaf_is_writable(uint64_t entry)
{
    return !(entry & PTE_READ_ONLY);
}

paddr_t pt_leaf_address(uint64_t entry)
{
    return entry_address(entry);
}
