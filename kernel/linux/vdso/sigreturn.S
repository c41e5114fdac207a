/* SPDX-License-Identifier: MIT */
/*
 * Where a signal handler returns to. Unwinders know these two instructions; they look one byte before
 * the return address, hence the nop. A handler comes here by RET, so there is no landing pad; the note
 * says that the file may be guarded all the same.
 */
    .section .text.sigreturn, "ax"
    nop
    .globl  __kernel_rt_sigreturn
    .type   __kernel_rt_sigreturn, %function
__kernel_rt_sigreturn:
    mov     x8, #139
    svc     #0
    .size   __kernel_rt_sigreturn, . - __kernel_rt_sigreturn
    .section .note.gnu.property, "a"
    .balign 8
    .long   4, 16, 5                        /* "GNU", 16 bytes, NT_GNU_PROPERTY_TYPE_0 */
    .asciz  "GNU"
    .long   0xc0000000, 4, 3, 0             /* AARCH64_FEATURE_1_AND: BTI, PAC */
    .section .note.GNU-stack, "", %progbits
