/* SPDX-License-Identifier: MIT */
/*
 * Clearing and copying pages. DC ZVA (Arm ARM C6.2.92) where DCZID_EL0 permits it, by its block size; the usual
 * 64 bytes have a loop of their own.
 */

#include <arch/asm.h>

    .text
    .globl page_clear
    .type page_clear, %function
page_clear:
    bti_c
    mov     x1, #4096

    .globl memory_clear
    .type memory_clear, %function
memory_clear:
    bti_c
    mrs     x2, dczid_el0
    add     x1, x0, x1
    cmp     x2, #4
    b.ne    2f
1:  dc      zva, x0
    add     x3, x0, #64
    dc      zva, x3
    add     x3, x0, #128
    dc      zva, x3
    add     x3, x0, #192
    dc      zva, x3
    add     x3, x0, #256
    dc      zva, x3
    add     x3, x0, #320
    dc      zva, x3
    add     x3, x0, #384
    dc      zva, x3
    add     x3, x0, #448
    dc      zva, x3
    add     x3, x0, #512
    dc      zva, x3
    add     x3, x0, #576
    dc      zva, x3
    add     x3, x0, #640
    dc      zva, x3
    add     x3, x0, #704
    dc      zva, x3
    add     x3, x0, #768
    dc      zva, x3
    add     x3, x0, #832
    dc      zva, x3
    add     x3, x0, #896
    dc      zva, x3
    add     x3, x0, #960
    dc      zva, x3
    add     x0, x0, #1024
    cmp     x0, x1
    b.lo    1b
    ret
2:  tbnz    x2, #4, 4f          /* DZP: prohibited */
    mov     x3, #4
    lsl     x3, x3, x2          /* block size; bits above 5 of x2 are zero here */
3:  dc      zva, x0
    add     x0, x0, x3
    cmp     x0, x1
    b.lo    3b
    ret
4:  stp     xzr, xzr, [x0]
    stp     xzr, xzr, [x0, #16]
    stp     xzr, xzr, [x0, #32]
    stp     xzr, xzr, [x0, #48]
    add     x0, x0, #64
    cmp     x0, x1
    b.lo    4b
    ret
    .size memory_clear, . - memory_clear

    .globl page_copy
    .type page_copy, %function
page_copy:
    bti_c
    add     x2, x1, #4096
1:  ldp     x3, x4, [x1]
    ldp     x5, x6, [x1, #16]
    ldp     x7, x8, [x1, #32]
    ldp     x9, x10, [x1, #48]
    ldp     x11, x12, [x1, #64]
    ldp     x13, x14, [x1, #80]
    ldp     x15, x16, [x1, #96]
    ldp     x17, x18, [x1, #112]
    add     x1, x1, #128
    stp     x3, x4, [x0]
    stp     x5, x6, [x0, #16]
    stp     x7, x8, [x0, #32]
    stp     x9, x10, [x0, #48]
    stp     x11, x12, [x0, #64]
    stp     x13, x14, [x0, #80]
    stp     x15, x16, [x0, #96]
    stp     x17, x18, [x0, #112]
    add     x0, x0, #128
    cmp     x1, x2
    b.lo    1b
    ret
    .size page_copy, . - page_copy
