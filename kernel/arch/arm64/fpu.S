/* SPDX-License-Identifier: MIT */
/* FP and SIMD registers to and from struct fpsimd (x0). */
#include <arch/asm.h>
#include <arch/offsets.h>

    .arch_extension fp
    .text

/* All pairs of Q registers by \instruction; with \fixup, a fault continues there. */
    .macro each_pair instruction, fixup
    pair \instruction, q0, q1, 0, \fixup
    pair \instruction, q2, q3, 32, \fixup
    pair \instruction, q4, q5, 64, \fixup
    pair \instruction, q6, q7, 96, \fixup
    pair \instruction, q8, q9, 128, \fixup
    pair \instruction, q10, q11, 160, \fixup
    pair \instruction, q12, q13, 192, \fixup
    pair \instruction, q14, q15, 224, \fixup
    pair \instruction, q16, q17, 256, \fixup
    pair \instruction, q18, q19, 288, \fixup
    pair \instruction, q20, q21, 320, \fixup
    pair \instruction, q22, q23, 352, \fixup
    pair \instruction, q24, q25, 384, \fixup
    pair \instruction, q26, q27, 416, \fixup
    pair \instruction, q28, q29, 448, \fixup
    pair \instruction, q30, q31, 480, \fixup
    .endm

    .macro pair instruction, first, second, offset, fixup
100:
    \instruction \first, \second, [x0, #\offset]
    .ifnb \fixup
    on_fault 100b, \fixup
    .endif
    .endm

function fpsimd_save
    each_pair stp
    mrs     x1, fpsr
    mrs     x2, fpcr
    add     x0, x0, #FPSIMD_FPSR
    stp     w1, w2, [x0]
    ret
end_function fpsimd_save

function fpsimd_load
    each_pair ldp
    add     x0, x0, #FPSIMD_FPSR
    ldp     w1, w2, [x0]
    msr     fpsr, x1
    msr     fpcr, x2
    ret
end_function fpsimd_load

/*
 * int fpsimd_store_user(vaddr_t v), int fpsimd_load_user(vaddr_t v): the 32 registers to and from a
 * program's memory, in its signal frames. -EFAULT at the first fault.
 */
    .macro user_form name, instruction
function \name
    each_pair \instruction, 9f
    mov     w0, #0
    ret
9:  mov     w0, #-14
    ret
end_function \name
    .endm
    user_form fpsimd_store_user, stp
    user_form fpsimd_load_user, ldp
