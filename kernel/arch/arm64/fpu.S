/* SPDX-License-Identifier: MIT */
/* FP and SIMD registers to and from struct fpsimd (x0). */
#include <arch/asm.h>

    .arch_extension fp
    .text

function fpsimd_save
    stp     q0, q1, [x0]
    stp     q2, q3, [x0, #32]
    stp     q4, q5, [x0, #64]
    stp     q6, q7, [x0, #96]
    stp     q8, q9, [x0, #128]
    stp     q10, q11, [x0, #160]
    stp     q12, q13, [x0, #192]
    stp     q14, q15, [x0, #224]
    stp     q16, q17, [x0, #256]
    stp     q18, q19, [x0, #288]
    stp     q20, q21, [x0, #320]
    stp     q22, q23, [x0, #352]
    stp     q24, q25, [x0, #384]
    stp     q26, q27, [x0, #416]
    stp     q28, q29, [x0, #448]
    stp     q30, q31, [x0, #480]
    mrs     x1, fpsr
    mrs     x2, fpcr
    add     x0, x0, #512
    stp     w1, w2, [x0]
    ret
end_function fpsimd_save

function fpsimd_load
    ldp     q0, q1, [x0]
    ldp     q2, q3, [x0, #32]
    ldp     q4, q5, [x0, #64]
    ldp     q6, q7, [x0, #96]
    ldp     q8, q9, [x0, #128]
    ldp     q10, q11, [x0, #160]
    ldp     q12, q13, [x0, #192]
    ldp     q14, q15, [x0, #224]
    ldp     q16, q17, [x0, #256]
    ldp     q18, q19, [x0, #288]
    ldp     q20, q21, [x0, #320]
    ldp     q22, q23, [x0, #352]
    ldp     q24, q25, [x0, #384]
    ldp     q26, q27, [x0, #416]
    ldp     q28, q29, [x0, #448]
    ldp     q30, q31, [x0, #480]
    add     x0, x0, #512
    ldp     w1, w2, [x0]
    msr     fpsr, x1
    msr     fpcr, x2
    ret
end_function fpsimd_load

/*
 * int fpsimd_store_user(vaddr_t v), int fpsimd_load_user(vaddr_t v): the 32 registers to and from a
 * program's memory, in its signal frames. -EFAULT at the first fault.
 */
function fpsimd_store_user
100:    stp     q0, q1, [x0]
102:    stp     q2, q3, [x0, #32]
104:    stp     q4, q5, [x0, #64]
106:    stp     q6, q7, [x0, #96]
108:    stp     q8, q9, [x0, #128]
110:    stp     q10, q11, [x0, #160]
112:    stp     q12, q13, [x0, #192]
114:    stp     q14, q15, [x0, #224]
116:    stp     q16, q17, [x0, #256]
118:    stp     q18, q19, [x0, #288]
120:    stp     q20, q21, [x0, #320]
122:    stp     q22, q23, [x0, #352]
124:    stp     q24, q25, [x0, #384]
126:    stp     q26, q27, [x0, #416]
128:    stp     q28, q29, [x0, #448]
130:    stp     q30, q31, [x0, #480]
    on_fault 100b, 9f
    on_fault 102b, 9f
    on_fault 104b, 9f
    on_fault 106b, 9f
    on_fault 108b, 9f
    on_fault 110b, 9f
    on_fault 112b, 9f
    on_fault 114b, 9f
    on_fault 116b, 9f
    on_fault 118b, 9f
    on_fault 120b, 9f
    on_fault 122b, 9f
    on_fault 124b, 9f
    on_fault 126b, 9f
    on_fault 128b, 9f
    on_fault 130b, 9f
    mov     w0, #0
    ret
9:  mov     w0, #-14
    ret
end_function fpsimd_store_user

function fpsimd_load_user
100:    ldp     q0, q1, [x0]
102:    ldp     q2, q3, [x0, #32]
104:    ldp     q4, q5, [x0, #64]
106:    ldp     q6, q7, [x0, #96]
108:    ldp     q8, q9, [x0, #128]
110:    ldp     q10, q11, [x0, #160]
112:    ldp     q12, q13, [x0, #192]
114:    ldp     q14, q15, [x0, #224]
116:    ldp     q16, q17, [x0, #256]
118:    ldp     q18, q19, [x0, #288]
120:    ldp     q20, q21, [x0, #320]
122:    ldp     q22, q23, [x0, #352]
124:    ldp     q24, q25, [x0, #384]
126:    ldp     q26, q27, [x0, #416]
128:    ldp     q28, q29, [x0, #448]
130:    ldp     q30, q31, [x0, #480]
    on_fault 100b, 9f
    on_fault 102b, 9f
    on_fault 104b, 9f
    on_fault 106b, 9f
    on_fault 108b, 9f
    on_fault 110b, 9f
    on_fault 112b, 9f
    on_fault 114b, 9f
    on_fault 116b, 9f
    on_fault 118b, 9f
    on_fault 120b, 9f
    on_fault 122b, 9f
    on_fault 124b, 9f
    on_fault 126b, 9f
    on_fault 128b, 9f
    on_fault 130b, 9f
    mov     w0, #0
    ret
9:  mov     w0, #-14
    ret
end_function fpsimd_load_user
