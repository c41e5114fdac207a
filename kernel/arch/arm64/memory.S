/* SPDX-License-Identifier: MIT */
/*
 * memcpy, memmove, memset; Normal memory only (unaligned accesses). Long copies go 64
 * bytes a turn; what is left over is copied as 16 bytes that overlap the end of what was.
 */
#include <arch/asm.h>

    .text

/* void *memcpy(void *to, const void *from, size_t size) */
function memcpy
    mov     x3, x0
    cmp     x2, #16
    b.lo    5f
    subs    x2, x2, #64
    b.lo    2f
1:  ldp     x4, x5, [x1]
    ldp     x6, x7, [x1, #16]
    ldp     x8, x9, [x1, #32]
    ldp     x10, x11, [x1, #48]
    add     x1, x1, #64
    stp     x4, x5, [x3]
    stp     x6, x7, [x3, #16]
    stp     x8, x9, [x3, #32]
    stp     x10, x11, [x3, #48]
    add     x3, x3, #64
    subs    x2, x2, #64
    b.hs    1b
2:  adds    x2, x2, #48                     /* bytes left, less 16 */
    b.lo    4f
3:  ldp     x4, x5, [x1], #16
    stp     x4, x5, [x3], #16
    subs    x2, x2, #16
    b.hs    3b
4:  cmn     x2, #16                         /* -16: nothing is left */
    b.eq    9f
    add     x1, x1, x2
    add     x3, x3, x2
    ldp     x4, x5, [x1]
    stp     x4, x5, [x3]
    ret
5:  tbz     x2, #3, 6f
    ldr     x4, [x1], #8
    str     x4, [x3], #8
6:  tbz     x2, #2, 7f
    ldr     w4, [x1], #4
    str     w4, [x3], #4
7:  tbz     x2, #1, 8f
    ldrh    w4, [x1], #2
    strh    w4, [x3], #2
8:  tbz     x2, #0, 9f
    ldrb    w4, [x1]
    strb    w4, [x3]
9:  ret
end_function memcpy

/*
 * void *memmove(void *to, const void *from, size_t size): overlapping blocks upwards are copied from
 * the end, downwards from the start without the overlapping last step of memcpy.
 */
function memmove
    sub     x3, x0, x1
    cmp     x3, x2
    b.lo    4f
    sub     x3, x1, x0
    cmp     x3, x2
    b.hs    memcpy
    mov     x3, x0
1:  cmp     x2, #16
    b.lo    2f
    ldp     x4, x5, [x1], #16
    stp     x4, x5, [x3], #16
    sub     x2, x2, #16
    b       1b
2:  cbz     x2, 3f
    ldrb    w4, [x1], #1
    strb    w4, [x3], #1
    sub     x2, x2, #1
    b       2b
3:  ret
4:  add     x1, x1, x2
    add     x3, x0, x2
5:  cmp     x2, #16
    b.lo    6f
    ldp     x4, x5, [x1, #-16]!
    stp     x4, x5, [x3, #-16]!
    sub     x2, x2, #16
    b       5b
6:  cbz     x2, 7f
    ldrb    w4, [x1, #-1]!
    strb    w4, [x3, #-1]!
    sub     x2, x2, #1
    b       6b
7:  ret
end_function memmove

/* void *memset(void *to, int byte, size_t size) */
function memset
    and     x1, x1, #0xff
    mov     x3, #0x0101010101010101
    mul     x1, x1, x3
    mov     x3, x0
    cmp     x2, #16
    b.lo    4f
    subs    x2, x2, #64
    b.lo    2f
1:  stp     x1, x1, [x3]
    stp     x1, x1, [x3, #16]
    stp     x1, x1, [x3, #32]
    stp     x1, x1, [x3, #48]
    add     x3, x3, #64
    subs    x2, x2, #64
    b.hs    1b
2:  adds    x2, x2, #48
    b.lo    3f
21: stp     x1, x1, [x3], #16
    subs    x2, x2, #16
    b.hs    21b
3:  add     x3, x3, x2                      /* the last 16 bytes, overlapping */
    stp     x1, x1, [x3]
    ret
4:  tbz     x2, #3, 5f
    str     x1, [x3], #8
5:  tbz     x2, #2, 6f
    str     w1, [x3], #4
6:  tbz     x2, #1, 7f
    strh    w1, [x3], #2
7:  tbz     x2, #0, 8f
    strb    w1, [x3]
8:  ret
end_function memset
