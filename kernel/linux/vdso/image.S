/* SPDX-License-Identifier: MIT */
/* The linked vDSO, carried in the kernel. */
    .section .rodata, "a"
    .balign 16
    .globl  vdso_image_start, vdso_image_end
    .hidden vdso_image_start
    .hidden vdso_image_end
vdso_image_start:
    .incbin VDSO_FILE
vdso_image_end:
