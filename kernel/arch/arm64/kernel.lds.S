/* SPDX-License-Identifier: MIT */
/*
 * The kernel image: position-independent; text, read-only data and data start on pages of their own,
 * to be mapped RX, RO and RW. The tables of symbols and relocations end the file: what they tell of
 * lies before them, and filling them moves .bss alone. .bss is not stored; boot.S clears it.
 */
#include <arch/memory_map.h>
#include <arch/offsets.h>

OUTPUT_ARCH(aarch64)
ENTRY(_start)

PHDRS
{
    text PT_LOAD FLAGS(5);
    rodata PT_LOAD FLAGS(4);
    data PT_LOAD FLAGS(6);
    bss PT_LOAD FLAGS(6);
    dynamic PT_DYNAMIC FLAGS(4);
    relocations PT_LOAD FLAGS(4);
}

SECTIONS
{
    . = IMAGE_BASE;
    __image_start = .;

    /* Load addresses are for loaders of ELF files: QEMU takes kernel.elf to here, its tree before it. */
    .head : AT(0x40200000) { KEEP(*(.head)) } :text
    .text : {
        *(.text.vectors)
        *(.text .text.*)
    } :text
    . = ALIGN(4096);
    __text_end = .;

    __rodata_start = .;
    .rodata : {
        *(.rodata .rodata.*)
        . = ALIGN(8);
        __exception_table_start = .;
        KEEP(*(.exception_table))
        __exception_table_end = .;
        . = ALIGN(8);
        __alternatives_start = .;
        KEEP(*(.alternatives))
        __alternatives_end = .;
        *(.alternatives.code)
        . = ALIGN(8);
        __drivers_start = .;
        KEEP(*(.drivers))
        __drivers_end = .;
        . = ALIGN(8);
        __vdso_start = .;
        KEEP(*(.vdso))
        __vdso_end = .;
    } :rodata
    .data.rel.ro : { *(.data.rel.ro .data.rel.ro.*) } :rodata
    .dynamic : { *(.dynamic) } :rodata :dynamic
    .got : { *(.got) *(.got.plt) } :rodata
    .hash : { *(.hash) *(.gnu.hash) } :rodata
    .dynsym : { *(.dynsym) } :rodata
    .dynstr : { *(.dynstr) } :rodata
    . = ALIGN(4096);
    __rodata_end = .;

    __data_start = .;
    .data : { *(.data .data.*) } :data
    .symbols : {
        __symbols_start = .;
        KEEP(*(.symbols))
        __symbols_end = .;
    } :data
    .relocations : ALIGN(8) {
        __relocations_start = .;
        KEEP(*(.relocations))
        __relocations_end = .;
    } :data
    __stored_end = .;

    .bss (NOLOAD) : ALIGN(4096) {
        *(.bss_page_aligned)
        __bss_start = .;
        *(.bss .bss.*)
        *(COMMON)
        . = ALIGN(64);
        __bss_end = .;
    } :bss
    . = ALIGN(BOOT_STACK_SIZE);
    . = (. & STACK_SIZE) != 0 ? ((. + STACK_SIZE) & ~(STACK_SIZE - 1)) : .;
    .boot_stack (NOLOAD) : { *(.boot_stack) } :bss
    . = ALIGN(4096);
    __image_end = .;
    __image_size = ABSOLUTE(__image_end - __image_start);

    /* Not in the Image: scripts/symbols.py packs these for .relocations. */
    .rela.dyn : { *(.rela .rela.*) } :relocations

    /DISCARD/ : { *(.discard) *(.comment) *(.note .note.*) *(.eh_frame*) *(.interp) *(.gnu.version*) }
}

ASSERT(__image_end - __image_start <= KERNEL_IMAGE_MAX, "the kernel is larger than its window")
ASSERT(__image_end - __image_start <= 0x100000, "the kernel is larger than -mcmodel=tiny can reach (kernel/meson.build)")
