/* SPDX-License-Identifier: MIT */
/*
 * Where a signal handler returns to. Unwinders know these two instructions; they look one byte before
 * the return address, hence the nop.
 */
    .section .text.sigreturn, "ax"
    nop
    .globl  __kernel_rt_sigreturn
    .type   __kernel_rt_sigreturn, %function
__kernel_rt_sigreturn:
    mov     x8, #139
    svc     #0
    .size   __kernel_rt_sigreturn, . - __kernel_rt_sigreturn
    .section .note.GNU-stack, "", %progbits
