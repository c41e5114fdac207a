/* SPDX-License-Identifier: MIT */
/* The scalable registers to and from memory, at the vector length in force: arch/sve.h's layout. */
#include <arch/asm.h>
#include <arch/offsets.h>

    .arch_extension sve
    .text

/* \instruction zN, [\state, #N] and pN, [\predicates, #N], N in vector lengths. */
    .macro each_z instruction, state
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \instruction z\n, [\state, #\n, mul vl]
    .endr
    .endm

    .macro each_p instruction, predicates
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \instruction p\n, [\predicates, #\n, mul vl]
    .endr
    .endm

    .macro to_predicates register, state
    addvl   \register, \state, #16
    addvl   \register, \register, #16
    .endm

function sve_vector_bytes
    rdvl    x0, #1
    ret
end_function sve_vector_bytes

/* The registers stay as they are. */
function sve_save
    to_predicates x2, x0
    each_z  str, x0
    each_p  str, x2
    rdffr   p0.b
    str     p0, [x2, #16, mul vl]
    ldr     p0, [x2]
    mrs     x3, fpsr
    mrs     x4, fpcr
    add     x1, x1, #FPSIMD_FPSR
    stp     w3, w4, [x1]
    ret
end_function sve_save

function sve_load
    to_predicates x2, x0
    ldr     p0, [x2, #16, mul vl]
    wrffr   p0.b
    each_z  ldr, x0
    each_p  ldr, x2
    add     x1, x1, #FPSIMD_FPSR
    ldp     w3, w4, [x1]
    msr     fpsr, x3
    msr     fpcr, x4
    ret
end_function sve_load

/* Writing a V register zeroes what lies above it. */
function sve_clear
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    mov     v\n\().16b, v\n\().16b
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    pfalse  p\n\().b
    .endr
    wrffr   p0.b
    ret
end_function sve_clear
