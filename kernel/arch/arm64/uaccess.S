/* SPDX-License-Identifier: MIT */
/*
 * Copies between kernel and program by unprivileged loads and stores. Each returns the bytes not
 * copied. Words first, up to 64 bytes a turn; after a fault in a word the rest goes bytewise, so that every
 * byte before the first unreachable one arrives.
 */
#include <arch/asm.h>
#include <arch/uaccess.h>

    .text

/* size_t user_copy_in(void *destination, vaddr_t source, size_t length) */
function user_copy_in
    cmp     x2, #32
    b.lo    2f
    subs    x7, x2, #64
    b.lo    1f
20: ldtr    x3, [x1]
21: ldtr    x4, [x1, #8]
22: ldtr    x5, [x1, #16]
23: ldtr    x6, [x1, #24]
    stp     x3, x4, [x0], #16
    stp     x5, x6, [x0], #16
24: ldtr    x3, [x1, #32]
25: ldtr    x4, [x1, #40]
26: ldtr    x5, [x1, #48]
27: ldtr    x6, [x1, #56]
    stp     x3, x4, [x0], #16
    stp     x5, x6, [x0], #16
    add     x1, x1, #64
    subs    x7, x7, #64
    b.hs    20b
    add     x2, x7, #64
    cmp     x2, #32
    b.lo    2f
1:  ldtr    x3, [x1]
11: ldtr    x4, [x1, #8]
12: ldtr    x5, [x1, #16]
13: ldtr    x6, [x1, #24]
    stp     x3, x4, [x0], #16
    stp     x5, x6, [x0], #16
    add     x1, x1, #32
    sub     x2, x2, #32
    cmp     x2, #32
    b.hs    1b
2:  cmp     x2, #8
    b.lo    4f
3:  ldtr    x3, [x1]
    str     x3, [x0], #8
    add     x1, x1, #8
    sub     x2, x2, #8
    b       2b
4:  cbz     x2, 6f
5:  ldtrb   w3, [x1]
    strb    w3, [x0], #1
    add     x1, x1, #1
    sub     x2, x2, #1
    b       4b
6:  mov     x0, x2
    ret
    on_fault 20b, 8f
    on_fault 21b, 8f
    on_fault 22b, 8f
    on_fault 23b, 8f
    on_fault 24b, 7f
    on_fault 25b, 7f
    on_fault 26b, 7f
    on_fault 27b, 7f
    on_fault 1b, 4b
    on_fault 11b, 4b
    on_fault 12b, 4b
    on_fault 13b, 4b
    on_fault 3b, 4b
    on_fault 5b, 6b
7:  add     x1, x1, #32                     /* the first half of this turn arrived */
    add     x2, x7, #32
    b       4b
8:  add     x2, x7, #64
    b       4b
end_function user_copy_in

/* size_t user_copy_out(vaddr_t destination, const void *source, size_t length) */
function user_copy_out
    cmp     x2, #32
    b.lo    2f
    subs    x7, x2, #64
    b.lo    1f
20: ldp     x3, x4, [x1]
    ldp     x5, x6, [x1, #16]
21: sttr    x3, [x0]
22: sttr    x4, [x0, #8]
23: sttr    x5, [x0, #16]
24: sttr    x6, [x0, #24]
    ldp     x3, x4, [x1, #32]
    ldp     x5, x6, [x1, #48]
25: sttr    x3, [x0, #32]
26: sttr    x4, [x0, #40]
27: sttr    x5, [x0, #48]
28: sttr    x6, [x0, #56]
    add     x0, x0, #64
    add     x1, x1, #64
    subs    x7, x7, #64
    b.hs    20b
    add     x2, x7, #64
    cmp     x2, #32
    b.lo    2f
1:  ldp     x3, x4, [x1]
    ldp     x5, x6, [x1, #16]
10: sttr    x3, [x0]
11: sttr    x4, [x0, #8]
12: sttr    x5, [x0, #16]
13: sttr    x6, [x0, #24]
    add     x0, x0, #32
    add     x1, x1, #32
    sub     x2, x2, #32
    cmp     x2, #32
    b.hs    1b
2:  cmp     x2, #8
    b.lo    4f
    ldr     x3, [x1]
3:  sttr    x3, [x0]
    add     x0, x0, #8
    add     x1, x1, #8
    sub     x2, x2, #8
    b       2b
4:  cbz     x2, 6f
    ldrb    w3, [x1]
5:  sttrb   w3, [x0]
    add     x0, x0, #1
    add     x1, x1, #1
    sub     x2, x2, #1
    b       4b
6:  mov     x0, x2
    ret
    on_fault 21b, 8f
    on_fault 22b, 8f
    on_fault 23b, 8f
    on_fault 24b, 8f
    on_fault 25b, 8f
    on_fault 26b, 8f
    on_fault 27b, 8f
    on_fault 28b, 8f
    on_fault 10b, 4b
    on_fault 11b, 4b
    on_fault 12b, 4b
    on_fault 13b, 4b
    on_fault 3b, 4b
    on_fault 5b, 6b
8:  add     x2, x7, #64
    b       4b
end_function user_copy_out

/*
 * int user_copy_registers_out(vaddr_t destination, const struct trapframe *source)
 * int user_copy_registers_in(struct trapframe *destination, vaddr_t source)
 * USER_REGISTERS words, two a turn. 0, or -EFAULT after some of them.
 */
    .set offset, 0
function user_copy_registers_out
    .rept   USER_REGISTERS / 2
    .if     offset == 256                   /* STTR reaches 255 bytes */
    add     x0, x0, #256
    .endif
    ldp     x2, x3, [x1, #offset]
1:  sttr    x2, [x0, #(offset % 256)]
2:  sttr    x3, [x0, #(offset % 256 + 8)]
    on_fault 1b, 9f
    on_fault 2b, 9f
    .set offset, offset + 16
    .endr
    mov     w0, #0
    ret
9:  mov     w0, #-14
    ret
end_function user_copy_registers_out

    .set offset, 0
function user_copy_registers_in
    .rept   USER_REGISTERS / 2
    .if     offset == 256
    add     x1, x1, #256
    .endif
1:  ldtr    x2, [x1, #(offset % 256)]
2:  ldtr    x3, [x1, #(offset % 256 + 8)]
    stp     x2, x3, [x0, #offset]
    on_fault 1b, 9f
    on_fault 2b, 9f
    .set offset, offset + 16
    .endr
    mov     w0, #0
    ret
9:  mov     w0, #-14
    ret
end_function user_copy_registers_in

/* size_t user_clear(vaddr_t destination, size_t length) */
function user_clear
    cmp     x1, #64
    b.lo    4f
    sub     x2, x1, #64
20: sttr    xzr, [x0]
21: sttr    xzr, [x0, #8]
22: sttr    xzr, [x0, #16]
23: sttr    xzr, [x0, #24]
24: sttr    xzr, [x0, #32]
25: sttr    xzr, [x0, #40]
26: sttr    xzr, [x0, #48]
27: sttr    xzr, [x0, #56]
    add     x0, x0, #64
    subs    x2, x2, #64
    b.hs    20b
    add     x1, x2, #64
4:  cmp     x1, #8
    b.lo    5f
28: sttr    xzr, [x0]
    add     x0, x0, #8
    sub     x1, x1, #8
    b       4b
5:  cbz     x1, 6f
29: sttrb   wzr, [x0]
    add     x0, x0, #1
    sub     x1, x1, #1
    b       5b
6:  mov     x0, x1
    ret
    .irp    at, 20, 21, 22, 23, 24, 25, 26, 27
    on_fault \at\()b, 7f
    .endr
    on_fault 28b, 5b
    on_fault 29b, 6b
7:  add     x1, x2, #64
    b       5b
end_function user_clear

/* ssize_t user_copy_string(char *destination, vaddr_t source, size_t size) */
function user_copy_string
    mov     x3, #0
1:  cmp     x3, x2
    b.hs    3f
2:  ldtrb   w4, [x1]
    strb    w4, [x0, x3]
    cbz     w4, 3f
    add     x1, x1, #1
    add     x3, x3, #1
    b       1b
3:  mov     x0, x3
    ret
4:  mov     x0, #-14                        /* -EFAULT */
    ret
    on_fault 2b, 4b
end_function user_copy_string

/* int user_load8/32/64(pointer, vaddr_t), user_store32/64(vaddr_t, value) */
    .macro user_load name, instruction, register, store
function \name
1:  \instruction \register, [x1]
    \store  \register, [x0]
    mov     w0, #0
    ret
2:  mov     w0, #-14
    ret
    on_fault 1b, 2b
end_function \name
    .endm
    user_load user_load8, ldtrb, w2, strb
    user_load user_load32, ldtr, w2, str
    user_load user_load64, ldtr, x2, str

    .macro user_store name, instruction, register
function \name
1:  \instruction \register, [x0]
    mov     w0, #0
    ret
2:  mov     w0, #-14
    ret
    on_fault 1b, 2b
end_function \name
    .endm
    user_store user_store32, sttr, w1
    user_store user_store64, sttr, x1

/*
 * Exclusives have no unprivileged form: with PAN they need it lifted for two instructions. The page
 * was checked by an LDTR first; what the MMU then checks is EL1's right to it, which a page that is
 * read-only at EL0 denies as well.
 * int user_exclusive_cmpxchg(vaddr_t word, uint32_t *old, uint32_t desired)
 */
function user_exclusive_cmpxchg
    ldr     w3, [x1]
1:  ldtr    w4, [x0]
2:  ldaxr   w4, [x0]
    cmp     w4, w3
    b.ne    4f
3:  stlxr   w5, w2, [x0]
    cbnz    w5, 2b
4:  str     w4, [x1]
    mov     w0, #0
    ret
5:  mov     w0, #-14
    ret
    on_fault 1b, 5b
    on_fault 2b, 5b
    on_fault 3b, 5b
end_function user_exclusive_cmpxchg
